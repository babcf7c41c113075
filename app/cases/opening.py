"""The opening: what lies in the boxes comes out shuffled, dated, all in one transaction.

It holds the opening key's row exclusively: no drop can be half in, two runs can't overlap, and a
run that is killed leaves everything as it was.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.cases import acts, expiry, tallies
from app.cases.models import Author, Case, CaseEvent, Channel, ItemKind, ThreadItem
from app.cases.workflow import Move, State
from app.clock import FRIDAY, first_friday_after, quarter_of
from app.sealing import attachments
from app.sealing import service as sealing
from app.sealing.attachments import Locator, Lock
from app.sealing.models import KeyWrap, OpeningKey, SealedItem
from app.submissions.lying import (
    Lying,
    LyingAct,
    LyingDrop,
    LyingGroup,
    LyingLeaf,
    unwrap,
    wrap,
)
from app.submissions.models import LyingItem, SpeakerGroup, SpeakerTally
from app.transparency import log
from config import Config

_BATCH = 500
# Over so many drops of one box in one opening, the rest (drawn by lot: which came late is not
# known) stand last among what is due the same day: a flood of one box doesn't bury the others.
SOFT_CAP = 50
_Rows = list[dict[str, object]]
# What the first event and the first item of every case have in common.
_EVENT: dict[str, object] = {
    "position": 0,
    "move": Move.OPEN,
    "from_state": State.LYING,
    "to_state": State.WAITING,
}
_OPINION: dict[str, object] = {
    "position": 0,
    "kind": ItemKind.OPINION,
    "author": Author.SPEAKER,
}


@dataclass(frozen=True)
class Opened:
    """What an opening did: drops and boxes; acts are not told (a count of them would tell)."""

    drops: int = 0
    boxes: int = 0


@dataclass
class _Release:
    """What comes out at this opening, and what stays in, wrapped anew."""

    drops: list[LyingDrop] = field(default_factory=list)
    acts: list[LyingAct] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    kept: list[tuple[bytes, Lying]] = field(default_factory=list)

    def by_box(self) -> Counter[str]:
        """How many drops come out of each box."""
        return Counter(drop.box_id for drop in self.drops)

    def locators(self) -> tuple[list[Locator], list[Locator]]:
        """Where the attachments of what comes out, and of what stays in, are."""
        kept = [lying.locator for _, lying in self.kept if isinstance(lying, LyingDrop)]
        return [drop.locator for drop in self.drops], kept


def is_due(made_on: dt.date, local: dt.datetime, hour: int) -> bool:
    """Whether the day's opening is still to come and its hour has struck."""
    return made_on < local.date() and local.hour >= hour


def open_boxes(
    session: Session, config: Config, local: dt.datetime, *, now: bool = False
) -> Opened | None:
    """Open every box that holds at least k, on Fridays every box; None when none is due.

    `now` opens whatever lies there, at any hour. Safe to call at any time and twice: the key of a
    finished opening bears its date. `local` is the county's time.
    """
    today = local.date()
    if not now and not is_due(sealing.opening_key(session).made_on, local, config.opening_hour):
        return None
    key = sealing.opening_key_exclusive(session)
    if not now and not is_due(key.made_on, local, config.opening_hour):
        return None  # another worker was first
    # A Friday on which the server was down is made up for: its promises fall due all the same.
    everything = now or first_friday_after(key.made_on) <= today
    k = 1 if everything else config.mixing_threshold
    secret = config.secrets.instance_secret
    old = Lock(key.id, sealing.opening_private_key(key, secret))
    release = _sort_out(_unwrap_all(session, old), k)
    session.execute(sa.delete(LyingItem))
    session.execute(sa.delete(OpeningKey))
    fresh = sealing.make_opening_key(session, secret, today)
    _write_cases(session, release.drops, today, secret)
    attachments.bring_through(session, old, fresh, *release.locators())
    log.append(session, release.leaves)
    groups = [(crypto.new_private_key(), _group_of(drop, today)) for drop in release.drops] + [
        (place, lying) for place, lying in release.kept if isinstance(lying, LyingGroup)
    ]
    others = [(place, lying) for place, lying in release.kept if not isinstance(lying, LyingGroup)]
    waiting = _tally(session, groups, config.mixing_threshold, today)
    _write_lying(session, fresh, others + waiting)
    for act in release.acts:
        acts.apply(session, act, today)
    if today.weekday() == FRIDAY or now:
        acts.end_terms(session, today)
        expiry.expire(session, today, config.thread_months, secret)
    tallies.received(session, release.by_box(), today)  # after the cases, as at the desk
    return Opened(len(release.drops), len(release.by_box()))


def _unwrap_all(session: Session, lock: Lock) -> Iterable[tuple[bytes, Lying]]:
    rows = session.execute(
        sa.select(LyingItem.pool_id, LyingItem.wrapped).execution_options(yield_per=_BATCH)
    )
    for pool_id, wrapped in rows:
        yield pool_id, unwrap(wrapped, lock.private_key)


