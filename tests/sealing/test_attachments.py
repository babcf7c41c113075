"""Albums: cut into equal pieces, brought through an opening, joined to nothing in clear."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from app import crypto, db
from app.clock import Clock
from app.sealing import attachments
from app.sealing import service as sealing
from app.sealing.attachments import Album, Locator, Lock, LostError
from app.sealing.models import AttachmentPiece, LyingPiece, OpeningKey
from config import Config
from tests.factories import picture


@pytest.fixture
def secret(app: Flask, config: Config) -> bytes:
    return config.secrets.instance_secret


def lock_of(key: OpeningKey, secret: bytes) -> Lock:
    return Lock(key.id, sealing.opening_private_key(key, secret))


def test_an_album_has_pieces_of_one_size_and_as_few_as_it_needs() -> None:
    assert attachments.pack([]).pieces == ()
    for size, count in ((1, 1), (250_000, 1), (300_000, 2), (2 * 1024 * 1024, 9)):
        packed = attachments.pack([(picture(size=size),)])
        assert len(packed.pieces) == packed.album.pieces == count
        assert {len(piece) for piece in packed.pieces} == {256 * 1024 - 48}


def test_the_largest_form_fits_into_the_count_of_a_locator() -> None:
    full = tuple((picture(size=2 * 1024 * 1024),) for _ in range(5))
    album = attachments.pack(full).album
    assert Album.read(str(album)) == album
    assert Locator.read(str(album.locator)) == album.locator
    assert album.pieces < 64


def test_albums_and_locators_have_one_length_with_pictures_and_without(secret: bytes) -> None:
    some, none = attachments.pack([(picture(),)]).album, attachments.pack([]).album
    assert len(str(some)) == len(str(none))
    sealed = [album.locator.sealed(secret) for album in (some, none)]
    assert len(sealed[0]) == len(sealed[1])
    assert Locator.unsealed(sealed[0], secret) == some.locator


def test_a_locator_gives_neither_the_key_nor_the_places_of_another_opening() -> None:
    album = attachments.pack([(picture(size=600_000),)]).album
    places = [album.locator.lying_ids(key) for key in ("a", "b")] + [album.locator.ids()]
    assert len({place for some in places for place in some}) == 9
    assert album.key not in (album.locator.root, *[place for some in places for place in some])


def test_pieces_come_through_openings_and_are_read_at_every_stage(
    app: Flask, secret: bytes
) -> None:
    clock: Clock = app.extensions["clock"]
    first = tuple(picture(b"%d" % n, 200_000 * n) for n in (1, 2, 3))
    packed, other = attachments.pack([first[:1], first[1:]]), attachments.pack([first[:2]])
    with app.app_context(), db.transaction() as session:
        old = sealing.opening_key(session)
        attachments.lay(session, old, packed)
        attachments.lay(session, old, other)
        found = attachments.contents(session, packed.album, lock_of(old, secret))
        assert [file.hash for file in found] == [
            attachments.hash_of(first[:1]), attachments.hash_of(first[1:]),
        ]  # fmt: skip
        wanted = found[1].leaves[1]
        in_box = attachments.picture(session, packed.album, wanted.id, lock_of(old, secret))
        assert in_box == first[2].jpeg
        fresh = sealing.make_opening_key(session, secret, clock.today())
        before = set(session.scalars(sa.select(LyingPiece.pool_id)))
        attachments.bring_through(
            session, lock_of(old, secret), fresh, [packed.album.locator], [other.album.locator]
        )
        out = session.scalars(sa.select(AttachmentPiece.id)).all()
        assert sorted(out) == sorted(packed.album.locator.ids())
        stays = set(session.scalars(sa.select(LyingPiece.pool_id)))
        assert stays == set(other.album.locator.lying_ids(fresh.id))
        assert not stays & before
        assert attachments.picture(session, packed.album, wanted.id) == first[2].jpeg
        assert attachments.picture(session, packed.album, "0" * 32) is None
        kept = attachments.contents(session, other.album, lock_of(fresh, secret))
        assert kept[0].hash == attachments.hash_of(first[:2])
        attachments.destroy(session, packed.album.locator)
        assert not session.scalars(sa.select(AttachmentPiece.id)).all()


def test_a_piece_that_was_changed_or_swapped_is_noticed(app: Flask, secret: bytes) -> None:
    clock: Clock = app.extensions["clock"]
    packed = attachments.pack([(picture(size=600_000),)])
    with app.app_context(), db.transaction() as session:
        old = sealing.opening_key(session)
        attachments.lay(session, old, packed)
        fresh = sealing.make_opening_key(session, secret, clock.today())
        locator = packed.album.locator
        attachments.bring_through(session, lock_of(old, secret), fresh, [locator], [])
        (file,) = attachments.contents(session, packed.album)
        ids = locator.ids()
        session.execute(
            sa.update(AttachmentPiece)
            .where(AttachmentPiece.id == ids[1])
            .values(ciphertext=packed.pieces[2])
        )
        with pytest.raises(LostError):
            attachments.picture(session, packed.album, file.leaves[0].id)
        forged = Album(packed.album.key, packed.album.pieces, crypto.files_hash([b"other"]))
        with pytest.raises(LostError):
            attachments.contents(session, forged)
