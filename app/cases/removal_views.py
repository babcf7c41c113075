"""The county office's page for lawful removals: asked for by one person, carried out by another."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.cases import removal
from app.cases.models import RemovalGround
from app.db import reading, transaction, truncate_journal
from app.errors import N_, Conflict, DomainError, Invalid, NotFound
from app.i18n import sentence
from app.staff import audit, guard
from app.staff.models import Role
from app.text import clean
from app.web import clock, config

blueprint = Blueprint("removals", __name__, url_prefix="/desk/removals")


@blueprint.get("")
@guard.desk(Role.OFFICE)
def index() -> str:
    """What was asked for, and what was removed."""
    return _page()


def _page(alert: str | None = None) -> str:
    with reading() as session:
        rows = removal.removals(session, guard.current().staff_id)
    return render_template(
        "cases/removals.html",
        rows=rows,
        grounds_list=list(RemovalGround),
        alert=alert,
        typed=clean(request.form.get("case", ""), field="case", at_most=64),
    )


@blueprint.post("")
@guard.desk(Role.OFFICE)
def ask() -> ResponseReturnValue:
    """Ask for a removal by the number of the case and a ground of the list."""
    try:
        case_id = clean(request.form.get("case", ""), field="case", at_most=64).strip()
        try:
            ground = RemovalGround(request.form.get("ground", ""))
        except ValueError:
            raise Invalid(N_("还没有选依据，什么都没有改变。移除总要有法律上的依据。")) from None
        with transaction() as session:
            staff_id = guard.current().staff_id
            removal.ask(session, staff_id, case_id, ground, clock().today())
            audit.record(session, clock().now(), staff_id, "ask_removal", case_id, ground)
    except (Invalid, NotFound) as error:
        return _page(sentence(error)), 422
    except Conflict as error:
        return _page(sentence(error)), 409
    return redirect(url_for("removals.index"), 303)


@blueprint.post("/<case_id>/cancel")
@guard.desk(Role.OFFICE)
def cancel(case_id: str) -> ResponseReturnValue:
    """Take back what nobody has carried out."""
    with transaction() as session:
        removal.cancel(session, case_id)
        audit.record(session, clock().now(), guard.current().staff_id, "cancel_removal", case_id)
    return redirect(url_for("removals.index"), 303)


@blueprint.post("/<case_id>/remove")
@guard.desk(Role.OFFICE)
def remove(case_id: str) -> ResponseReturnValue:
    """The second person: the words are destroyed, the leaf tells it."""
    try:
        with transaction() as session:
            staff_id = guard.current().staff_id
            secret = config().secrets.instance_secret
            removal.remove(session, staff_id, case_id, clock().today(), secret)
            audit.record(session, clock().now(), staff_id, "remove", case_id)
    except DomainError as error:
        return _page(sentence(error)), 409 if isinstance(error, Conflict) else 403
    truncate_journal()
    return redirect(url_for("removals.index"), 303)
