"""The desk over HTTP: a keeper's queue and moves, and what another keeper may not."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import cli, crypto, db
from app.cases.models import Case, CaseEvent
from app.cases.workflow import State
from app.clock import Clock
from app.organisation import service as organisation
from app.organisation.models import UnitKind
from app.staff import keepers
from app.staff.audit import AuditRow
from app.staff.models import Role
from app.submissions.service import Receipt
from app.transparency.models import PendingLeaf
from config import Config
from tests.factories import BoxInHand, case_of, drop

PASSWORD = "四个不相干的词 correct horse"


@dataclass
class Keeper:
    """A keeper of one box at their desk."""

    client: FlaskClient
    box: BoxInHand

    def move(self, case_id: str, step: str, **fields: str) -> TestResponse:
        """Send a move with the hidden inputs of the case's page."""
        page = self.client.get(f"/desk/cases/{case_id}").get_data(as_text=True)
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        return self.client.post(f"/desk/cases/{case_id}/{step}", data={**hidden, **fields})


def make_keeper(app: Flask, config: Config, slug: str, *, second_eyes: bool = False) -> Keeper:
    clock: Clock = app.extensions["clock"]
    secret = pyotp.random_base32()
    with app.app_context(), db.transaction() as session:
        unit = organisation.add_unit(session, slug=slug, name=f"{slug}支部", kind=UnitKind.BRANCH)
        box = organisation.add_box(session, unit, second_eyes=second_eyes)
        staff = keepers.create_staff(
            session, username=slug, password=PASSWORD, totp_secret=secret,
            pepper=config.secrets.pepper, now=clock.now(),
        )  # fmt: skip
        keepers.assign(session, staff, Role.KEEPER, unit.id)
        key = keepers.personal_key_of(session, staff.id)
        keepers.new_box_key(session, box.id, [key], clock.today())
        in_hand = BoxInHand(box.id, unit.id, slug, {})
    client = app.test_client()
    page = client.get("/desk/sign-in").get_data(as_text=True)
    token = re.findall(r'name="csrf_token" value="([^"]*)"', page)[0]
    data = {"csrf_token": token, "username": slug, "password": PASSWORD}
    assert client.post("/desk/sign-in", data=data).status_code == 303
    page = client.get("/desk/second-factor").get_data(as_text=True)
    token = re.findall(r'name="csrf_token" value="([^"]*)"', page)[0]
    code = pyotp.TOTP(secret).at(clock.now())
    answer = client.post("/desk/second-factor", data={"csrf_token": token, "totp": code})
    assert answer.headers["Location"] == "/desk/queue"
    return Keeper(client, in_hand)


@pytest.fixture
def keeper(app: Flask, config: Config) -> Keeper:
    return make_keeper(app, config, "longtan")


def opened(app: Flask, config: Config, box: BoxInHand, *texts: str) -> list[tuple[Receipt, str]]:
    clock: Clock = app.extensions["clock"]
    with app.app_context():
        with db.transaction() as session:
            receipts = [drop(session, config, clock, box, text) for text in texts]
        cli.run_opening(now=True)
        with db.reading() as session:
            return [(receipt, case_of(session, receipt).id) for receipt in receipts]


def state_of(app: Flask, case_id: str) -> State:
    with app.app_context(), db.reading() as session:
        return session.get_one(Case, case_id).state


