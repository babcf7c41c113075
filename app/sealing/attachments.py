"""What is enclosed with an opinion: one album, cut into equal pieces that nothing in clear joins.

The album's key is sealed with the opinion's words, so it goes their way: whoever may read the
words may see the pictures, and a burnt, withdrawn or referred opinion needs nothing more. Pieces
lie under ids that only this key, or the locator derived from it, gives. The server needs a locator
where it has no key (to bring pieces through an opening, to destroy them at a removal), so it keeps
one for every case, of one size, under the instance secret: the database alone doesn't tell which
cases have pictures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.pictures.cleaning import Developed
from app.sealing.models import AttachmentPiece, LyingPiece, OpeningKey

PIECE_BYTES = 256 * 1024  # a row of the shut box
_SEALED_BYTES = PIECE_BYTES - 48  # inside the layer of the opening key
_ROOM = _SEALED_BYTES - 40  # of the album in each piece
_Row = TypeVar("_Row")
_BATCH = 16  # 4 MiB in memory at a time


@dataclass(frozen=True)
class Locator:
    """Where the pieces of an album are; opens none of them."""

    root: bytes
    pieces: int

    def __str__(self) -> str:
        return (self.root + bytes([self.pieces])).hex()

    @classmethod
    def read(cls, text: str) -> Locator:
        """From `str()`; the empty text of a row from before there were attachments has no piece."""
        raw = bytes.fromhex(text) or bytes(crypto.KEY_BYTES + 1)
        return cls(raw[:-1], raw[-1])

    def lying_ids(self, opening_key_id: str) -> list[bytes]:
        """The pieces' places in the shut box: others after each opening."""
        return [crypto.hkdf(self.root, f"lying {opening_key_id} {n}") for n in range(self.pieces)]

    def ids(self) -> list[bytes]:
        """The pieces' places once the box was opened."""
        return [crypto.hkdf(self.root, f"piece {n}") for n in range(self.pieces)]

    def sealed(self, instance_secret: bytes) -> bytes:
        """As a case's row keeps it, of one size however many pieces there are."""
        return crypto.encrypt(_locator_key(instance_secret), bytes.fromhex(str(self)))

    @classmethod
    def unsealed(cls, sealed: bytes, instance_secret: bytes) -> Locator:
        """From a case's row."""
        return cls.read(crypto.decrypt(_locator_key(instance_secret), sealed).hex())


def _locator_key(instance_secret: bytes) -> bytes:
    return crypto.hkdf(instance_secret, "attachments")


@dataclass(frozen=True)
class Album:
    """What opens the attachments of one opinion; stands in its sealed words, empty ones too.

    `files_hash` is what the commitment covers: a piece that was lost or changed is noticed.
    """

    key: bytes
    pieces: int
    files_hash: bytes

    def __str__(self) -> str:
        return (self.key + self.files_hash + bytes([self.pieces])).hex()

    @classmethod
    def read(cls, text: str) -> Album:
        """From `str()`; the empty text of an opinion from before there were attachments is bare."""
        if not text:
            return cls(bytes(crypto.KEY_BYTES), 0, crypto.files_hash([]))
        raw = bytes.fromhex(text)
        return cls(raw[:32], raw[64], raw[32:64])

    @property
    def locator(self) -> Locator:
        """Where its pieces are."""
        return Locator(crypto.hkdf(self.key, "attachments locator"), self.pieces)


@dataclass(frozen=True)
class Leaf:
    """A picture in the album: a random id, where it stands there, and its shape."""

    id: str
    at: int
    size: int
    width: int
    height: int


@dataclass(frozen=True)
class Attachment:
    """A file as it was enclosed: its pictures, and the hash of them one after another."""

    hash: bytes
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True)
class Packed:
    """An album cut into pieces, each encrypted; `pieces` may go anywhere."""

    album: Album
    pieces: tuple[bytes, ...]


@dataclass(frozen=True)
class Lock:
    """The opening key in hand: opens what lies in the boxes."""

    id: str
    private_key: bytes


class LostError(Exception):
    """A piece is gone or was altered: the attachments aren't those that were enclosed."""


def hash_of(file: Developed) -> bytes:
    """SHA-256 of a file's pictures, one after another: what the receipt file lists."""
    return hashlib.sha256(b"".join(picture.jpeg for picture in file)).digest()


def pack(files: Sequence[Developed]) -> Packed:
    """An album of these files under a fresh key; without files it has no pieces."""
    album = _bound(files) if files else b""
    key = crypto.new_private_key()
    chunks = [album[at : at + _ROOM] for at in range(0, len(album), _ROOM)]
    pieces = tuple(
        crypto.encrypt(_piece_key(key, n), chunk.ljust(_ROOM, b"\0"))
        for n, chunk in enumerate(chunks)
    )
    return Packed(Album(key, len(pieces), crypto.files_hash(map(hash_of, files))), pieces)


def _bound(files: Sequence[Developed]) -> bytes:
    """The list of contents, then the pictures."""
    listed = []
    body = bytearray()
    for file in files:
        leaves = []
        for picture in file:
            shape = [len(body), len(picture.jpeg), picture.width, picture.height]
            leaves.append([crypto.random_id(), *shape])
            body += picture.jpeg
        listed.append({"hash": hash_of(file).hex(), "leaves": leaves})
    head = json.dumps(listed).encode()
    return len(head).to_bytes(4, "big") + head + bytes(body)


def _piece_key(key: bytes, number: int) -> bytes:
    return crypto.hkdf(key, f"piece {number}")


# --- in the shut box ----------------------------------------------------------------------------


