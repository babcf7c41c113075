"""What the system counts by itself: each member once, whatever an appraisal says."""

from __future__ import annotations

import datetime as dt

from app.appraisals.models import Appraisal, Channel, Occasion
from app.campaigns.models import ActionKind
from tests.campaigns.conftest import FIRST, STARTS, Drive

BEFORE = STARTS - dt.timedelta(days=1)


def test_appraisals_count_by_member_within_the_campaign(drive: Drive) -> None:
    with drive.writing() as session:
        occasions = [
            Occasion(box_id=drive.here.box_id, name=name, begun_on=FIRST) for name in ("一", "二")
        ]
        session.add_all(occasions)
        session.flush()
        first, second = (occasion.id for occasion in occasions)
        one, two = drive.member(session, "甲"), drive.member(session, "乙")
        session.add_all(
            [
                Appraisal(
                    occasion_id=first, member_id=one, handed_on=FIRST, handed_by=Channel.PAPER,
                    finished_on=FIRST, delivered_on=FIRST, delivered_by=Channel.PAPER,
                ),
                Appraisal(
                    occasion_id=second, member_id=one, handed_on=FIRST, handed_by=Channel.LINK,
                    finished_on=FIRST,
                ),
                Appraisal(
                    occasion_id=first, member_id=two, handed_on=BEFORE, handed_by=Channel.PAPER
                ),
            ]
        )  # fmt: skip
    for kind in (ActionKind.MATERIALS, ActionKind.APPRAISAL, ActionKind.FEEDBACK):
        line = drive.standing(kind)
        assert (line.done, line.measured, line.due) == (1, 1, 3), kind
    # What the branch noted of the same papers isn't added to what the system knows.
    drive.record(ActionKind.MATERIALS, 2)
    assert drive.standing(ActionKind.MATERIALS).done == 2
