"""The figures of a campaign: for each required action done over due, and how many branches met it.

Counts of work, so they are exact; of single members they tell nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.campaigns import progress
from app.campaigns.models import ActionKind, Campaign
from app.campaigns.progress import Measured


@dataclass(frozen=True)
class ActionFigure:
    """An action over all branches: `done` never counts beyond what was due at a branch."""

    kind: ActionKind
    stage_name: str
    done: int
    due: int
    branches: int
    met: int
    unstated: int


def of(
    session: Session, campaign: Campaign, unit_ids: list[str], measured: Measured
) -> tuple[ActionFigure, ...]:
    """The figures over these branches; five queries for each five hundred."""
    actions = progress.required(session, campaign.id)
    sums = {action.id: [0, 0, 0, 0] for action in actions}
    for some in progress.batches(unit_ids):
        for lines in progress.standings(session, actions, some, measured).values():
            for line in lines:
                sums[line.action.id][0] += min(line.done, line.due or 0)
                sums[line.action.id][1] += line.due or 0
                sums[line.action.id][2] += line.met
                sums[line.action.id][3] += line.due is None
    return tuple(
        ActionFigure(a.kind, a.stage_name, done, due, len(unit_ids), met, unstated)
        for a in actions
        for done, due, met, unstated in [sums[a.id]]
    )
