"""The urn at the desk: closed, opened and counted, counted anew, by the scrutineers."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from app.db import reading, transaction, truncate_journal
from app.errors import Conflict, Forbidden
from app.evaluations import reach, urn
from app.evaluations.counting import Outcome
from app.evaluations.desk_views import WHO, note, refused, to, version
from app.evaluations.urn import Hands
from app.staff import guard
from app.web import clock

blueprint = Blueprint("urns", __name__, url_prefix="/desk/rounds")


def hands() -> Hands:
    """The person at the desk with their unlocked personal key."""
    own = guard.own_session()
    if own is None:
        raise RuntimeError("hands() outside a view that @desk guards")
    return Hands(own.staff_id, own.keys.personal_key_id, own.keys.private_key)


@blueprint.post("/<round_id>/close")
@guard.desk(*WHO)
def close(round_id: str) -> ResponseReturnValue:
    """End the voting; the other scrutineers may open the urn from here on."""
    try:
        with transaction() as session:
            held = reach.get_locked(session, guard.actor(), round_id, version())
            urn.close(session, hands(), held, clock().today())
            note(session, "close_round", round_id)
    except (Conflict, Forbidden) as error:
        return refused(round_id, error)
    return to(round_id)


@blueprint.post("/<round_id>/count")
@guard.desk(*WHO)
def count(round_id: str) -> ResponseReturnValue:
    """Open the urn in this session and count. What was in it is read before anything is locked."""
    try:
        with reading(snapshot=True) as session:
            held = reach.get(session, guard.actor(), round_id, version())
            opened = urn.open_urn(session, hands(), held)
        with transaction() as session:
            held = reach.get_locked(session, guard.actor(), round_id, version())
            outcome = urn.count(session, hands(), held, opened, clock().today())
            note(session, "count_round", round_id, outcome)
    except (Conflict, Forbidden) as error:
        return refused(round_id, error)
    truncate_journal()
    return to(round_id, "counted" if outcome is Outcome.VALID else "")


@blueprint.post("/<round_id>/confirm")
@guard.desk(*WHO)
def confirm(round_id: str) -> ResponseReturnValue:
    """Count anew, as a second person."""
    try:
        with transaction() as session:
            held = reach.get_locked(session, guard.actor(), round_id, version())
            agrees = urn.confirm(session, hands(), held, clock().today())
            note(session, "confirm_round", round_id, "" if agrees else "altered")
    except (Conflict, Forbidden) as error:
        return refused(round_id, error)
    return to(round_id, "confirmed" if agrees else "")
