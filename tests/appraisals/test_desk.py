"""Appraisals at the desk over HTTP: from the first occasion to the reply; who may not."""

from __future__ import annotations

import io
import re

import pyotp
import pypdf
import pypdfium2
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import db
from app.appraisals.models import Appraisal, MemberLink, Occasion
from app.appraisals.workflow import State
from app.clock import Clock
from app.organisation import service as organisation
from app.organisation.models import Box, Member, Unit, UnitKind
from app.staff import keepers
from app.staff.audit import AuditRow
from app.staff.models import Role
from config import Config
from tests.appraisals.conftest import add_members, text_of
from tests.cases.test_desk import PASSWORD, Keeper, make_keeper, opened
from tests.cases.test_desk_at_once import office, token_of

DESK = "/desk/appraisals"
TEXT = {"achievements": "路灯修得快", "problems": "会上说话少", "direction": "多听听"}
STEPS = [
    "paper",
    "revoke",
    "draft",
    "finish",
    "return",
    "revise",
    "handover",
    "acknowledge",
    "reply",
    "oral",
    "plan",
    "leave",
    "link",
    "deliver",
    "gather",
]


WALK: tuple[tuple[str, dict[str, str]], ...] = (
    ("link", {}),
    ("draft", TEXT),
    ("plan", {"words": "改", "due": "2026-12-31"}),
    ("finish", {}),
    ("deliver", {}),
    ("oral", {"who": "书记", "on": "2026-11-20", "gist": "谈"}),
)


@pytest.fixture
def keeper(app: Flask, config: Config) -> Keeper:
    made = make_keeper(app, config, "longtan")
    with app.app_context(), db.transaction() as session:
        add_members(session, made.box.unit_id, "王建国", "李秀英", "张志强")
    return made


def begin(keeper: Keeper, name: str = "2026年度", **more: str) -> TestResponse:
    token = token_of(keeper.client, DESK)
    data = {"csrf_token": token, "unit": keeper.box.slug, "name": name, **more}
    return keeper.client.post(DESK, data=data)


def members(app: Flask) -> list[str]:
    with app.app_context(), db.reading() as session:
        query = sa.select(Appraisal.id).join(Member).order_by(Member.number)
        return list(session.scalars(query))


def hidden(client: FlaskClient, address: str) -> dict[str, str]:
    page = client.get(address).get_data(as_text=True)
    return dict(re.findall(r'type="hidden" name="(csrf_token|version)" value="([^"]*)"', page))


def act(keeper: Keeper, appraisal_id: str, step: str, **fields: object) -> TestResponse:
    address = f"{DESK}/{appraisal_id}"
    data = {**hidden(keeper.client, address), **fields}
    return keeper.client.post(f"{address}/{step}", data=data)


def link_in(answer: TestResponse) -> str:
    found = re.findall(
        r"data-link data-user-text>http://localhost(/appraisal/[^<]+)<", text_of(answer)
    )
    return str(found[0])


def member(app: Flask, address: str, step: str, **fields: str) -> TestResponse:
    client = app.test_client()
    page = client.get(address).get_data(as_text=True)
    ticket = re.findall(r'name="ticket" value="([^"]*)"', page)[0]
    data = {"ticket": ticket, "website": "", "step": step, **fields}
    return client.post(address, data=data)


def pdf_text(content: bytes) -> str:
    document = pypdfium2.PdfDocument(content)
    return re.sub(r"\s", "", "".join(p.get_textpage().get_text_range() for p in document))


# --- the whole way --------------------------------------------------------------------------------


def test_from_the_first_link_to_the_members_reply(app: Flask, keeper: Keeper) -> None:
    assert "还没有开始过" in text_of(keeper.client.get(DESK))
    assert begin(keeper).status_code == 303
    first = members(app)[0]
    link = link_in(act(keeper, first, "link"))
    member(app, link, "hand-in", **{"answer-1": "我修了路灯"})
    assert "我修了路灯" in text_of(keeper.client.get(f"{DESK}/{first}"))
    assert act(keeper, first, "draft", **TEXT).status_code == 303
    assert act(keeper, first, "plan", words="每月听一次意见", due="2026-12-31").status_code == 303
    assert act(keeper, first, "finish").status_code == 303
    given = act(keeper, first, "deliver")
    assert given.status_code == 200
    page = text_of(member(app, link_in(given), "open"))
    assert "会上说话少" in page
    assert "每月听一次意见" in page
    member(app, link_in(given), "acknowledge")
    member(app, link_in(given), "reply", reply="有一处不对")
    page = text_of(keeper.client.get(f"{DESK}/{first}"))
    assert 'data-standing="acknowledged"' in page
    assert "有一处不对" in page
    assert "他有话说" in text_of(keeper.client.get(DESK))
    assert act(keeper, first, "revise").status_code == 303
    assert act(keeper, first, "oral", who="书记", on="2026-11-20", gist="谈了").status_code == 303
    with app.app_context(), db.reading() as session:
        acts = set(session.scalars(sa.select(AuditRow.action)))
    assert {"begin_appraisals", "link_self", "appraisal_draft", "link_feedback"} <= acts


