"""The sign-in pages, through a browser."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import crypto
from app.db import transaction
from app.staff import guard, service
from app.staff.models import Staff
from config import Config
from tests.staff.conftest import PASSWORD, Person

SIGN_IN = "/desk/sign-in"
SECOND_FACTOR = "/desk/second-factor"


def token_of(page: TestResponse) -> str:
    found = re.search(r'name="csrf_token" value="([^"]*)"', page.text)
    assert found
    return found.group(1)


def give_password(
    browser: FlaskClient, person: Person, password: str = PASSWORD, *, https: bool = False
) -> TestResponse:
    base = "https://localhost" if https else "http://localhost"
    token = token_of(browser.get(SIGN_IN, base_url=base))
    fields = {"username": person.username, "password": password, "csrf_token": token}
    return browser.post(SIGN_IN, data=fields, base_url=base)


def give_code(browser: FlaskClient, code: str, **more: str) -> TestResponse:
    token = token_of(browser.get(SECOND_FACTOR))
    return browser.post(SECOND_FACTOR, data={"totp": code, "csrf_token": token, **more})


def sign_in(browser: FlaskClient, person: Person, **more: str) -> TestResponse:
    assert give_password(browser, person).location == SECOND_FACTOR
    return give_code(browser, person.code(), **more)


def cookie_of(browser: FlaskClient) -> str | None:
    cookie = browser.get_cookie("desk", path="/desk")
    return cookie.value if cookie else None


def alert(page: TestResponse) -> str:
    found = re.search(r'<[^>]*role="alert"[^>]*>\s*(.*?)\s*</', page.text, re.DOTALL)
    assert found
    return found.group(1)


def test_password_and_code_lead_to_the_queue(browser: FlaskClient, person: Person) -> None:
    first = give_password(browser, person)
    assert (first.status_code, first.location) == (303, SECOND_FACTOR)
    second = give_code(browser, person.code())
    assert (second.status_code, second.location) == (303, "/desk/queue")
    assert browser.get("/desk").location == "/desk/queue"


def test_the_password_alone_opens_no_desk_page(browser: FlaskClient, person: Person) -> None:
    give_password(browser, person)
    assert browser.get("/desk/queue").status_code in (302, 303)
    assert browser.get("/desk").location == SIGN_IN


def test_nobody_reaches_the_second_step_without_the_first(
    browser: FlaskClient, person: Person
) -> None:
    assert browser.get(SECOND_FACTOR).location == SIGN_IN
    refused = browser.post(SECOND_FACTOR, data={"totp": person.code()})
    assert refused.location == SIGN_IN
    assert cookie_of(browser) is None


def test_the_cookie_of_the_first_step_opens_nothing_after_the_second(
    desk_app: Flask, browser: FlaskClient, person: Person
) -> None:
    give_password(browser, person)
    planted = cookie_of(browser)
    assert planted
    give_code(browser, person.code())
    assert cookie_of(browser) != planted

    attacker = desk_app.test_client()
    attacker.set_cookie("desk", planted, path="/desk")
    assert attacker.get("/desk").location == SIGN_IN
    assert attacker.get(SECOND_FACTOR).location == SIGN_IN


def test_a_cookie_planted_before_signing_in_is_never_adopted(
    desk_app: Flask, browser: FlaskClient, person: Person
) -> None:
    planted = "ab" * 48
    browser.set_cookie("desk", planted, path="/desk")
    sign_in(browser, person)
    assert cookie_of(browser) not in (None, planted)
    attacker = desk_app.test_client()
    attacker.set_cookie("desk", planted, path="/desk")
    assert attacker.get("/desk").location == SIGN_IN


@pytest.mark.parametrize("https", [False, True])
def test_the_desk_cookie_is_strict_and_secure_only_over_https(
    browser: FlaskClient, person: Person, *, https: bool
) -> None:
    (header,) = give_password(browser, person, https=https).headers.getlist("Set-Cookie")
    assert header.startswith("desk=")
    assert "HttpOnly" in header
    assert "SameSite=Strict" in header
    assert re.search(r"Path=/desk(;|$)", header)
    assert "Max-Age" not in header
    assert "Expires" not in header
    assert ("Secure" in header) is https


def test_a_refusal_keeps_the_name_and_never_the_password(
    browser: FlaskClient, person: Person
) -> None:
    page = give_password(browser, person, "my wrong password")
    assert page.status_code == 422
    assert alert(page)
    assert person.username in page.text
    assert "my wrong password" not in page.text
    assert not page.headers.getlist("Set-Cookie")


def test_a_failed_sign_in_is_remembered(
    desk_app: Flask, browser: FlaskClient, person: Person
) -> None:
    give_password(browser, person, "my wrong password")
    with desk_app.app_context(), transaction() as session:
        assert session.get_one(Staff, person.id).failed_sign_ins == 1


def test_unknown_names_go_the_same_way_as_known_ones(
    browser: FlaskClient, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    stretched: list[int] = []

    def counted(password: str, pepper: bytes, salt: bytes) -> bytes:
        stretched.append(len(salt))
        return crypto.stretch_password(password, pepper, salt)

    monkeypatch.setattr("app.staff.views.stretch_password", counted)
    known = give_password(browser, person, "my wrong password")
    unknown = give_password(
        browser, Person("", "z" * len(person.username), "", person.hand), "my wrong password"
    )

    assert stretched == [16, 16]
    assert known.status_code == unknown.status_code
    assert alert(known) == alert(unknown)
    assert len(known.data) == len(unknown.data)


def test_a_wrong_code_is_refused_and_may_be_typed_again(
    browser: FlaskClient, person: Person
) -> None:
    give_password(browser, person)
    wrong = give_code(browser, "12345")
    assert wrong.status_code == 422
    assert alert(wrong)
    assert give_code(browser, person.code()).location == "/desk/queue"


def test_a_spent_code_opens_no_second_desk(
    desk_app: Flask, browser: FlaskClient, person: Person
) -> None:
    sign_in(browser, person)
    other = desk_app.test_client()
    assert sign_in(other, person).status_code == 422
    assert other.get("/desk").location == SIGN_IN


@pytest.mark.parametrize("token", [None, "", "forged", "\x00"])
def test_a_forged_sign_in_form_is_refused(
    browser: FlaskClient, person: Person, token: str | None
) -> None:
    fields = {"username": person.username, "password": PASSWORD}
    if token is not None:
        fields["csrf_token"] = token
    page = browser.post(SIGN_IN, data=fields)
    assert page.status_code == 422
    assert alert(page)
    assert cookie_of(browser) is None


def test_a_sign_in_page_of_yesterday_only_has_to_be_sent_again(
    browser: FlaskClient, person: Person
) -> None:
    old = token_of(browser.get(SIGN_IN))
    person.hand.forward(days=1)
    fields = {"username": person.username, "password": PASSWORD, "csrf_token": old}
    page = browser.post(SIGN_IN, data=fields)
    assert page.status_code == 422
    fields["csrf_token"] = token_of(page)
    assert browser.post(SIGN_IN, data=fields).location == SECOND_FACTOR


@pytest.mark.parametrize("token", [None, "", "forged"])
def test_a_forged_code_form_is_forbidden(
    browser: FlaskClient, person: Person, token: str | None
) -> None:
    give_password(browser, person)
    fields = {"totp": person.code()} | ({} if token is None else {"csrf_token": token})
    assert browser.post(SECOND_FACTOR, data=fields).status_code == 403
    assert browser.get("/desk").location == SIGN_IN


def test_signing_out_is_a_post_with_its_token(browser: FlaskClient, person: Person) -> None:
    token = token_of_desk(browser, person)
    assert browser.get("/desk/sign-out").status_code == 405
    assert browser.post("/desk/sign-out", data={"csrf_token": "forged"}).status_code == 403
    assert browser.get("/desk").location == "/desk/queue"

    out = browser.post("/desk/sign-out", data={"csrf_token": token})
    assert (out.status_code, out.location) == (303, SIGN_IN)
    assert browser.get("/desk").location == SIGN_IN


def token_of_desk(browser: FlaskClient, person: Person) -> str:
    sign_in(browser, person)
    with browser:
        browser.get("/desk")
        own = guard.own_session()
        assert own
        return own.csrf_token


def test_a_cookie_kept_after_signing_out_opens_nothing(
    desk_app: Flask, browser: FlaskClient, person: Person
) -> None:
    token = token_of_desk(browser, person)
    kept = cookie_of(browser)
    assert kept
    browser.post("/desk/sign-out", data={"csrf_token": token})
    other = desk_app.test_client()
    other.set_cookie("desk", kept, path="/desk")
    assert other.get("/desk").location == SIGN_IN


def test_signing_out_twice_is_no_fault(browser: FlaskClient) -> None:
    assert browser.post("/desk/sign-out").location == SIGN_IN


def test_a_trusted_device_goes_straight_to_the_queue_until_the_password_changes(
    desk_app: Flask, browser: FlaskClient, person: Person
) -> None:
    headers = sign_in(browser, person, trust="yes").headers.getlist("Set-Cookie")
    (device,) = [header for header in headers if header.startswith("desk-device=")]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/desk/sign-in", "Max-Age=2592000"):
        assert part in device
    assert give_password(browser, person).location == "/desk/queue"

    config: Config = desk_app.config["YANLU"]
    with desk_app.app_context(), transaction() as session:
        service.change_password(
            session,
            session.get_one(Staff, person.id),
            old_password=PASSWORD,
            new_password="another password",
            pepper=config.secrets.pepper,
            now=person.hand.now,
        )
    assert browser.get("/desk").location == SIGN_IN
    assert give_password(browser, person, "another password").location == SECOND_FACTOR


def test_a_device_is_trusted_only_when_asked_for(browser: FlaskClient, person: Person) -> None:
    sign_in(browser, person)
    assert give_password(browser, person).location == SECOND_FACTOR


def test_signing_in_again_ends_the_former_session(
    desk_app: Flask, browser: FlaskClient, person: Person
) -> None:
    sign_in(browser, person)
    former = cookie_of(browser)
    assert former
    give_password(browser, person)
    other = desk_app.test_client()
    other.set_cookie("desk", former, path="/desk")
    assert other.get("/desk").location == SIGN_IN


@pytest.mark.parametrize("username", ["a\x00b", "\ud800", "%ff", "名" * 5000, "' OR 1=1"])
def test_a_name_that_can_be_none_is_refused_like_any_other(
    browser: FlaskClient, username: str
) -> None:
    token = token_of(browser.get(SIGN_IN))
    body = {
        "username": username.encode(errors="surrogatepass"),
        "password": b"\xff\x00",
        "csrf_token": token,
    }
    page = browser.post(SIGN_IN, data=body)
    assert page.status_code == 422
    assert alert(page)


def test_password_managers_and_authenticators_know_the_fields(
    browser: FlaskClient, person: Person
) -> None:
    page = browser.get(SIGN_IN).text
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    give_password(browser, person)
    assert 'autocomplete="one-time-code"' in browser.get(SECOND_FACTOR).text


def test_get_never_writes_and_sets_no_cookie(browser: FlaskClient) -> None:
    for address in ("/desk", SIGN_IN, SECOND_FACTOR):
        assert not browser.get(address).headers.getlist("Set-Cookie")
