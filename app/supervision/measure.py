"""What the system itself counted towards a campaign's actions: nobody types it a second time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.appraisals.models import Appraisal, Occasion
from app.bulletins.models import Bulletin, BulletinState
from app.campaigns.models import ActionKind, Campaign, CampaignState
from app.cases.models import CaseTally
from app.organisation.models import Box

# What a branch says for itself; a bulletin counts by being published here.
BY_HAND = tuple(kind for kind in ActionKind if kind is not ActionKind.BULLETIN)


def span(campaign: Campaign) -> tuple[dt.date, dt.date]:
    """The days that count: what comes late still counts while the campaign runs."""
    ends = campaign.ends_on if campaign.state is CampaignState.CLOSED else dt.date.max
    return campaign.starts_on, ends


def measured(
    session: Session, campaign: Campaign, unit_ids: Iterable[str]
) -> dict[tuple[ActionKind, str], int]:
    """What was opened, published, handed in, written and delivered, by kind and branch.

    Three queries. Of appraisals each member counts once, whatever it says.
    """
    units = list(unit_ids)
    first, last = span(campaign)
    heard = (
        sa.select(Box.unit_id, sa.func.sum(CaseTally.received))
        .join(CaseTally, CaseTally.box_id == Box.id)
        .where(Box.unit_id.in_(units), CaseTally.opened_on.between(first, last))
        .group_by(Box.unit_id)
    )
    told = (
        sa.select(Bulletin.unit_id, sa.func.count())
        .where(
            Bulletin.unit_id.in_(units),
            Bulletin.state == BulletinState.PUBLISHED,
            Bulletin.published_on.between(first, last),
        )
        .group_by(Bulletin.unit_id)
    )
    found = _appraised(session, units, first, last)
    for kind, query in ((ActionKind.OPINIONS, heard), (ActionKind.BULLETIN, told)):
        found |= {(kind, unit_id): int(number) for unit_id, number in session.execute(query)}
    return found


def _appraised(
    session: Session, units: list[str], first: dt.date, last: dt.date
) -> dict[tuple[ActionKind, str], int]:
    """Members who handed their self-appraisal in, were appraised, and were given the result."""
    days = {
        ActionKind.MATERIALS: Appraisal.handed_on,
        ActionKind.APPRAISAL: Appraisal.finished_on,
        ActionKind.FEEDBACK: Appraisal.delivered_on,
    }
    counts = [
        sa.func.count(sa.case((day.between(first, last), Appraisal.member_id)).distinct())
        for day in days.values()
    ]
    query = (
        sa.select(Box.unit_id, *counts)
        .join(Occasion, Occasion.box_id == Box.id)
        .join(Appraisal, Appraisal.occasion_id == Occasion.id)
        .where(Box.unit_id.in_(units))
        .group_by(Box.unit_id)
    )
    return {
        (kind, unit_id): number
        for unit_id, *numbers in session.execute(query)
        for kind, number in zip(days, numbers, strict=True)
        if number
    }
