"""What the worker does when it is due: each job in transactions of its own, safe to run twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from app import db
from app.appraisals import retention
from app.cases import opening
from app.clock import Clock
from app.notifications import channels, digest, letters, outbox
from app.notifications import service as notifications
from app.notifications.channels import DeliveryError, Parcel, Post
from app.sealing import service as sealing
from app.staff import audit, second_factor, sessions, succession
from app.supervision import daily, escalation
from app.transparency import tree
from config import Config

MOST_AT_ONCE = 500
# Then the other jobs have their turn: receivers that are slow must not hold up an opening.
TURN = dt.timedelta(seconds=30)


def run_opening(config: Config, clock: Clock, *, now: bool = False) -> opening.Opened | None:
    """One opening in one transaction; afterwards no deleted text is left in the journal."""
    with db.transaction() as session:
        opened = opening.open_boxes(session, config, clock.local(), now=now)
    if opened is not None:
        db.truncate_journal()
    return opened


def run_log(config: Config, clock: Clock) -> tree.Head:
    """One run of the public log, in a transaction of its own."""
    with db.transaction() as session:
        return tree.run(session, config.secrets.log_seed, config.origin, clock.today())


def run_due_log(config: Config, clock: Clock, opened: opening.Opened | None) -> None:
    """The log's run after the day's opening; made up for when it was killed before it ended."""
    today = clock.today()
    with db.reading() as session:
        head = tree.newest_head(session)
        open_today = sealing.opening_key(session).made_on >= today
    if opened is not None or (open_today and (head is None or head.made_on < today)):
        run_log(config, clock)


def close_lapsed_desks(clock: Clock) -> None:
    """Desks that have lapsed leave the table: no clock that is set back opens them again."""
    now = clock.now()
    with db.reading() as session:
        lapsed = sessions.any_expired(session, now)
    if lapsed:
        with db.transaction() as session:
            sessions.purge_expired(session, now)


def rotate_keys(clock: Clock) -> int:
    """A new pair for the boxes whose pair is a year old; returns how many got one."""
    today = clock.today()
    with db.reading() as session:
        due = succession.due(session, today)
    rotated = 0
    for box_id in due:  # each in a transaction of its own: a thousand boxes must not hold up a drop
        with db.transaction() as session:
            rotated += succession.rotate_yearly(session, box_id, clock.now(), today)
    return rotated


def settle_appraisals(clock: Clock) -> int:
    """Links of members who left die, words past their time are destroyed; how many were settled."""
    today = clock.today()
    with db.reading() as session:
        due = retention.due(session, today)
    for appraisal_id in due:
        with db.transaction() as session:
            retention.settle(session, appraisal_id, today)
    if due:
        db.truncate_journal()
    return len(due)


def put_digests(config: Config, clock: Clock) -> None:
    """The day's digest to every channel, from its hour on; once a day whatever happens."""
    local = clock.local()
    if local.hour < config.digest_hour:
        return
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    with db.reading() as session:
        if outbox.was_put(session, "digest", midnight):
            return
    link = f"{config.public_url}/desk/queue" if config.public_url else "/desk/queue"
    with db.transaction() as session:
        waiting = partial(digest.waiting_of, session, today=local.date())
        notifications.put_digests(session, clock.now(), local.date(), link, waiting)
        notifications.forget_unconfirmed(session, local.date())
        outbox.purge(session, clock.now())


def count_campaigns(clock: Clock) -> None:
    """Once a day, count anew what the board is sorted by: the roll and the calendar moved on."""
    today = clock.today()
    with db.reading() as session:
        if daily.is_done(session, "count", today):
            return
        parts = daily.campaigns_to_count(session)
    for campaign_id, branches in parts:  # each in a transaction of its own, as above
        with db.transaction() as session:
            daily.count(session, campaign_id, branches, today)
    with db.transaction() as session:
        daily.claim(session, "count", today)


def chase_overdue(config: Config, clock: Clock) -> None:
    """Once on each working day, in office hours: tell of what is overdue, one step further."""
    local = clock.local()
    if not daily.office_hours(local, config.digest_hour):
        return

    def take(session: Session) -> None:
        link = f"{config.public_url}/desk/board"
        escalation.take(session, clock.now(), local.date(), link)

    _once("overdue", local.date(), take)


def _once(job: str, today: dt.date, do: Callable[[Session], None]) -> None:
    """A job of the day in one transaction with the mark that it was done."""
    with db.reading() as session:
        if daily.is_done(session, job, today):
            return
    with db.transaction() as session:
        if daily.claim(session, job, today):
            do(session)


def deliver(config: Config, clock: Clock, stopping: Callable[[], bool] = lambda: False) -> int:
    """Send what is due, for one turn at most; returns how many arrived.

    A message is claimed, sent outside any transaction, and marked. Killed in between, it is sent
    again once its lease has passed, under the same id. While the mail server is away one letter a
    turn asks for it, the others wait without using up their tries.
    """
    in_hours = daily.office_hours(clock.local(), config.digest_hour)
    held = () if in_hours else tuple(escalation.KINDS.values())
    arrived, mail, end = 0, True, clock.now() + TURN
    for _ in range(MOST_AT_ONCE):
        with db.transaction() as session:
            found = notifications.next_addressed(
                session, config.secrets.instance_secret, clock.now(), mail=mail, held=held
            )
        if found is None:
            break
        error = _deliver_one(config, clock, found)
        arrived += error is None
        mail = mail and not (error and error.away)
        if clock.now() >= end or stopping():
            break
    return arrived


def _deliver_one(
    config: Config, clock: Clock, found: notifications.Addressed
) -> DeliveryError | None:
    error = _tried(config, clock, found)
    with db.transaction() as session:
        if error is None:
            outbox.sent(session, found.row_id)
        else:
            outbox.failed(session, found.row_id, error.reason, clock.now(), final=error.final)
    return error


def _tried(config: Config, clock: Clock, found: notifications.Addressed) -> DeliveryError | None:
    try:
        subject, text = letters.written(found.kind, found.values)
    except KeyError:
        return DeliveryError("unknown_kind", final=True)
    parcel = Parcel(found.key, subject, text, str(found.values.get("unsubscribe", "")))
    post = Post(config.mail, clock.now(), config.allow_private_targets)
    try:
        channels.deliver(post, found.channel, found.target, parcel)
    except DeliveryError as error:
        return error
    return None


def sweep(clock: Clock) -> None:
    """Once a day, forget what has lapsed at the desk's door: trusted devices, failed sign-ins."""

    def forget(session: Session) -> None:
        second_factor.purge_devices(session, clock.now())
        audit.purge_refused(session, clock.now())

    _once("sweep", clock.today(), forget)


def run_due(config: Config, clock: Clock, stopping: Callable[[], bool] = lambda: False) -> None:
    """Everything that is due now; once it is `stopping`, what has begun is finished, no more."""
    run_due_log(config, clock, run_opening(config, clock))
    jobs: tuple[Callable[[], object], ...] = (
        partial(close_lapsed_desks, clock),
        partial(rotate_keys, clock),
        partial(settle_appraisals, clock),
        partial(put_digests, config, clock),
        partial(count_campaigns, clock),
        partial(chase_overdue, config, clock),
        partial(sweep, clock),
        partial(deliver, config, clock, stopping),
    )
    for job in jobs:
        if stopping():
            return
        job()