def lay(session: Session, opening_key: OpeningKey, packed: Packed) -> None:
    """Put an album's pieces into the box, wrapped to the opening key."""
    ids = packed.album.locator.lying_ids(opening_key.id)
    rows = zip(ids, packed.pieces, strict=True)
    _insert(
        session,
        LyingPiece,
        (
            {"pool_id": place, "wrapped": crypto.seal_to(opening_key.public_key, piece)}
            for place, piece in sorted(rows)
        ),
    )


def blank(session: Session, opening_key: OpeningKey, locator: Locator) -> None:
    """Put nothing in the place of each piece: their number and size stay until the opening."""
    for place in sorted(locator.lying_ids(opening_key.id)):
        nothing = crypto.encrypt(crypto.new_private_key(), bytes(_ROOM))
        session.execute(
            sa.update(LyingPiece)
            .where(LyingPiece.pool_id == place)
            .values(wrapped=crypto.seal_to(opening_key.public_key, nothing))
        )


def bring_through(
    session: Session,
    old: Lock,
    fresh: OpeningKey,
    opened: Iterable[Locator],
    kept: Iterable[Locator],
) -> None:
    """Bring every piece through an opening, some at a time, in the order of its new id.

    What comes out loses the opening key's layer; what stays gets the next key's, at a new place.
    Whatever is nobody's any more (withdrawn meanwhile) goes.
    """
    before = list(session.scalars(sa.select(LyingPiece.pool_id)))
    out = [pair for at in opened for pair in zip(at.ids(), at.lying_ids(old.id), strict=True)]
    stays = [
        pair
        for at in kept
        for pair in zip(at.lying_ids(fresh.id), at.lying_ids(old.id), strict=True)
    ]
    for batch in _batches(sorted(out)):
        pieces = _unwrapped(session, [came for _, came in batch], old)
        rows = ({"id": to, "ciphertext": pieces[came]} for to, came in batch if came in pieces)
        _insert(session, AttachmentPiece, rows)
    for batch in _batches(sorted(stays)):
        pieces = _unwrapped(session, [came for _, came in batch], old)
        wrapped = (
            {"pool_id": to, "wrapped": crypto.seal_to(fresh.public_key, pieces[came])}
            for to, came in batch
            if came in pieces
        )
        _insert(session, LyingPiece, wrapped)
    for places in _batches(sorted(before)):
        session.execute(sa.delete(LyingPiece).where(LyingPiece.pool_id.in_(places)))


def _batches(rows: Sequence[_Row]) -> Iterable[Sequence[_Row]]:
    return (rows[at : at + _BATCH] for at in range(0, len(rows), _BATCH))


def _insert(
    session: Session,
    model: type[LyingPiece] | type[AttachmentPiece],
    rows: Iterable[dict[str, bytes]],
) -> None:
    if made := list(rows):
        session.execute(sa.insert(model), made)


def _unwrapped(session: Session, places: Sequence[bytes], lock: Lock) -> dict[bytes, bytes]:
    rows = session.execute(
        sa.select(LyingPiece.pool_id, LyingPiece.wrapped).where(LyingPiece.pool_id.in_(places))
    )
    return {place: crypto.unseal(lock.private_key, wrapped) for place, wrapped in rows}


# --- read and destroyed -------------------------------------------------------------------------


def contents(session: Session, album: Album, lock: Lock | None = None) -> tuple[Attachment, ...]:
    """The files of an album; with `lock` while it lies in the box. Raises LostError."""
    if not album.pieces:
        return ()
    head = _read(session, album, lock, range(1))
    size = int.from_bytes(head[:4], "big")
    found = tuple(
        Attachment(
            bytes.fromhex(file["hash"]),
            tuple(Leaf(name, 4 + size + at, *rest) for name, at, *rest in file["leaves"]),
        )
        for file in json.loads(head[4 : 4 + size])
    )
    if crypto.files_hash(file.hash for file in found) != album.files_hash:
        raise LostError
    return found


def picture(session: Session, album: Album, leaf_id: str, lock: Lock | None = None) -> bytes | None:
    """One picture of an album, None when it has no such; only its pieces are read.

    Raises LostError.
    """
    leaves = (leaf for file in contents(session, album, lock) for leaf in file.leaves)
    leaf = next((leaf for leaf in leaves if leaf.id == leaf_id), None)
    if leaf is None:
        return None
    first, last = leaf.at // _ROOM, (leaf.at + leaf.size - 1) // _ROOM
    read = _read(session, album, lock, range(first, last + 1))
    return read[leaf.at - first * _ROOM :][: leaf.size]


def _read(session: Session, album: Album, lock: Lock | None, numbers: Iterable[int]) -> bytes:
    """These pieces of an album in the clear; one query."""
    locator = album.locator
    ids = locator.lying_ids(lock.id) if lock else locator.ids()
    wanted = {number: ids[number] for number in numbers}
    try:
        if lock is not None:
            found = _unwrapped(session, list(wanted.values()), lock)
        else:
            rows = session.execute(
                sa.select(AttachmentPiece.id, AttachmentPiece.ciphertext).where(
                    AttachmentPiece.id.in_(list(wanted.values()))
                )
            )
            found = {place: ciphertext for place, ciphertext in rows}  # noqa: C416
        return b"".join(
            crypto.decrypt(_piece_key(album.key, number), found[place])
            for number, place in wanted.items()
        )
    except (KeyError, crypto.SealError):
        raise LostError from None


def destroy(session: Session, locator: Locator) -> None:
    """Delete the pieces of an opened opinion."""
    for places in _batches(sorted(locator.ids())):
        session.execute(sa.delete(AttachmentPiece).where(AttachmentPiece.id.in_(places)))
