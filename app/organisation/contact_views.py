"""Contact points at the desk: which leader answers for which branch, and where they are told."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.db import reading, transaction
from app.errors import N_, DomainError, Invalid
from app.i18n import sentence
from app.notifications import leaders
from app.notifications import service as notifications
from app.organisation import contacts, service, tree
from app.organisation.models import Leader
from app.staff import audit, guard
from app.staff.models import Role
from app.text import clean, printable
from app.web import STATUS, clock, config

blueprint = Blueprint("contacts", __name__, url_prefix="/desk/contacts")


@blueprint.get("")
@guard.desk(Role.OFFICE)
def index() -> str:
    """The leaders with their branches."""
    return _page()


def _page(alert: str | None = None) -> str:
    with reading() as session:
        return render_template(
            "organisation/contacts.html",
            contacts=contacts.all_of(session),
            told=leaders.told(session),
            has_mail=config().mail is not None,
            alert=alert,
            typed={name: printable(value) for name, value in request.form.items()},
            limit=contacts.MAX_NAME,
        )


def _field(name: str, at_most: int) -> str:
    return clean(request.form.get(name, ""), field=name, at_most=at_most).strip()


def _audit(session: Session, action: str, subject: str) -> None:
    audit.record(session, clock().now(), guard.current().staff_id, action, subject)


@blueprint.post("")
@guard.desk(Role.OFFICE)
def assign() -> ResponseReturnValue:
    """Let a leader answer for a branch; keep an address where they are told what is overdue."""
    try:
        with transaction() as session:
            name, post = _field("name", contacts.MAX_NAME), _field("post", contacts.MAX_NAME)
            leader = contacts.named(session, name, post)
            found = service.named(session, _field("branch", 120))
            if found is None:
                raise Invalid(N_("没有找到这个支部，没有存下。请写全称或短名。"), field="branch")
            contacts.assign(session, tree.unit(session, found.slug), leader)
            if address := _field("email", notifications.MAX_TARGET):
                tell(session, leader, address)
            _audit(session, "contact_point", leader.id)
    except DomainError as error:
        status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
        return _page(sentence(error)), status
    return redirect(url_for(".index"), 303)


def tell(session: Session, leader: Leader, address: str) -> None:
    """Keep where a leader is told; another address takes the place of the former."""
    leaders.set_address(
        session,
        config().secrets.instance_secret,
        leader_id=leader.id,
        county_id=service.county(session).id,
        name=leader.name,
        address=address,
    )


@blueprint.post("/branches/<slug>/release")
@guard.desk(Role.OFFICE)
def release(slug: str) -> ResponseReturnValue:
    """Nobody answers for a branch any more."""
    with transaction() as session:
        unit = tree.unit(session, slug)
        contacts.release(session, unit)
        _audit(session, "release_contact_point", unit.id)
    return redirect(url_for(".index"), 303)


@blueprint.post("/<leader_id>/delete")
@guard.desk(Role.OFFICE)
def delete(leader_id: str) -> ResponseReturnValue:
    """Forget a leader and their address."""
    with transaction() as session:
        contacts.remove(session, contacts.leader(session, leader_id))
        _audit(session, "delete_leader", leader_id)
    return redirect(url_for(".index"), 303)
