"""Keyed in for others: the same box, the same receipt, and nothing that joins it to who typed."""

from __future__ import annotations

import datetime as dt
import re

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from app import crypto, db
from app.db import Base
from app.intake import rights, service
from app.organisation import service as organisation
from app.organisation.models import Unit, UnitKind
from app.sealing import service as sealing
from app.staff.audit import AuditRow
from app.staff.models import Role, RoleAssignment
from app.submissions import service as submissions
from app.submissions.lying import LyingDrop, unwrap
from app.submissions.models import LyingItem
from app.submissions.service import Opinion, Pen, Receipt
from app.submissions.ticket import Ticket
from config import Config
from tests.cases.test_desk import make_keeper
from tests.cases.test_desk_at_once import office
from tests.conftest import Hand
from tests.factories import make_group
from tests.inspecting_client import elements, find, parse, text_of
from tests.intake.conftest import Typist, cases, open_boxes
from tests.submissions.conftest import Speaker, lying
from tests.visitor import Page

SEEN = "data-seen-by-staff"
SPEAKERS_TABLES = (
    "lying_item", "speaker_tally", "case", "case_event", "thread_item", "sealed_item", "key_wrap",
    "pending_leaf",
)  # fmt: skip


def code_on(page: Page) -> str:
    """The code that the hotline's page reads out."""
    (shown,) = find(page.tree, "data-receipt-code")
    return re.sub(r"\D", "", text_of(shown))


def printed() -> str:
    """A code as a printed form bears it."""
    (code,) = service.new_codes(1)
    return crypto.display_code(code)


# --- the telephone --------------------------------------------------------------------------------


def test_a_caller_gets_the_same_receipt_as_everybody(
    app: Flask, typist: Typist, speaker: Speaker
) -> None:
    page = typist.key_in("phone", {"opinion": "水压太低。\n三楼上不去。"})
    assert page.status == 200
    code = code_on(page)
    thread = speaker.thread(code)
    assert thread.marked("data-state") == ["已投递"] or thread.value_of("data-state") == "lying"
    assert thread.marked("data-message", "speaker") == ["水压太低。\n三楼上不去。"]
    open_boxes(app)
    assert speaker.thread(code).value_of("data-state") == "waiting"
    assert cases(app) == [("phone", "longtan")]


def test_the_receipt_says_that_a_member_of_staff_saw_the_code(
    app: Flask, typist: Typist, speaker: Speaker
) -> None:
    code = code_on(typist.key_in("phone", {"opinion": "水压太低。"}))
    assert speaker.thread(code).marked(SEEN)
    open_boxes(app)
    assert speaker.thread(code).marked(SEEN)
    own = speaker.code("我自己投的。")
    assert not speaker.thread(own).marked(SEEN)


def test_the_code_is_shown_in_fours(typist: Typist) -> None:
    page = typist.key_in("phone", {"opinion": "水压太低。"})
    groups = [re.sub(r"\D", "", text_of(e)) for e in elements(page.tree, "li")]
    assert [len(group) for group in groups if group.isdigit()] == [4, 4, 4, 4, 4, 2]


def test_what_the_caller_reads_back_is_held_against_the_code(app: Flask, typist: Typist) -> None:
    page = typist.key_in("phone", {"opinion": "水压太低。\n\n三楼上不去。"})
    code = code_on(page)
    wrong = code[:8] + f"{(int(code[8:12]) + 1) % 10000:04d}" + code[12:]
    told = typist.page(typist.again(page, "read-back", read_back=wrong))
    assert told.status == 422
    assert "第 3 组" in told.alert()
    assert code_on(told) == code
    right = typist.page(typist.again(told, "read-back", read_back=crypto.display_code(code)))
    assert right.status == 200
    assert code not in re.sub(r"\D", "", right.html)
    assert lying(app) == 1


@pytest.mark.parametrize(
    ("typed", "group"), [("", 1), ("1234", 2), ("1234-5678-9012-3456-7890-1", 6)]
)
def test_a_code_read_back_in_part_is_not_right(typed: str, group: int) -> None:
    assert service.differing_group("1234567890123456789012", typed) == group


