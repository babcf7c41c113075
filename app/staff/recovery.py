"""Offline recovery keys: the two paper halves, and which box keys are sealed to which of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
from collections.abc import Mapping

import nacl.utils
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.errors import N_, Invalid
from app.organisation.models import Box, Unit
from app.sealing.models import BoxKey
from app.staff.models import RecoveryGrant, RecoveryKey

# Crockford's alphabet: no I, L, O, U, so that nothing written by hand reads as something else.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("OIL", "011")
LINES, DATA, CHECKS = 4, 13, 3
HALF_CHARACTERS = LINES * (DATA + CHECKS)


# --- the two sheets -----------------------------------------------------------------------------


def split(private_key: bytes) -> tuple[str, str]:
    """The two halves of a private key as they stand on paper; either alone tells nothing."""
    mask = nacl.utils.random(crypto.KEY_BYTES)
    other = bytes(a ^ b for a, b in zip(private_key, mask, strict=True))
    return _write_half(1, mask), _write_half(2, other)


def join(first: str, second: str) -> bytes:
    """The private key of two halves, typed in either order.

    Each line has three check characters, so that the sentence can name the line at fault. Raises
    Invalid (fields `half_1`, `half_2`).
    """
    number, one = _read_half(first, "half_1")
    other_number, other = _read_half(second, "half_2")
    if number == other_number:
        raise Invalid(
            N_(
                "两张纸是同一半，什么都没有改变。"
                "请再拿另外一半来：一张写着“第 1 半”，一张写着“第 2 半”。"
            ),
            field="half_2",
        )
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _write_half(number: int, half: bytes) -> str:
    value = number << 256 | int.from_bytes(half, "big")  # 4 + 256 bits: 52 characters exactly
    data = _base32(value, LINES * DATA)
    lines = []
    for n in range(LINES):
        part = data[n * DATA : (n + 1) * DATA]
        line = part + _check(n, part)
        lines.append(" ".join(line[i : i + 4] for i in range(0, len(line), 4)))
    return "\n".join(lines)


def _read_half(typed: str, field: str) -> tuple[int, bytes]:
    normal = unicodedata.normalize("NFKC", typed[:1000]).upper().translate(_MISREAD)
    kept = "".join(c for c in normal if c in ALPHABET)
    if len(kept) != HALF_CHARACTERS:
        raise Invalid(
            N_(
                "每一半应当有 %(wanted)d 个字符，这里有 %(found)d 个。"
                "什么都没有改变，请对着纸再看一遍。"
            ),
            field=field,
            wanted=HALF_CHARACTERS,
            found=len(kept),
        )
    value = 0
    for n in range(LINES):
        line = kept[n * (DATA + CHECKS) : (n + 1) * (DATA + CHECKS)]
        if _check(n, line[:DATA]) != line[DATA:]:
            raise Invalid(
                N_("第 %(line)d 行好像有一个字符不对。什么都没有改变，请对着纸再看一遍这一行。"),
                field=field,
                line=n + 1,
            )
        for character in line[:DATA]:
            value = value << 5 | ALPHABET.index(character)
    number, half = value >> 256, value & (1 << 256) - 1
    if number not in (1, 2):
        raise Invalid(N_("这不是备用钥匙的半份。什么都没有改变。"), field=field)
    return number, half.to_bytes(crypto.KEY_BYTES, "big")


def _check(line: int, part: str) -> str:
    digest = hashlib.sha256(f"yanlu recovery half {line} {part}".encode()).digest()
    return _base32(int.from_bytes(digest[:4], "big") >> 17, CHECKS)


def _base32(value: int, length: int) -> str:
    return "".join(ALPHABET[value >> 5 * i & 31] for i in reversed(range(length)))


def fingerprint(key: RecoveryKey) -> str:
    """Eight characters by which a key on the screen and a sheet on paper are known to be one."""
    digest = hashlib.sha256(key.public_key).hexdigest()
    return f"{digest[:4]}-{digest[4:8]}"


# --- the keys -----------------------------------------------------------------------------------


def make(session: Session, unit_id: str | None, today: dt.date) -> tuple[RecoveryKey, bytes]:
    """A new recovery key of a unit (None: the county), and its private half, kept nowhere.

    It opens nothing yet. Threat: an office account that makes one and keeps both sheets. A box
    that is kept already is sealed to it only once a keeper of that box says so (`trust`).
    """
    of_unit = RecoveryKey.unit_id.is_(None) if unit_id is None else RecoveryKey.unit_id == unit_id
    session.execute(
        sa.update(RecoveryKey)
        .where(of_unit, RecoveryKey.retired_on.is_(None))
        .values(retired_on=today)
    )
    private_key = crypto.new_private_key()
    key = RecoveryKey(
        unit_id=unit_id, public_key=crypto.public_key_of(private_key), created_on=today
    )
    session.add(key)
    session.flush()
    return key, private_key


def covering(session: Session, box_id: str) -> list[RecoveryKey]:
    """The current recovery keys of a box's unit, of every unit above it, and of the county."""
    unit = session.get_one(Unit, session.get_one(Box, box_id).unit_id)
    above: list[str] = []
    while unit is not None and unit.id not in above:
        above.append(unit.id)
        parent = session.get(Unit, unit.parent_id) if unit.parent_id else None
        if parent is None:
            break
        unit = parent
    return list(
        session.scalars(
            sa.select(RecoveryKey)
            .where(
                RecoveryKey.retired_on.is_(None),
                sa.or_(RecoveryKey.unit_id.is_(None), RecoveryKey.unit_id.in_(above)),
            )
            .order_by(RecoveryKey.created_on, RecoveryKey.id)
        )
    )


