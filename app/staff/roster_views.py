"""Staff and their keys at the desk: invite, appoint, take away, hand over, renew."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.db import reading, transaction
from app.errors import N_, Conflict, Forbidden, Invalid
from app.i18n import gettext, sentence
from app.organisation.models import Box, Unit
from app.staff import audit, guard, invitations, recovery, rights, roster, succession
from app.staff.models import HOLDING_ROLES, Role
from app.text import printable
from app.web import STATUS, clock, config, keep_secret

blueprint = Blueprint("roster", __name__, url_prefix="/desk/staff")

DONE = {
    "appointed": N_("这位同事已经有账号，职责加上了。"),
    "withdrawn": N_("邀请已经撤回，那个链接打不开了。"),
    "taken": N_("已经撤下，他的登录也结束了。"),
    "handed": N_("钥匙已经交过去了。"),
    "rotated": N_("换上新钥匙了。以前的意见照样打得开。"),
    "begun": N_("意见箱有了钥匙，可以收意见了。"),
    "sealed": N_("钥匙已经另封一份给备用钥匙。"),
}


@blueprint.get("")
@guard.desk(Role.OFFICE, *HOLDING_ROLES)
def staff() -> str:
    """Who works here, and who holds which key."""
    return _page()


@blueprint.post("/invite")
@guard.desk(Role.OFFICE, *HOLDING_ROLES)
def invite() -> ResponseReturnValue:
    """Invite somebody by a link, or give a role to who has an account."""
    try:
        with transaction() as session:
            unit_id = roster.find_unit(session, _typed("unit"))
            found = invitations.invite_or_appoint(
                session,
                guard.actor(),
                _typed("username"),
                (_role(), unit_id),
                clock().now(),
                clock().today(),
                config().secrets.instance_secret,
            )
            invitation_id = found.id if found else None
    except (Invalid, Conflict) as error:
        return _page(sentence(error)), next(s for k, s in STATUS.items() if isinstance(error, k))
    if invitation_id is None:
        return _back("appointed")
    return redirect(url_for("roster.invitation", invitation_id=invitation_id), 303)


def _role() -> Role:
    try:
        return Role(_typed("role"))
    except ValueError:
        raise Invalid(N_("还没有选职责，没有发出邀请。"), field="role") from None


@blueprint.get("/invitations/<invitation_id>")
@guard.desk(Role.OFFICE, *HOLDING_ROLES)
def invitation(invitation_id: str) -> str:
    """The link of an invitation, for the one who issued it."""
    secret = config().secrets.instance_secret
    with reading() as session:
        found = invitations.issued(session, guard.actor(), printable(invitation_id))
        token = invitations.token_of(found, secret)
    keep_secret()
    return render_template(
        "staff/link.html",
        username=found.username,
        renewal=found.staff_id is not None,
        link=url_for("enrolment.invitation", token=token, lang=None, view=None, _external=True),
        until=found.expires_at.astimezone(config().timezone).date(),
    )


@blueprint.post("/invitations/<invitation_id>/withdraw")
@guard.desk(Role.OFFICE, *HOLDING_ROLES)
def withdraw(invitation_id: str) -> ResponseReturnValue:
    """Make a link useless."""
    with transaction() as session:
        invitations.withdraw(session, guard.actor(), printable(invitation_id), clock().now())
    return _back("withdrawn")


@blueprint.post("/<staff_id>/renew")
@guard.desk(Role.OFFICE, *HOLDING_ROLES)
def renew(staff_id: str) -> ResponseReturnValue:
    """A link for somebody who forgot their password."""
    with transaction() as session:
        found = invitations.renew(session, guard.actor(), printable(staff_id), clock().now())
        invitation_id = found.id
    return redirect(url_for("roster.invitation", invitation_id=invitation_id), 303)


@blueprint.post("/roles/<assignment_id>/take-away")
@guard.desk(Role.OFFICE, *HOLDING_ROLES)
def take_away(assignment_id: str) -> ResponseReturnValue:
    """Take a role away; the box gets a new pair among those who stay."""

    def act(session: Session) -> None:
        now, today = clock().now(), clock().today()
        succession.take_away(session, guard.actor(), printable(assignment_id), now, today)

    return _act(act, "taken")


@blueprint.post("/boxes/<box_id>/hand-over")
@guard.desk(*HOLDING_ROLES)
def hand_over(box_id: str) -> ResponseReturnValue:
    """Give a colleague every key of the box that this session holds (`staff`)."""
    return _act(
        lambda session: succession.hand_over(
            session, guard.actor(), printable(box_id), _typed("staff"), clock().now()
        ),
        "handed",
    )


@blueprint.post("/boxes/<box_id>/rotate")
@guard.desk(Role.OFFICE, *HOLDING_ROLES)
def rotate(box_id: str) -> ResponseReturnValue:
    """A new pair among those who hold the present one."""
    return _act(
        lambda session: succession.rotate(
            session, guard.actor(), printable(box_id), clock().now(), clock().today()
        ),
        "rotated",
    )


@blueprint.post("/boxes/<box_id>/begin")
@guard.desk(*HOLDING_ROLES)
def begin(box_id: str) -> ResponseReturnValue:
    """The first pair of a box that was made after its keepers enrolled."""

    def act(session: Session) -> None:
        box = session.get(Box, printable(box_id))
        if box is None:
            raise Conflict(N_("没有这个意见箱。"))
        rights.require_box(guard.actor(), box)
        if not succession.first_key(session, box.unit_id, clock().today()):
            raise Conflict(N_("这个意见箱已经有过钥匙，请由拿着钥匙的同事交给您。"))
        audit.record(session, clock().now(), guard.current().staff_id, "first_key", box.id)

    return _act(act, "begun")


@blueprint.post("/boxes/<box_id>/back-up")
@guard.desk(*HOLDING_ROLES)
def back_up(box_id: str) -> ResponseReturnValue:
    """Seal the box's keys to the recovery keys that cover it."""
    return _act(
        lambda session: succession.back_up(
            session, guard.actor(), printable(box_id), clock().now()
        ),
        "sealed",
    )


