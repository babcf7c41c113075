"""A small county over a holiday, counted by hand: every figure of every place on every surface.

Opened on Monday 21 September 2026. Working days after it: 22 is the 1st, 23 the 2nd, 24 the 3rd; 25
to 27 is the Mid-Autumn holiday; 28 the 4th, 29, 30 the 6th; 1 to 7 October is the National holiday;
8 the 7th, 9 the 8th, Saturday 10 is worked and the 9th, 12 the 10th, 19 the 15th, 20 the 16th.
Looked at on 20 October.

Longtan received twelve:

    3 answered on 22 Sept.   1 day      in time
    2 answered on 28 Sept.   4 days     in time
    1 answered on  8 Oct.    7 days     in time
    1 answered on 10 Oct.    9 days     in time
    1 answered on 20 Oct.   16 days     late
    1 declined on 21 Sept.   0 days     in time (not ours)
    1 taken back             not valid
    2 still open            16 days     overdue

So valid 11; answered 8 of 11, 73 %; decided 9 and overdue 2 make 11, in time 8 of them, 73 %.
Waits in order: 0 1 1 1 4 4 7 9 16 16+ 16+; the 6th is 4, the 10th 16 and may yet grow.

Shiqiao received three, all answered on 8 October: 3 of 3, too few for a rate.

The county: received 15, valid 14, answered 11 of 14, 79 %; in time 11 of 14, 79 %. Waits in order:
0 1 1 1 4 4 7 7 7 7 9 16 16+ 16+; the 7th is 7, the 13th 16 and may yet grow.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re

import pytest

from app import db
from app.cases.models import DeclineReason
from app.submissions import service as submissions
from app.submissions.service import Receipt
from tests.cases.conftest import Scene
from tests.conftest import Hand
from tests.factories import BoxInHand, case_of, drop_ticket, opinion, pen_of
from tests.statistics.test_figures import calamine, decline

FIGURES = (
    "received", "valid", "answered_valid", "answered_percent", "declined", "withdrawn", "in_hand",
    "overdue", "on_time", "due", "on_time_percent", "median_days", "p90_days",
)  # fmt: skip
FEW = "n<10"
BY_HAND: dict[str, tuple[object, ...]] = {
    "longtan": (12, 11, 8, 73, 1, 1, 2, 2, 8, 11, 73, 4, "≥16"),
    "shiqiao": (3, 3, 3, FEW, 0, 0, 0, 0, 3, 3, FEW, FEW, FEW),
    "": (15, 14, 11, 79, 1, 1, 2, 2, 11, 14, 79, 7, "≥16"),
}


def at(hand: Hand, month: int, day: int) -> None:
    hand.now = dt.datetime(2026, month, day, 2, 0, tzinfo=dt.UTC)


def dropped(made: Scene, box: BoxInHand, number: int) -> list[Receipt]:
    with made.writing() as session:
        pen = pen_of(made.config, made.clock)
        return [
            submissions.drop(
                session, pen, drop_ticket(session, box, made.clock), opinion(box, f"第{n}件")
            )
            for n in range(number)
        ]


@pytest.fixture
def county(scene: Scene, hand: Hand) -> Scene:
    at(hand, 9, 21)
    here, there = dropped(scene, scene.here, 12), dropped(scene, scene.there, 3)
    scene.open_boxes()
    with scene.app.app_context(), db.reading() as session:
        mine = [case_of(session, receipt).id for receipt in here]
        theirs = [case_of(session, receipt).id for receipt in there]
    decline(scene, mine[8], DeclineReason.NOT_OURS)
    scene.withdraw(here[9])
    for month, day, cases in ((9, 22, mine[0:3]), (9, 28, mine[3:5]), (10, 8, mine[5:6])):
        at(hand, month, day)
        for case_id in cases:
            scene.answer(case_id)
    for case_id in theirs:
        scene.answer(case_id, box=scene.there)
    for month, day, case_id in ((10, 10, mine[6]), (10, 20, mine[7])):
        at(hand, month, day)
        scene.answer(case_id)
    return scene


def test_every_file_tells_what_was_counted_by_hand(county: Scene) -> None:
    client = county.app.test_client()
    for slug, counted in BY_HAND.items():
        query = {"unit": slug} if slug else {}
        answer = client.get("/figures.csv", query_string=query).get_data()
        rows = list(csv.reader(io.StringIO(answer.decode("utf-8-sig"))))
        line = dict(zip(rows[1], rows[2], strict=True))
        assert tuple(line[name] for name in FIGURES) == tuple(map(str, counted)), slug
        book = client.get("/figures.xlsx", query_string=query).get_data()
        head, whole = calamine(book).get_sheet_by_name("places").to_python()[:2]
        told = dict(zip(head, whole, strict=True))
        assert tuple(told[name] for name in FIGURES) == counted, slug
    unit = client.get("/figures.csv?unit=office").get_data().decode("utf-8-sig")
    names = {row[0]: row for row in csv.reader(io.StringIO(unit)) if row}
    assert names["longtan支部"][1:6] == ["12", "11", "8", "8", "73"]
    assert names["2026-09"][1:3] == ["15", "14"]


def test_the_page_tells_what_was_counted_by_hand(county: Scene) -> None:
    page = county.app.test_client().get("/figures?unit=longtan").get_data(as_text=True)
    shown = {
        name: re.sub(r"<[^>]*>|&nbsp;|\s", "", told)
        for name, told in re.findall(r'data-figure="([\w-]+)">(.*?)</td>', page)
    }
    assert (shown["received"], shown["valid"]) == ("12", "11")
    assert shown["answer-rate"] == "8÷11=73%"
    assert shown["on-time"] == "8÷11=73%"
    assert (shown["in-hand"], shown["median"], shown["p90"]) == (
        "2（逾期2）",
        "4个工作日",
        "至少16个工作日",
    )
    few = county.app.test_client().get("/figures?unit=shiqiao").get_data(as_text=True)
    assert few.count("样本不足") >= 4
    assert "100%" not in few
