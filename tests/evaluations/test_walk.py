"""A round from its draft to its published result, over HTTP, as people walk it."""

from __future__ import annotations

import re

import pypdfium2
import pytest
import sqlalchemy as sa

from app import crypto
from app.evaluations import slips
from app.evaluations.models import Round, SealedBallot, SlipHash
from app.staff.audit import AuditRow
from app.transparency.models import PendingLeaf
from tests.conftest import Hand
from tests.evaluations.conftest import PASSWORD, Assembly
from tests.evaluations.desks import Desk, alert, form_to, sit_down, upload
from tests.inspecting_client import find, parse, text_of


def drafted(made: Assembly, desk: Desk, **more: object) -> str:
    """A draft on the branch and its committee; the address of its page."""
    people = [made.people[name].actor.staff_id for name in ("wang", "li", "zhao")]
    answer = desk.send(
        "/desk/rounds/new?unit=longtan",
        "/desk/rounds",
        title="第四季度评议",
        scrutineer=people,
        ask=["branch", "committee"],
        **more,
    )
    assert answer.status_code == 303, alert(answer.text)
    return str(answer.location)


def order_of(html: str) -> slips.Order:
    found = re.search(r"app slips ([0-9a-f]{32}-[0-9a-f]{32})", html)
    assert found
    return slips.read_order(found[1])


def bring(desk: Desk, page: str, codes: list[str], group: int = 0) -> str:
    html = desk.get(page)
    order = order_of(html)
    groups = re.findall(r'<option value="([0-9a-f]{32})"', html)
    hashes = slips.hash_codes(codes, order.salt, 1, lambda _count: None)
    text = slips.write_list(order.round_id, hashes)
    return desk.step(page, "/slips", list=upload(text), group=groups[group])


def ballot(made: Assembly, code: str, query: str = "") -> str:
    answer = made.app.test_client().post(f"/slip{query}", data={"slip": code})
    assert answer.status_code == 200, alert(answer.text)
    return answer.text


def cast(made: Assembly, code: str, grade: str) -> None:
    client = made.app.test_client()
    html = ballot(made, code)
    action, fields = form_to(html, "/slip")
    names = {e.get("name") or "" for e in find(parse(html), "type", "radio")}
    answer = client.post(action, data={**fields, **dict.fromkeys(names, grade)})
    assert answer.status_code == 200, alert(answer.text)
    assert find(parse(answer.text), "data-counted")


def test_a_round_is_walked_from_draft_to_published_result(assembly: Assembly) -> None:
    wang, li = sit_down(assembly, "wang"), sit_down(assembly, "li")
    page = drafted(assembly, wang, groups="党员\n群众")
    wang.step(page, "/freeze")
    members, public = slips.new_codes(13), slips.new_codes(4)
    bring(wang, page, members, 0)
    bring(wang, page, public, 1)
    wang.step(page, "/leftover", codes="\n".join(map(crypto.display_code, members[12:])))
    wang.step(page, "/open")
    for code in members[:12]:
        cast(assembly, code, "satisfied")
    for code in public[:3]:
        cast(assembly, code, "dissatisfied")
    address = "/results/" + page.split("?")[0].rsplit("/", 1)[1]
    before = assembly.app.test_client().get(address).text
    assert "data-subject-result" not in before
    assert 'data-figure="turnout"' not in before
    wang.step(page, "/close")
    assert wang.send(page, "/count").status_code == 403
    assert li.send(page, "/count").status_code == 303
    li.get(page)
    assert "/confirm" not in li.get(page)
    wang.step(page, "/confirm")
    assert assembly.app.test_client().get(address).text.count("data-subject-result") == 0
    html = wang.get(page)
    verdict = re.findall(r'name="(verdict-[0-9a-f]{32})"', html)[0]
    wang.step(page, "/publish", **{verdict: "多数同志认可"})
    shown = assembly.app.test_client().get(address).text
    (turnout,) = find(parse(shown), "data-figure", "turnout")
    assert text_of(turnout) == "15 ÷ 16"
    assert "80–100%" in shown
    assert "多数同志认可" in shown
    for listing in ("/results", "/units/longtan"):
        assert f'href="{address}"' in assembly.app.test_client().get(listing).text
    english = assembly.app.test_client().get(f"{address}?lang=en&view=large").text
    assert "80–100%" in english
    pdf = assembly.app.test_client().get(f"{address}.pdf")
    assert pdf.mimetype == "application/pdf"
    listed = assembly.app.test_client().get(f"{address}/slips").text
    left = crypto.slip_hash(public[3], assembly_salt(assembly)).hex()
    assert f"unused 1 {slips.root_of([bytes.fromhex(left)]).hex()}\n{left}" in listed
    assert "voided 1 " in listed