def test_a_code_is_right_however_it_was_typed() -> None:
    assert (
        service.differing_group("1234567890123456789012", "１２３４ 5678-9012 3456 7890 12") is None
    )
    assert service.differing_group("1234567890123456789012", "12345678901234567890123") == 6


# --- paper ----------------------------------------------------------------------------------------


def test_a_printed_code_opens_what_was_keyed_in_under_it(
    app: Flask, typist: Typist, speaker: Speaker
) -> None:
    codes = [printed(), printed()]
    page = typist.key_in(
        "paper",
        {"opinion": "路灯坏了。", "code": codes[0], "speaker": "retired"},
        {},
        {"opinion": "桥栏杆掉了。", "code": codes[1].replace("-", "")},
    )
    assert page.status == 200
    assert all(code not in page.html for code in codes)
    said = [speaker.thread(code).marked("data-message", "speaker") for code in codes]
    assert said == [["路灯坏了。"], ["桥栏杆掉了。"]]
    assert speaker.thread(codes[0]).marked("data-promise")
    open_boxes(app)
    assert cases(app) == [("paper", "longtan")] * 2


def test_a_letter_without_a_code_goes_in_too(app: Flask, typist: Typist) -> None:
    assert typist.key_in("paper", {"opinion": "路灯坏了。"}).status == 200
    assert lying(app) == 1


def test_a_printed_code_is_good_once(app: Flask, typist: Typist) -> None:
    code = printed()
    twice = typist.key_in(
        "paper", {"opinion": "一。", "code": code}, {"opinion": "二。", "code": code}
    )
    assert twice.status == 409
    assert lying(app) == 0
    assert typist.key_in("paper", {"opinion": "一。", "code": code}).status == 200
    assert typist.key_in("paper", {"opinion": "二。", "code": code}).status == 409
    open_boxes(app)
    before = lying(app)
    late = typist.key_in("paper", {"opinion": "二。", "code": code}, {"opinion": "三。"})
    assert late.status == 422
    assert lying(app) == before
    open_boxes(app)
    assert len(cases(app)) == 1


@pytest.mark.parametrize(
    "row",
    [
        {"opinion": "路灯坏了。", "code": "1234-5678-9012-3456-7890-13"},
        {"opinion": "路灯坏了。", "code": "12"},
        {"opinion": "  ", "code": "1234-5678-9012-3456-7890-12"},
        {"opinion": "路灯坏了。", "speaker": "mayor"},
        {"opinion": "路灯\x07坏了。"},
        {"opinion": "长" * 5001},
    ],
)
def test_one_bad_row_keeps_the_whole_batch_out_and_on_the_page(
    app: Flask, typist: Typist, row: dict[str, str]
) -> None:
    page = typist.key_in("paper", {"opinion": "好的一份。"}, row)
    assert page.status == 422
    assert page.alert()
    assert "好的一份。" in page.html
    assert lying(app) == 0


