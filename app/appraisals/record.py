"""The one way to move an appraisal, and to add, open and destroy its sealed texts."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.appraisals.models import Appraisal, AppraisalText, Channel, MemberLink, Occasion, TextKind
from app.appraisals.workflow import Move, State, next_state
from app.cases.queue import Unlocked
from app.errors import N_, Conflict, Invalid, NotFound
from app.organisation.models import Member
from app.sealing import service as sealing

CHANGED_MEANWHILE = N_(
    "您看着的时候，这份评议刚有了新的变动。什么都没有覆盖，您写的还在下面，请先看最新的情况。"
)
GONE = N_("没有这份评议。请从党员列表里找。")


@dataclass(frozen=True)
class Words:
    """An opened text with where it stands."""

    kind: TextKind
    channel: Channel | None
    written_on: dt.date
    acknowledged_on: dt.date | None
    content: Mapping[str, object]


def get(
    session: Session, desk: Unlocked, appraisal_id: str, version: int | None = None
) -> Appraisal:
    """An appraisal of a branch that this person keeps the box of, of the version that they saw.

    Raises NotFound (for another branch's too: that there is one is nobody's business), Conflict.
    """
    found = session.scalar(
        sa.select(Appraisal)
        .join(Occasion, Occasion.id == Appraisal.occasion_id)
        .where(Appraisal.id == appraisal_id, Occasion.box_id.in_(desk.box_ids))
    )
    if found is None:
        raise NotFound(GONE)
    if version is not None and found.version != version:
        raise Conflict(CHANGED_MEANWHILE)
    return found


def occasion_of(session: Session, appraisal: Appraisal) -> Occasion:
    """The occasion that an appraisal belongs to."""
    return session.get_one(Occasion, appraisal.occasion_id)


def member_of(session: Session, appraisal: Appraisal) -> Member:
    """Whose appraisal it is."""
    return session.get_one(Member, appraisal.member_id)


def move(appraisal: Appraisal, step: Move) -> None:
    """Move an appraisal by the table; raises IllegalMoveError and changes nothing."""
    appraisal.state = next_state(appraisal.state, step)


def require_words(appraisal: Appraisal) -> None:
    """Raises Conflict once its words were destroyed: nothing is added to it any more."""
    if appraisal.state is State.REMOVED:
        raise Conflict(N_("这份评议的文字已经销毁，不能再添。什么都没有改变。"))


def texts(
    session: Session, appraisal_id: str, kinds: Collection[TextKind] = tuple(TextKind)
) -> list[AppraisalText]:
    """The texts of these kinds, the oldest first."""
    query = sa.select(AppraisalText).where(
        AppraisalText.appraisal_id == appraisal_id, AppraisalText.kind.in_(kinds)
    )
    return list(session.scalars(query.order_by(AppraisalText.written_on, AppraisalText.item_id)))


def put(
    session: Session,
    appraisal: Appraisal,
    kind: TextKind,
    content: Mapping[str, object],
    today: dt.date,
    *,
    channel: Channel | None = None,
    link: MemberLink | None = None,
) -> AppraisalText:
    """Seal a text into an appraisal: to the branch's key, and to the link's where there is one.

    A self draft is the member's own: to the link's key alone. Raises Conflict while nobody keeps
    the branch's box, Invalid when the text is larger than the largest size class.
    """
    made = AppraisalText(
        item_id=seal(
            session,
            appraisal,
            content,
            to_branch=kind is not TextKind.SELF_DRAFT,
            link_key=link.public_key if link else None,
        ),
        appraisal_id=appraisal.id,
        kind=kind,
        channel=channel,
        link_id=link.id if link else None,
        written_on=today,
    )
    session.add(made)
    session.flush()
    return made


def seal(
    session: Session,
    appraisal: Appraisal,
    content: Mapping[str, object],
    *,
    to_branch: bool = True,
    link_key: bytes | None = None,
) -> str:
    """Seal a content and store it; the item's id. Raises as `put`."""
    box_key = sealing.current_box_key(session, occasion_of(session, appraisal).box_id)
    if box_key is None:
        raise Conflict(N_("支部的意见箱现在没有人保管，写的字封不起来，没有存下。请先配好钥匙。"))
    raw = json.dumps(content, ensure_ascii=False).encode()
    try:
        sealed = sealing.seal(raw, [box_key] if to_branch else [], link_key)
    except ValueError:
        raise Invalid(N_("写得太长了，没有存下。您写的都还在，请删短一些。")) from None
    return sealing.store(session, sealed)


def content_of(raw: bytes | None) -> Mapping[str, object]:
    """The content of an opened item; empty where the keys didn't open it."""
    return json.loads(raw) if raw else {}


def replace(session: Session, appraisal: Appraisal, kinds: Collection[TextKind]) -> None:
    """Destroy the texts of these kinds, for newer ones to take their place."""
    destroy(session, texts(session, appraisal.id, kinds))


def destroy(session: Session, found: Iterable[AppraisalText]) -> None:
    """Destroy texts with every wrap of their keys."""
    ids = [text.item_id for text in found]
    session.execute(sa.delete(AppraisalText).where(AppraisalText.item_id.in_(ids)))
    sealing.destroy(session, ids)


def opened(session: Session, desk: Unlocked, found: Iterable[AppraisalText]) -> list[Words]:
    """What the unlocked keys open of these texts, in their order; others are left out."""
    listed = list(found)
    raws = sealing.open_items_at_desk(session, [text.item_id for text in listed], desk.keys)
    return [_words(text, raws[text.item_id]) for text in listed if text.item_id in raws]


def opened_by_link(
    session: Session, found: Iterable[AppraisalText], link_id: str, private_key: bytes
) -> list[Words]:
    """What a link's key opens of these texts, in their order: its own alone."""
    listed = [text for text in found if text.link_id == link_id]
    ids = [text.item_id for text in listed]
    raws = sealing.open_items_of_receipt(session, ids, private_key)
    return [_words(text, raws[text.item_id]) for text in listed if text.item_id in raws]


def _words(text: AppraisalText, raw: bytes) -> Words:
    content = json.loads(raw)
    return Words(text.kind, text.channel, text.written_on, text.acknowledged_on, content)


def newest(found: Iterable[Words], *kinds: TextKind) -> Words | None:
    """The last of these kinds."""
    listed = [words for words in found if words.kind in kinds]
    return listed[-1] if listed else None