def assembly_salt(made: Assembly) -> bytes:
    with made.reading() as session:
        return session.scalars(sa.select(Round.salt).limit(1)).one()


def test_every_page_of_a_round_is_there_in_english(assembly: Assembly) -> None:
    wang = sit_down(assembly, "wang")
    wang.get("/desk/rounds?lang=en")
    wang.get("/desk/rounds/new?unit=longtan&lang=en")
    page = drafted(assembly, wang, comments="yes", member=[])
    wang.get(f"{page}?lang=en")
    wang.step(page, "/freeze")
    wang.get(f"{page}?lang=en")
    codes = slips.new_codes(2)
    html = wang.get(page)
    assert "群众" in html
    bring(wang, page, codes, 0)
    bring(wang, page, slips.new_codes(1), 1)
    wang.step(page, "/open")
    wang.get(f"{page}?lang=en")
    wang.get(f"{page}/paper?lang=en")
    assert wang.client.get(f"{page}/ballot.pdf").mimetype == "application/pdf"
    ballot(assembly, codes[0], "?lang=en&view=large")
    client = assembly.app.test_client()
    client.get("/slip?lang=en")
    client.get("/results?lang=en")
    wang.step(page, "/void", reason="改期")
    wang.get(f"{page}?lang=en")
    client.get("/results/" + page.rsplit("/", 1)[1] + "?lang=en")


@pytest.mark.parametrize(
    ("typed", "error", "status"),
    [("1234", "mistyped", 422), ("", "mistyped", 422), ("x" * 5000, "mistyped", 422)],
)
def test_a_mistyped_slip_is_told_at_once(
    assembly: Assembly, typed: str, error: str, status: int
) -> None:
    answer = assembly.app.test_client().post("/slip", data={"slip": typed})
    assert answer.status_code == status
    assert find(parse(answer.text), "data-error", error)


def test_each_slip_that_does_not_vote_is_told_why(assembly: Assembly, hand: Hand) -> None:
    client = assembly.app.test_client()

    def told(code: str) -> tuple[int, str]:
        answer = client.post("/slip", data={"slip": crypto.display_code(code)})
        found = find(parse(answer.text), "data-error")
        return answer.status_code, (found[0].get("data-error") or "") if found else ""

    assert told(slips.new_codes(1)[0]) == (422, "unknown")
    round_id = assembly.frozen()
    ((code, voided, unused),) = assembly.drawn(round_id, 3)
    assert told(code) == (422, "early")
    with assembly.writing() as session:
        assembly.held(session, round_id)
        slip_hash = crypto.slip_hash(voided, session.get_one(Round, round_id).salt)
        session.execute(
            sa.update(SlipHash).where(SlipHash.slip_hash == slip_hash).values(voided=True)
        )
    assembly.begin(round_id)
    assert told(voided) == (422, "voided")
    cast(assembly, code, "satisfied")
    assert told(code) == (422, "unknown")
    assert told(unused) == (200, "")
    hand.forward(days=4)
    assert told(unused) == (409, "late")


def test_a_full_width_spaced_slip_opens_its_ballot(assembly: Assembly) -> None:
    _, ((code,),) = assembly.opened(None, 1)
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    ballot(assembly, f" {wide[:7]} {wide[7:]}\n")


def test_a_ballot_for_fifty_fits_a_page_and_bad_choices_come_back(assembly: Assembly) -> None:
    plan = assembly.plan(members=6)
    one = plan.subjects[0]
    many = type(plan)(**{**plan.__dict__, "subjects": [one] * 50})
    _, ((code,),) = assembly.opened(many, 1)
    html = ballot(assembly, code)
    assert len(html.encode()) < 60_000
    action, fields = form_to(html, "/slip")
    names = sorted({e.get("name") or "" for e in find(parse(html), "type", "radio")})
    assert len(names) == 50
    client = assembly.app.test_client()
    answer = client.post(action, data={**fields, names[0]: "basically", names[1]: "nonsense"})
    assert answer.status_code == 422
    assert alert(answer.text)
    (chosen,) = [
        e for e in find(parse(answer.text), "name", names[0]) if e.get("checked") is not None
    ]
    assert chosen.get("value") == "basically"
    action, fields = form_to(answer.text, "/slip")
    assert client.post(action, data={**fields, names[1]: "unknown"}).status_code == 200


