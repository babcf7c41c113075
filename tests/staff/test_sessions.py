"""Sessions: cut in two, rotated, limited in time."""

from __future__ import annotations

import hashlib

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.staff import sessions
from app.staff.models import StaffSession
from app.staff.sessions import SessionKeys
from tests.staff.conftest import PEPPER, Hand, Person, new_person

KEYS = SessionKeys("key-id", b"p" * 32, "JBSWY3DPEHPK3PXP")


@pytest.fixture
def someone(session: Session, hand: Hand) -> Person:
    return new_person(session, hand, PEPPER)


def begin(session: Session, person: Person, *, passed: bool = False) -> str:
    return sessions.open_session(
        session, person.id, KEYS, person.hand.now, passed_second_factor=passed
    )


def row_of(session: Session, person: Person) -> StaffSession:
    return session.scalars(sa.select(StaffSession).where(StaffSession.staff_id == person.id)).one()


def test_a_cookie_finds_its_session_and_keys(session: Session, someone: Person) -> None:
    found = sessions.find_session(session, begin(session, someone), someone.hand.now)
    assert found is not None
    assert found.staff_id == someone.id
    assert found.keys == KEYS
    assert not found.passed_second_factor


def test_the_session_table_alone_unlocks_nothing(session: Session, someone: Person) -> None:
    cookie = begin(session, someone)
    row = row_of(session, someone)
    stored = row.id_hash + row.sealed_keys
    session_id, half_key = bytes.fromhex(cookie[:32]), bytes.fromhex(cookie[32:])

    for secret in (session_id, half_key, KEYS.private_key, b"JBSWY3DPEHPK3PXP"):
        assert secret not in stored
        assert secret.hex().encode() not in stored
    for candidate in (row.id_hash, hashlib.sha256(row.id_hash).digest(), row.sealed_keys[:32]):
        with pytest.raises(crypto.SealError):
            crypto.decrypt(candidate, row.sealed_keys)
    assert (
        sessions.find_session(session, row.id_hash.hex()[:32] + "0" * 64, someone.hand.now) is None
    )


def test_the_cookie_alone_unlocks_nothing(session: Session, someone: Person) -> None:
    cookie = begin(session, someone)
    found = sessions.find_session(session, cookie, someone.hand.now)
    assert found is not None
    sessions.end_session(session, found)
    assert sessions.find_session(session, cookie, someone.hand.now) is None


def test_one_half_of_a_cookie_does_not_go_with_another_session(
    session: Session, hand: Hand, someone: Person
) -> None:
    mine, theirs = begin(session, someone), begin(session, new_person(session, hand, PEPPER))
    assert sessions.find_session(session, mine[:32] + theirs[32:], hand.now) is None


@pytest.mark.parametrize("cookie", ["", "x", "0" * 95, "0" * 96, "0" * 97, "０" * 96, "\udc80"])
def test_a_malformed_cookie_is_no_session(session: Session, hand: Hand, cookie: str) -> None:
    assert sessions.find_session(session, cookie, hand.now) is None


def test_the_second_factor_rotates_id_and_half_key_and_drops_the_secret(
    session: Session, someone: Person
) -> None:
    planted = begin(session, someone)
    halfway = sessions.find_session(session, planted, someone.hand.now)
    assert halfway is not None
    cookie = sessions.promote(session, halfway, someone.hand.now)
    found = sessions.find_session(session, cookie, someone.hand.now)

    assert found is not None
    assert found.passed_second_factor
    assert found.keys == SessionKeys(KEYS.personal_key_id, KEYS.private_key, None)
    assert cookie[:32] != planted[:32]
    assert cookie[32:] != planted[32:]
    assert found.csrf_token != halfway.csrf_token
    for old in (planted, planted[:32] + cookie[32:], cookie[:32] + planted[32:]):
        assert sessions.find_session(session, old, someone.hand.now) is None


@pytest.mark.parametrize(
    ("passed", "lifetime"), [(True, sessions.LIFETIME), (False, sessions.HALFWAY_LIFETIME)]
)
def test_a_session_lapses_whatever_is_done_in_it(
    session: Session, someone: Person, *, passed: bool, lifetime: object
) -> None:
    cookie = begin(session, someone, passed=passed)
    end = row_of(session, someone).expires_at
    assert end - someone.hand.now == lifetime
    someone.hand.now = end
    assert sessions.find_session(session, cookie, someone.hand.forward(seconds=-1)) is not None
    assert sessions.find_session(session, cookie, end) is None


def test_lapsed_sessions_are_deleted_and_others_stay(session: Session, someone: Person) -> None:
    begin(session, someone)
    later = someone.hand.forward(minutes=15)
    cookie = begin(session, someone, passed=True)
    sessions.purge_expired(session, later)
    row_of(session, someone)
    assert sessions.find_session(session, cookie, later) is not None


def test_all_desks_of_one_person_close_and_nobody_elses(
    session: Session, hand: Hand, someone: Person
) -> None:
    other = begin(session, new_person(session, hand, PEPPER))
    mine = [begin(session, someone) for _ in range(2)]
    sessions.end_all(session, someone.id)
    assert [sessions.find_session(session, cookie, hand.now) for cookie in mine] == [None, None]
    assert sessions.find_session(session, other, hand.now) is not None


def test_a_form_belongs_to_one_session(session: Session, someone: Person) -> None:
    first, second = (
        sessions.find_session(session, begin(session, someone), someone.hand.now) for _ in range(2)
    )
    assert first is not None
    assert second is not None
    assert first.is_own(first.csrf_token)
    for forged in (second.csrf_token, "", "０", "\udc80", first.csrf_token[:-1]):
        assert not first.is_own(forged)


def test_no_repr_shows_a_secret(session: Session, someone: Person) -> None:
    cookie = begin(session, someone)
    shown = repr(sessions.find_session(session, cookie, someone.hand.now))
    for secret in ("JBSWY3DPEHPK3PXP", repr(KEYS.private_key), repr(bytes.fromhex(cookie[32:]))):
        assert secret not in shown
