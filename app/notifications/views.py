"""Subscribing to bulletins, for everybody; channels and dead letters, for the desk."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import StringField

from app.db import reading, transaction
from app.errors import DomainError, Invalid, NotFound
from app.i18n import moment, sentence
from app.notifications import outbox, service
from app.notifications.models import ChannelKind, Subscription
from app.notifications.outbox import Message
from app.organisation import service as organisation
from app.sealing import service as sealing
from app.staff import audit, guard, tokens
from app.staff.models import Role
from app.submissions.forms import STALE_PAGE, PublicForm
from app.submissions.ticket import new_ticket, write_ticket
from app.text import clean, printable
from app.web import clock, config, limit

public = Blueprint("subscriptions", __name__)
desk = Blueprint("notifications", __name__, url_prefix="/desk/outbox")

CONFIRM, UNSUBSCRIBE = "confirm subscription", "unsubscribe"
# A link to unsubscribe stands in old mails: it works as long as anybody could still have one.
FOREVER = dt.timedelta(days=3650)
OFFICES = (Role.OFFICE, Role.OPERATOR)
WHO = (Role.KEEPER, Role.SUPERVISOR, Role.OFFICE, Role.OPERATOR)


class SubscribeForm(PublicForm):
    """One address."""

    address = StringField()


def _token(purpose: str, subscription_id: str, lifetime: dt.timedelta) -> str:
    until = clock().now() + lifetime
    secret = config().secrets.instance_secret
    return tokens.sign(secret, purpose, {"subscription": subscription_id}, until)


def _subscription(purpose: str, token: str) -> str:
    values = tokens.read(config().secrets.instance_secret, purpose, token, clock().now())
    if values is None:
        raise NotFound(service.LINK_GONE)
    return values["subscription"]


def unsubscribe_link(subscription_id: str) -> str:
    """The address that ends a subscription with one click (RFC 8058)."""
    token = _token(UNSUBSCRIBE, subscription_id, FOREVER)
    # Not in the language of whoever published, but in the site's own.
    return config().public_url + url_for(
        "subscriptions.unsubscribe", token=token, lang=None, view=None
    )


# --- for everybody --------------------------------------------------------------------------------


@public.route("/subscribe", methods=["GET", "POST"])
def subscribe() -> ResponseReturnValue:
    """Ask for bulletins by e-mail; the answer never tells who subscribed."""
    if request.method != "POST":
        return _subscribe_page()
    limit("act")
    form = SubscribeForm()
    address = printable(form.address.data or "")[:254]
    try:
        ticket = form.check()
        if ticket is None or ticket.place != "subscribe":
            raise Invalid(STALE_PAGE)
        with transaction() as session:
            secret, today = config().secrets.instance_secret, clock().today()
            _put_question(session, service.subscribe(session, secret, address, today))
    except DomainError as error:
        return _subscribe_page(sentence(error), address), 422
    return render_template("notifications/subscribed.html", step="asked")


def _put_question(session: Session, found: Subscription | None) -> None:
    if found is None:
        return
    lifetime = dt.timedelta(days=service.UNCONFIRMED_DAYS)
    link = config().public_url + url_for(
        "subscriptions.confirm", token=_token(CONFIRM, found.id, lifetime)
    )
    key = f"confirm {found.id} {clock().today().isoformat()}"  # once a day, however often asked
    values = {"county": config().county_name, "link": link}
    outbox.put(session, clock().now(), [Message(key, "confirm", values, subscription_id=found.id)])


def _subscribe_page(alert: str | None = None, address: str = "") -> str:
    with reading() as session:
        key = sealing.opening_key(session)
    ticket = new_ticket("subscribe", key.id, clock().now())
    return render_template(
        "notifications/subscribe.html",
        alert=alert,
        address=address,
        possible=config().mail is not None and bool(config().public_url),
        ticket=write_ticket(ticket, config().secrets.instance_secret),
    )


@public.route("/subscribe/<token>", methods=["GET", "POST"])
def confirm(token: str) -> ResponseReturnValue:
    """The link of the mail: a page with one button, so that a mail scanner confirms nothing."""
    subscription_id = _subscription(CONFIRM, token)
    if request.method != "POST":
        return render_template("notifications/subscribed.html", step="confirm", token=token)
    with transaction() as session:
        if not service.confirm(session, subscription_id, clock().today()):
            raise NotFound(service.LINK_GONE)
    return render_template("notifications/subscribed.html", step="confirmed")


@public.route("/unsubscribe/<token>", methods=["GET", "POST"])
def unsubscribe(token: str) -> ResponseReturnValue:
    """End a subscription: by the button, or at once by a mail programme's POST (RFC 8058)."""
    subscription_id = _subscription(UNSUBSCRIBE, token)
    if request.method != "POST":
        return render_template("notifications/subscribed.html", step="leave", token=token)
    with transaction() as session:
        service.unsubscribe(session, subscription_id)
    return render_template("notifications/subscribed.html", step="left")


