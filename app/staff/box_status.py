"""How boxes stand with their keys, and people with the boxes: for a whole page of them at once."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.organisation.models import Box
from app.sealing.models import BoxKey
from app.staff import recovery
from app.staff.models import HOLDING_ROLES, KeyGrant, PersonalKey, RecoveryKey, RoleAssignment
from app.staff.rights import Actor


class Holding(StrEnum):
    """How somebody stands to the key of their unit's box."""

    HOLDS = "holds"
    PARTLY = "partly"  # the present pair, not every former one
    WAITS = "waits"
    NONE = "none"  # nothing to hold: no such role, no box, or no pair yet


@dataclass(frozen=True)
class BoxStatus:
    """A unit's box as far as its keys go.

    `state`: `never` had a pair, `held`, `unheld` (paper may still open it), `lost` (closed).
    `mine`: the reader holds it. `offered`: recovery keys that one tap of the reader seals it to.
    """

    id: str
    state: str
    since: dt.date | None
    mine: bool
    may_rotate: bool
    may_begin: bool
    offered: list[RecoveryKey] = field(repr=False)


@dataclass(frozen=True)
class Keyrings:
    """The pairs of some boxes, who opens which, and who may: by box, by pair, by unit."""

    pairs: dict[str, list[BoxKey]]
    openers: dict[str, set[str]]
    appointed: dict[str, set[str]]
    offered: dict[str, list[RecoveryKey]]

    def status(self, actor: Actor, box: Box) -> BoxStatus:
        """A box as the reader's list shows it."""
        pairs = self.pairs[box.id]
        current = next((key for key in pairs if key.retired_on is None), None)
        if current is None:
            state = "lost" if pairs else "never"
        else:
            held = self.openers[current.id] & self.appointed[box.unit_id]
            state = "held" if held else "unheld"
        appointed = box.unit_id in actor.held_units()
        return BoxStatus(
            id=box.id,
            state=state,
            since=current.created_on if current else None,
            mine=any(key.id in actor.keys for key in pairs),
            may_rotate=state == "held" and (appointed or actor.is_office),
            may_begin=state == "never" and appointed,
            offered=self.offered.get(box.id, []),
        )

    def holding(self, box: Box) -> dict[str, Holding]:
        """How each person appointed to a box's unit stands to its pairs."""
        pairs = self.pairs[box.id]
        return {
            staff_id: self._holding(pairs, staff_id) for staff_id in self.appointed[box.unit_id]
        }

    def _holding(self, pairs: list[BoxKey], staff_id: str) -> Holding:
        if not pairs:
            return Holding.NONE
        own = {key.id for key in pairs if staff_id in self.openers[key.id]}
        current = {key.id for key in pairs if key.retired_on is None}
        if not own & current:
            return Holding.WAITS
        somebodys = {key.id for key in pairs if self.openers[key.id]}
        return Holding.HOLDS if somebodys <= own else Holding.PARTLY


def read(session: Session, actor: Actor, boxes: Iterable[Box]) -> Keyrings:
    """What the page shows of all these boxes; the same six queries whatever their number."""
    units = {box.id: box.unit_id for box in boxes}
    pairs: dict[str, list[BoxKey]] = defaultdict(list)
    for key in session.scalars(sa.select(BoxKey).where(BoxKey.box_id.in_(units))):
        pairs[key.box_id].append(key)
    mine = {box_id: [k.id for k in keys if k.id in actor.keys] for box_id, keys in pairs.items()}
    return Keyrings(
        pairs,
        _openers(session, [key.id for keys in pairs.values() for key in keys]),
        _appointed(session, units.values()),
        recovery.offered(session, {box_id: own for box_id, own in mine.items() if own}),
    )


def _openers(session: Session, pair_ids: list[str]) -> dict[str, set[str]]:
    rows = session.execute(
        sa.select(KeyGrant.box_key_id, PersonalKey.staff_id)
        .join(PersonalKey, PersonalKey.id == KeyGrant.personal_key_id)
        .where(PersonalKey.retired_on.is_(None), KeyGrant.box_key_id.in_(pair_ids))
    )
    openers: dict[str, set[str]] = defaultdict(set)
    for pair_id, staff_id in rows:
        openers[pair_id].add(staff_id)
    return openers


def _appointed(session: Session, unit_ids: Iterable[str]) -> dict[str, set[str]]:
    rows = session.execute(
        sa.select(RoleAssignment.unit_id, RoleAssignment.staff_id).where(
            RoleAssignment.unit_id.in_(list(unit_ids)), RoleAssignment.role.in_(HOLDING_ROLES)
        )
    )
    appointed: dict[str, set[str]] = defaultdict(set)
    for unit_id, staff_id in rows:
        appointed[unit_id or ""].add(staff_id)
    return appointed
