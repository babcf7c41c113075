"""How a box's keys pass from person to person: the first, hand-over, leaving, the yearly pair."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.errors import N_, Conflict, Forbidden, NotFound
from app.organisation.models import Box
from app.sealing.models import BoxKey
from app.sealing.service import current_box_key
from app.staff import audit, keepers, recovery, rights
from app.staff.models import (
    HOLDING_ROLES,
    KeyGrant,
    PersonalKey,
    RecoveryGrant,
    Role,
    RoleAssignment,
    Staff,
)
from app.staff.rights import Actor
from app.staff.sessions import end_all
from app.transparency import leaves, log

PAIR_LIFETIME = dt.timedelta(days=365)


def locked_box(session: Session, box_id: str) -> Box:
    """A box, held until commit: its keys change hands one act at a time. Raises NotFound.

    Threat: two keepers who leave at the same moment, each counting on the other.
    """
    box = session.scalar(sa.select(Box).where(Box.id == box_id).with_for_update())
    if box is None:
        raise NotFound(N_("没有这个意见箱。"))
    return box


def appointed(session: Session, unit_id: str) -> list[PersonalKey]:
    """The current personal keys of everybody who may hold the key of this unit's box."""
    people = sa.select(RoleAssignment.staff_id).where(
        RoleAssignment.unit_id == unit_id, RoleAssignment.role.in_(HOLDING_ROLES)
    )
    return list(
        session.scalars(
            sa.select(PersonalKey)
            .where(PersonalKey.staff_id.in_(people), PersonalKey.retired_on.is_(None))
            .order_by(PersonalKey.id)
        )
    )


def holders(session: Session, unit_id: str, box_key_id: str) -> list[PersonalKey]:
    """Those of them who can open this pair now."""
    granted = set(
        session.scalars(
            sa.select(KeyGrant.personal_key_id).where(KeyGrant.box_key_id == box_key_id)
        )
    )
    return [key for key in appointed(session, unit_id) if key.id in granted]


def keys_of(session: Session, box_id: str) -> list[BoxKey]:
    """All pairs of a box, the oldest first."""
    return list(
        session.scalars(
            sa.select(BoxKey)
            .where(BoxKey.box_id == box_id)
            .order_by(BoxKey.created_on, BoxKey.retired_on.is_(None), BoxKey.id)
        )
    )


# --- beginning ----------------------------------------------------------------------------------


def first_key(session: Session, unit_id: str | None, today: dt.date) -> bool:
    """The first pair of a unit's box, for those appointed; False where there is nothing to do.

    Only for a box that never had one. Threat: whoever can appoint keepers must not get the key
    of a box that is kept, not even after its keeper forgot the password.
    """
    box_id = session.scalar(sa.select(Box.id).where(Box.unit_id == unit_id))
    if unit_id is None or box_id is None:
        return False
    locked_box(session, box_id)
    people = appointed(session, unit_id)
    if keys_of(session, box_id) or not people:
        return False
    keepers.new_box_key(session, box_id, people, today)
    return True


def start_anew(session: Session, box_id: str, now: dt.datetime, today: dt.date) -> None:
    """A new pair for a box whose keys nobody holds any more; what was said before stays shut.

    For the operator's command line: at the desk it would let one office account renew a sole
    keeper and take the box over. It is a leaf of the public log: "R2" || SHA-256(use || box id).
    Raises Conflict while somebody holds the box's key, or when nobody is appointed.
    """
    box = locked_box(session, box_id)
    current = current_box_key(session, box_id)
    if current is not None and holders(session, box.unit_id, current.id):
        raise Conflict(N_("还有人拿着这个意见箱的钥匙，请由他交给同事，用不着重来。"))
    keepers.new_box_key(session, box_id, appointed(session, box.unit_id), today)
    use = crypto.random_id()
    log.append(session, [leaves.start_anew_leaf(use, box_id)])
    audit.record(session, now, None, "start_anew", box_id, use)


# --- passing on ---------------------------------------------------------------------------------


def hand_over(session: Session, actor: Actor, box_id: str, staff_id: str, now: dt.datetime) -> None:
    """Grant every pair of the box that the actor's session holds, retired ones too, to a colleague.

    Raises Forbidden when the actor doesn't hold the box, Conflict when the colleague isn't
    appointed for its unit.
    """
    box = locked_box(session, box_id)
    own = [key.id for key in keys_of(session, box_id) if key.id in actor.keys]
    if not own:
        raise Forbidden(N_("您手里没有这个意见箱的钥匙，没法交出去。"))
    colleague = _appointed_one(session, box.unit_id, staff_id)
    for key_id in own:
        keepers.grant(session, key_id, actor.keys[key_id], colleague)
    audit.record(session, now, actor.staff_id, "hand_over", staff_id, f"box {box_id}")


