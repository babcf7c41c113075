"""One's own account: what one may see, password, second factor, codes, devices, open desks."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.crypto import stretch_password
from app.db import reading, transaction
from app.errors import N_, Forbidden, Invalid
from app.i18n import gettext, moment, sentence
from app.staff import audit, guard, invitations, second_factor, service, sessions
from app.staff.enrolment_views import authenticator, new_credentials, prove, told
from app.staff.forms import as_text
from app.staff.models import Staff
from app.staff.sessions import OpenSession
from app.web import clock, config, keep_secret, limit

blueprint = Blueprint("account", __name__, url_prefix="/desk/account")

DONE = {
    "device": N_("这台设备下次登录要输动态码了。"),
    "desk": N_("已经在那边退出登录。"),
}


@blueprint.get("")
@guard.desk()
def account() -> str:
    """The account page."""
    return _page()


@blueprint.post("/password")
@guard.desk()
def password() -> ResponseReturnValue:
    """Another password; everything that the old one opens goes along, all desks close."""
    try:
        new = new_credentials(_typed("password"), _typed("again"))
        old = _stretched_old()
    except Invalid as error:
        return _page(sentence(error), "password"), 422
    with transaction() as session:
        refusal = _check_old(session, old)
        if refusal is None:
            staff = session.get_one(Staff, guard.current().staff_id)
            service.replace_password(session, staff, old, new, clock().now())
    if refusal is not None:  # leaving the block committed: the failure counts
        return _page(sentence(refusal), "password"), 422
    return redirect(url_for("staff.sign_in", done="password"), 303)


@blueprint.post("/recovery-codes")
@guard.desk()
def recovery_codes() -> ResponseReturnValue:
    """Ten fresh recovery codes, shown once; the former ones end."""
    old = _stretched_old()
    with transaction() as session:
        refusal = _check_old(session, old)
        if refusal is None:
            staff_id, secret = guard.current().staff_id, config().secrets.instance_secret
            codes = second_factor.new_recovery_codes(session, staff_id, secret)
            audit.record(session, clock().now(), staff_id, "renew_recovery_codes", staff_id)
    if refusal is not None:
        return _page(sentence(refusal), "codes"), 422
    keep_secret()
    return render_template("staff/codes.html", codes=codes)


@blueprint.route("/second-factor", methods=["GET", "POST"], endpoint="second_factor")
@guard.desk()
def new_phone() -> ResponseReturnValue:
    """A new second factor, for a new phone: by password and a code of the new one."""
    if request.method in guard.SAFE_METHODS:
        return _phone_page(second_factor.new_secret())
    staff_id, instance_secret = guard.current().staff_id, config().secrets.instance_secret
    secret = invitations.open_secret(instance_secret, staff_id, _typed("sealed"))
    if secret is None:
        raise Forbidden(N_("这一页不完整，什么都没有改变。请回到“我的账号”再做一次。"))
    refusal = _change_phone(secret)
    if refusal is not None:
        return _phone_page(secret, sentence(refusal)), 422
    return redirect(url_for("staff.sign_in", done="second-factor"), 303)


def _change_phone(secret: str) -> Invalid | None:
    try:
        step = prove(secret, _typed("totp"))
    except Invalid as error:
        return error
    old = _stretched_old()
    with transaction() as session:
        refusal = _check_old(session, old)
        if refusal is None:
            staff = session.get_one(Staff, guard.current().staff_id)
            service.replace_second_factor(session, staff, old, secret, step, clock().now())
    return refusal


@blueprint.post("/devices/<device_id>/end")
@guard.desk()
def end_device(device_id: str) -> ResponseReturnValue:
    """Trust a device no more."""
    staff_id = guard.current().staff_id
    with transaction() as session:
        second_factor.end_device(session, staff_id, as_text(device_id).replace("\0", ""))
        audit.record(session, clock().now(), staff_id, "end_device", staff_id)
    return redirect(url_for("account.account", done="device"), 303)


@blueprint.post("/desks/end")
@guard.desk()
def end_desk() -> ResponseReturnValue:
    """End one open desk (`desk`), or without it all but this one."""
    own = _own()
    with transaction() as session:
        if "desk" in request.form:
            sessions.end_desk(session, own, _typed("desk"))
        else:
            sessions.end_others(session, own)
        audit.record(session, clock().now(), own.staff_id, "end_desk", own.staff_id)
    return redirect(url_for("account.account", done="desk"), 303)


def _own() -> OpenSession:
    own = guard.own_session()
    if own is None:
        raise RuntimeError("a view under @desk has a session")
    return own


def _typed(name: str) -> str:
    return as_text(request.form.get(name))


def _stretched_old() -> bytes:
    limit("sign-in")
    with reading() as session:
        salt = session.get_one(Staff, guard.current().staff_id).password_salt
    return stretch_password(_typed("old_password"), config().secrets.pepper, salt)


def _check_old(session: Session, old: bytes) -> Invalid | None:
    return service.check_password(session, guard.current().staff_id, old, clock().now())


def _page(problem: str = "", place: str = "") -> str:
    own, now = _own(), clock().now()
    with reading() as session:
        roles = told(session, guard.current().roles)
        shown = {
            "codes_left": second_factor.recovery_codes_left(session, own.staff_id),
            "devices": second_factor.devices(session, own.staff_id, now),
            "desks": sessions.open_desks(session, own, now),
        }
    return render_template(
        "staff/account.html",
        roles=roles,
        at=moment,
        problem=problem,
        place=place,
        done=gettext(DONE[done]) if (done := request.args.get("done", "")) in DONE else "",
        **shown,
    )


def _phone_page(secret: str, problem: str = "") -> str:
    person = guard.current()
    instance_secret = config().secrets.instance_secret
    keep_secret()
    return render_template(
        "staff/new_phone.html",
        sealed=invitations.seal_secret(instance_secret, person.staff_id, secret),
        secret=secret,
        qr=authenticator(secret, person.username),
        problem=problem,
    )
