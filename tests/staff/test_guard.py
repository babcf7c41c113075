"""Who may enter a desk view."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app import crypto
from app.db import reading, transaction
from app.errors import Forbidden
from app.organisation.models import Box, Unit, UnitKind
from app.staff import guard, keepers, sessions
from app.staff.models import Role, Staff
from app.staff.sessions import SessionKeys
from tests.staff.conftest import PASSWORD, Person


def open_desk(app: Flask, person: Person, *roles: Role, passed: bool = True) -> tuple[str, str]:
    """A cookie and its CSRF token."""
    with app.app_context(), transaction() as session:
        staff = session.get_one(Staff, person.id)
        for role in roles:
            keepers.assign(session, staff, role, None)
        master = crypto.stretch_password(
            PASSWORD, app.config["YANLU"].secrets.pepper, staff.password_salt
        )
        key = keepers.personal_key_of(session, person.id)
        private = keepers.open_private_key(master, key.sealed_private_key)
        cookie = sessions.open_session(
            session,
            person.id,
            SessionKeys(key.id, private, person.totp_secret),
            person.hand.now,
            passed_second_factor=passed,
        )
        found = sessions.find_session(session, cookie, person.hand.now)
        assert found
        return cookie, found.csrf_token


def visit(
    app: Flask, cookie: str, *roles: Role, method: str = "GET", token: str | None = None
) -> ResponseReturnValue:
    @guard.desk(*roles)
    def view() -> ResponseReturnValue:
        return "in"

    data = {} if token is None else {"csrf_token": token}
    headers = {"Cookie": f"desk={cookie}"} if cookie else {}
    with app.test_request_context("/desk/probe", method=method, data=data, headers=headers):
        return view()


def is_shown_in(answer: ResponseReturnValue) -> bool:
    return isinstance(answer, Response) and answer.location == "/desk/sign-in"


def test_a_guarded_view_tells_its_rule() -> None:
    assert getattr(guard.desk(Role.OFFICE)(lambda: "x"), "access") == {Role.OFFICE}  # noqa: B009
    assert getattr(guard.desk()(lambda: "x"), "access") == frozenset()  # noqa: B009
    assert getattr(guard.doorstep(lambda: "x"), "access") is None  # noqa: B009


def test_a_page_without_a_session_leads_to_the_sign_in_page(desk_app: Flask) -> None:
    for cookie in ("", "0" * 96):
        assert is_shown_in(visit(desk_app, cookie))


def test_a_change_without_a_session_is_forbidden(desk_app: Flask) -> None:
    with pytest.raises(Forbidden):
        visit(desk_app, "", method="POST", token="")


def test_a_session_without_its_second_factor_enters_nowhere(
    desk_app: Flask, person: Person
) -> None:
    cookie, token = open_desk(desk_app, person, passed=False)
    assert is_shown_in(visit(desk_app, cookie))
    with pytest.raises(Forbidden):
        visit(desk_app, cookie, method="POST", token=token)


def test_a_lapsed_session_enters_nowhere(desk_app: Flask, person: Person) -> None:
    cookie, _ = open_desk(desk_app, person)
    person.hand.forward(hours=10)
    assert is_shown_in(visit(desk_app, cookie))


@pytest.mark.parametrize("held", list(Role))
@pytest.mark.parametrize("needed", list(Role))
def test_a_role_opens_its_own_views_and_no_others(
    desk_app: Flask, person: Person, held: Role, needed: Role
) -> None:
    cookie, token = open_desk(desk_app, person, held)
    if held is needed:
        assert visit(desk_app, cookie, needed) == "in"
        assert visit(desk_app, cookie, needed, method="POST", token=token) == "in"
    else:
        for method in ("GET", "POST"):
            with pytest.raises(Forbidden):
                visit(desk_app, cookie, needed, method=method, token=token)


def test_any_of_several_roles_will_do_and_without_any_a_signed_in_person(
    desk_app: Flask, person: Person
) -> None:
    cookie, _ = open_desk(desk_app, person, Role.OFFICE)
    assert visit(desk_app, cookie, Role.KEEPER, Role.OFFICE) == "in"
    assert visit(desk_app, cookie) == "in"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("token", [None, "", "forged"])
def test_a_change_with_a_forged_token_is_forbidden(
    desk_app: Flask, person: Person, method: str, token: str | None
) -> None:
    cookie, _ = open_desk(desk_app, person)
    with pytest.raises(Forbidden):
        visit(desk_app, cookie, method=method, token=token)


def test_a_token_of_another_session_is_forged(desk_app: Flask, person: Person) -> None:
    cookie, _ = open_desk(desk_app, person)
    _, other = open_desk(desk_app, person)
    with pytest.raises(Forbidden):
        visit(desk_app, cookie, method="POST", token=other)


def test_the_desk_holds_the_keys_of_its_own_boxes_alone(desk_app: Flask, person: Person) -> None:
    with desk_app.app_context(), transaction() as session:
        staff = session.get_one(Staff, person.id)
        unit = Unit(slug=crypto.random_id(), name="测试支部", kind=UnitKind.BRANCH)
        session.add(unit)
        session.flush()
        box = Box(unit_id=unit.id)
        session.add(box)
        session.flush()
        keepers.assign(session, staff, Role.KEEPER, unit.id)
        keeper = keepers.personal_key_of(session, person.id)
        made = keepers.new_box_key(session, box.id, [keeper], person.hand.now.date())
        box_id, unit_id, key_id, public = box.id, unit.id, made.id, made.public_key
    cookie, token = open_desk(desk_app, person, Role.OPERATOR)

    with desk_app.test_request_context("/desk/x", headers={"Cookie": f"desk={cookie}"}):
        guard.desk()(lambda: "in")()
        desk = guard.current()

    assert (desk.staff_id, desk.username) == (person.id, person.username)
    assert desk.roles == {(Role.KEEPER, unit_id), (Role.OPERATOR, None)}
    assert desk.units_as(Role.KEEPER) == {unit_id}
    assert desk.box_ids == {box_id}
    assert crypto.public_key_of(desk.keys[key_id]) == public
    assert desk.csrf_token == token
    assert token not in repr(desk)
    assert repr(desk.keys[key_id]) not in repr(desk)


def test_nothing_is_known_of_staff_outside_a_guard(desk_app: Flask, person: Person) -> None:
    cookie, _ = open_desk(desk_app, person)
    with desk_app.test_request_context("/box/x", headers={"Cookie": f"desk={cookie}"}):
        assert guard.own_session() is None
        assert guard.username() is None
        with pytest.raises(RuntimeError):
            guard.current()


def test_a_deleted_account_enters_nowhere(desk_app: Flask, person: Person) -> None:
    cookie, _ = open_desk(desk_app, person)
    with desk_app.app_context():
        with transaction() as session:
            session.delete(session.get_one(Staff, person.id))
        with reading() as session:
            assert session.get(Staff, person.id) is None
    assert is_shown_in(visit(desk_app, cookie))
