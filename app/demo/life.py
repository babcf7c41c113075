"""What people of the demo county said in six weeks, and what became of it: every step by the same
services that a real county uses, only dated back."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import merging, opening, recourse, removal, service, thread
from app.cases.models import Case, DeclineReason, Rating, RemovalGround
from app.cases.queue import Unlocked
from app.cases.workflow import Move, State
from app.clock import FRIDAY, Clock
from app.sealing import service as sealing
from app.submissions import service as submissions
from app.submissions.models import SpeakerGroup
from app.submissions.service import About, Aspect, Opinion, Pen, Publish, Receipt
from app.submissions.ticket import Ticket, new_ticket
from config import Config

WEEKS = 6
# The openings (0: the first) at which opinions of a fate come out; late ones are overdue.
_OPENINGS = {
    "waiting": (3, 4, 5, 5), "accepted": (2, 4, 5), "answering": (2, 3, 4), "answered": (2, 3, 4),
    "closed": (0, 1, 2, 3), "reopened": (1, 2, 3), "declined": (1, 2, 3, 4), "withdrawn": (3,),
}  # fmt: skip
_RATED = {"closed": (Rating.SATISFIED, Rating.BASICALLY), "reopened": (Rating.DISSATISFIED,)}


@dataclass(frozen=True)
class Story:
    """An opinion and its fate: the state it ends in, what was answered or why it was declined."""

    sort: str
    fate: str
    reason: str
    aspect: Aspect
    about: About
    publish: Publish
    words: str
    summary: str = ""
    answer: str = ""


@dataclass
class Told:
    """A story in a box, on its way."""

    story: Story
    box_id: str
    unit_id: str
    slug: str
    opens: int
    receipt: Receipt | None = None


@dataclass(frozen=True)
class Spot:
    """A box that somebody keeps, and the desk that opens it."""

    box_id: str
    unit_id: str
    slug: str
    desk: Unlocked


def stories() -> list[Story]:
    """All stories of `opinions.txt`: blocks of a line of marks, the words, summary, answer."""
    text = Path(__file__).with_name("opinions.txt").read_text("utf-8")
    return [_story(block.splitlines()) for block in text.strip().split("\n\n")]


def _story(lines: list[str]) -> Story:
    sort, fate, matter, about, publish = lines[0].split()
    declined = fate == "declined"  # it names a reason where others name what they are about
    told = ["", lines[2]] if declined else lines[2:]
    aspect = Aspect.OTHER if declined else Aspect(matter)
    reason = matter if declined else ""
    return Story(sort, fate, reason, aspect, About(about), Publish(publish), lines[1], *told)


class Life:
    """Six openings, one a week, the last of them today."""

    def __init__(self, session: Session, config: Config, clock: Clock) -> None:
        self.session, self.config, self.clock = session, config, clock
        self.dice = random.Random(12380)  # noqa: S311 (the same county each time, no secret)
        today = clock.today()
        self.days = [_working_week(today, WEEKS - 1 - n) for n in range(WEEKS)]
        self.told: list[Told] = []
        self.desks: dict[str, Unlocked] = {}

    def live(self, spots: Mapping[str, list[Spot]], few: int | None = None) -> None:
        """Tell every story at a spot of its sort; with `few`, the first so many alone."""
        turns: dict[str, int] = {}
        for story in stories()[:few]:
            places = spots[story.sort]
            turn = turns.get(story.sort, 0)
            turns[story.sort] = turn + 1
            # A stride through the boxes: neighbours don't all speak.
            spot = places[turn * 7 % len(places)]
            choices = _OPENINGS[story.fate]
            when = choices[turn % len(choices)]
            self.told.append(Told(story, spot.box_id, spot.unit_id, spot.slug, when))
            self.desks[spot.box_id] = spot.desk
            if story.fate == "waiting" and turn == 0 and few is None:  # said twice, to be merged
                self.told.append(Told(story, spot.box_id, spot.unit_id, spot.slug, when))
        for number in range(WEEKS):
            self._week(number)

    def _week(self, number: int) -> None:
        before = self.days[number] - dt.timedelta(days=1)
        pen = Pen(self.config.secrets, self.config.origin, before)
        for told in self._coming(number):
            self._drop(pen, told)
        for told in self._coming(number - 2):
            self._rate(pen, told)
            self._appeal(pen, told)
        self.session.flush()
        hour = dt.time(self.config.opening_hour, tzinfo=self.clock.timezone)
        at = dt.datetime.combine(self.days[number], hour)
        opening.open_boxes(self.session, self.config, at, now=True)
        for told in self._coming(number):
            self._handle(told, self._case(told), self.days[number])

    def _coming(self, number: int) -> list[Told]:
        return [told for told in self.told if told.opens == number]

    def _ticket(self, place: str, receipt: Receipt | None = None) -> Ticket:
        key = sealing.opening_key(self.session)
        return new_ticket(place, key.id, self.clock.now(), receipt.keys if receipt else None)

    def _drop(self, pen: Pen, told: Told) -> None:
        story = told.story
        opinion = Opinion(
            told.box_id,
            told.unit_id,
            story.words,
            self.dice.choice(list(SpeakerGroup)),
            story.aspect,
            story.about,
            story.publish,
        )
        told.receipt = submissions.drop(self.session, pen, self._ticket(told.slug), opinion)

    def _case(self, told: Told) -> Case:
        lookup = told.receipt.keys.lookup_id if told.receipt else b""
        return self.session.scalars(sa.select(Case).where(Case.lookup_id == lookup)).one()

    def _rate(self, pen: Pen, told: Told) -> None:
        ratings = _RATED.get(told.story.fate)
        if ratings is None or told.receipt is None:
            return
        rating = self.dice.choice(ratings)
        ticket = self._ticket("thread", told.receipt)
        thread.act(self.session, pen, ticket, "rate", rating, rating)

    def _appeal(self, pen: Pen, told: Told) -> None:
        if told.story.fate != "declined" or told.receipt is None:
            return
        ticket = self._ticket("thread", told.receipt)
        thread.act(self.session, pen, ticket, "appeal", "", "写得够清楚了，请再看一看。")

    def go_on(self, groups: Unlocked, office: list[str]) -> None:
        """The rarer ends: asked, merged, upheld, removed."""
        today = self.clock.today()
        waiting = [told for told in self.told if self._case(told).state is State.WAITING]
        twice = [told for told in waiting if sum(t.story is told.story for t in waiting) > 1]
        one, two = twice[:2]
        desk = self.desks[one.box_id]
        merging.merge(self.session, desk, self._case(two), self._case(one), today)
        others = [told for told in waiting if told not in (one, two)]
        service.ask(self.session, self._case(others[0]), "是哪一天、哪个窗口？", today)
        appealed = [t for t in self.told if self._case(t).state is State.APPEALED]
        words = "材料和答复都看过，支部的处理符合规定，维持。"
        recourse.rule(self.session, groups, self._case(appealed[0]), Move.UPHOLD, words, today)
        gone = self._case(others[1]).id
        removal.ask(self.session, office[0], gone, RemovalGround.THIRD_PERSON, today)
        secret = self.config.secrets.instance_secret
        removal.remove(self.session, office[1], gone, today, secret)

    def _handle(self, told: Told, case: Case, opened: dt.date) -> None:
        """What the committee did before the next opening, as far as the story goes."""
        fate, today = told.story.fate, self.clock.today()
        if fate == "withdrawn":
            pen = Pen(self.config.secrets, self.config.origin, opened)
            thread.withdraw(self.session, pen, self._ticket("thread", told.receipt))
            return
        for days, state, step in _STEPS:
            if fate in _REACHES[state]:
                on = min(opened + dt.timedelta(days=days), today)
                step(self.session, self.desks[told.box_id], case, told.story, on)


def _working_week(today: dt.date, weeks_ago: int) -> dt.date:
    day = today - dt.timedelta(weeks=weeks_ago)
    return day - dt.timedelta(days=max(day.weekday() - FRIDAY, 0)) if weeks_ago else day


def _accept(session: Session, _desk: Unlocked, case: Case, _story: Story, on: dt.date) -> None:
    service.accept(session, case, on)


def _decline(session: Session, desk: Unlocked, case: Case, story: Story, on: dt.date) -> None:
    service.decline(session, desk, case, DeclineReason(story.reason), story.answer, on)


def _draft(session: Session, desk: Unlocked, case: Case, story: Story, on: dt.date) -> None:
    service.draft(session, desk, case, story.answer, story.summary, on)


def _approve(session: Session, desk: Unlocked, case: Case, _story: Story, on: dt.date) -> None:
    service.approve(session, desk, case, on)


_Step = Callable[[Session, Unlocked, Case, Story, dt.date], None]
_DONE = frozenset({"answered", "closed", "reopened"})
# Which fates pass through a state, and the step that leads there, days after the opening.
_REACHES: Mapping[State, Iterable[str]] = {
    State.ACCEPTED: _DONE | {"accepted", "answering"},
    State.DECLINED: {"declined"},
    State.ANSWERING: _DONE | {"answering"},
    State.ANSWERED: _DONE,
}
_STEPS: tuple[tuple[int, State, _Step], ...] = (
    (1, State.ACCEPTED, _accept),
    (2, State.DECLINED, _decline),
    (3, State.ANSWERING, _draft),
    (6, State.ANSWERED, _approve),
)