def _appointed_one(session: Session, unit_id: str, staff_id: str) -> PersonalKey:
    for key in appointed(session, unit_id):
        if key.staff_id == staff_id:
            return key
    raise Conflict(N_("这位同事现在不是这里的保管人，钥匙没有交出去。请先请他担任。"))


def back_up(session: Session, actor: Actor, box_id: str, now: dt.datetime) -> None:
    """Seal every pair that the actor holds of this box to the recovery keys that cover it.

    This is also how a keeper says that the box trusts these recovery keys from now on.
    """
    locked_box(session, box_id)
    own = [key.id for key in keys_of(session, box_id) if key.id in actor.keys]
    if not own:
        raise Forbidden(N_("您手里没有这个意见箱的钥匙，没法交出去。"))
    for key_id in own:
        recovery.seal(session, recovery.covering(session, box_id), key_id, actor.keys[key_id])
    audit.record(session, now, actor.staff_id, "back_up", box_id)


# --- leaving ------------------------------------------------------------------------------------


def take_away(
    session: Session, actor: Actor, assignment_id: str, now: dt.datetime, today: dt.date
) -> None:
    """Take a role away; a keeper who leaves takes no key along.

    The box gets a new pair among those who hold it and stay, the leaver's grants are deleted,
    their sessions end. Raises Conflict when a key would be left with nobody, or the county
    without an office account.
    """
    found = _locked_assignment(session, actor, assignment_id)
    box_id = session.scalar(sa.select(Box.id).where(Box.unit_id == found.unit_id))
    if box_id is not None and found.role in HOLDING_ROLES:
        locked_box(session, box_id)
    staff_id, unit_id, role = found.staff_id, found.unit_id, found.role
    session.delete(found)
    session.flush()
    if box_id is not None and unit_id is not None and role in HOLDING_ROLES:
        _leave(session, box_id, unit_id, staff_id, today)
    end_all(session, staff_id)
    detail = role.value if unit_id is None else f"{role.value} {unit_id}"
    audit.record(session, now, actor.staff_id, "take_away", staff_id, detail)


def _locked_assignment(session: Session, actor: Actor, assignment_id: str) -> RoleAssignment:
    # All office accounts at once and in order: two of them can't take each other away.
    offices = session.scalars(
        sa.select(RoleAssignment.id)
        .where(RoleAssignment.role == Role.OFFICE)
        .order_by(RoleAssignment.id)
        .with_for_update()
    ).all()
    found = session.scalar(
        sa.select(RoleAssignment).where(RoleAssignment.id == assignment_id).with_for_update()
    )
    if found is None:
        raise NotFound(N_("这项职责已经不在了，可能同事刚刚撤过。"))
    rights.require_appoint(session, actor, found.role, found.unit_id)
    if set(offices) == {found.id}:
        raise Conflict(N_("这是县里最后一个管理员，撤了就没人管账号了。请先邀请另一位管理员。"))
    return found


def _leave(session: Session, box_id: str, unit_id: str, staff_id: str, today: dt.date) -> None:
    if any(key.staff_id == staff_id for key in appointed(session, unit_id)):
        return  # they hold it by another role
    own = sa.select(PersonalKey.id).where(PersonalKey.staff_id == staff_id)
    current_own = own.where(PersonalKey.retired_on.is_(None))
    pairs = keys_of(session, box_id)
    ids = [key.id for key in pairs]
    held = set(
        session.scalars(
            sa.select(KeyGrant.box_key_id).where(
                KeyGrant.box_key_id.in_(ids), KeyGrant.personal_key_id.in_(current_own)
            )
        )
    )
    if any(not holders(session, unit_id, key_id) for key_id in held):
        raise Conflict(
            N_(
                "他走了，有些意见就再也没有人打得开，所以还不能撤。"
                "请先邀请一位接手的保管人，等他办好账号，再由现在的保管人点“交给钥匙”，然后再来撤。"
            )
        )
    granted = sa.delete(KeyGrant).where(
        KeyGrant.box_key_id.in_(ids), KeyGrant.personal_key_id.in_(own)
    )
    gone = session.execute(granted.returning(KeyGrant.box_key_id)).all()
    current = current_box_key(session, box_id)
    staying = holders(session, unit_id, current.id) if current else []
    # Whoever once held the pair may have kept it, even under a password since forgotten.
    if gone and staying:
        keepers.new_box_key(session, box_id, staying, today)


# --- the yearly pair ----------------------------------------------------------------------------


def rotate(session: Session, actor: Actor, box_id: str, now: dt.datetime, today: dt.date) -> None:
    """A new pair among those who hold the present one; old texts stay readable to them."""
    box = locked_box(session, box_id)
    rights.require_box(actor, box, office=True)
    if not _rotate(session, box, today):
        raise Conflict(N_("这个意见箱现在没有人拿着钥匙，换不了。请先把钥匙找回来。"))
    audit.record(session, now, actor.staff_id, "rotate", box_id)