def test_a_forged_or_stale_ballot_is_refused_and_the_slip_stays_good(
    assembly: Assembly, hand: Hand
) -> None:
    _, ((code,),) = assembly.opened(None, 1)
    client = assembly.app.test_client()
    assert client.post("/slip", data={"ticket": "forged"}).status_code == 422
    action, fields = form_to(ballot(assembly, code), "/slip")
    assert client.post(action, data={**fields, "website": "spam"}).status_code == 422
    hand.forward(days=3)  # no time limit on the page itself
    assert client.post(action, data=fields).status_code == 200
    answer = client.post(action, data=fields)
    assert answer.status_code == 409
    assert "连按了两下" in alert(answer.text)


def test_a_ballots_page_holds_no_code_and_sets_no_cookie(assembly: Assembly) -> None:
    _, ((code,),) = assembly.opened(None, 1)
    answer = assembly.app.test_client().post("/slip", data={"slip": code})
    assert code not in re.sub(r"\D", "", answer.text)
    assert len(answer.data) % 4096 == 0
    assert "Set-Cookie" not in answer.headers


def test_a_comment_with_a_code_is_refused_kindly_and_others_reach_the_committee_after_the_count(
    assembly: Assembly,
) -> None:
    _, (codes,) = assembly.opened(assembly.plan(comments=True), 3)
    client = assembly.app.test_client()
    html = ballot(assembly, codes[0])
    action, fields = form_to(html, "/slip")
    (name,) = [n for n in fields if n.startswith("comment-")]
    refused = client.post(action, data={**fields, name: f"我的号码是{codes[1]}"})
    assert refused.status_code == 422
    for code, words in zip(codes, ("少开会\n<b>多</b>办事", "好", ""), strict=True):
        action, fields = form_to(ballot(assembly, code), "/slip")
        assert client.post(action, data={**fields, name: words}).status_code == 200
    round_id = only_round(assembly)
    wang, li, zhao = (sit_down(assembly, person) for person in ("wang", "li", "zhao"))
    page = f"/desk/rounds/{round_id}"
    wang.step(page, "/close")
    assert "办事" not in wang.get(f"{page}/comments")
    li.step(page, "/count")
    zhao.step(page, "/confirm")
    assert "/comments" in wang.get(page)
    assert "/comments" not in zhao.get(page)  # no keeper of the branch's box
    read = find(parse(wang.get(f"{page}/comments?lang=en")), "data-comment")
    assert sorted(map(text_of, read)) == ["好", "少开会\n<b>多</b>办事"]
    assert not find(parse(zhao.get(f"{page}/comments")), "data-comment")


def only_round(made: Assembly) -> str:
    with made.reading() as session:
        return session.scalars(sa.select(Round.id)).one()


def printed(sheets: bytes) -> list[str]:
    """The numbers on printed slips."""
    document = pypdfium2.PdfDocument(sheets)
    text = "".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    return re.findall(r"(?:\d{4}-){5}\d{2}", text)


def test_slips_made_at_the_desk_are_labelled_weaker_and_given_once(assembly: Assembly) -> None:
    wang = sit_down(assembly, "wang")
    page = f"/desk/rounds/{assembly.frozen()}"
    assert wang.send(page, "/print", count="501").status_code == 422
    answer = wang.send(page, "/print", count="13")
    assert answer.mimetype == "application/pdf"
    codes = printed(answer.data)
    assert len(set(codes)) == 13
    wang.step(page, "/open")
    ballot(assembly, codes[0])
    public = assembly.app.test_client().get("/results/" + page.rsplit("/", 1)[1]).text
    assert "比离线做的弱" in public
    with assembly.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(PendingLeaf)) == 1


def test_a_damaged_or_foreign_or_repeated_list_is_refused_whole(assembly: Assembly) -> None:
    wang = sit_down(assembly, "wang")
    page, other = (f"/desk/rounds/{assembly.frozen()}" for _ in range(2))
    order = order_of(wang.get(page))
    hashes = slips.hash_codes(slips.new_codes(3), order.salt, 1, lambda _count: None)
    good = slips.write_list(order.round_id, hashes)
    lines = good.splitlines()
    for bad in ("", good[:-3], "\n".join([lines[0], lines[2], lines[1], lines[3]]),
                good.replace(" 3 ", " 4 "), good + "00" * 32 + "\n"):  # fmt: skip
        assert wang.send(page, "/slips", list=upload(bad)).status_code == 422, bad
    assert wang.send(other, "/slips", list=upload(good)).status_code == 422
    wang.step(page, "/slips", list=upload(good))
    assert wang.send(page, "/slips", list=upload(good)).status_code == 422
    with assembly.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(SlipHash)) == 3