def trusted(session: Session, box_id: str) -> list[RecoveryKey]:
    """The recovery keys that a box's next pair is sealed to without anybody's asking.

    For a box's first pair all that cover it: whoever becomes its keeper finds them in place. For
    a later pair those that a keeper of the box sealed a former pair to.
    """
    keys = covering(session, box_id)
    if session.scalar(sa.select(sa.exists().where(BoxKey.box_id == box_id))) is not True:
        return keys
    chosen = set(
        session.scalars(
            sa.select(RecoveryGrant.recovery_key_id)
            .join(BoxKey, BoxKey.id == RecoveryGrant.box_key_id)
            .where(BoxKey.box_id == box_id)
        )
    )
    return [key for key in keys if key.id in chosen]


def seal(session: Session, keys: list[RecoveryKey], box_key_id: str, private_key: bytes) -> None:
    """Seal a box's private key, while it is in hand, to these recovery keys; once each."""
    for key in keys:
        if session.get(RecoveryGrant, (box_key_id, key.id)) is None:
            session.add(
                RecoveryGrant(
                    box_key_id=box_key_id,
                    recovery_key_id=key.id,
                    sealed_private_key=crypto.seal_to(key.public_key, private_key),
                )
            )
    session.flush()


def offered(session: Session, own: Mapping[str, list[str]]) -> dict[str, list[RecoveryKey]]:
    """By box, the recovery keys that cover it and lack one of the pairs that a keeper holds.

    `own`: the pairs in the keeper's hand, by box. Three queries, whatever their number.
    """
    parent, above = sa.orm.aliased(Unit), sa.orm.aliased(Unit)
    places = session.execute(
        sa.select(Box.id, Unit.id, parent.id, above.id)
        .join(Unit, Unit.id == Box.unit_id)
        .outerjoin(parent, parent.id == Unit.parent_id)
        .outerjoin(above, above.id == parent.parent_id)
        .where(Box.id.in_(own))
    ).all()
    current = sa.select(RecoveryKey).where(RecoveryKey.retired_on.is_(None))
    keys = session.scalars(current.order_by(RecoveryKey.created_on, RecoveryKey.id)).all()
    pairs = [pair_id for of_box in own.values() for pair_id in of_box]
    rows = session.execute(
        sa.select(RecoveryGrant.recovery_key_id, RecoveryGrant.box_key_id).where(
            RecoveryGrant.box_key_id.in_(pairs)
        )
    )
    sealed = {(key_id, pair_id) for key_id, pair_id in rows}
    return {
        box_id: [
            key
            for key in keys
            if key.unit_id in (None, *units)
            and any((key.id, pair_id) not in sealed for pair_id in own[box_id])
        ]
        for box_id, *units in places
    }


def recoverable(session: Session, box_key_id: str) -> bool:
    """Whether a pair can be had back from paper."""
    return bool(
        session.scalar(sa.select(sa.exists().where(RecoveryGrant.box_key_id == box_key_id)))
    )


def key_of(session: Session, private_key: bytes) -> RecoveryKey:
    """The recovery key whose private half this is, retired ones too. Raises Invalid."""
    public_key = crypto.public_key_of(private_key)
    key = session.scalar(sa.select(RecoveryKey).where(RecoveryKey.public_key == public_key))
    if key is None:
        raise Invalid(
            N_("这两半不是一对，什么都没有改变。请核对两张纸上的编号是不是一样。"),
            field="half_2",
        )
    return key
