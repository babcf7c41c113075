"""A branch that evaluates: its keepers and watchers at unlocked desks, slips drawn, votes cast."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyotp
import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app import crypto, db
from app.clock import Clock
from app.evaluations import batches, desk_page, reach, service, slips, urn, voting
from app.evaluations.counting import GRADES, Outcome, Scale
from app.evaluations.models import Round, SubjectKind
from app.evaluations.service import Asked, Plan
from app.evaluations.urn import Hands
from app.evaluations.voting import Standing
from app.organisation import service as organisation
from app.organisation.models import Member, UnitKind
from app.staff import keepers
from app.staff.models import Role
from app.staff.rights import Actor
from config import Config

PASSWORD = "四个不相干的词 correct horse"


@dataclass(frozen=True)
class Person:
    """Somebody at an unlocked desk."""

    actor: Actor
    hands: Hands


@dataclass
class Assembly:
    """The branch, whose keepers are wang and li; zhao watches it, the office has chen."""

    app: Flask
    config: Config
    clock: Clock
    unit_id: str = ""
    box_id: str = ""
    people: dict[str, Person] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.writing() as session:
            unit = organisation.add_unit(session, slug="unit", name="县直机关", kind=UnitKind.UNIT)
            group = organisation.add_unit(
                session, slug="group", name="第一监督组", kind=UnitKind.GROUP
            )
            branch = organisation.add_unit(
                session, slug="longtan", name="龙潭支部", kind=UnitKind.BRANCH, parent=unit
            )
            other = organisation.add_unit(
                session, slug="shiqiao", name="石桥支部", kind=UnitKind.BRANCH, parent=unit
            )
            unit.group_id = group.id
            self.unit_id, self.other_id = branch.id, other.id
            self.box_id = organisation.add_box(session, branch).id
            for name, role, unit_id in (
                ("wang", Role.KEEPER, branch.id),
                ("li", Role.KEEPER, branch.id),
                ("zhao", Role.SUPERVISOR, group.id),
                ("chen", Role.OFFICE, None),
                ("sun", Role.KEEPER, other.id),
            ):
                self._person(session, name, role, unit_id)
            keys = [
                keepers.personal_key_of(session, self.people[name].actor.staff_id)
                for name in ("wang", "li")
            ]
            keepers.new_box_key(session, self.box_id, keys, self.today)
            session.add_all(
                Member(number=f"M{n}", name=f"党员{n}", unit_id=branch.id) for n in range(6)
            )

    def _person(self, session: Session, name: str, role: Role, unit_id: str | None) -> None:
        pepper = self.config.secrets.pepper
        self.secrets[name] = pyotp.random_base32()
        staff = keepers.create_staff(
            session, username=name, password=PASSWORD, totp_secret=self.secrets[name],
            pepper=pepper, now=self.clock.now(),
        )  # fmt: skip
        keepers.assign(session, staff, role, unit_id)
        key = keepers.personal_key_of(session, staff.id)
        master = crypto.stretch_password(PASSWORD, pepper, staff.password_salt)
        private_key = keepers.open_private_key(master, key.sealed_private_key)
        actor = Actor(staff.id, frozenset({(role, unit_id)}))
        self.people[name] = Person(actor, Hands(staff.id, key.id, private_key))

    @property
    def today(self) -> dt.date:
        """The county's date."""
        return self.clock.today()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction, as a view opens it."""
        with self.app.app_context(), db.transaction() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that reads."""
        with self.app.app_context(), db.reading() as session:
            yield session

    def plan(
        self,
        groups: Sequence[str] = ("党员",),
        scale: Scale = Scale.SATISFACTION,
        members: int = 0,
        *,
        scrutineers: Sequence[str] = ("wang", "li", "zhao"),
        capped: bool = False,
        comments: bool = False,
        names_public: bool = False,
    ) -> Plan:
        """A round on the branch, and on so many members."""
        with self.reading() as session:
            roll = service.roll(session, self.unit_id)[:members]
            people = [Asked(SubjectKind.MEMBER, one.name, one.id) for one in roll]
        return Plan(
            title="第四季度评议",
            scale=scale,
            closes_on=self.today + dt.timedelta(days=3),
            subjects=[Asked(SubjectKind.BRANCH, "龙潭支部"), *people],
            groups=groups,
            scrutineers=[self.people[name].actor.staff_id for name in scrutineers],
            capped=capped,
            comments=comments,
            names_public=names_public,
        )

    def frozen(self, plan: Plan | None = None) -> str:
        """A round whose plan stands; its id."""
        with self.writing() as session:
            actor = self.people["wang"].actor
            held = service.draft(session, actor, self.unit_id, plan or self.plan(), self.today)
            service.freeze(session, actor, held)
            return held.id

    def drawn(self, round_id: str, *counts: int) -> list[list[str]]:
        """Slips for each group; their codes."""
        made = [slips.new_codes(count) for count in counts]
        with self.writing() as session:
            held = self.held(session, round_id)
            for group, codes in zip(service.groups_of(session, round_id), made, strict=True):
                batches.add(
                    session, held, group.id, desk_page.at_desk_list(held, codes), self.today
                )
        return made

    def held(self, session: Session, round_id: str) -> Round:
        """The round's row, locked."""
        return reach.get_locked(session, self.people["chen"].actor, round_id, None)

    def begin(self, round_id: str) -> None:
        """Voting begins."""
        with self.writing() as session:
            held = self.held(session, round_id)
            service.begin(session, self.people["wang"].actor, held, self.today)

    def opened(self, plan: Plan | None = None, *counts: int) -> tuple[str, list[list[str]]]:
        """A round in which one can vote: its id, the codes of each group."""
        round_id = self.frozen(plan)
        codes = self.drawn(round_id, *counts)
        self.begin(round_id)
        return round_id, codes

    def find(self, code: str) -> tuple[Standing, str | None, bytes]:
        """How a slip stands."""
        with self.reading() as session:
            hashes = [crypto.slip_hash(code, salt) for salt in voting.salts(session)]
            return voting.standing(session, hashes, self.today)

    def vote(
        self, round_id: str, code: str, *marks: int, comments: dict[int, str] | None = None
    ) -> None:
        """One vote; 1 to 4 for each subject, 0 for blank."""
        with self.writing() as session:
            slip_hash = crypto.slip_hash(code, session.get_one(Round, round_id).salt)
            voting.vote(session, round_id, slip_hash, marks, comments or {}, self.today)

    def close(self, round_id: str, name: str = "wang") -> None:
        """A scrutineer ends the voting."""
        with self.writing() as session:
            held = self.held(session, round_id)
            urn.close(session, self.people[name].hands, held, self.today)

    def count(self, round_id: str, name: str = "li") -> Outcome:
        """Another scrutineer opens the urn and counts."""
        hands = self.people[name].hands
        with self.reading() as session:
            opened = urn.open_urn(session, hands, session.get_one(Round, round_id))
        with self.writing() as session:
            return urn.count(session, hands, self.held(session, round_id), opened, self.today)

    def confirm(self, round_id: str, name: str = "wang") -> bool:
        """A second scrutineer counts anew."""
        with self.writing() as session:
            held = self.held(session, round_id)
            return urn.confirm(session, self.people[name].hands, held, self.today)

    def publish(self, round_id: str, **verdicts: str) -> None:
        """The committee publishes."""
        with self.writing() as session:
            held = self.held(session, round_id)
            service.publish(session, self.people["wang"].actor, held, verdicts, self.today)

    def settled(self, round_id: str) -> None:
        """Closed, counted, confirmed, published."""
        self.close(round_id)
        assert self.count(round_id) is Outcome.VALID
        assert self.confirm(round_id)
        self.publish(round_id)


@pytest.fixture
def assembly(app: Flask, config: Config) -> Assembly:
    """The branch with its people."""
    return Assembly(app, config, app.extensions["clock"])


def words_of(scale: Scale, mark: int) -> str:
    """The grade that a mark stands for."""
    return GRADES[scale][mark - 1] if mark else ""