def test_a_paper_ballot_takes_two_people_and_uses_its_slip_up(
    assembly: Assembly, hand: Hand
) -> None:
    round_id, (codes,) = assembly.opened(None, 3)
    wang = sit_down(assembly, "wang")
    page = f"/desk/rounds/{round_id}/paper"
    for name, password in (("li", "wrong password"), ("wang", PASSWORD), ("sun", PASSWORD)):
        answer = wang.send(page, "/paper", username=name, password=password)
        assert answer.status_code in (403, 404, 422), name
        assert "/paper/ballot" not in answer.text
    paired = wang.send(page, "/paper", username="li", password=PASSWORD).text
    action, fields = form_to(paired, "/paper/ballot")
    (name,) = {e.get("name") or "" for e in find(parse(paired), "type", "radio")}
    keyed = wang.client.post(action, data={**fields, "slip": codes[0], name: "satisfied"})
    assert keyed.status_code == 200
    assert wang.client.post(action, data={**fields, "slip": codes[0]}).status_code == 409
    assert wang.client.post(action, data={**fields, "slip": "12"}).status_code == 422
    wang.client.post(action, data={**fields, "slip": codes[1], name: "satisfied"})
    li = sit_down(assembly, "li")
    token = form_to(li.get(page), "/paper")[1]["csrf_token"]
    stolen = li.client.post(action, data={**fields, "csrf_token": token, "slip": codes[2]})
    assert stolen.status_code == 422  # the signatures are wang's and li's, at wang's desk
    hand.forward(minutes=46)
    assert wang.client.post(action, data={**fields, "slip": codes[2]}).status_code == 422
    with assembly.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(SealedBallot)) == 2
        noted = session.scalars(sa.select(AuditRow.action)).all()
    assert noted.count("pair_for_papers") == 3  # wang, sun, li signed; never a line for a ballot
    assembly.settled(round_id)
    shown = assembly.app.test_client().get(f"/results/{round_id}").text
    assert "代录的纸票" in shown


def test_another_branchs_round_is_not_there(assembly: Assembly) -> None:
    round_id = assembly.frozen()
    sun = sit_down(assembly, "sun")
    assert sun.client.get(f"/desk/rounds/{round_id}").status_code == 404
    assert round_id not in sun.get("/desk/rounds")
    zhao = sit_down(assembly, "zhao")
    page = f"/desk/rounds/{round_id}"
    assert "/open" not in zhao.get(page)
    html = sit_down(assembly, "wang").get(page)
    assert "/open" in html
    data = {"csrf_token": form_to(zhao.get("/desk/rounds"), "/sign-out")[1]["csrf_token"]}
    for step in ("open", "void", "freeze", "publish"):
        assert zhao.client.post(f"{page}/{step}", data=data).status_code == 403, step
    assert sun.client.get("/desk/rounds/new?unit=longtan").status_code == 403


def test_a_draft_refused_comes_back_as_it_was_typed(assembly: Assembly) -> None:
    wang = sit_down(assembly, "wang")
    answer = wang.send(
        "/desk/rounds/new?unit=longtan", "/desk/rounds", title="第四季度", groups="党员\n党员"
    )
    assert answer.status_code == 422
    assert 'value="第四季度"' in answer.text
    people = [assembly.people["wang"].actor.staff_id]
    wrongs: list[dict[str, object]] = [
        {"closes_on": "2020-01-01"}, {"closes_on": "x"}, {"scale": "x"},
        {"scrutineer": people}, {"ask": []}, {"title": ""},
    ]  # fmt: skip
    for wrong in wrongs:
        fields: dict[str, object] = {
            "title": "第四季度", "scrutineer": [*people, assembly.people["li"].actor.staff_id],
            "ask": ["branch"], **wrong,
        }  # fmt: skip
        sent = wang.send("/desk/rounds/new?unit=longtan", "/desk/rounds", **fields)
        assert sent.status_code == 422, wrong
    assert "还没有评议" in wang.get("/desk/rounds")


def test_a_colleagues_change_meanwhile_is_told(assembly: Assembly) -> None:
    wang, li = sit_down(assembly, "wang"), sit_down(assembly, "li")
    page = drafted(assembly, wang, groups="党员")
    action, fields = form_to(li.get(page), "/freeze")
    wang.step(page, "/freeze")
    assert li.client.post(action, data=fields).status_code == 409
