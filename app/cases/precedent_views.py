"""The list of precedents, for the supervision groups and the office."""

from __future__ import annotations

from flask import Blueprint, render_template

from app.cases import precedents
from app.db import reading
from app.staff import guard
from app.staff.models import Role

blueprint = Blueprint("precedents", __name__, url_prefix="/desk/precedents")


@blueprint.get("")
@guard.desk(Role.SUPERVISOR, Role.OFFICE)
def index() -> str:
    """How appeals and "I was blamed" were decided so far, by ground and outcome."""
    with reading() as session:
        return render_template("cases/precedents.html", lines=precedents.by_ground(session))
