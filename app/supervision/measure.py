"""What the system itself counted towards a campaign's actions: nobody types it a second time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bulletins.models import Bulletin, BulletinState
from app.campaigns.models import ActionKind, Campaign, CampaignState
from app.cases.models import Case
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
    """Opinions that were opened, bulletins that were published, by kind and branch; two queries."""
    units = list(unit_ids)
    first, last = span(campaign)
    heard = (
        sa.select(Box.unit_id, sa.func.count())
        .join(Case, Case.box_id == Box.id)
        .where(Box.unit_id.in_(units), Case.opened_on.between(first, last))
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
    found: dict[tuple[ActionKind, str], int] = {}
    for kind, query in ((ActionKind.OPINIONS, heard), (ActionKind.BULLETIN, told)):
        found |= {(kind, unit_id): number for unit_id, number in session.execute(query)}
    return found