# --- for the desk ---------------------------------------------------------------------------------


def _own_units() -> list[str]:
    return sorted({unit_id for _, unit_id in guard.current().roles if unit_id})


@desk.get("")
@guard.desk(*WHO)
def index() -> str:
    """The channels of one's own units; for the office, what could not be delivered."""
    return _page()


def _page(alert: str | None = None) -> str:
    units = _own_units()
    with reading() as session:
        names = organisation.names(session, units)
        return render_template(
            "notifications/outbox.html",
            channels=service.channels(session, units),
            units=sorted(names.items(), key=lambda pair: pair[1]),
            names=names,
            kinds=list(ChannelKind),
            dead=service.dead_letters(session) if guard.current().has(*OFFICES) else None,
            waiting=service.waiting_count(session),
            alert=alert,
            typed={name: printable(value) for name, value in request.form.items()},
            has_mail=config().mail is not None,
            hour=config().digest_hour,
            at=moment,
        )


@desk.post("/channels")
@guard.desk(*WHO)
def add() -> ResponseReturnValue:
    """Add a channel."""
    try:
        unit_id = request.form.get("unit", "")
        if unit_id not in _own_units() or request.form.get("kind") not in list(ChannelKind):
            raise Invalid(service.NOT_CHOSEN)
        with transaction() as session:
            channel = service.add_channel(
                session,
                config().secrets.instance_secret,
                unit_id=unit_id,
                kind=ChannelKind(request.form["kind"]),
                name=_field("name", service.MAX_NAME),
                target=_field("target", service.MAX_TARGET),
                secret=_field("secret", 200),
                allow_plain=config().allow_private_targets,
            )
            _audit(session, "add_channel", channel.id)
    except Invalid as error:
        return _page(sentence(error)), 422
    return _back()


def _field(name: str, at_most: int) -> str:
    return clean(request.form.get(name, ""), field=name, at_most=at_most)


def _audit(session: Session, action: str, subject: str) -> None:
    audit.record(session, clock().now(), guard.current().staff_id, action, subject)


def _back() -> ResponseReturnValue:
    return redirect(url_for("notifications.index"), 303)


@desk.post("/channels/<channel_id>/test")
@guard.desk(*WHO)
def test(channel_id: str) -> ResponseReturnValue:
    """Queue a test message; the worker sends it within a minute."""
    with transaction() as session:
        channel = service.channel_of(session, _own_units(), channel_id)
        service.put_test(session, channel, clock().now())
        _audit(session, "test_channel", channel_id)
    return _back()


@desk.post("/channels/<channel_id>/delete")
@guard.desk(*WHO)
def delete(channel_id: str) -> ResponseReturnValue:
    """Forget a channel."""
    with transaction() as session:
        service.delete_channel(session, _own_units(), channel_id)
        _audit(session, "delete_channel", channel_id)
    return _back()


@desk.post("/letters/<row_id>/<any(again,drop):step>")
@guard.desk(*OFFICES)
def letter(row_id: str, step: str) -> ResponseReturnValue:
    """Send a dead letter once more, or give it up."""
    with transaction() as session:
        if step == "again":
            outbox.again(session, row_id, clock().now())
        else:
            outbox.drop(session, row_id)
        _audit(session, f"letter_{step}", row_id)
    return _back()


@desk.post("/letters/again")
@guard.desk(*OFFICES)
def letters() -> ResponseReturnValue:
    """Send all dead letters once more, after what kept them has been mended."""
    with transaction() as session:
        outbox.all_again(session, clock().now())
        _audit(session, "letters_again", "outbox")
    return _back()
