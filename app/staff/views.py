"""The sign-in pages of the desk, signing out, and what every desk page shows around its content."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.clock import Clock
from app.crypto import stretch_password
from app.db import reading, transaction
from app.errors import Invalid
from app.i18n import gettext, sentence
from app.staff import audit, guard, menu, second_factor, service, sessions
from app.staff.forms import SecondFactorForm, SignInForm
from app.staff.models import Role
from app.staff.sessions import OpenSession
from app.text import printable
from app.web import limit
from config import Config

blueprint = Blueprint("staff", __name__, url_prefix="/desk")

DEVICE_COOKIE = "desk-device"


@blueprint.get("")
@guard.doorstep
def home() -> ResponseReturnValue:
    """To the queue, or to the sign-in page."""
    own = guard.own_session()
    return _see("cases.queue" if own and own.passed_second_factor else "staff.sign_in")


@blueprint.route("/sign-in", methods=["GET", "POST"])
@guard.doorstep
def sign_in() -> ResponseReturnValue:
    """The first step: name and password; on to the second, or to the queue on a trusted device."""
    form = SignInForm()
    if request.method in guard.SAFE_METHODS:
        return _sign_in_page(form)
    limit("sign-in")
    if not form.validate_on_submit():
        return _sign_in_page(form, " ".join(form.csrf_token.errors)), 422
    outcome = _try_password(form.username.data or "", form.password.data or "")
    if isinstance(outcome, Invalid):
        return _sign_in_page(form, sentence(outcome)), 422
    return outcome


@blueprint.route("/second-factor", methods=["GET", "POST"], endpoint="second_factor")
@guard.doorstep
def second_step() -> ResponseReturnValue:
    """The second step: a one-time code; the session gets a new id and a new half key."""
    halfway = _halfway()
    if halfway is None:
        return _see("staff.sign_in")
    form = SecondFactorForm()
    if request.method in guard.SAFE_METHODS:
        return _second_factor_page(form)
    limit("sign-in")
    form.validate_on_submit()  # raises Forbidden for a forged form
    outcome = _try_code(halfway, form)
    if isinstance(outcome, Invalid):
        return _second_factor_page(form, sentence(outcome)), 422
    return outcome


@blueprint.post("/sign-out")
@guard.doorstep
def sign_out() -> ResponseReturnValue:
    """Ends the session; for one that has lapsed already there is nothing to refuse."""
    response = _see("staff.sign_in")
    own = guard.own_session()
    if own is not None:
        guard.check_csrf()
        clock: Clock = current_app.extensions["clock"]
        with transaction() as session:
            sessions.end_session(session, own)
            audit.record(session, clock.now(), own.staff_id, "sign_out")
    response.delete_cookie(
        guard.COOKIE, path="/desk", secure=request.is_secure, httponly=True, samesite="Strict"
    )
    return response


@blueprint.app_context_processor
def desk_context() -> dict[str, object]:
    """What `desk_base.html` shows; empty unless a guard let somebody in.

    It reads only what the guard left: a public page never looks at the staff session.
    """
    own = guard.own_session()
    return {
        "desk_user": guard.username(),
        "desk_csrf": own.csrf_token if own else "",
        "desk_menu": _menu(),
    }


@dataclass(frozen=True)
class Link:
    """A page of the menu as it is shown; `current` is the value of aria-current, or empty."""

    words: str
    url: str
    current: str


def _menu() -> dict[str, list[tuple[str, list[Link]]] | list[Link]]:
    """What the person may see: `front` always in sight, the present page with it, and `groups`."""
    if guard.username() is None:
        return {}
    here = menu.entry_of(request.endpoint or "")
    groups, front = [], []
    for group in menu.MENU:
        seen = [entry for entry in group.entries if _may_open(entry.endpoint)]
        if seen:
            groups.append((gettext(group.words), [_link(entry, here) for entry in seen]))
            front += [_link(entry, here) for entry in seen if entry.front or entry is here]
    return {"front": front, "groups": groups}


def _may_open(endpoint: str) -> bool:
    access: frozenset[Role] = getattr(current_app.view_functions[endpoint], "access", frozenset())
    return not access or guard.current().has(*access)


def _link(entry: menu.Entry, here: menu.Entry | None) -> Link:
    exact = "page" if entry.endpoint == request.endpoint else "true"
    return Link(gettext(entry.words), url_for(entry.endpoint), exact if entry is here else "")


def _try_password(username: str, password: str) -> Response | Invalid:
    config: Config = current_app.config["YANLU"]
    with reading() as session:
        salt = service.salt_for(session, username, config.secrets.pepper)
    master = stretch_password(password, config.secrets.pepper, salt)
    clock: Clock = current_app.extensions["clock"]
    now = clock.now()
    with transaction() as session:
        outcome = service.sign_in(
            session,
            username=username,
            master=master,
            now=now,
            instance_secret=config.secrets.instance_secret,
            device=request.cookies.get(DEVICE_COOKIE, ""),
        )
        if isinstance(outcome, Invalid):
            return outcome  # leaving the block commits: the failure counts
        passed = outcome.trusted_device
        cookie = _begin(session, outcome, now)
    return _enter(cookie, "cases.queue" if passed else "staff.second_factor")


def _begin(session: Session, unlocked: service.Unlocked, now: dt.datetime) -> str:
    sessions.purge_expired(session, now)
    former = guard.own_session()
    if former is not None:
        sessions.end_session(session, former)
    return sessions.open_session(
        session,
        unlocked.staff.id,
        unlocked.keys,
        now,
        passed_second_factor=unlocked.trusted_device,
    )


def _try_code(halfway: OpenSession, form: SecondFactorForm) -> Response | Invalid:
    config: Config = current_app.config["YANLU"]
    clock: Clock = current_app.extensions["clock"]
    now = clock.now()
    device = None
    with transaction() as session:
        refusal = _check(session, halfway, form, now)
        if refusal is not None:
            return refusal  # leaving the block commits: the failure counts
        cookie = sessions.promote(session, halfway, now)
        if form.trust.data:
            device = service.trust_device(
                session, halfway.staff_id, config.secrets.instance_secret, now
            )
    response = _enter(cookie, "cases.queue")
    if device is not None:
        _set_device_cookie(response, device)
    return response


def _check(
    session: Session, halfway: OpenSession, form: SecondFactorForm, now: dt.datetime
) -> Invalid | None:
    code, recovery = form.totp.data or "", form.recovery.data or ""
    if recovery.strip() and not code.strip():
        instance_secret = current_app.config["YANLU"].secrets.instance_secret
        return service.check_recovery_code(
            session, halfway.staff_id, recovery, instance_secret, now
        )
    secret = halfway.keys.totp_secret or ""
    return service.check_totp(session, halfway.staff_id, secret, code, now)


def _halfway() -> OpenSession | None:
    own = guard.own_session()
    return None if own is None or own.passed_second_factor else own


def _enter(cookie: str, endpoint: str) -> Response:
    response = _see(endpoint)
    # No max_age: it goes when the browser closes. Secure only where there is HTTPS, so that a
    # trial on a county's internal address works.
    response.set_cookie(
        guard.COOKIE,
        cookie,
        path="/desk",
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )
    return response


def _set_device_cookie(response: Response, value: str) -> None:
    response.set_cookie(
        DEVICE_COOKIE,
        value,
        max_age=second_factor.DEVICE_LIFETIME,
        path="/desk/sign-in",  # sent nowhere else
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )


def _see(endpoint: str) -> Response:
    return redirect(url_for(endpoint), 303)


def _sign_in_page(form: SignInForm, problem: str = "") -> str:
    return render_template(
        "staff/sign_in.html",
        csrf_token=form.csrf_token.current_token,
        username=printable(form.username.data or ""),
        problem=problem,
        done=request.args.get("done", ""),
    )


def _second_factor_page(form: SecondFactorForm, problem: str = "") -> str:
    return render_template(
        "staff/second_factor.html", csrf_token=form.csrf_token.current_token, problem=problem
    )
