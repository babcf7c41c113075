"""The page behind an invitation's link: own password, own second factor, recovery codes."""

from __future__ import annotations

from collections.abc import Collection

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy.orm import Session

from app import qr
from app.db import reading, transaction
from app.errors import N_, Invalid
from app.i18n import gettext, sentence
from app.organisation import service as organisation
from app.staff import guard, invitations, keepers, second_factor
from app.staff.forms import EnrolmentForm
from app.staff.invitations import Enrolled, Enrolment
from app.staff.models import Invitation, Role
from app.staff.rights import RoleFor
from app.web import clock, config, keep_secret, limit

blueprint = Blueprint("enrolment", __name__, url_prefix="/desk")


@blueprint.route("/invitation/<token>", methods=["GET", "POST"])
@guard.doorstep
def invitation(token: str) -> ResponseReturnValue:
    """What one may see here and why; then the account, by its own person's hand."""
    form = EnrolmentForm()
    if request.method in guard.SAFE_METHODS:
        return _page(token, form, second_factor.new_secret())
    limit("sign-in")
    secrets = config().secrets
    with reading() as session:
        found = invitations.look(session, token, secrets.instance_secret, clock().now())
    carried = form.sealed.data or ""
    secret = invitations.open_secret(secrets.instance_secret, found.id, carried)
    if secret is None:
        return _page(token, form, second_factor.new_secret(), _stale()), 422
    try:
        if not form.validate_on_submit():
            return _page(token, form, secret, " ".join(form.csrf_token.errors)), 422
        enrolled = _use(token, form, secret)
    except Invalid as error:
        return _page(token, form, secret, sentence(error)), 422
    return _welcome(enrolled)


def _stale() -> str:
    return gettext(N_("这一页不完整，请在验证器里删掉刚才扫的，重新扫一次下面的二维码。"))


def prove(totp_secret: str, code: str) -> int:
    """The step of a code by which somebody proves that the new factor is on their phone.

    Raises Invalid (field `totp`).
    """
    step = second_factor.matching_step(totp_secret, code, clock().now())
    if step is None:
        raise Invalid(
            N_(
                "动态码不对，什么都还没有存。请看手机上最新的六位数字；一直不对，请检查手机的时间。"
            ),
            field="totp",
        )
    return step


def new_credentials(password: str, again: str) -> keepers.Credentials:
    """A new password typed twice, stretched. Raises Invalid (fields `password`, `again`)."""
    if password != again:
        raise Invalid(N_("两次输入的密码不一样，什么都还没有存。请再输一遍。"), field="again")
    return keepers.stretch(password, config().secrets.pepper)


def _use(token: str, form: EnrolmentForm, secret: str) -> Enrolled:
    step = prove(secret, form.totp.data or "")
    brought = Enrolment(
        new_credentials(form.password.data or "", form.again.data or ""), secret, step
    )
    with transaction() as session:
        return invitations.accept(
            session,
            token,
            brought,
            now=clock().now(),
            today=clock().today(),
            instance_secret=config().secrets.instance_secret,
        )


def _page(token: str, form: EnrolmentForm, secret: str, problem: str = "") -> str:
    instance_secret = config().secrets.instance_secret
    with reading() as session:
        found = invitations.look(session, token, instance_secret, clock().now())
        roles = _roles(found, guard_roles=keepers.roles_of(session, found.staff_id or ""))
        named = told(session, roles)
    keep_secret()
    return render_template(
        "staff/invitation.html",
        token=token,
        username=found.username,
        renewal=found.staff_id is not None,
        roles=named,
        csrf_token=form.csrf_token.current_token,
        sealed=invitations.seal_secret(instance_secret, found.id, secret),
        secret=secret,
        qr=authenticator(secret, found.username),
        problem=problem,
    )


def told(session: Session, roles: Collection[RoleFor]) -> list[tuple[str, list[str]]]:
    """What somebody is, each role with the names of its units: none stands for the county."""
    names = organisation.names(session, [unit_id for _, unit_id in roles if unit_id])
    return [
        (role.value, sorted(names[unit] for held, unit in roles if held is role and unit))
        for role in Role
        if any(held is role for held, _ in roles)
    ]


def _roles(
    found: Invitation, guard_roles: frozenset[tuple[Role, str | None]]
) -> list[tuple[Role, str | None]]:
    if found.role is not None:
        return [(found.role, found.unit_id)]
    return sorted(guard_roles, key=lambda pair: (pair[0], pair[1] or ""))


def authenticator(totp_secret: str, username: str) -> Markup:
    """The second factor as a picture for an authenticator."""
    issuer = gettext(N_("言路")) + " " + config().county_name
    address = second_factor.address(totp_secret, username, issuer)
    return qr.picture(address, gettext(N_("验证器的二维码")))


def _welcome(enrolled: Enrolled) -> str:
    keep_secret()
    return render_template(
        "staff/welcome.html",
        username=enrolled.username,
        codes=enrolled.recovery_codes,
        first_key=enrolled.first_key,
        waits=enrolled.waits,
        closed=bool(enrolled.closed),
    )