def test_rows_are_stored_in_an_order_that_nobody_typed(
    app: Flask, typist: Typist, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real = submissions.drop

    def watched(
        session: Session, pen: Pen, ticket: Ticket, opinion: Opinion, first: Receipt
    ) -> Receipt:
        order.append(opinion.text)
        return real(session, pen, ticket, opinion, first)

    monkeypatch.setattr(submissions, "drop", watched)
    typed = [f"第{n}份" for n in range(20)]
    assert typist.key_in("paper", *({"opinion": text} for text in typed)).status == 200
    assert sorted(order) == sorted(typed)
    assert order != typed


# --- meetings -------------------------------------------------------------------------------------


def test_a_meeting_sent_twice_is_one_meeting(app: Flask, typist: Typist) -> None:
    form = typist.open("meeting").form("/meeting")
    fields = typist.rows(form, {"opinion": "一。"}, {"opinion": "二。"})
    for _ in range(2):
        assert typist.send("/desk/intake/longtan/meeting", fields).status_code == 200
    assert lying(app) == 2
    open_boxes(app)
    before = lying(app)
    assert typist.send("/desk/intake/longtan/meeting", fields).status_code == 200
    assert lying(app) == before
    assert len(cases(app)) == 2


def test_a_page_loaded_before_an_opening_comes_back_with_what_was_typed(
    app: Flask, typist: Typist
) -> None:
    form = typist.open("meeting").form("/meeting")
    open_boxes(app)
    fields = typist.rows(form, {"opinion": "一。"})
    page = typist.page(typist.send("/desk/intake/longtan/meeting", fields))
    assert page.status == 422
    assert "一。" in page.html
    fresh = page.form("/meeting").fields["ticket"]
    fields = [(name, fresh if name == "ticket" else value) for name, value in fields]
    assert typist.send("/desk/intake/longtan/meeting", fields).status_code == 200


def test_more_rows_keep_what_was_typed_and_store_nothing(app: Flask, typist: Typist) -> None:
    page = typist.key_in("meeting", {"opinion": "一。"}, more="yes")
    areas = [e for e in elements(page.tree, "textarea") if e.get("name") == "opinion"]
    assert [text_of(e) for e in areas] == ["一。", *[""] * 5]
    assert lying(app) == 0


# --- what would give a speaker away ---------------------------------------------------------------

TELLING = "我叫李四，路灯坏了。"


def test_what_would_tell_who_spoke_is_shown_before_anything_is_stored(
    app: Flask, typist: Typist, speaker: Speaker
) -> None:
    page = typist.key_in("phone", {"opinion": TELLING})
    assert "李四" in "".join(page.marked("data-self-identification"))
    assert lying(app) == 0
    done = typist.page(typist.again(page, "phone", decision="mask"))
    words = speaker.thread(code_on(done)).marked("data-message", "speaker")
    assert words == ["我叫＊＊，路灯坏了。"]
    right = typist.again(done, "read-back", read_back=code_on(done))
    assert right.status_code == 200
    assert lying(app) == 1


@pytest.mark.parametrize(("decision", "stored"), [("as-is", 1), ("edit", 0), ("perhaps", 0)])
def test_the_typist_decides_as_a_speaker_would(
    app: Flask, typist: Typist, decision: str, stored: int
) -> None:
    page = typist.key_in("phone", {"opinion": TELLING})
    after = typist.page(typist.again(page, "phone", decision=decision))
    assert after.status == 200
    assert lying(app) == stored
    assert (decision == "edit") == (
        after.has_form("/phone") and not find(after.tree, "name", "decision")
    )


# --- who typed ------------------------------------------------------------------------------------


def test_the_record_tells_a_day_and_neither_an_hour_nor_how_many(
    app: Flask, typist: Typist, hand: Hand
) -> None:
    for text in ("一。", "二。", "三。"):
        hand.forward(minutes=7)
        typist.key_in("phone", {"opinion": text})
    typist.key_in("meeting", {"opinion": "四。"}, {"opinion": "五。"})
    with app.app_context(), db.reading() as session:
        rows = session.execute(
            sa.select(AuditRow.at, AuditRow.detail)
            .where(AuditRow.action == "key_in")
            .order_by(AuditRow.detail)
        ).all()
    midnight = dt.datetime(2026, 11, 22, 16, tzinfo=dt.UTC)  # in the county
    assert [(at, what) for at, what in rows] == [
        (midnight, "meeting"),
        (midnight, "phone"),
    ]


def test_no_table_of_a_speaker_holds_who_typed(app: Flask, config: Config, typist: Typist) -> None:
    typist.key_in("meeting", {"opinion": "一。"}, {"opinion": "二。"})
    with app.app_context(), db.reading() as session:
        staff_id = session.scalar(sa.select(AuditRow.staff_id).where(AuditRow.action == "key_in"))
        key = sealing.opening_key(session)
        private = sealing.opening_private_key(key, config.secrets.instance_secret)
        for wrapped in session.scalars(sa.select(LyingItem.wrapped)):
            there = unwrap(wrapped, private)
            assert isinstance(there, LyingDrop)
            assert there.channel == "meeting"
            assert staff_id
            assert staff_id not in repr(there)
    open_boxes(app)
    with app.app_context(), db.reading() as session:
        for table in Base.metadata.sorted_tables:
            if table.name in SPEAKERS_TABLES:
                assert str(staff_id) not in str(session.execute(sa.select(table)).all()), table.name


# --- whose box ------------------------------------------------------------------------------------


def test_a_keeper_keys_in_for_their_own_branch_alone(
    app: Flask, config: Config, typist: Typist
) -> None:
    make_keeper(app, config, "shiqiao")
    client = typist.keeper.client
    token = typist.open("phone").form("/phone").fields["csrf_token"]
    assert client.get("/desk/intake/shiqiao/phone").status_code == 403
    for ending in ("phone", "meeting", "paper", "forms", "phone/read-back", "meeting/receipts"):
        answer = client.post(f"/desk/intake/shiqiao/{ending}", data={"csrf_token": token})
        assert answer.status_code == 403, ending
    assert client.get("/desk/intake/posters.pdf?unit=shiqiao").status_code == 403
    assert client.get("/desk/intake/nowhere/phone").status_code == 404
    index = typist.page(client.get("/desk/intake"))
    assert [e.get("data-intake") for e in find(index.tree, "data-intake")] == ["longtan"]


def test_who_may_key_in_for_many_branches_looks_one_up_among_them(
    app: Flask, config: Config, typist: Typist, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_keeper(app, config, "longhua")
    with app.app_context(), db.transaction() as session:
        unit = session.scalars(sa.select(Unit).where(Unit.slug == "longtan")).one()
        unit.group_id = None
        make_group(session, "er", app.extensions["clock"], watches="longtan")
        role = session.scalars(sa.select(RoleAssignment).where(RoleAssignment.unit_id == unit.id))
        assignment = role.one()
        assignment.role, assignment.unit_id = Role.SUPERVISOR, unit.group_id
    client = typist.keeper.client

    def listed(address: str) -> list[str]:
        page = client.get(address).get_data(as_text=True)
        return [e.get("data-intake") or "" for e in find(parse(page), "data-intake")]

    assert listed("/desk/intake") == ["er", "longtan"]
    monkeypatch.setattr(rights, "MOST_LISTED", 1)
    assert listed("/desk/intake") == []
    assert listed("/desk/intake?q=long") == ["longtan"]
    assert listed("/desk/intake?q=longhua") == []


def test_the_office_keys_in_for_every_branch(app: Flask, config: Config, typist: Typist) -> None:
    client = office(app, config, "county-office")
    assert client.get("/desk/intake/longtan/phone").status_code == 200
    page = typist.page(client.get("/desk/intake?q=longtan"))
    assert [e.get("data-intake") for e in find(page.tree, "data-intake")] == ["longtan"]


def test_past_the_branch_it_lies_in_the_groups_box(app: Flask, typist: Typist) -> None:
    typist.key_in("phone", {"opinion": "说的是书记。", "recipient": "superior"})
    open_boxes(app)
    assert cases(app) == [("phone", "diyi")]


def test_a_box_that_nobody_keeps_takes_nothing_in(app: Flask, config: Config) -> None:
    with app.app_context(), db.transaction() as session:
        unit = organisation.add_unit(session, slug="empty", name="空支部", kind=UnitKind.BRANCH)
        organisation.add_box(session, unit)
    client = office(app, config, "county-office")
    page = client.get("/desk/intake/empty/phone").get_data(as_text=True)
    assert "<textarea" not in page
    token = re.findall(r'name="csrf_token" value="([^"]*)"', page)[0]
    answer = client.post(
        "/desk/intake/empty/phone", data={"csrf_token": token, "opinion": "路灯坏了。"}
    )
    assert answer.status_code in (409, 422)
    assert lying(app) == 0


def test_ratings_of_codes_that_staff_saw_are_counted_apart_and_all_in_coverage(
    app: Flask, typist: Typist, speaker: Speaker
) -> None:
    typist.key_in("meeting", {"opinion": "一。"}, {"opinion": "二。"})
    typist.key_in("phone", {"opinion": "三。"})
    speaker.code("四。")
    open_boxes(app)
    page = speaker.get("/figures")
    told = {
        name: page.marked("data-figure", f"channel-{name}")
        for name in ("web", "paper", "phone", "meeting")
    }
    assert told == {"web": ["1"], "paper": ["0"], "phone": ["1"], "meeting": ["2"]}