def test_paper_all_the_way(app: Flask, keeper: Keeper) -> None:
    begin(keeper)
    first = members(app)[0]
    form = keeper.client.get(f"{DESK}/{first}/form.pdf")
    assert "看信念" in pdf_text(form.get_data())
    assert keeper.client.get(f"{DESK}/{first}/feedback.pdf").status_code == 404
    assert act(keeper, first, "paper", **{"answer-2": "纸上写的"}).status_code == 303
    act(keeper, first, "draft", **TEXT)
    act(keeper, first, "finish")
    sheet = pdf_text(keeper.client.get(f"{DESK}/{first}/feedback.pdf").get_data())
    for words in ("王建国", "路灯修得快", "会上说话少", "不表示都同意", "本人签名"):
        assert words in sheet
    assert act(keeper, first, "handover").status_code == 303
    assert act(keeper, first, "acknowledge").status_code == 303
    assert act(keeper, first, "reply", reply="纸上回的").status_code == 303
    act(keeper, first, "oral", who="王书记", on="2026-11-20", gist="谈了作风")
    talks = keeper.client.get(f"{DESK}/{first}/talks.pdf").get_data()
    assert "谈了作风" in pdf_text(talks)
    assert not pypdf.PdfReader(io.BytesIO(talks)).metadata


def test_a_sheet_of_cards_gives_each_their_own_link_once(app: Flask, keeper: Keeper) -> None:
    begin(keeper)
    with app.app_context(), db.reading() as session:
        occasion = session.scalars(sa.select(Occasion.id)).one()
    token = {"csrf_token": token_of(keeper.client, DESK)}
    sheet = keeper.client.post(f"{DESK}/self/cards", data={**token, "every": occasion})
    assert sheet.mimetype == "application/pdf"
    text = pdf_text(sheet.get_data())
    for name in ("王建国", "李秀英", "张志强"):
        assert name in text
    assert "http" not in text  # the code alone carries the address
    with app.app_context(), db.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(MemberLink)) == 3
        before = set(session.scalars(sa.select(MemberLink.id)))
    # Printed twice by mistake: the links of the first sheet go on working.
    assert (
        keeper.client.post(f"{DESK}/self/cards", data={**token, "every": occasion}).status_code
        == 409
    )
    with app.app_context(), db.reading() as session:
        assert set(session.scalars(sa.select(MemberLink.id))) == before
    nobody = keeper.client.post(f"{DESK}/feedback/cards", data={**token, "appraisal": members(app)})
    assert nobody.status_code == 409


def test_the_heading_of_the_cards_names_who_got_none(app: Flask, keeper: Keeper) -> None:
    begin(keeper)
    ids = members(app)
    act(keeper, ids[0], "draft", **TEXT)
    act(keeper, ids[0], "finish")
    token = {"csrf_token": token_of(keeper.client, DESK)}
    sheet = keeper.client.post(f"{DESK}/feedback/cards", data={**token, "appraisal": ids[:2]})
    text = pdf_text(sheet.get_data())
    assert "没有印的：李秀英" in text
    with app.app_context(), db.reading() as session:
        assert session.get_one(Appraisal, ids[0]).state is State.DELIVERED
        assert session.get_one(Appraisal, ids[1]).state is State.OPEN


# --- what is refused ------------------------------------------------------------------------------