def due(session: Session, today: dt.date) -> list[str]:
    """The boxes whose pair is a year old and in somebody's hands."""
    old = session.execute(
        sa.select(Box.id, Box.unit_id, BoxKey.id)
        .join(BoxKey, BoxKey.box_id == Box.id)
        .where(BoxKey.retired_on.is_(None), BoxKey.created_on <= today - PAIR_LIFETIME)
        .order_by(Box.id)
    ).all()
    return [box_id for box_id, unit_id, key_id in old if holders(session, unit_id, key_id)]


def rotate_yearly(session: Session, box_id: str, now: dt.datetime, today: dt.date) -> bool:
    """The worker's yearly pair for a box that is `due`; False when somebody was faster.

    Only those who hold the present pair get the next one, not whoever was appointed meanwhile.
    The private half is in the worker's memory while it is sealed to them, and nowhere after.
    """
    box = locked_box(session, box_id)
    current = current_box_key(session, box_id)
    if current is None or current.created_on > today - PAIR_LIFETIME:
        return False
    rotated = _rotate(session, box, today)
    if rotated:
        audit.record(session, now, None, "rotate", box_id)
    return rotated


def _rotate(session: Session, box: Box, today: dt.date) -> bool:
    current = current_box_key(session, box.id)
    people = holders(session, box.unit_id, current.id) if current else []
    if people:
        keepers.new_box_key(session, box.id, people, today)
    return bool(people)


# --- after a forgotten password, and back from paper --------------------------------------------


def close_what_nobody_holds(session: Session, staff_id: str, today: dt.date) -> list[str]:
    """After a renewal: close the boxes that this person alone could open, unless paper still can.

    What would be sealed to a lost pair would be lost too; a closed box says so to everybody.
    Returns the boxes closed.
    """
    boxes = session.execute(
        sa.select(Box.id, Box.unit_id)
        .join(RoleAssignment, RoleAssignment.unit_id == Box.unit_id)
        .where(RoleAssignment.staff_id == staff_id, RoleAssignment.role.in_(HOLDING_ROLES))
        .order_by(Box.id)
        .distinct()
    ).all()
    closed = []
    for box_id, unit_id in boxes:
        locked_box(session, box_id)
        current = current_box_key(session, box_id)
        if current is None or holders(session, unit_id, current.id):
            continue
        if not recovery.recoverable(session, current.id):
            current.retired_on = today
            closed.append(box_id)
    session.flush()
    return closed


def recover(
    session: Session, actor: Actor, halves: tuple[str, str], staff_id: str, now: dt.datetime
) -> int:
    """Both halves of a recovery key in hand: grant what it opens to an appointed keeper.

    Returns how many pairs. Every use is a leaf of the public log: "R1" || SHA-256(use || recovery
    public key || the keeper's public key || ids of the pairs, sorted), with the 16 bytes of `use`
    in the audit. Raises Invalid for wrong halves, Conflict when nothing is sealed to this key that
    this person may hold.
    """
    private_key = recovery.join(*halves)
    key = recovery.key_of(session, private_key)
    grants = session.execute(
        sa.select(RecoveryGrant.box_key_id, RecoveryGrant.sealed_private_key)
        .join(BoxKey, BoxKey.id == RecoveryGrant.box_key_id)
        .join(Box, Box.id == BoxKey.box_id)
        .where(RecoveryGrant.recovery_key_id == key.id, Box.unit_id.in_(_units(staff_id)))
        .order_by(RecoveryGrant.box_key_id)
    ).all()
    if not grants or session.get(Staff, staff_id) is None:
        raise Conflict(
            N_(
                "这把备用钥匙里，没有可以交给这位同事的钥匙。"
                "请确认他现在是那个意见箱的保管人，而且当时封存过。"
            )
        )
    keeper = keepers.personal_key_of(session, staff_id)
    for box_key_id, sealed in grants:
        keepers.grant(session, box_key_id, crypto.unseal(private_key, sealed), keeper)
    use = crypto.random_id()
    box_keys = [box_key_id for box_key_id, _ in grants]
    leaf = leaves.recovery_leaf(use, key.public_key, keeper.public_key, box_keys)
    log.append(session, [leaf])
    audit.record(session, now, actor.staff_id, "recover", staff_id, use)
    return len(grants)


def _units(staff_id: str) -> sa.Select[str | None]:
    return sa.select(RoleAssignment.unit_id).where(
        RoleAssignment.staff_id == staff_id, RoleAssignment.role.in_(HOLDING_ROLES)
    )