def _act(act: Callable[[Session], None], done: str) -> ResponseReturnValue:
    try:
        with transaction() as session:
            act(session)
    except Conflict as error:
        return _page(sentence(error)), 409
    return _back(done)


def _back(done: str) -> ResponseReturnValue:
    # Whoever just left their own role has no page here any more.
    return redirect(url_for("roster.staff", done=done, unit=_typed("back") or None), 303)


def _typed(name: str) -> str:
    return printable(request.form.get(name, ""))[:200]


def _page(problem: str = "") -> str:
    slug = printable(request.args.get("unit", "") or _typed("back"))
    actor = guard.actor()
    with reading() as session:
        if slug and not actor.is_office and slug not in _own_slugs(session, actor):
            raise Forbidden(N_("这个单位不在您的职责之内。"))
        found = roster.roster(
            session,
            actor,
            clock().now(),
            slug=slug,
            after=printable(request.args.get("after", "")),
        )
        own = _own_slugs(session, actor)
    next_url = url_for("roster.staff", after=found.next, unit=slug or None)
    return render_template(
        "staff/roster.html",
        groups=found.groups,
        next_url=next_url if found.next else None,
        slug=slug,
        me=actor.staff_id,
        office=actor.is_office,
        own=own,
        roles=[role.value for role in Role] if actor.is_office else _own_roles(actor),
        typed={name: _typed(name) for name in ("username", "role", "unit")},
        fingerprint=recovery.fingerprint,
        problem=problem,
        done=gettext(DONE[done]) if (done := request.args.get("done", "")) in DONE else "",
    )


def _own_slugs(session: Session, actor: rights.Actor) -> dict[str, str]:
    units = sa.select(Unit.slug, Unit.name).where(Unit.id.in_(actor.held_units()))
    return {slug: name for slug, name in session.execute(units.order_by(Unit.name))}  # noqa: C416


def _own_roles(actor: rights.Actor) -> list[str]:
    return sorted({role.value for role, _ in actor.roles if role in HOLDING_ROLES})
