"""Point 10 of the attack: from what is published, over all rounds together, no count follows."""

from __future__ import annotations

import itertools
import re

import pypdfium2
import pytest
import sqlalchemy as sa

from app import suppression
from app.errors import NotFound
from app.evaluations import published, results, service
from app.evaluations.counting import Scale
from app.evaluations.models import Subject, SubjectKind
from tests.attack.ballots import GRADES, betrayed
from tests.evaluations.conftest import Assembly


@pytest.mark.parametrize(
    "sizes", [(5,), (9,), (10,), (12,), (19,), (2, 3), (3, 9), (6, 6), (1, 1, 8), (2, 11)]
)
def test_every_published_value_fits_two_counts_of_every_grade_of_every_group(
    sizes: tuple[int, ...],
) -> None:
    """All count vectors of small rounds. A round's figures are made of its own counts alone, so
    several rounds together tell what each of them tells and no more."""
    assert betrayed(sizes) == []


@pytest.mark.parametrize("n", range(5, 61))
def test_a_unanimous_vote_is_told_like_one_that_was_not(n: int) -> None:
    told = results.told([(0, 0, n, 0, 0)])
    assert told == results.told([(0, 0, n - 1, 1, 0)])
    assert results.told([(n, 0, 0, 0, 0)]) == results.told([(n - 1, 1, 0, 0, 0)])
    assert results.told([(n, 0, 0, 0, 0)]) == results.told([(n - 1, 0, 0, 1, 0)]) or n == 10


@pytest.mark.parametrize("n", [300, 301, 333, 500, 999, 2999, 3000, 3001, 7777])
def test_with_all_grades_told_a_vote_more_or_less_shows_nowhere(n: int) -> None:
    for vector in ((n, 0, 0, 0, 0), (0, 0, n, 0, 0), (n // 3, n // 3, n - 2 * (n // 3), 0, 0),
                   (n - 7, 1, 2, 3, 1)):  # fmt: skip
        told = suppression.figure(vector)
        neighbours = []
        for a, b in itertools.permutations(range(GRADES), 2):
            if vector[a]:
                moved = list(vector)
                moved[a], moved[b] = moved[a] - 1, moved[b] + 1
                neighbours.append(suppression.figure(moved))
        assert told in neighbours, vector


def grade_all(made: Assembly, counts: tuple[int, ...], *marks: int) -> str:
    """A round whose voters all say the same of everything."""
    plan = made.plan(groups=[f"第{n}组" for n in range(len(counts))], members=1)
    round_id, drawn = made.opened(plan, *counts)
    for codes in drawn:
        for code in codes:
            made.vote(round_id, code, *marks)
    made.settled(round_id)
    return round_id


def without_ids(html: str) -> str:
    return re.sub(r"[0-9a-f]{32,64}| +", "", html)


def test_a_unanimous_branch_of_five_is_told_its_turnout_and_nothing_else(
    assembly: Assembly,
) -> None:
    round_id = grade_all(assembly, (5,), 3, 3)
    client = assembly.app.test_client()
    page = client.get(f"/results/{round_id}").text
    assert "样本不足" in page
    assert "5 ÷ 5" in page
    assert not re.search(r"\d+ ?%", page)
    other = grade_all(assembly, (5,), 1, 2)
    assert without_ids(page) == without_ids(client.get(f"/results/{other}").text)
    with assembly.reading() as session:
        member_id = session.scalars(sa.select(Subject.member_id).where(
            Subject.kind == SubjectKind.MEMBER)).first()  # fmt: skip
        found = results.of_member(session, member_id or "")
    assert [one.counts for one in found] == [None, None]
    assert [one.returned for one in found] == [5, 5]
    assert [one.figure.band for one in found] == [None, None]


def test_a_groups_of_one_never_stands_alone(assembly: Assembly) -> None:
    round_id = grade_all(assembly, (1, 12), 1, 1)
    with assembly.reading() as session:
        shown = published.one(session, round_id)
    assert [part.groups for part in shown.parts] == [("第0组", "第1组")]
    assert all(len(subject.parts) == 1 for subject in shown.subjects)


def test_names_are_public_only_where_the_round_said_so(assembly: Assembly) -> None:
    round_id = grade_all(assembly, (12,), 1, 3)
    with assembly.reading() as session:
        shown = published.one(session, round_id)
        names = [subject.name for subject in shown.subjects]
    assert names == ["龙潭支部"]
    assert shown.unnamed == 1
    client = assembly.app.test_client()
    assert "党员0" not in client.get(f"/results/{round_id}").text
    document = pypdfium2.PdfDocument(client.get(f"/results/{round_id}.pdf").data)
    text = "".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    assert "龙潭支部" in text
    assert "党员0" not in text


def test_of_member_tells_the_committee_counts_once_confirmed(assembly: Assembly) -> None:
    plan = assembly.plan(groups=("党员", "群众"), members=2, scale=Scale.COMPETENCE)
    round_id, (first, second) = assembly.opened(plan, 6, 7)
    for code in first:
        assembly.vote(round_id, code, 0, 1, 2)
    for code in second:
        assembly.vote(round_id, code, 0, 3, 0)
    with assembly.reading() as session:
        member_id = service.subjects_of(session, round_id)[1].member_id or ""
    assembly.close(round_id)
    assembly.count(round_id)
    with assembly.reading() as session:
        assert results.of_member(session, member_id) == ()
    assembly.confirm(round_id)
    with assembly.reading() as session:
        (found,) = results.of_member(session, member_id)
    assert found.counts == (6, 0, 7, 0, 0)
    assert found.grades == ("excellent", "qualified", "basic", "unqualified")
    assert found.figure.n == 13
    assert found.figure.band == (0, 60)


def test_a_draft_is_nobodys_business_and_an_open_round_tells_no_count(assembly: Assembly) -> None:
    client = assembly.app.test_client()
    assert client.get(f"/results/{'0' * 32}").status_code == 404
    with assembly.writing() as session:
        actor = assembly.people["wang"].actor
        draft = service.draft(session, actor, assembly.unit_id, assembly.plan(), assembly.today).id
    assert client.get(f"/results/{draft}").status_code == 404
    round_id, (codes,) = assembly.opened(None, 3)
    before = client.get(f"/results/{round_id}").text
    assembly.vote(round_id, codes[0], 1)
    assert client.get(f"/results/{round_id}").text == before
    assert client.get(f"/results/{round_id}/slips").status_code == 404
    with assembly.reading() as session, pytest.raises(NotFound):
        published.slip_list(session, round_id)


def test_the_results_page_asks_the_same_queries_however_much_there_is(assembly: Assembly) -> None:
    asked: list[int] = []
    engine = assembly.app.extensions["engine"]
    for members in (1, 6):
        plan = assembly.plan(groups=("党员", "群众"), members=members, names_public=True)
        round_id, drawn = assembly.opened(plan, 3, 3)
        for codes in drawn:
            for code in codes:
                assembly.vote(round_id, code, *[1] * (members + 1))
        assembly.settled(round_id)
        statements = [0]

        def note(*_: object, seen: list[int] = statements) -> None:
            seen[0] += 1

        sa.event.listen(engine, "before_cursor_execute", note)
        assembly.app.test_client().get(f"/results/{round_id}")
        sa.event.remove(engine, "before_cursor_execute", note)
        asked.append(statements[0])
    assert asked[0] == asked[1]
