"""Signing in: waits, one-time codes, trusted devices."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.errors import Invalid
from app.staff import keepers, service
from app.staff.audit import AuditRow
from app.staff.models import Staff
from tests.staff.conftest import PASSWORD, PEPPER, Hand, Person, new_person

INSTANCE_SECRET = b"i" * 32


def attempt(
    session: Session, username: str, password: str, now: dt.datetime, device: str = ""
) -> service.Unlocked | Invalid:
    salt = service.salt_for(session, username, PEPPER)
    return service.sign_in(
        session,
        username=username,
        master=crypto.stretch_password(password, PEPPER, salt),
        now=now,
        instance_secret=INSTANCE_SECRET,
        device=device,
    )


def fail(session: Session, person: Person, times: int) -> None:
    for _ in range(times):
        assert isinstance(attempt(session, person.username, "wrong word", person.hand.now), Invalid)


def staff_of(session: Session, person: Person) -> Staff:
    return session.get_one(Staff, person.id)


@pytest.fixture
def someone(session: Session, hand: Hand) -> Person:
    return new_person(session, hand, PEPPER)


def test_the_right_password_opens_the_personal_key_and_the_second_factor(
    session: Session, someone: Person
) -> None:
    outcome = attempt(session, someone.username, PASSWORD, someone.hand.now)

    assert isinstance(outcome, service.Unlocked)
    key = keepers.personal_key_of(session, someone.id)
    assert outcome.keys.personal_key_id == key.id
    assert crypto.public_key_of(outcome.keys.private_key) == key.public_key
    assert outcome.keys.totp_secret == someone.totp_secret
    assert not outcome.trusted_device
    assert someone.totp_secret not in repr(outcome)


def test_a_name_is_known_whatever_its_case_and_width(session: Session, someone: Person) -> None:
    typed = someone.username.upper().replace("K", "Ｋ")
    outcome = attempt(session, f" {typed}", PASSWORD, someone.hand.now)
    assert isinstance(outcome, service.Unlocked)


def test_unknown_name_wrong_password_and_wait_are_refused_alike(
    session: Session, someone: Person
) -> None:
    now = someone.hand.now
    unknown = attempt(session, "nobody-here", PASSWORD, now)
    wrong = attempt(session, someone.username, "wrong word", now)
    fail(session, someone, 5)
    waiting = attempt(session, someone.username, PASSWORD, now)

    refusals = [unknown, wrong, waiting]
    assert all(isinstance(refusal, Invalid) for refusal in refusals)
    assert (
        len({(r.message, r.field, str(r.values)) for r in refusals if isinstance(r, Invalid)}) == 1
    )


def test_an_unknown_name_is_stretched_with_a_steady_salt_of_usual_length(
    session: Session, someone: Person
) -> None:
    salts = [service.salt_for(session, name, PEPPER) for name in ("nobody", "nobody", "\udc80")]
    assert salts[0] == salts[1] != salts[2]
    assert {len(salt) for salt in salts} == {
        len(service.salt_for(session, someone.username, PEPPER))
    }


def test_three_tries_are_free(session: Session, someone: Person) -> None:
    fail(session, someone, service.FREE_TRIES - 1)
    assert isinstance(
        attempt(session, someone.username, PASSWORD, someone.hand.now), service.Unlocked
    )


def test_the_wait_doubles_and_ends_at_fifteen_minutes(session: Session, someone: Person) -> None:
    fail(session, someone, service.FREE_TRIES - 1)
    waits = []
    for _ in range(15):
        fail(session, someone, 1)
        until = staff_of(session, someone).next_sign_in_at
        assert until is not None
        waits.append((until - someone.hand.now).total_seconds())
        someone.hand.now = until

    assert waits[:4] == [2, 4, 8, 16]
    assert waits[-1] == max(waits) == 15 * 60
    assert isinstance(
        attempt(session, someone.username, PASSWORD, someone.hand.now), service.Unlocked
    )


def test_a_try_during_the_wait_is_not_looked_at_and_does_not_prolong_it(
    session: Session, someone: Person
) -> None:
    fail(session, someone, service.FREE_TRIES)
    until = staff_of(session, someone).next_sign_in_at
    fail(session, someone, 20)
    assert isinstance(attempt(session, someone.username, PASSWORD, someone.hand.now), Invalid)
    assert staff_of(session, someone).next_sign_in_at == until


def test_failures_on_one_account_never_delay_another(
    session: Session, hand: Hand, someone: Person
) -> None:
    other = new_person(session, hand, PEPPER)
    fail(session, someone, 30)
    assert isinstance(attempt(session, other.username, PASSWORD, hand.now), service.Unlocked)


def test_a_known_password_does_not_buy_endless_codes(session: Session, someone: Person) -> None:
    now = someone.hand.now
    for _ in range(service.FREE_TRIES):
        assert isinstance(attempt(session, someone.username, PASSWORD, now), service.Unlocked)
        refused = service.check_totp(session, someone.id, someone.totp_secret, "000000", now)
        assert refused is not None

    waiting = service.check_totp(session, someone.id, someone.totp_secret, someone.code(), now)
    assert waiting is not None
    assert waiting.values["seconds"] == 2
    assert isinstance(attempt(session, someone.username, PASSWORD, now), Invalid)


def test_a_one_time_code_is_accepted_once(session: Session, someone: Person) -> None:
    code = someone.code()
    now = someone.hand.now
    assert service.check_totp(session, someone.id, someone.totp_secret, code, now) is None
    assert service.check_totp(session, someone.id, someone.totp_secret, code, now) is not None
    later = someone.hand.forward(seconds=30)
    assert service.check_totp(session, someone.id, someone.totp_secret, code, later) is not None


def test_a_code_older_than_the_one_spent_is_spent_too(session: Session, someone: Person) -> None:
    before, now_code = someone.code(-1), someone.code()
    now = someone.hand.now
    assert service.check_totp(session, someone.id, someone.totp_secret, now_code, now) is None
    assert service.check_totp(session, someone.id, someone.totp_secret, before, now) is not None


@pytest.mark.parametrize(
    ("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_code_may_be_one_step_early_or_late(
    session: Session, someone: Person, steps: int, *, right: bool
) -> None:
    refused = service.check_totp(
        session, someone.id, someone.totp_secret, someone.code(steps), someone.hand.now
    )
    assert (refused is None) is right


def test_a_code_may_be_typed_full_width_and_in_groups(session: Session, someone: Person) -> None:
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in someone.code())
    typed = f" {wide[:3]}　{wide[3:]}\n"
    now = someone.hand.now
    assert service.check_totp(session, someone.id, someone.totp_secret, typed, now) is None


def test_a_complete_sign_in_clears_the_count(session: Session, someone: Person) -> None:
    fail(session, someone, 2)
    now = someone.hand.now
    assert service.check_totp(session, someone.id, someone.totp_secret, someone.code(), now) is None
    assert staff_of(session, someone).failed_sign_ins == 0


def test_a_trusted_device_skips_the_second_factor_for_thirty_days(
    session: Session, someone: Person
) -> None:
    device = service.trust_device(session, someone.id, INSTANCE_SECRET, someone.hand.now)
    almost = someone.hand.forward(days=30, seconds=-1)
    on_it = attempt(session, someone.username, PASSWORD, almost, device)
    assert isinstance(on_it, service.Unlocked)
    assert on_it.trusted_device
    after = attempt(session, someone.username, PASSWORD, someone.hand.forward(seconds=1), device)
    assert isinstance(after, service.Unlocked)
    assert not after.trusted_device


def test_a_trusted_device_needs_the_password_all_the_same(
    session: Session, someone: Person
) -> None:
    device = service.trust_device(session, someone.id, INSTANCE_SECRET, someone.hand.now)
    assert isinstance(
        attempt(session, someone.username, "wrong word", someone.hand.now, device), Invalid
    )


def test_a_trusted_device_does_not_have_to_wait_for_what_others_failed(
    session: Session, someone: Person
) -> None:
    device = service.trust_device(session, someone.id, INSTANCE_SECRET, someone.hand.now)
    fail(session, someone, 30)
    outcome = attempt(session, someone.username, PASSWORD, someone.hand.now, device)
    assert isinstance(outcome, service.Unlocked)


def test_a_device_is_trusted_for_one_person_and_by_this_instance_alone(
    session: Session, hand: Hand, someone: Person
) -> None:
    other = new_person(session, hand, PEPPER)
    theirs = service.trust_device(session, other.id, INSTANCE_SECRET, hand.now)
    forged = service.trust_device(session, someone.id, b"x" * 32, hand.now)
    for device in (theirs, forged, "", "a.b", "\udc80"):
        outcome = attempt(session, someone.username, PASSWORD, hand.now, device)
        assert isinstance(outcome, service.Unlocked)
        assert not outcome.trusted_device


def change(session: Session, person: Person, new: str, old: str = PASSWORD) -> None:
    service.change_password(
        session,
        staff_of(session, person),
        old_password=old,
        new_password=new,
        pepper=PEPPER,
        now=person.hand.now,
    )


def test_a_change_of_password_ends_the_trust_in_devices(session: Session, someone: Person) -> None:
    device = service.trust_device(session, someone.id, INSTANCE_SECRET, someone.hand.now)
    change(session, someone, "another password")
    outcome = attempt(session, someone.username, "another password", someone.hand.now, device)
    assert isinstance(outcome, service.Unlocked)
    assert not outcome.trusted_device


def test_a_change_of_password_keeps_the_keys_and_shuts_out_the_old_one(
    session: Session, someone: Person
) -> None:
    before = attempt(session, someone.username, PASSWORD, someone.hand.now)
    change(session, someone, "another password")
    after = attempt(session, someone.username, "another password", someone.hand.now)

    assert isinstance(before, service.Unlocked)
    assert isinstance(after, service.Unlocked)
    assert after.keys == before.keys
    assert isinstance(attempt(session, someone.username, PASSWORD, someone.hand.now), Invalid)


def test_nobody_changes_a_password_without_knowing_it(session: Session, someone: Person) -> None:
    with pytest.raises(Invalid) as refused:
        change(session, someone, "another password", old="wrong word")
    assert refused.value.field == "old_password"


def test_a_refused_sign_in_leaves_an_audit_row_without_what_was_typed(
    session: Session, someone: Person
) -> None:
    attempt(session, "typed my password here", "wrong word", someone.hand.now)
    fail(session, someone, 1)
    session.flush()
    rows = session.scalars(sa.select(AuditRow).where(AuditRow.action == "sign_in_refused")).all()
    assert {(row.staff_id, row.subject, row.detail) for row in rows} >= {
        (None, "", "unknown"),
        (someone.id, "", "password"),
    }
