"""The desk over HTTP: many at once, search, phrases, referral, removal, another's cases."""

from __future__ import annotations

import re

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import crypto, db
from app.cases.models import Case
from app.cases.workflow import State
from app.clock import Clock
from app.organisation import service as organisation
from app.staff import keepers
from app.staff.models import Role
from config import Config
from tests.cases.test_desk import PASSWORD, Keeper, make_keeper, opened, state_of

MOVES = "accept ask decline refer merge split draft discard approve uphold overturn respond"


@pytest.fixture
def keeper(app: Flask, config: Config) -> Keeper:
    return make_keeper(app, config, "longtan")


def token_of(client: FlaskClient, address: str) -> str:
    page = client.get(address).get_data(as_text=True)
    return str(re.findall(r'name="csrf_token" value="([^"]*)"', page)[0])


def office(app: Flask, config: Config, name: str) -> FlaskClient:
    clock: Clock = app.extensions["clock"]
    secret = pyotp.random_base32()
    with app.app_context(), db.transaction() as session:
        staff = keepers.create_staff(
            session, username=name, password=PASSWORD, totp_secret=secret,
            pepper=config.secrets.pepper, now=clock.now(),
        )  # fmt: skip
        keepers.assign(session, staff, Role.OFFICE, None)
    client = app.test_client()
    data = {"csrf_token": token_of(client, "/desk/sign-in"), "username": name, "password": PASSWORD}
    client.post("/desk/sign-in", data=data)
    code = pyotp.TOTP(secret).at(clock.now())
    token = token_of(client, "/desk/second-factor")
    answer = client.post("/desk/second-factor", data={"csrf_token": token, "totp": code})
    assert answer.status_code == 303
    return client


