"""Boxes with keepers, opinions and receipts, made through the services themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.cases.models import Case
from app.cases.queue import Unlocked
from app.clock import Clock
from app.organisation import service as organisation
from app.organisation.models import Unit, UnitKind
from app.pictures.cleaning import Developed, Picture
from app.sealing import service as sealing
from app.sealing.models import BoxKey
from app.submissions import service as submissions
from app.submissions.models import SpeakerGroup
from app.submissions.service import About, Aspect, Opinion, Pen, Publish, Receipt
from app.submissions.ticket import Ticket, new_ticket
from config import Config


@dataclass(frozen=True)
class BoxInHand:
    """A branch's box with the key that its keeper holds."""

    box_id: str
    unit_id: str
    slug: str
    keys: dict[str, bytes]

    def desk(self, staff_id: str = "keeper-1") -> Unlocked:
        """The box's keeper at an unlocked desk."""
        return Unlocked(staff_id, frozenset({self.box_id}), self.keys)


def make_box(
    session: Session, slug: str, clock: Clock, *, second_eyes: bool = False, kept: bool = True
) -> BoxInHand:
    """A branch with a box; `kept`: somebody holds its key."""
    parent = session.scalar(sa.select(Unit).where(Unit.slug == "office"))
    if parent is None:
        parent = organisation.add_unit(session, slug="office", name="县直机关", kind=UnitKind.UNIT)
    unit = organisation.add_unit(
        session, slug=slug, name=f"{slug}支部", kind=UnitKind.BRANCH, parent=parent
    )
    box = organisation.add_box(session, unit, second_eyes=second_eyes)
    private_key = crypto.new_private_key()
    key = BoxKey(
        box_id=box.id, public_key=crypto.public_key_of(private_key), created_on=clock.today()
    )
    if kept:
        session.add(key)
        session.flush()
    return BoxInHand(box.id, unit.id, slug, {key.id: private_key} if kept else {})


def make_group(session: Session, slug: str, clock: Clock, *, watches: str = "office") -> BoxInHand:
    """A supervision group with a kept box that watches a unit and what is below it."""
    unit = organisation.add_unit(session, slug=slug, name=f"{slug}监督组", kind=UnitKind.GROUP)
    watched = session.scalars(sa.select(Unit).where(Unit.slug == watches)).one()
    watched.group_id = unit.id
    box = organisation.add_box(session, unit)
    private_key = crypto.new_private_key()
    key = BoxKey(
        box_id=box.id, public_key=crypto.public_key_of(private_key), created_on=clock.today()
    )
    session.add(key)
    session.flush()
    return BoxInHand(box.id, unit.id, slug, {key.id: private_key})


def pen_of(config: Config, clock: Clock) -> Pen:
    """What the edge would hand to a speaker's act."""
    return Pen(config.secrets, config.origin, clock.today())


def opinion(
    box: BoxInHand,
    text: str = "村口的路灯坏了。",
    publish: Publish = Publish.SUMMARY,
    speaker: SpeakerGroup = SpeakerGroup.UNSAID,
    about: About = About.COLLECTIVE,
) -> Opinion:
    """An opinion for this box."""
    return Opinion(box.box_id, box.unit_id, text, speaker, Aspect.WORK, about, publish)


def drop_ticket(session: Session, box: BoxInHand, clock: Clock) -> Ticket:
    """The ticket of a form that was just loaded."""
    return new_ticket(box.slug, sealing.opening_key(session).id, clock.now())


def thread_ticket(session: Session, receipt: Receipt, clock: Clock) -> Ticket:
    """The ticket of a thread page that was just loaded."""
    return new_ticket("thread", sealing.opening_key(session).id, clock.now(), receipt.keys)


def drop(
    session: Session,
    config: Config,
    clock: Clock,
    box: BoxInHand,
    text: str = "路灯坏了。",
    files: tuple[Developed, ...] = (),
) -> Receipt:
    """One opinion dropped, with what is enclosed."""
    ticket = drop_ticket(session, box, clock)
    said = replace(opinion(box, text), files=files)
    return submissions.drop(session, pen_of(config, clock), ticket, said)


def picture(mark: bytes = b"one", size: int = 300_000) -> Picture:
    """A picture as the darkroom would hand it over; nothing between there and a reader looks in."""
    return Picture(40, 30, mark + crypto.encrypt(crypto.new_private_key(), bytes(size)))


def case_of(session: Session, receipt: Receipt) -> Case:
    """The opened case of a receipt."""
    return session.scalars(sa.select(Case).where(Case.lookup_id == receipt.keys.lookup_id)).one()
