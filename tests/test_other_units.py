"""Nothing at the desk reaches into another unit: every address with an id, by every lesser role."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app import crypto, db
from app.appraisals.models import Appraisal, Occasion, PlanItem
from app.bulletins import service as bulletins
from app.bulletins.models import Audience, Promise
from app.bulletins.service import Pledge, Text, Writer
from app.campaigns.models import (
    ActionKind,
    Basis,
    Campaign,
    CampaignState,
    Record,
    RequiredAction,
    Stage,
)
from app.clock import Clock
from app.db import Base
from app.evaluations.counting import Scale
from app.evaluations.models import Round, SlipBatch, VoterGroup
from app.notifications import service as notifications
from app.notifications.models import ChannelKind, Delivery, OutboxRow
from app.organisation import service as organisation
from app.organisation.models import ContactPoint, Leader, Member, UnitKind
from app.sealing import service as sealing
from app.staff import invitations, keepers, second_factor
from app.staff.models import Invitation, Role, RoleAssignment, Staff, StaffSession
from app.supervision.models import LookBack, MakeUpTask
from config import Config
from tests.cases.test_desk import PASSWORD, Keeper, make_keeper, opened
from tests.cases.test_desk_at_once import token_of
from tests.test_access import NAMED, TABLE

# What of the branch `longtan` must never be read by anybody of another unit.
WORDS = "井口的盖板丢了三天没人管"
PHRASE = "这句常用语只有龙潭用"
TITLE = "龙潭没有发布的通报"
ROUND = "龙潭还没有开始的评议"
OCCASION = "龙潭的年终评议"
MEMBER = "王德山"
REMARK, TASK, EVIDENCE = "龙潭的回头看还没有写完", "龙潭要补的课", "龙潭的签到表在柜子里"
LEADER = "联系龙潭的王建国"
SECRETS = (WORDS, PHRASE, TITLE, ROUND, OCCASION, MEMBER, REMARK, TASK, EVIDENCE, LEADER)
# A campaign is the county's: this paper lists what its reader watches, and nothing else.
COUNTYS = "/desk/look-back/<campaign_id>.pdf"
GUEST = "longtan-guest"
# The tables that a refused request may touch: who tried, and when a session was last at work.
AT_WORK = {"staff_session", "audit_row"}


@dataclass(frozen=True)
class Branch:
    """A branch with something of every kind, and the ids by which addresses name it."""

    keeper: Keeper
    ids: dict[str, str]


def _writer(keeper: Keeper, staff_id: str) -> Writer:
    return Writer(staff_id, frozenset({(Role.KEEPER, keeper.box.unit_id)}))


def _bulletin(keeper: Keeper, staff_id: str, today: dt.date) -> tuple[str, str]:
    text = Text(TITLE, "会", "问题", "结果", [Pledge("修好井盖", "", today)])
    with db.transaction() as session:
        made = bulletins.draft(
            session, _writer(keeper, staff_id), keeper.box.unit_id, Audience.PUBLIC, text, today
        )
        promise = sa.select(Promise.id).where(Promise.bulletin_id == made.id)
        return made.id, session.scalars(promise).one()


def _round(session: sa.orm.Session, keeper: Keeper, today: dt.date) -> dict[str, str]:
    held = Round(
        unit_id=keeper.box.unit_id, title=ROUND, scale=Scale.SATISFACTION, salt=bytes(16),
        closes_on=today, drafted_by="0", drafted_on=today,
    )  # fmt: skip
    session.add(held)
    session.flush()
    group = VoterGroup(round_id=held.id, position=0, name="党员")
    session.add(group)
    session.flush()
    batch = SlipBatch(round_id=held.id, group_id=group.id, count=1, root=bytes(32), added_on=today)
    session.add(batch)
    session.flush()
    return {"round_id": held.id, "batch_id": batch.id}


def _appraisal(session: sa.orm.Session, keeper: Keeper, today: dt.date) -> dict[str, str]:
    key = sealing.current_box_key(session, keeper.box.box_id)
    assert key is not None
    member = Member(number="10001", name=MEMBER, unit_id=keeper.box.unit_id)
    occasion = Occasion(box_id=keeper.box.box_id, name=OCCASION, begun_on=today)
    session.add_all([member, occasion])
    session.flush()
    made = Appraisal(occasion_id=occasion.id, member_id=member.id)
    session.add(made)
    session.flush()
    text = sealing.store(session, sealing.seal(WORDS.encode(), [key], None))
    item = PlanItem(appraisal_id=made.id, position=0, item_id=text, due_on=today)
    session.add(item)
    session.flush()
    return {"occasion_id": occasion.id, "appraisal_id": made.id, "item_id": item.id}


def _campaign(
    session: sa.orm.Session, keeper: Keeper, today: dt.date, now: dt.datetime
) -> dict[str, str]:
    held = Campaign(name="整改年", starts_on=today, ends_on=today, state=CampaignState.RUNNING)
    session.add(held)
    session.flush()
    stage = Stage(campaign_id=held.id, position=0, name="学习", due_on=today)
    look_back = LookBack(campaign_id=held.id, unit_id=keeper.box.unit_id, remark=REMARK)
    session.add_all([stage, look_back])
    session.flush()
    action = RequiredAction(
        campaign_id=held.id, stage_id=stage.id, kind=ActionKind.STUDY, basis=Basis.FIXED, amount=9
    )
    task = MakeUpTask(look_back_id=look_back.id, position=0, words=TASK, due_on=today)
    session.add_all([action, task])
    session.flush()
    record = Record(
        action_id=action.id, unit_id=keeper.box.unit_id, amount=1, happened_on=today,
        evidence=EVIDENCE, recorded_by="0", recorded_at=now,
    )  # fmt: skip
    leader = Leader(name=LEADER, post="")
    session.add_all([record, leader])
    session.flush()
    session.add(ContactPoint(unit_id=keeper.box.unit_id, leader_id=leader.id))
    session.flush()
    return {
        "campaign_id": held.id, "record_id": record.id, "task_id": task.id, "leader_id": leader.id,
    }  # fmt: skip


def _letter(session: sa.orm.Session, channel_id: str, now: dt.datetime) -> str:
    row = OutboxRow(
        key=crypto.random_id(), kind="digest", channel_id=channel_id, values="{}",
        delivery=Delivery.DEAD, put_at=now, next_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row.id


@pytest.fixture
def branch(app: Flask, config: Config) -> Branch:
    """`longtan`, with all that a committee gathers."""
    keeper = make_keeper(app, config, "longtan")
    clock: Clock = app.extensions["clock"]
    now, today, secret = clock.now(), clock.today(), config.secrets.instance_secret
    ((_, case_id),) = opened(app, config, keeper.box, WORDS)
    token = token_of(keeper.client, "/desk/phrases")
    data = {"csrf_token": token, "box": keeper.box.box_id, "words": PHRASE}
    assert keeper.client.post("/desk/phrases", data=data).status_code == 303
    page = keeper.client.get("/desk/phrases").get_data(as_text=True)
    (phrase_id,) = re.findall(r"/desk/phrases/(\w+)/delete", page)
    with app.app_context():
        with db.transaction() as session:
            staff = session.scalars(sa.select(Staff).where(Staff.username == "longtan")).one()
            second_factor.trust(session, staff, secret, now)
            (device,) = second_factor.devices(session, staff.id, now)
            invitations.invite(
                session, username=GUEST, role=Role.KEEPER, unit_id=keeper.box.unit_id, now=now,
                invited_by=staff.id, instance_secret=secret,
            )  # fmt: skip
            channel = notifications.add_channel(
                session, secret, unit_id=keeper.box.unit_id, kind=ChannelKind.EMAIL,
                name="龙潭的邮箱", target="longtan@mail.example",
            )  # fmt: skip
            ids = {
                "slug": "longtan",
                "case_id": case_id,
                "picture_id": crypto.random_id(),
                "phrase_id": phrase_id,
                "staff_id": staff.id,
                "box_id": keeper.box.box_id,
                "device_id": device.id,
                "channel_id": channel.id,
                "row_id": _letter(session, channel.id, now),
                "invitation_id": session.scalars(sa.select(Invitation.id)).one(),
                "assignment_id": session.scalars(
                    sa.select(RoleAssignment.id).where(RoleAssignment.staff_id == staff.id)
                ).one(),
            }
            ids |= _round(session, keeper, today) | _appraisal(session, keeper, today)
            ids |= _campaign(session, keeper, today, now)
        ids["bulletin_id"], ids["promise_id"] = _bulletin(keeper, ids["staff_id"], today)
    return Branch(keeper, ids)


def somebody(app: Flask, config: Config, role: Role, kind: UnitKind | None) -> FlaskClient:
    """A person of another unit, or of the county, signed in."""
    clock: Clock = app.extensions["clock"]
    secret, name = pyotp.random_base32(), f"other-{role}"
    with app.app_context(), db.transaction() as session:
        unit = kind and organisation.add_unit(session, slug=name, name=f"别处{role}", kind=kind)
        staff = keepers.create_staff(
            session, username=name, password=PASSWORD, totp_secret=secret,
            pepper=config.secrets.pepper, now=clock.now(),
        )  # fmt: skip
        keepers.assign(session, staff, role, unit.id if unit else None)
        if unit:
            box = organisation.add_box(session, unit)
            key = keepers.personal_key_of(session, staff.id)
            keepers.new_box_key(session, box.id, [key], clock.today())
    client = app.test_client()
    data = {"csrf_token": token_of(client, "/desk/sign-in"), "username": name, "password": PASSWORD}
    client.post("/desk/sign-in", data=data)
    code = pyotp.TOTP(secret).at(clock.now())
    token = token_of(client, "/desk/second-factor")
    answer = client.post("/desk/second-factor", data={"csrf_token": token, "totp": code})
    assert answer.status_code == 303
    return client


OTHERS = {
    "keeper": (Role.KEEPER, UnitKind.BRANCH),
    "supervisor": (Role.SUPERVISOR, UnitKind.GROUP),
}


@pytest.fixture(params=OTHERS)
def stranger(request: pytest.FixtureRequest, app: Flask, config: Config) -> FlaskClient:
    """A keeper of another branch; a member of a supervision group that doesn't watch this one."""
    return somebody(app, config, *OTHERS[request.param])


