"""Ballots filled in on paper, keyed in by two people who both sign."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app import crypto
from app.db import reading, transaction
from app.errors import N_, Conflict, DomainError, Forbidden, Invalid
from app.evaluations import reach, voting
from app.evaluations.desk_views import WHO, note
from app.evaluations.models import Round
from app.evaluations.rounds import State
from app.evaluations.views import cast, find
from app.evaluations.voting import Standing
from app.i18n import gettext, sentence
from app.staff import guard, keepers, tokens
from app.staff import service as staff_service
from app.staff.rights import Actor
from app.text import printable
from app.web import STATUS, clock, config, keep_secret, limit

blueprint = Blueprint("papers", __name__, url_prefix="/desk/rounds")
_PURPOSE = "paper ballots"
_LASTS = dt.timedelta(minutes=45)
_STANDINGS = {
    Standing.UNKNOWN: N_("没有这张票签，或者已经用过了。这张纸票没有收进去。"),
    Standing.VOIDED: N_("这张票签已经作废。这张纸票没有收进去。"),
    Standing.EARLY: N_("这一轮还没有开始。这张纸票没有收进去。"),
    Standing.LATE: N_("这一轮评议已经截止。这张纸票没有收进去。"),
}


def _held(session: Session, round_id: str) -> Round:
    held = reach.get(session, guard.actor(), round_id)
    reach.require_lead(guard.actor(), held)
    if held.state is not State.OPEN:
        raise Conflict(N_("这一轮现在不收票，什么都没有存下。"))
    return held


@blueprint.get("/<round_id>/paper")
@guard.desk(*WHO)
def start(round_id: str) -> str:
    """The second person signs in beside the first; then ballots can be keyed in."""
    with reading() as session:
        _held(session, round_id)
    return _page(round_id)


def _page(round_id: str, alert: str = "", pair: str = "", notice: str = "") -> str:
    keep_secret()
    with reading() as session:
        sheet = voting.paper(session, round_id)
    refused = bool(alert)
    return render_template(
        "evaluations/paper.html",
        paper=sheet,
        pair=pair,
        alert=alert,
        notice=notice,
        typed={k: printable(v) for k, v in request.form.items()} if refused else {},
        most_comment=voting.MAX_COMMENT,
    )


@blueprint.post("/<round_id>/paper")
@guard.desk(*WHO)
def pair(round_id: str) -> ResponseReturnValue:
    """The second signature: name and password of a colleague who sits here too."""
    limit("sign-in")
    with reading() as session:
        _held(session, round_id)
    try:
        second = _second(round_id)
    except DomainError as error:
        return _page(round_id, sentence(error)), _status(error)
    own = guard.current().staff_id
    values = {"round": round_id, "first": own, "second": second}
    secret = config().secrets.instance_secret
    token = tokens.sign(secret, _PURPOSE, values, clock().now() + _LASTS)
    return _page(round_id, pair=token)


def _status(error: DomainError) -> int:
    return next(code for kind, code in STATUS.items() if isinstance(error, kind))


def _second(round_id: str) -> str:
    """The colleague's id; they may see the round and are somebody else. Raises DomainError."""
    name, password = request.form.get("username", ""), request.form.get("password", "")
    pepper = config().secrets.pepper
    with reading() as session:
        salt = staff_service.salt_for(session, name, pepper)
    master = crypto.stretch_password(password, pepper, salt)
    with transaction() as session:
        unlocked = staff_service.sign_in(
            session,
            username=name,
            master=master,
            now=clock().now(),
            instance_secret=config().secrets.instance_secret,
        )
        if not isinstance(unlocked, Invalid):
            second = unlocked.staff.id
            note(session, "pair_for_papers", round_id, second)
    if isinstance(unlocked, Invalid):
        raise unlocked  # after the commit: the failure counts
    with reading() as session:
        reach.get(session, Actor(second, keepers.roles_of(session, second)), round_id)
    if second == guard.current().staff_id:
        raise Forbidden(N_("要另一位同事来签，不能签自己的名字。什么都没有存下。"))
    return second


@blueprint.post("/<round_id>/paper/ballot")
@guard.desk(*WHO)
def ballot(round_id: str) -> ResponseReturnValue:
    """One ballot from paper; its slip is used up like any other. Nothing says which it was."""
    with reading() as session:  # before anything is shown, even the sheet's title
        reach.require_lead(guard.actor(), reach.get(session, guard.actor(), round_id))
    token = request.form.get("pair", "")
    signed = tokens.read(config().secrets.instance_secret, _PURPOSE, token, clock().now())
    own = (round_id, guard.current().staff_id)
    if signed is None or (signed["round"], signed["first"]) != own:
        return _page(round_id, gettext(N_("两个人的签名过了时间，请再签一次。这张票没有收。"))), 422
    try:
        with reading() as session:
            _held(session, round_id)
        _keyed(round_id)
    except DomainError as error:
        return _page(round_id, sentence(error), token), _status(error)
    notice = gettext(N_("收进去了。请把这张纸票放进已录的一摞，再录下一张。"))
    return _page(round_id, pair=token, notice=notice)


def _keyed(round_id: str) -> None:
    try:
        code = crypto.parse_code(request.form.get("slip", ""))
    except crypto.MistypedCodeError:
        raise Invalid(N_("票签号码好像有一位不对，请对着再看一遍。这张纸票没有收进去。")) from None
    standing, ticket = find(code)
    if standing is not Standing.GOOD or ticket is None:
        raise Conflict(_STANDINGS[standing])
    if ticket.round_id != round_id:
        raise Conflict(N_("这张票签是另一轮评议的。这张纸票没有收进去。"))
    cast(ticket, request.form, paper=True)
