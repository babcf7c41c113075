"""A branch with members, its neighbour, and a member with a link in hand."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import db
from app.appraisals import feedback, links, occasions, record, self_appraisal, written
from app.appraisals.links import Issued, OpenLink
from app.appraisals.models import Appraisal, Occasion
from app.appraisals.written import Written
from app.organisation.models import Member
from app.sealing.models import SealedItem
from tests.cases.conftest import Scene, scene
from tests.factories import BoxInHand

__all__ = ["scene"]

NAMES = ("王建国", "李秀英", "张志强")
TEXT = Written("路灯修得快。", "会上说话少。", "多到村口听听。")


def add_members(session: Session, unit_id: str, *names: str) -> list[str]:
    """People on a branch's roll; their ids in this order."""
    made = []
    for name in names:
        count = session.scalar(sa.select(sa.func.count()).select_from(Member)) or 0
        member = Member(number=f"M{count + 1:04d}", name=name, unit_id=unit_id)
        session.add(member)
        session.flush()
        made.append(member.id)
    return made


@dataclass
class Branch:
    """A branch of three members in the middle of an appraisal."""

    scene: Scene
    occasion_id: str = field(init=False)
    ids: list[str] = field(init=False)

    def __post_init__(self) -> None:
        with self.scene.writing() as session:
            add_members(session, self.box.unit_id, *NAMES)
            today = self.scene.clock.today()
            made = occasions.begin(session, self.box.desk(), self.box.box_id, "2026年度", "", today)
            self.occasion_id = made.id
            self.ids = self.of(session, made)

    @property
    def box(self) -> BoxInHand:
        """The branch's box."""
        return self.scene.here

    def of(self, session: Session, occasion: Occasion) -> list[str]:
        """The appraisals of an occasion in the order of the roll."""
        query = sa.select(Appraisal.id).join(Member).where(Appraisal.occasion_id == occasion.id)
        return list(session.scalars(query.order_by(Member.number)))

    def get(self, session: Session, number: int = 0) -> Appraisal:
        """One of the appraisals."""
        return session.get_one(Appraisal, self.ids[number])

    def ask(self, number: int = 0) -> Issued:
        """A link to a self-appraisal."""
        with self.scene.writing() as session:
            desk, clock = self.box.desk(), self.scene.clock
            secrets, found = self.scene.config.secrets, self.get(session, number)
            return self_appraisal.ask(session, desk, found, clock.now(), clock.today(), secrets)

    def look(self, session: Session, token: str) -> OpenLink:
        """What a link opens now."""
        return links.look(session, token, self.scene.config.secrets, self.scene.clock.now())

    def hand_in(self, token: str, *answers: str) -> None:
        """A self-appraisal by its link."""
        with self.scene.writing() as session:
            opened = self.look(session, token)
            self_appraisal.hand_in(session, opened, answers, self.scene.clock.today())

    def write(self, number: int = 0, text: Written = TEXT, *, finish: bool = True) -> None:
        """The committee's appraisal, drafted and finished."""
        with self.scene.writing() as session:
            found, today = self.get(session, number), self.scene.clock.today()
            written.draft(session, self.box.desk(), found, text, today)
            if finish:
                written.finish(session, self.box.desk(), found, today)

    def deliver(self, number: int = 0) -> Issued:
        """The finished appraisal, given to its member by link."""
        with self.scene.writing() as session:
            clock, secrets = self.scene.clock, self.scene.config.secrets
            found = self.get(session, number)
            return feedback.deliver(
                session, self.box.desk(), found, clock.now(), clock.today(), secrets
            )

    def kinds(self, number: int = 0) -> list[str]:
        """The kinds of the texts that an appraisal has."""
        with self.scene.app.app_context(), db.reading() as session:
            return sorted(text.kind for text in record.texts(session, self.ids[number]))

    def sealed(self) -> int:
        """How many sealed items there are at all."""
        with self.scene.app.app_context(), db.reading() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(SealedItem)) or 0


@pytest.fixture
def branch(scene: Scene) -> Branch:
    """Three members, one occasion, nothing written yet."""
    return Branch(scene)


@dataclass
class Hand:
    """A member's phone at their private page."""

    client: FlaskClient
    address: str

    def get(self, view: str = "") -> TestResponse:
        """The door."""
        return self.client.get(self.address + view)

    def ticket(self) -> str:
        """The door's hidden ticket."""
        page = self.get().get_data(as_text=True)
        return str(re.findall(r'name="ticket" value="([^"]*)"', page)[0])

    def post(self, step: str = "open", view: str = "", **fields: str) -> TestResponse:
        """One act, with the hidden inputs of the door."""
        data = {"ticket": self.ticket(), "website": "", "step": step, **fields}
        return self.client.post(self.address + view, data=data)


def hand(branch: Branch, issued: Issued) -> Hand:
    """The member who got this link."""
    return Hand(branch.scene.app.test_client(), f"/appraisal/{issued.token}")


def text_of(answer: TestResponse) -> str:
    """A page's text as a person reads it."""
    return html.unescape(answer.get_data(as_text=True))