def addresses(ids: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every address under /desk that names something, as (method, rule, address)."""
    for (method, rule), access in TABLE.items():
        if not isinstance(access, frozenset) or not re.search(r"<\w+>", rule):
            continue
        chosen = re.search(r"<any\(([^)]*)\):\w+>", rule)
        for word in chosen[1].split(",") if chosen else [""]:
            address = re.sub(r"<any\([^)]*\):\w+>", word.strip(), rule)
            yield method, rule, re.sub(r"<(\w+)>", lambda found: ids[found[1]], address)


def everything(app: Flask) -> dict[str, list[str]]:
    """All rows of all tables but those that a refused request may touch."""
    with app.app_context(), db.reading() as session:
        return {
            table.name: sorted(repr(tuple(row)) for row in session.execute(sa.select(table)))
            for table in Base.metadata.sorted_tables
            if table.name not in AT_WORK
        }


# What the forms of another unit could carry: more than any view reads, so that none is refused for
# a missing field before it has asked whose the thing is.
TYPED = {
    "message": "x", "reason": "abusive", "answer": "x", "summary": "x", "unit": "other-keeper",
    "name": "x", "ground": "court_order", "title": "x", "meeting": "x", "problems": "x",
    "result": "x", "audience": "public", "because": "x", "evidence": "x", "rating": "satisfied",
}  # fmt: skip


def test_no_address_reaches_into_another_unit(
    app: Flask, branch: Branch, stranger: FlaskClient
) -> None:
    assert branch.ids.keys() == NAMED
    before = everything(app)
    token = token_of(stranger, "/desk/account")
    tried = 0
    for method, rule, address in addresses(branch.ids):
        data = {**TYPED, "csrf_token": token, "into": branch.ids["case_id"]}
        data |= {"staff": branch.ids["staff_id"]}
        answer = stranger.open(address, method=method, data=data if method == "POST" else None)
        if rule != COUNTYS:
            assert answer.status_code in (403, 404), (method, rule, answer.status_code)
        said = answer.get_data()
        assert not [secret for secret in SECRETS if secret.encode() in said], rule
        tried += 1
    assert tried >= 40
    assert everything(app) == before


def test_no_list_shows_anything_of_another_unit(branch: Branch, stranger: FlaskClient) -> None:
    secrets = {*SECRETS, GUEST, "龙潭的邮箱", *branch.ids.values()}
    secrets -= {"longtan", branch.ids["campaign_id"]}
    for (method, rule), access in TABLE.items():
        if method != "GET" or not isinstance(access, frozenset) or "<" in rule:
            continue
        page = stranger.get(rule)
        assert page.status_code in (200, 403), rule
        assert not [s for s in secrets if s.encode() in page.get_data()], rule
    data = {"csrf_token": token_of(stranger, "/desk/account"), "q": "井口"}
    assert branch.ids["case_id"] not in stranger.post("/desk/queue/search", data=data).text


# Posts that name their subject in a field: the address alone wouldn't tell whose it is.
FIELDS = {
    ("/desk/queue/accept", "case"): "case_id",
    ("/desk/queue/decline", "case"): "case_id",
    ("/desk/phrases", "box"): "box_id",
    ("/desk/staff/invite", "unit"): "slug",
    ("/desk/outbox/channels", "unit"): "unit_id",
    ("/desk/bulletins", "unit"): "slug",
    ("/desk/removals", "case"): "case_id",
    ("/desk/account/desks/end", "desk"): "desk",
}


def test_no_field_reaches_into_another_unit(
    app: Flask, branch: Branch, stranger: FlaskClient
) -> None:
    page = branch.keeper.client.get("/desk/account").get_data(as_text=True)
    before = everything(app)
    with app.app_context(), db.reading() as session:
        desk = session.scalars(
            sa.select(StaffSession.id_hash).where(StaffSession.staff_id == branch.ids["staff_id"])
        ).one()
    ids = {**branch.ids, "unit_id": branch.keeper.box.unit_id, "desk": desk.hex()}
    data = {**TYPED, "username": "mallory", "role": "keeper", "kind": "email", "target": "m@x.cn",
            "words": "x", "csrf_token": token_of(stranger, "/desk/account")}  # fmt: skip
    for (address, field), name in FIELDS.items():
        answer = stranger.post(address, data={**data, field: ids[name]})
        assert answer.status_code in (403, 404, 422), (address, answer.status_code)
    assert everything(app) == before
    assert branch.keeper.client.get("/desk/account").get_data(as_text=True) == page


@pytest.mark.parametrize("role", [Role.OFFICE, Role.OPERATOR])
def test_whoever_looks_after_the_county_reads_no_words_and_moves_no_case(
    app: Flask, config: Config, branch: Branch, role: Role
) -> None:
    client = somebody(app, config, role, None)
    token = token_of(client, "/desk/account")
    for method, rule, address in addresses(branch.ids):
        if method == "GET":
            page = client.get(address).get_data()
            assert not [secret for secret in (WORDS, PHRASE) if secret.encode() in page], rule
        elif "/cases/" in rule or "/phrases/" in rule:
            answer = client.post(address, data={**TYPED, "csrf_token": token})
            assert answer.status_code == 403, rule
    for (method, rule), access in TABLE.items():
        if method == "GET" and isinstance(access, frozenset) and "<" not in rule:
            assert WORDS.encode() not in client.get(rule).get_data(), rule
