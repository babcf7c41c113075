"""What is enclosed with an opinion: for its speaker by the receipt, for the desk by its keys."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import record, service
from app.cases.models import ItemKind, ThreadItem
from app.cases.queue import Unlocked
from app.crypto import ReceiptKeys
from app.errors import N_, NotFound
from app.sealing import attachments
from app.sealing import service as sealing
from app.sealing.attachments import Album, Attachment, Lock, LostError
from app.submissions import service as submissions
from app.submissions.lying import LyingDrop
from app.submissions.service import Content, Pen


def files_of(
    session: Session, content: Content | None, lock: Lock | None = None
) -> tuple[Attachment, ...] | None:
    """The files enclosed with an opinion; None when they are lost. `lock` while it lies there."""
    if content is None:
        return ()
    try:
        return attachments.contents(session, content.enclosed, lock)
    except LostError:
        return None


def lock_of(session: Session, pen: Pen) -> Lock:
    """The present opening key in hand: what still lies in the boxes is read by it."""
    key = sealing.opening_key(session)
    return Lock(key.id, sealing.opening_private_key(key, pen.secrets.instance_secret))


def picture_of_receipt(session: Session, pen: Pen, keys: ReceiptKeys, leaf_id: str) -> bytes:
    """A picture of one's own opinion. Raises NotFound for another's and for none alike."""
    content, lock = _opened_by_receipt(session, keys), None
    if content is None:
        lying = submissions.lying_drop(session, pen, keys)
        if isinstance(lying, LyingDrop):
            content, lock = submissions.content_of(lying, keys), lock_of(session, pen)
    return _picture(session, content, leaf_id, lock)


def _opened_by_receipt(session: Session, keys: ReceiptKeys) -> Content | None:
    case = record.case_of_receipt(session, keys)
    if case is None:
        return None
    said = sa.select(ThreadItem.item_id).where(
        ThreadItem.case_id == case.id, ThreadItem.kind == ItemKind.OPINION
    )
    opened = sealing.open_items_of_receipt(session, session.scalars(said), keys.private_key)
    return next((Content.decode(raw) for raw in opened.values()), None)


def picture_at_desk(session: Session, desk: Unlocked, case_id: str, leaf_id: str) -> bytes:
    """A picture of a case that these keys open. Raises NotFound, Forbidden."""
    case = service.get(session, desk, case_id)
    return _picture(session, record.opinion_of(session, desk.keys, case), leaf_id)


def _picture(
    session: Session, content: Content | None, leaf_id: str, lock: Lock | None = None
) -> bytes:
    album = content.enclosed if content else Album.read("")
    try:
        found = attachments.picture(session, album, leaf_id, lock)
    except LostError:
        found = None
    if found is None:
        raise NotFound(N_("没有这张图。它可能已经和意见一起撤回了，请回到上一页再看。"))
    return found