def test_what_is_refused_comes_back_as_it_was_typed(app: Flask, keeper: Keeper) -> None:
    assert begin(keeper, " ", questions="看什么？").status_code == 422
    assert "看什么？" in text_of(begin(keeper, " ", questions="看什么？"))
    begin(keeper)
    first = members(app)[0]
    for step, fields in (
        ("draft", {**TEXT, "problems": "长" * 2501}),
        ("draft", dict.fromkeys(TEXT, " ")),
        ("oral", {"who": "书记", "on": "bald", "gist": "谈了很久"}),
        ("plan", {"words": "改一改作风", "due": "2020-01-01"}),
        ("paper", {"answer-1": ""}),
        ("leave", {}),
    ):
        answer = act(keeper, first, step, **fields)
        assert answer.status_code == 422, step
        assert 'role="alert"' in text_of(answer)
        for words in (w for w in fields.values() if str(w).strip() and len(str(w)) < 99):
            assert str(words) in text_of(answer)
    for step in ("finish", "return", "revise", "handover", "acknowledge", "deliver", "revoke"):
        assert act(keeper, first, step).status_code == 409, step


def test_a_raw_sentence_is_refused_and_what_was_written_stays(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    words = "王建国在村民会上当众拍桌子骂人，大家都不敢说话"
    ((_, case_id),) = opened(app, config, keeper.box, words)
    begin(keeper)
    first = members(app)[0]
    page = text_of(keeper.client.get(f"{DESK}/{first}"))
    assert f'data-gathered="{case_id}"' in page
    refused = act(keeper, first, "draft", **TEXT, case=case_id, cite=words)
    assert refused.status_code == 422
    assert TEXT["problems"] in text_of(refused)
    taken = act(keeper, first, "draft", **TEXT, case=case_id, cite="有人反映会上态度不好")
    assert taken.status_code == 303
    assert 'value="有人反映会上态度不好"' in text_of(keeper.client.get(f"{DESK}/{first}"))


def test_looking_for_other_opinions_keeps_what_was_typed(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    ((_, about), (_, other)) = opened(app, config, keeper.box, "王建国说话难听", "食堂的饭凉了")
    begin(keeper)
    first = members(app)[0]
    page = text_of(act(keeper, first, "gather", **TEXT, case=about, cite="态度问题", q="食堂"))
    assert f'data-gathered="{other}"' in page
    assert 'value="态度问题"' in page
    assert TEXT["direction"] in page


def test_a_page_opened_before_a_colleagues_change_overwrites_nothing(
    app: Flask, keeper: Keeper
) -> None:
    begin(keeper)
    first = members(app)[0]
    old = hidden(keeper.client, f"{DESK}/{first}")
    act(keeper, first, "draft", **TEXT)
    late = keeper.client.post(f"{DESK}/{first}/draft", data={**old, **TEXT, "problems": "晚到的"})
    assert late.status_code == 409
    assert "晚到的" in text_of(late)


def test_two_pairs_of_eyes_where_the_box_asks_for_them(app: Flask, keeper: Keeper) -> None:
    with app.app_context(), db.transaction() as session:
        session.get_one(Box, keeper.box.box_id).second_eyes = True
    begin(keeper)
    first = members(app)[0]
    act(keeper, first, "draft", **TEXT)
    assert "看过了，定稿" not in text_of(keeper.client.get(f"{DESK}/{first}"))
    assert act(keeper, first, "finish").status_code == 403


def test_who_left_is_off_the_roll_and_their_link_is_dead(app: Flask, keeper: Keeper) -> None:
    begin(keeper)
    first = members(app)[0]
    link = link_in(act(keeper, first, "link"))
    assert act(keeper, first, "leave", confirm="yes").status_code == 303
    assert app.test_client().get(link).status_code == 409
    page = text_of(keeper.client.get(f"{DESK}/{first}"))
    assert "离开了支部" in page
    assert 'data-standing="gone"' in text_of(keeper.client.get(DESK))
    with app.app_context(), db.reading() as session:
        assert organisation.member_count(session, keeper.box.unit_id) == 2


# --- who may not ----------------------------------------------------------------------------------


def test_another_branchs_appraisals_are_not_there_for_a_keeper(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    begin(keeper)
    first = members(app)[0]
    act(keeper, first, "draft", **TEXT)
    act(keeper, first, "plan", words="改", due="2026-12-31")
    item = re.findall(r'data-item="(\w+)"', text_of(keeper.client.get(f"{DESK}/{first}")))[0]
    with app.app_context(), db.reading() as session:
        occasion = session.scalars(sa.select(Occasion.id)).one()
        before = session.get_one(Appraisal, first).version
    stranger = make_keeper(app, config, "shiqiao").client
    token = {"csrf_token": token_of(stranger, DESK)}
    assert "王建国" not in text_of(stranger.get(f"{DESK}?occasion={occasion}"))
    assert stranger.get(f"{DESK}/{first}").status_code == 404
    for name in ("form", "feedback", "talks"):
        assert stranger.get(f"{DESK}/{first}/{name}.pdf").status_code == 404
    for step in STEPS:
        answer = stranger.post(f"{DESK}/{first}/{step}", data={**token, **TEXT, "confirm": "yes"})
        assert answer.status_code == 404, step
    for step in ("done", "again"):
        answer = stranger.post(
            f"{DESK}/{first}/plan/{item}/{step}", data={**token, "evidence": "x"}
        )
        assert answer.status_code == 404
    assert stranger.post(f"{DESK}/{occasion}/members", data=token).status_code == 404
    for data in ({"every": occasion}, {"appraisal": first}):
        assert stranger.post(f"{DESK}/self/cards", data={**token, **data}).status_code == 409
    data = {**token, "unit": "longtan", "name": "冒充"}
    assert stranger.post(DESK, data=data).status_code == 403
    with app.app_context(), db.reading() as session:
        assert session.get_one(Appraisal, first).version == before
        assert session.scalars(sa.select(MemberLink)).all() == []


def supervisor(app: Flask, config: Config, watched: str) -> FlaskClient:
    clock: Clock = app.extensions["clock"]
    secret = pyotp.random_base32()
    with app.app_context(), db.transaction() as session:
        group = organisation.add_unit(session, slug="diyi", name="第一监督组", kind=UnitKind.GROUP)
        session.get_one(Unit, watched).group_id = group.id
        staff = keepers.create_staff(
            session, username="watcher", password=PASSWORD, totp_secret=secret,
            pepper=config.secrets.pepper, now=clock.now(),
        )  # fmt: skip
        keepers.assign(session, staff, Role.SUPERVISOR, group.id)
    client = app.test_client()
    data = {"csrf_token": token_of(client, "/desk/sign-in"), "username": "watcher"}
    client.post("/desk/sign-in", data={**data, "password": PASSWORD})
    token = token_of(client, "/desk/second-factor")
    code = pyotp.TOTP(secret).at(clock.now())
    client.post("/desk/second-factor", data={"csrf_token": token, "totp": code})
    return client


def test_the_group_and_the_office_see_numbers_and_no_name_and_no_word(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    begin(keeper)
    first = members(app)[0]
    act(keeper, first, "draft", **TEXT)
    for client in (
        supervisor(app, config, keeper.box.unit_id),
        office(app, config, "xianweiban"),
    ):
        page = text_of(client.get(DESK))
        assert page.count("data-progress") == 1
        for telling in ("王建国", "会上说话少", "data-appraisal"):
            assert telling not in page
        assert client.get(f"{DESK}/{first}").status_code == 403
        assert client.get(f"{DESK}?lang=en").status_code == 200


@pytest.mark.parametrize("view", ["?lang=en", "?lang=zh-Hant", "?view=large"])
def test_the_desks_pages_are_whole_in_every_language(app: Flask, keeper: Keeper, view: str) -> None:
    assert keeper.client.get(DESK + view).status_code == 200
    begin(keeper)
    first = members(app)[0]
    for step, fields in WALK:
        act(keeper, first, step, **fields)
        assert keeper.client.get(f"{DESK}/{first}{view}").status_code == 200
        assert keeper.client.get(DESK + view).status_code == 200
    for chosen in ("ours", "theirs", "replied", "overdue", "done"):
        assert keeper.client.get(f"{DESK}{view}&state={chosen}").status_code == 200


def test_the_template_shown_in_another_language_is_still_the_template(
    app: Flask, keeper: Keeper
) -> None:
    page = text_of(keeper.client.get(f"{DESK}?lang=en"))
    typed = re.findall(r"<textarea id=\"questions\"[^>]*>\n(.*?)</textarea>", page, re.S)[0]
    token = token_of(keeper.client, DESK)
    data = {"csrf_token": token, "unit": "longtan", "name": "x", "questions": typed}
    assert keeper.client.post(f"{DESK}?lang=en", data=data).status_code == 303
    with app.app_context(), db.reading() as session:
        assert session.scalars(sa.select(Occasion.questions)).one() == ""
