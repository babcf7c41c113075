"""Offline recovery keys at the county office's desk: printed once, used in front of the log."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db import reading, transaction
from app.errors import N_, Conflict, Invalid
from app.i18n import gettext, sentence
from app.organisation.models import Unit
from app.staff import audit, guard, roster, succession
from app.staff import recovery as paper
from app.staff.models import Role
from app.text import printable
from app.web import STATUS, clock, keep_secret

blueprint = Blueprint("recovery", __name__, url_prefix="/desk/recovery")


@blueprint.get("")
@guard.desk(Role.OFFICE)
def recovery() -> str:
    """The recovery keys, and how one is made and used."""
    return _page()


@blueprint.post("/make")
@guard.desk(Role.OFFICE)
def make() -> ResponseReturnValue:
    """A new recovery key: its two sheets are on this page, once, and nowhere else."""
    try:
        with transaction() as session:
            unit_id = roster.find_unit(session, _typed("unit"))
            key, private_key = paper.make(session, unit_id, clock().today())
            unit = session.get(Unit, unit_id) if unit_id else None
            name, mark, made_on = unit.name if unit else "", paper.fingerprint(key), key.created_on
            audit.record(
                session, clock().now(), guard.current().staff_id, "make_recovery_key", key.id
            )
    except Invalid as error:
        return _page(sentence(error), "make"), 422
    keep_secret()
    halves = paper.split(private_key)
    return render_template(
        "staff/halves.html", halves=halves, unit_name=name, fingerprint=mark, made_on=made_on
    )


@blueprint.post("/use")
@guard.desk(Role.OFFICE)
def use() -> ResponseReturnValue:
    """Both halves typed in: a keeper gets what they open (`half_1`, `half_2`, `username`)."""
    halves = (request.form.get("half_1", ""), request.form.get("half_2", ""))
    try:
        with transaction() as session:
            keeper = roster.person(session, _typed("username"))
            count = succession.recover(session, guard.actor(), halves, keeper.id, clock().now())
    except (Invalid, Conflict) as error:
        status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
        return _page(sentence(error), "use", (error.field or "").removeprefix("half_")), status
    return redirect(url_for("recovery.recovery", done=count), 303)


def _typed(name: str) -> str:
    return printable(request.form.get(name, ""))[:200]


def _page(problem: str = "", place: str = "", half: str = "") -> str:
    with reading() as session:
        keys = roster.recovery_keys(session)
    if half in ("1", "2"):
        problem = (
            gettext(N_("第一格：")) + problem if half == "1" else gettext(N_("第二格：")) + problem
        )
    done = request.args.get("done", "")
    keep_secret()  # what was typed of the halves comes back with a refusal
    return render_template(
        "staff/recovery.html",
        keys=keys,
        problem=problem,
        place=place,
        typed={name: printable(value)[:1000] for name, value in request.form.items()},
        done=done if done.isascii() and done.isdigit() else "",
    )
