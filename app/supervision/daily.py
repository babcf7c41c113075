"""What is done once a day, at its hours: the count that the board is sorted by, and the steps."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import db
from app.campaigns import progress
from app.campaigns import service as campaigns
from app.clock import is_working_day
from app.supervision import measure
from app.supervision.models import DailyRun

# From the hour of the digest on, and not after this one: nobody is chased in the evening.
LAST_HOUR = 18


def office_hours(local: dt.datetime, first_hour: int) -> bool:
    """Whether messages about what is overdue may go out: on working days, at the office's hours."""
    return is_working_day(local.date()) and first_hour <= local.hour < LAST_HOUR


def is_done(session: Session, job: str, today: dt.date) -> bool:
    """Whether a job ran today already."""
    row = session.get(DailyRun, job)
    return row is not None and row.ran_on >= today


def claim(session: Session, job: str, today: dt.date) -> bool:
    """Take a job of today for this transaction; False where another worker has it or had it."""
    first = db.insert(session, DailyRun).values(job=job, ran_on=dt.date.min)
    session.execute(first.on_conflict_do_nothing(index_elements=[DailyRun.job]))
    query = sa.select(DailyRun).where(DailyRun.job == job).with_for_update()
    row = session.scalars(query.execution_options(populate_existing=True)).one()
    if row.ran_on >= today:
        return False
    row.ran_on = today
    session.flush()
    return True


def campaigns_to_count(session: Session) -> list[tuple[str, list[str]]]:
    """The running campaigns, each with some of the branches at a time."""
    found = campaigns.running(session)
    branches = progress.branches(session) if found else []
    return [(campaign.id, list(some)) for campaign in found for some in progress.batches(branches)]


def count(session: Session, campaign_id: str, branches: list[str], today: dt.date) -> None:
    """Count some branches of a campaign anew."""
    campaign = campaigns.get(session, campaign_id)
    measured = measure.measured(session, campaign, branches)
    progress.recount(session, campaign, branches, measured, today)