def test_nothing_of_what_lies_in_the_box_shows_at_the_desk(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    before = keeper.client.get("/desk/queue").get_data(as_text=True)
    clock: Clock = app.extensions["clock"]
    with app.app_context(), db.transaction() as session:
        drop(session, config, clock, keeper.box, "还没开箱")
    after = keeper.client.get("/desk/queue").get_data(as_text=True)
    assert before == after


def test_the_queue_shows_words_clock_and_the_next_page(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    opened(app, config, keeper.box, *(f"意见第{n}号" for n in range(45)))
    seen: list[str] = []
    address, pages = "/desk/queue", 0
    while address:
        page = keeper.client.get(address).get_data(as_text=True)
        seen += re.findall(r"意见第(\d+)号", page)
        following = re.findall(r'rel="next" href="([^"]*)"', page)
        address, pages = (following[0].replace("&amp;", "&") if following else ""), pages + 1
    assert pages == 3
    assert sorted(map(int, seen)) == list(range(45))


def test_accept_draft_discard_draft_approve(app: Flask, config: Config, keeper: Keeper) -> None:
    ((_, case_id),) = opened(app, config, keeper.box, "路灯坏了")
    states = []
    for step, fields in (
        ("accept", {}),
        ("draft", {"answer": "草稿", "summary": "概括"}),
        ("discard", {}),
        ("draft", {"answer": "**修好了**", "summary": "路灯"}),
        ("approve", {}),
    ):
        assert keeper.move(case_id, step, **fields).status_code == 303
        states.append(str(state_of(app, case_id)))
    assert states == ["accepted", "answering", "accepted", "answering", "answered"]
    assert "<strong>修好了</strong>" in app.test_client().get("/answers").get_data(as_text=True)
    with app.app_context(), db.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(CaseEvent)) == 6
        leaves = list(session.scalars(sa.select(PendingLeaf.leaf)))
        assert sorted(leaf[:2] for leaf in leaves) == [b"D1", b"S1"]
        actions = set(session.scalars(sa.select(AuditRow.action)))
    assert {"accept", "draft", "discard", "approve"} <= actions


def test_decline_needs_a_reason_and_a_sentence_and_keeps_what_was_typed(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    ((_, case_id),) = opened(app, config, keeper.box, "路灯坏了")
    for fields in (
        {"message": "不归我们"},
        {"reason": "not_ours"},
        {"reason": "x", "message": "y"},
    ):
        answer = keeper.move(case_id, "decline", **fields)
        assert answer.status_code == 422
        assert fields.get("message", "") in answer.get_data(as_text=True)
    assert state_of(app, case_id) is State.WAITING
    assert keeper.move(case_id, "decline", reason="not_ours", message="归镇里").status_code == 303
    assert state_of(app, case_id) is State.DECLINED


@pytest.mark.parametrize("step", ["draft", "discard", "approve"])
def test_an_illegal_move_by_a_crafted_post_is_409(
    app: Flask, config: Config, keeper: Keeper, step: str
) -> None:
    ((_, case_id),) = opened(app, config, keeper.box, "路灯坏了")
    assert keeper.move(case_id, step, answer="x", summary="y").status_code == 409
    assert state_of(app, case_id) is State.WAITING


def test_a_move_without_the_sessions_token_is_refused(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    ((_, case_id),) = opened(app, config, keeper.box, "路灯坏了")
    for token in ("", "x"):
        answer = keeper.move(case_id, "accept", csrf_token=token)
        assert answer.status_code == 403
    assert state_of(app, case_id) is State.WAITING


def test_another_branchs_case_is_403_and_an_unknown_one_404(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    other = make_keeper(app, config, "shiqiao")
    ((_, case_id),) = opened(app, config, keeper.box, "路灯坏了")
    assert other.client.get(f"/desk/cases/{case_id}").status_code == 403
    page = other.client.get("/desk/queue").get_data(as_text=True)
    assert case_id not in page
    token = re.findall(r'name="csrf_token" value="([^"]*)"', page)[0]
    answer = other.client.post(f"/desk/cases/{case_id}/accept", data={"csrf_token": token})
    assert answer.status_code == 403
    unknown = crypto.random_id()
    assert keeper.client.get(f"/desk/cases/{unknown}").status_code == 404
    assert state_of(app, case_id) is State.WAITING


def test_the_second_of_two_keepers_on_one_case_is_told_and_loses_nothing(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    ((_, case_id),) = opened(app, config, keeper.box, "路灯坏了")
    page = keeper.client.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert keeper.move(case_id, "accept").status_code == 303
    answer = keeper.client.post(
        f"/desk/cases/{case_id}/decline",
        data={**hidden, "reason": "not_ours", "message": "我写了很久的话"},
    )
    assert answer.status_code == 409
    assert "我写了很久的话" in answer.get_data(as_text=True)
    assert state_of(app, case_id) is State.ACCEPTED


def test_a_box_with_second_eyes_lets_nobody_publish_their_own_draft(
    app: Flask, config: Config
) -> None:
    alone = make_keeper(app, config, "liangren", second_eyes=True)
    ((_, case_id),) = opened(app, config, alone.box, "路灯坏了")
    alone.move(case_id, "accept")
    alone.move(case_id, "draft", answer="修好了", summary="路灯")
    assert alone.move(case_id, "approve").status_code == 403
    assert state_of(app, case_id) is State.ANSWERING


def test_a_draft_keeps_to_the_limits_and_to_clean_text(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    ((_, case_id),) = opened(app, config, keeper.box, "路灯坏了")
    keeper.move(case_id, "accept")
    for answer in ("", " ", "长" * 5001, "x\x00"):
        assert keeper.move(case_id, "draft", answer=answer, summary="").status_code == 422
    assert (
        keeper.move(
            case_id, "draft", answer="\U00020000" * 5000, summary="\U00020000" * 1000
        ).status_code
        == 303
    )