def test_many_are_accepted_at_once_and_what_moved_meanwhile_is_told(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    ids = [case_id for _, case_id in opened(app, config, keeper.box, "一", "二", "三")]
    keeper.move(ids[0], "accept")
    data = {"csrf_token": token_of(keeper.client, "/desk/queue"), "case": ids}
    answer = keeper.client.post("/desk/queue/accept", data=data)
    assert answer.headers["Location"] == "/desk/queue?done=2&left=1"
    assert {state_of(app, case_id) for case_id in ids} == {State.ACCEPTED}
    page = keeper.client.get(answer.headers["Location"]).get_data(as_text=True)
    assert "办好了 2 件；1 件" in page


def test_many_are_declined_with_one_reason_or_none_at_all(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    ids = [case_id for _, case_id in opened(app, config, keeper.box, "骂人", "又骂")]
    data = {"csrf_token": token_of(keeper.client, "/desk/queue"), "case": ids, "message": "请讲事"}
    assert keeper.client.post("/desk/queue/decline", data=data).status_code == 422
    assert {state_of(app, case_id) for case_id in ids} == {State.WAITING}
    done = keeper.client.post("/desk/queue/decline", data=data | {"reason": "abusive"})
    assert done.status_code == 303
    assert {state_of(app, case_id) for case_id in ids} == {State.DECLINED}
    assert keeper.client.post("/desk/queue/decline", data=data | {"case": []}).status_code == 422


def test_what_is_searched_for_is_found_in_the_own_box_and_stands_in_no_address(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    other = make_keeper(app, config, "shiqiao")
    ((_, lamp), (_, pipe)) = opened(app, config, keeper.box, "村口的路灯坏了", "水管漏水")
    ((_, foreign),) = opened(app, config, other.box, "石桥的路灯坏了")
    data = {"csrf_token": token_of(keeper.client, "/desk/queue"), "q": "路灯 坏"}
    page = keeper.client.post("/desk/queue/search", data=data).get_data(as_text=True)
    assert lamp in page
    assert pipe not in page
    assert foreign not in page
    assert keeper.client.get("/desk/queue/search").status_code == 405
    nothing = keeper.client.post("/desk/queue/search", data=data | {"q": "  "})
    assert nothing.status_code == 200


def test_the_same_thing_said_twice_is_suggested_for_merging(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    ids = [
        case_id
        for _, case_id in opened(
            app, config, keeper.box,
            "村口到小学的路灯坏了快两个月，孩子放学走夜路不安全。",
            "村口到小学那段路灯坏了两个月，孩子放学走夜路很不安全！",
            "食堂的菜太咸了。",
        )
    ]  # fmt: skip
    page = keeper.client.get(f"/desk/cases/{ids[0]}").get_data(as_text=True)
    assert re.findall(r'name="into" value="(\w+)"', page) == [ids[1]]
    assert keeper.move(ids[0], "merge", into=ids[1]).status_code == 303
    assert state_of(app, ids[0]) is State.MERGED
    assert keeper.move(ids[0], "split").status_code == 303


def test_a_phrase_goes_into_the_draft_and_nothing_is_stored(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    ((_, case_id),) = opened(app, config, keeper.box, "路灯坏了")
    keeper.move(case_id, "accept")
    token = token_of(keeper.client, "/desk/phrases")
    data = {"csrf_token": token, "box": keeper.box.box_id, "words": "谢谢您提得这么具体。"}
    assert keeper.client.post("/desk/phrases", data=data).status_code == 303
    assert keeper.client.post("/desk/phrases", data=data | {"box": "0"}).status_code == 422
    page = keeper.client.get("/desk/phrases").get_data(as_text=True)
    (phrase_id,) = re.findall(r"/desk/phrases/(\w+)/delete", page)
    answer = keeper.move(case_id, "draft", answer="您好！", insert=phrase_id)
    assert answer.status_code == 200
    assert "您好！谢谢您提得这么具体。</textarea>" in answer.get_data(as_text=True)
    assert state_of(app, case_id) is State.ACCEPTED
    stranger = make_keeper(app, config, "shiqiao")
    foreign = {"csrf_token": token_of(stranger.client, "/desk/phrases")}
    gone = stranger.client.post(f"/desk/phrases/{phrase_id}/delete", data=foreign)
    assert gone.status_code == 404
    keeper.client.post(f"/desk/phrases/{phrase_id}/delete", data={"csrf_token": token})
    assert "谢谢您提得" not in keeper.client.get("/desk/phrases").get_data(as_text=True)


def test_a_case_is_referred_by_name_and_leaves_the_queue(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    other = make_keeper(app, config, "shiqiao")
    ((_, case_id),) = opened(app, config, keeper.box, "石桥的路灯坏了")
    refused = keeper.move(case_id, "refer", unit="没有这个支部", message="归他们管")
    assert refused.status_code == 422
    assert "归他们管" in refused.get_data(as_text=True)
    answer = keeper.move(case_id, "refer", unit="shiqiao支部", message="归他们管")
    assert answer.headers["Location"] == "/desk/queue"
    assert keeper.client.get(f"/desk/cases/{case_id}").status_code == 403
    assert "石桥的路灯坏了" in other.client.get(f"/desk/cases/{case_id}").get_data(as_text=True)


@pytest.mark.parametrize("move", MOVES.split())
def test_no_move_reaches_another_branchs_case(
    app: Flask, config: Config, keeper: Keeper, move: str
) -> None:
    other = make_keeper(app, config, "shiqiao")
    ((_, case_id),) = opened(app, config, keeper.box, "路灯坏了")
    data = {"csrf_token": token_of(other.client, "/desk/queue"), "message": "x", "into": case_id,
            "unit": "shiqiao", "reason": "abusive", "answer": "x"}  # fmt: skip
    assert other.client.post(f"/desk/cases/{case_id}/{move}", data=data).status_code == 403
    assert state_of(app, case_id) is State.WAITING
    data["case"] = case_id
    assert other.client.post("/desk/queue/accept", data=data).status_code == 403


@pytest.mark.parametrize("move", ["split", "uphold", "overturn", "respond"])
def test_a_move_that_the_state_or_the_role_has_not_is_refused(
    app: Flask, config: Config, keeper: Keeper, move: str
) -> None:
    ((_, case_id),) = opened(app, config, keeper.box, "路灯坏了")
    assert keeper.move(case_id, move, message="x").status_code in (403, 409)
    assert state_of(app, case_id) is State.WAITING


def test_the_office_removes_in_two_persons_and_never_reads(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    ((_, case_id),) = opened(app, config, keeper.box, "某人的隐私")
    one, two = office(app, config, "office-1"), office(app, config, "office-2")
    first = {"csrf_token": token_of(one, "/desk/removals")}
    second = {"csrf_token": token_of(two, "/desk/removals")}
    assert one.get(f"/desk/cases/{case_id}").status_code == 403
    wrong = one.post("/desk/removals", data=first | {"case": case_id})
    assert wrong.status_code == 422
    asked = one.post("/desk/removals", data=first | {"case": case_id, "ground": "court_order"})
    assert asked.status_code == 303
    again = two.post("/desk/removals", data=second | {"case": case_id, "ground": "unlawful"})
    assert again.status_code == 409
    unknown = {"case": crypto.random_id(), "ground": "unlawful"}
    assert two.post("/desk/removals", data=second | unknown).status_code == 422
    assert one.post(f"/desk/removals/{case_id}/remove", data=first).status_code == 403
    assert two.post(f"/desk/removals/{case_id}/remove", data=second).status_code == 303
    assert state_of(app, case_id) is State.REMOVED
    assert "某人的隐私" not in one.get("/desk/removals").get_data(as_text=True)
    token = {"csrf_token": token_of(keeper.client, "/desk/queue")}
    assert keeper.client.post(f"/desk/removals/{case_id}/remove", data=token).status_code == 403


def test_the_overdue_are_found_by_the_working_day_clock(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    clock: Clock = app.extensions["clock"]
    ids = [case_id for _, case_id in opened(app, config, keeper.box, "旧的", "新的")]
    with app.app_context(), db.transaction() as session:
        old = session.get_one(Case, ids[0])
        old.clock_on = clock.today().replace(day=13)  # six working days before the Monday
        session.flush()
        assert organisation.branch(session, "longtan").box_id == keeper.box.box_id
    page = keeper.client.get("/desk/queue?state=overdue").get_data(as_text=True)
    assert "旧的" in page
    assert "新的" not in page
