"""Who can open which box."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from app import crypto
from app.errors import Conflict, Invalid
from app.organisation.models import Box, Unit, UnitKind
from app.staff import keepers
from app.staff.models import PersonalKey, Role, Staff
from tests.staff.conftest import PASSWORD, PEPPER, Hand, Person, new_person

SECOND_FACTOR = "JBSWY3DPEHPK3PXP"
TODAY = dt.date(2026, 11, 24)


def new_box(session: Session) -> Box:
    slug = crypto.random_id()
    unit = Unit(slug=slug, name="测试支部", kind=UnitKind.BRANCH)
    session.add(unit)
    session.flush()
    box = Box(unit_id=unit.id)
    session.add(box)
    session.flush()
    return box


def private_of(session: Session, person: Person) -> tuple[PersonalKey, bytes]:
    staff = session.get_one(Staff, person.id)
    master = crypto.stretch_password(PASSWORD, PEPPER, staff.password_salt)
    key = keepers.personal_key_of(session, person.id)
    return key, keepers.open_private_key(master, key.sealed_private_key)


def test_a_keeper_unlocks_the_boxes_granted_to_them_and_no_other(
    session: Session, hand: Hand
) -> None:
    first, second = (new_person(session, hand, PEPPER) for _ in range(2))
    mine, theirs = new_box(session), new_box(session)
    key, private = private_of(session, first)
    granted = keepers.new_box_key(session, mine.id, [key], TODAY)
    keepers.new_box_key(session, theirs.id, [keepers.personal_key_of(session, second.id)], TODAY)

    opened = keepers.unlock_boxes(session, key.id, private)

    assert set(opened) == {granted.id}
    assert crypto.public_key_of(opened[granted.id]) == granted.public_key


def test_a_personal_key_opens_no_grant_made_to_another(session: Session, hand: Hand) -> None:
    first, second = (new_person(session, hand, PEPPER) for _ in range(2))
    key = keepers.personal_key_of(session, first.id)
    box_key = keepers.new_box_key(session, new_box(session).id, [key], TODAY)
    _, others = private_of(session, second)

    with pytest.raises(crypto.SealError):
        keepers.unlock_boxes(session, key.id, others)[box_key.id]


def test_a_new_pair_retires_the_current_one_and_both_stay_readable(
    session: Session, hand: Hand
) -> None:
    box = new_box(session)
    key, private = private_of(session, new_person(session, hand, PEPPER))
    old = keepers.new_box_key(session, box.id, [key], TODAY)
    new = keepers.new_box_key(session, box.id, [key], TODAY + dt.timedelta(days=365))
    session.refresh(old)

    assert old.retired_on == TODAY + dt.timedelta(days=365)
    assert new.retired_on is None
    assert set(keepers.unlock_boxes(session, key.id, private)) == {old.id, new.id}


def test_a_box_gets_no_key_without_a_keeper(session: Session) -> None:
    with pytest.raises(Conflict):
        keepers.new_box_key(session, new_box(session).id, [], TODAY)


def test_a_keeper_who_holds_the_key_passes_it_on(session: Session, hand: Hand) -> None:
    key, private = private_of(session, new_person(session, hand, PEPPER))
    next_key, next_private = private_of(session, new_person(session, hand, PEPPER))
    box_key = keepers.new_box_key(session, new_box(session).id, [key], TODAY)
    opened = keepers.unlock_boxes(session, key.id, private)[box_key.id]

    keepers.grant(session, box_key.id, opened, next_key)
    keepers.grant(session, box_key.id, opened, next_key)  # twice changes nothing

    assert keepers.unlock_boxes(session, next_key.id, next_private)[box_key.id] == opened


def test_a_box_is_held_only_with_both_the_grant_and_the_role_for_its_unit(
    session: Session, hand: Hand
) -> None:
    person = new_person(session, hand, PEPPER)
    staff = session.get_one(Staff, person.id)
    key, private = private_of(session, person)
    granted, promised = new_box(session), new_box(session)
    box_key = keepers.new_box_key(session, granted.id, [key], TODAY)

    def held() -> keepers.Held:
        return keepers.held_by(session, person.id, key.id, private)

    keepers.assign(session, staff, Role.KEEPER, promised.unit_id)  # a role without a grant
    keepers.assign(session, staff, Role.OFFICE, granted.unit_id)  # a grant, another role
    keepers.assign(session, staff, Role.KEEPER, None)
    colleague = session.get_one(Staff, new_person(session, hand, PEPPER).id)
    keepers.assign(session, colleague, Role.KEEPER, granted.unit_id)  # a role of another's
    assert held().box_ids == frozenset()
    assert dict(held().keys) == {}
    keepers.assign(session, staff, Role.KEEPER, granted.unit_id)
    assert held().box_ids == {granted.id}
    assert set(held().keys) == {box_key.id}


def test_a_role_is_held_once_however_often_it_is_given(session: Session, hand: Hand) -> None:
    person = new_person(session, hand, PEPPER)
    staff = session.get_one(Staff, person.id)
    unit_id = new_box(session).unit_id
    for _ in range(2):
        keepers.assign(session, staff, Role.OPERATOR, None)
        keepers.assign(session, staff, Role.KEEPER, unit_id)

    assert keepers.roles_of(session, person.id) == {
        (Role.OPERATOR, None),
        (Role.KEEPER, unit_id),
    }


def test_an_account_at_rest_shows_neither_second_factor_nor_private_key(
    session: Session, hand: Hand
) -> None:
    person = new_person(session, hand, PEPPER)
    staff = session.get_one(Staff, person.id)
    key, private = private_of(session, person)
    row = b"".join(
        (
            staff.password_salt,
            staff.password_verifier,
            staff.sealed_totp_secret,
            key.sealed_private_key,
        )
    )

    assert person.totp_secret.encode() not in row
    assert private not in row
    for wrong in (staff.password_verifier, PEPPER):
        with pytest.raises(crypto.SealError):
            keepers.open_totp_secret(wrong, staff.sealed_totp_secret)


def test_no_repr_shows_a_key(session: Session, hand: Hand) -> None:
    key, private = private_of(session, new_person(session, hand, PEPPER))
    box_key = keepers.new_box_key(session, new_box(session).id, [key], TODAY)
    ring = keepers.unlock_boxes(session, key.id, private)
    opened = ring[box_key.id]

    shown = repr(ring) + repr(keepers.Held(frozenset(), ring))

    assert repr(opened) not in shown
    assert repr(private) not in shown


@pytest.mark.parametrize("password", ["", "nine char", "１２３４５６７８９"])
def test_a_password_has_at_least_ten_characters(
    session: Session, hand: Hand, password: str
) -> None:
    with pytest.raises(Invalid) as refused:
        keepers.create_staff(
            session,
            username="somebody",
            password=password,
            totp_secret=SECOND_FACTOR,
            pepper=PEPPER,
            now=hand.now,
        )
    assert refused.value.field == "password"


@pytest.mark.parametrize("username", ["", "a", "two words", "x" * 65, "a\x00b", "\udc80x"])
def test_a_username_is_short_and_plain(session: Session, hand: Hand, username: str) -> None:
    with pytest.raises(Invalid) as refused:
        keepers.create_staff(
            session,
            username=username,
            password=PASSWORD,
            totp_secret=SECOND_FACTOR,
            pepper=PEPPER,
            now=hand.now,
        )
    assert refused.value.field == "username"


def test_a_username_is_taken_whatever_its_case_and_width(session: Session, hand: Hand) -> None:
    person = new_person(session, hand, PEPPER)
    with pytest.raises(Invalid) as refused:
        keepers.create_staff(
            session,
            username=f" {person.username.upper()} ".replace("K", "Ｋ"),
            password=PASSWORD,
            totp_secret=SECOND_FACTOR,
            pepper=PEPPER,
            now=hand.now,
        )
    assert refused.value.field == "username"
