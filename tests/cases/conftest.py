"""A branch, its neighbour and their supervision group, and a speaker who comes back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app import cli, db
from app.cases import case_page, opening, service, thread
from app.cases.case_page import CasePage
from app.cases.models import Case
from app.cases.thread import ThreadPage
from app.clock import Clock
from app.pictures.cleaning import Developed
from app.submissions import service as submissions
from app.submissions.service import About, Receipt
from config import Config
from tests.factories import (
    BoxInHand,
    case_of,
    drop_ticket,
    make_box,
    make_group,
    opinion,
    pen_of,
    thread_ticket,
)


@dataclass
class Scene:
    """Two branches of one unit, the group that watches them, and what happens there."""

    app: Flask
    config: Config
    clock: Clock
    here: BoxInHand = field(init=False)
    there: BoxInHand = field(init=False)
    group: BoxInHand = field(init=False)

    def __post_init__(self) -> None:
        with self.writing() as session:
            self.here = make_box(session, "longtan", self.clock)
            self.there = make_box(session, "shiqiao", self.clock)
            self.group = make_group(session, "diyi", self.clock)

    @property
    def secret(self) -> bytes:
        """The instance secret, which some of the services are handed."""
        return self.config.secrets.instance_secret

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction, as a view opens it."""
        with self.app.app_context(), db.transaction() as session:
            yield session

    def open_boxes(self) -> None:
        """Whatever lies in the boxes comes out."""
        with self.app.app_context():
            cli.run_opening(now=True)

    def open_at_its_hour(self) -> None:
        """The opening of a Tuesday: boxes in which enough lies."""
        tuesday = self.clock.local().replace(hour=12) + dt.timedelta(days=1)
        with self.writing() as session:
            opening.open_boxes(session, self.config, tuesday)

    def opened(
        self,
        text: str,
        about: About = About.COLLECTIVE,
        box: BoxInHand | None = None,
        files: tuple[Developed, ...] = (),
    ) -> tuple[Receipt, str]:
        """An opinion dropped and opened: its receipt and its case."""
        box = box or self.here
        with self.writing() as session:
            said = replace(opinion(box, text, about=about), files=files)
            ticket = drop_ticket(session, box, self.clock)
            receipt = submissions.drop(session, pen_of(self.config, self.clock), ticket, said)
        self.open_boxes()
        with self.app.app_context(), db.reading() as session:
            return receipt, case_of(session, receipt).id

    def act(self, receipt: Receipt, kind: str, text: str = "", value: str = "") -> None:
        """The speaker comes back and does something; it waits for the next opening."""
        with self.writing() as session:
            ticket = thread_ticket(session, receipt, self.clock)
            thread.act(session, pen_of(self.config, self.clock), ticket, kind, value, text)

    def withdraw(self, receipt: Receipt) -> None:
        """The speaker takes it back."""
        with self.writing() as session:
            ticket = thread_ticket(session, receipt, self.clock)
            thread.withdraw(session, pen_of(self.config, self.clock), ticket)

    def burn(self, receipt: Receipt) -> None:
        """The speaker burns the receipt."""
        with self.writing() as session:
            ticket = thread_ticket(session, receipt, self.clock)
            thread.burn(session, pen_of(self.config, self.clock), ticket)

    def thread(self, receipt: Receipt) -> ThreadPage:
        """What the receipt shows."""
        with self.app.app_context(), db.reading() as session:
            page = thread.open_thread(session, pen_of(self.config, self.clock), receipt.keys)
            assert page is not None
            return page

    def page(self, box: BoxInHand, case_id: str, staff_id: str = "keeper-1") -> CasePage:
        """What the keeper of a box sees of a case."""
        with self.app.app_context(), db.reading() as session:
            return case_page.case_page(session, box.desk(staff_id), case_id, self.clock.today())

    def case(self, session: Session, case_id: str) -> Case:
        """The case's row."""
        return session.get_one(Case, case_id)

    def answer(self, case_id: str, words: str = "修好了。", box: BoxInHand | None = None) -> None:
        """Accepted where that is still to do, drafted, approved."""
        today, desk = self.clock.today(), (box or self.here).desk()
        with self.writing() as session:
            case = self.case(session, case_id)
            if case.state == "waiting":
                service.accept(session, case, today)
            service.draft(session, desk, case, words, "概括", today)
            service.approve(session, desk, case, today)

    def said(self, page: ThreadPage | CasePage) -> list[tuple[str, str, str]]:
        """Who said what, in order."""
        return [(m.author, m.kind, m.text) for m in page.messages]


@pytest.fixture
def scene(app: Flask, config: Config) -> Scene:
    """The branch, its neighbour, their group."""
    return Scene(app, config, app.extensions["clock"])