def _sort_out(rows: Iterable[tuple[bytes, Lying]], k: int) -> _Release:
    """Which boxes are opened (those with at least k drops and acts), and what stays."""
    release = _Release()
    by_box: dict[str, list[tuple[bytes, LyingDrop | LyingAct]]] = defaultdict(list)
    for pool_id, lying in rows:
        if isinstance(lying, LyingDrop | LyingAct):
            by_box[lying.box_id].append((pool_id, lying))
        elif isinstance(lying, LyingLeaf):
            release.leaves.append(crypto.drop_leaf(lying.commitment))
        elif isinstance(lying, LyingGroup):
            release.kept.append((pool_id, lying))
    for items in by_box.values():
        if len(items) < k:
            release.kept.extend(items)
            continue
        release.drops.extend(lying for _, lying in items if isinstance(lying, LyingDrop))
        release.acts.extend(lying for _, lying in items if isinstance(lying, LyingAct))
    release.leaves.extend(crypto.drop_leaf(drop.commitment) for drop in release.drops)
    release.acts.sort(key=lambda act: (act.case_id, act.order))
    return release


def _write_cases(session: Session, drops: list[LyingDrop], today: dt.date, secret: bytes) -> None:
    """Every table in the order of its random key: where a row lies tells nothing of arrival."""
    cases: _Rows = []
    events: _Rows = []
    items: _Rows = []
    wraps: _Rows = []
    thread: _Rows = []
    for drop, case_id in zip(drops, _case_ids(drops), strict=True):
        item_id = crypto.random_id()
        cases.append(_case_row(drop, case_id, today, drop.locator.sealed(secret)))
        events.append(_EVENT | {"case_id": case_id, "moved_on": today})
        items.append(
            {
                "id": item_id,
                "ciphertext": drop.sealed.ciphertext,
                "receipt_wrap": drop.sealed.receipt_wrap,
            }
        )
        wraps.extend(
            {"item_id": item_id, "box_key_id": key_id, "wrapped": wrapped}
            for key_id, wrapped in drop.sealed.wraps.items()
        )
        thread.append(_OPINION | {"case_id": case_id, "item_id": item_id, "written_on": today})
    _insert(session, Case, cases, "id")
    _insert(session, CaseEvent, events, "case_id")
    _insert(session, SealedItem, items, "id")
    _insert(session, KeyWrap, wraps, "item_id")
    _insert(session, ThreadItem, thread, "case_id")


def _case_ids(drops: list[LyingDrop]) -> list[str]:
    """Random ids; the queue sorts by day, then id, and those over the soft cap begin with f."""
    ids = [crypto.random_id() for _ in drops]
    by_box: dict[str, list[int]] = defaultdict(list)
    for index in sorted(range(len(drops)), key=ids.__getitem__):
        by_box[drops[index].box_id].append(index)
    for indexes in by_box.values():
        for index in indexes[SOFT_CAP:]:
            ids[index] = "f" + ids[index][1:]
    return ids


def _case_row(drop: LyingDrop, case_id: str, today: dt.date, locator: bytes) -> dict[str, object]:
    return {
        "id": case_id,
        "box_id": drop.box_id,
        "state": State.WAITING,
        "opened_on": today,
        "clock_on": today,
        "state_on": today,
        "channel": Channel(drop.channel),
        "lookup_id": drop.lookup_id,
        "receipt_key": drop.receipt_key,
        "commitment": drop.commitment,
        "sealed_locator": locator,
        "reopenings": 0,
        "appeals": 0,
        "referrals": 0,
        "version": 1,
    }


def _insert(session: Session, model: type, rows: _Rows, key: str) -> None:
    if rows:
        session.execute(sa.insert(model), sorted(rows, key=lambda row: str(row[key])))


def _group_of(drop: LyingDrop, today: dt.date) -> LyingGroup:
    return LyingGroup(unit_id=drop.unit_id, quarter=quarter_of(today), speaker=drop.speaker)


def _tally(
    session: Session, groups: list[tuple[bytes, LyingGroup]], k: int, today: dt.date
) -> list[tuple[bytes, Lying]]:
    """Add groups to their unit's tally once it has k of them waiting or their quarter is over.

    The rest goes back to lie, wrapped anew: a tally that rose by one would tell who spoke.
    """
    waiting: dict[tuple[str, str], list[tuple[bytes, LyingGroup]]] = defaultdict(list)
    for place, group in groups:
        waiting[group.unit_id, group.quarter].append((place, group))
    back: list[tuple[bytes, Lying]] = []
    for (unit_id, quarter), members in waiting.items():
        if len(members) < k and quarter == quarter_of(today):
            back.extend(members)
            continue
        for speaker, count in sorted(Counter(group.speaker for _, group in members).items()):
            _add_to_tally(session, unit_id, quarter, SpeakerGroup(speaker), count)
    return back


def _add_to_tally(
    session: Session, unit_id: str, quarter: str, speaker: SpeakerGroup, count: int
) -> None:
    tally = session.get(SpeakerTally, (unit_id, quarter, speaker))
    if tally is None:
        session.add(SpeakerTally(unit_id=unit_id, quarter=quarter, speaker=speaker, count=count))
    else:
        tally.count += count


def _write_lying(session: Session, key: OpeningKey, lying: list[tuple[bytes, Lying]]) -> None:
    rows = [
        {"pool_id": place, "wrapped": wrap(item, key.public_key)}
        for place, item in sorted(lying, key=lambda pair: pair[0])
    ]
    if rows:
        session.execute(sa.insert(LyingItem), rows)
