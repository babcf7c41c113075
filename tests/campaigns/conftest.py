"""A campaign that runs at two branches and their group, each with members on its roll."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from app import db
from app.campaigns import progress, recording, service
from app.campaigns.models import ActionKind, Basis, Campaign, Record, RequiredAction, Route
from app.campaigns.progress import Standing
from app.campaigns.recording import Deed
from app.campaigns.service import USUAL_ACTIONS, Plan, PlannedAction, PlannedStage
from app.organisation.models import Member, Unit
from app.staff import keepers
from app.staff.models import Role
from app.staff.rights import Actor
from app.supervision import measure
from config import Config
from tests.cases.conftest import Scene
from tests.cases.test_desk import PASSWORD
from tests.cases.test_desk_at_once import token_of

STARTS, FIRST, SECOND = dt.date(2026, 10, 12), dt.date(2026, 11, 20), dt.date(2026, 12, 11)
PLAN = Plan(
    "专题教育",
    STARTS,
    dt.date(2026, 12, 31),
    (PlannedStage("学习", FIRST), PlannedStage("查摆", SECOND), PlannedStage("整改", SECOND)),
    USUAL_ACTIONS,
)


@dataclasses.dataclass
class Drive(Scene):
    """The branches of the cases' scene, three members each, and a campaign that has started."""

    campaign_id: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        with self.writing() as session:
            for box in (self.here, self.there):
                session.add_all(
                    Member(number=f"{box.slug}{n}", name=name, unit_id=box.unit_id)
                    for n, name in enumerate(("甲", "乙", "丙"))
                )
            campaign = service.draft(session, PLAN)
            service.start(session, campaign)
            self.campaign_id = campaign.id
            self.recount(session)

    def recount(self, session: Session) -> None:
        """Bring what the board is sorted by up to date, as the daily job does."""
        campaign, branches = self.campaign(session), progress.branches(session)
        measured = measure.measured(session, campaign, branches)
        progress.recount(session, campaign, branches, measured, self.clock.today())

    def campaign(self, session: Session) -> Campaign:
        """The campaign's row."""
        return session.get_one(Campaign, self.campaign_id)

    def action(self, session: Session, kind: ActionKind) -> RequiredAction:
        """The row of a required action."""
        query = sa.select(RequiredAction).where(RequiredAction.kind == kind)
        return session.scalars(query).one()

    @property
    def keeper(self) -> Actor:
        """The keeper of the first branch."""
        return Actor("keeper-1", frozenset({(Role.KEEPER, self.here.unit_id)}))

    @property
    def watcher(self) -> Actor:
        """Somebody of the group that watches both."""
        return Actor("watcher", frozenset({(Role.SUPERVISOR, self.group.unit_id)}))

    @property
    def office(self) -> Actor:
        """The county office."""
        return Actor("office", frozenset({(Role.OFFICE, None)}))

    def record(
        self,
        kind: ActionKind,
        amount: int,
        *,
        who: Actor | None = None,
        on: dt.date = FIRST,
        route: Route | None = None,
        absent: Sequence[str] = (),
        evidence: str = "",
    ) -> str:
        """Something was done at the first branch; the record's id."""
        with self.writing() as session:
            made: Record = recording.record(
                session,
                who or self.keeper,
                self.campaign(session),
                self.action(session, kind),
                session.get_one(Unit, self.here.unit_id),
                Deed(amount, on, evidence, route),
                self.clock.now(),
                self.clock.today(),
                [self.member(session, name) for name in absent],
            )
            return made.id

    def member(self, session: Session, name: str) -> str:
        """The id of a member of the first branch."""
        query = sa.select(Member.id).where(Member.name == name, Member.unit_id == self.here.unit_id)
        return session.scalars(query).one()

    def standing(self, kind: ActionKind) -> Standing:
        """How the first branch stands with an action."""
        with self.writing() as session:
            campaign, units = self.campaign(session), [self.here.unit_id]
            actions = progress.required(session, campaign.id)
            measured = measure.measured(session, campaign, units)
            lines = progress.standings(session, actions, units, measured)[units[0]]
        return next(line for line in lines if line.action.kind is kind)


def planned(kind: ActionKind, basis: Basis = Basis.FIXED, amount: int = 1) -> Plan:
    """A plan that asks for one thing."""
    return dataclasses.replace(PLAN, actions=(PlannedAction(kind, 0, basis, amount),))


def desk_of(app: Flask, config: Config, name: str, *roles: tuple[Role, str | None]) -> FlaskClient:
    """Somebody with these roles, signed in."""
    clock = app.extensions["clock"]
    secret = pyotp.random_base32()
    with app.app_context(), db.transaction() as session:
        staff = keepers.create_staff(
            session, username=name, password=PASSWORD, totp_secret=secret,
            pepper=config.secrets.pepper, now=clock.now(),
        )  # fmt: skip
        for role, unit_id in roles:
            keepers.assign(session, staff, role, unit_id)
    client = app.test_client()
    data = {"csrf_token": token_of(client, "/desk/sign-in"), "username": name, "password": PASSWORD}
    client.post("/desk/sign-in", data=data)
    code = pyotp.TOTP(secret).at(clock.now())
    token = token_of(client, "/desk/second-factor")
    answer = client.post("/desk/second-factor", data={"csrf_token": token, "totp": code})
    assert answer.status_code == 303
    return client


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements that the database is asked meanwhile."""
    said: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            said.append(statement)

    engine = app.extensions["engine"]
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", hear)


@pytest.fixture
def drive(app: Flask, config: Config) -> Drive:
    """A campaign that runs."""
    return Drive(app, config, app.extensions["clock"])
