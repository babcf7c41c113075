"""The figures: a small county counted by hand, denominators, suppression, files, agreement."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import re
import zipfile
from collections import Counter

import pytest
import sqlalchemy as sa
from python_calamine import CalamineWorkbook
from sqlalchemy import event

from app import db, suppression, worker
from app.campaigns.models import Campaign, CampaignState
from app.cases import service as cases
from app.cases.models import CaseEvent, DeclineReason
from app.cases.workflow import Move, State
from app.organisation.models import Unit
from app.statistics import service as statistics
from app.statistics.periods import Period, month_of
from app.statistics.tally import Cases, Rate, Tally, Workdays, measured
from app.submissions import service as submissions
from tests.cases.conftest import Scene
from tests.conftest import Hand
from tests.factories import BoxInHand, case_of, drop_ticket, make_box, opinion, pen_of


def opened(made: Scene, box: BoxInHand, number: int) -> list[str]:
    """So many opinions dropped and opened together: their cases."""
    receipts = []
    with made.writing() as session:
        for n in range(number):
            said = opinion(box, f"第{n}件")
            ticket = drop_ticket(session, box, made.clock)
            pen = pen_of(made.config, made.clock)
            receipts.append(submissions.drop(session, pen, ticket, said))
    made.open_boxes()
    with made.app.app_context(), db.reading() as session:
        return [case_of(session, receipt).id for receipt in receipts]


def told(made: Scene, slug: str = "", month: str = "") -> statistics.Figures:
    with made.app.app_context(), db.reading() as session:
        period = month_of(month) if month else None
        return statistics.figures(session, made.clock.today(), slug=slug, period=period)


def decline(made: Scene, case_id: str, reason: DeclineReason) -> None:
    with made.writing() as session:
        case = made.case(session, case_id)
        cases.decline(session, made.here.desk(), case, reason, "说明", made.clock.today())


@pytest.fixture
def county(scene: Scene, hand: Hand) -> Scene:
    """Monday 21 September 2026: twelve opinions here, three there. Here nine are answered after two
    working days, one is declined the same day, two stay open."""
    hand.now = dt.datetime(2026, 9, 21, 2, 0, tzinfo=dt.UTC)
    ids = opened(scene, scene.here, 12)
    opened(scene, scene.there, 3)
    decline(scene, ids[9], DeclineReason.NOT_OURS)
    hand.forward(days=2)
    for case_id in ids[:9]:
        scene.answer(case_id)
    return scene


def test_a_small_county_comes_to_what_was_counted_by_hand(county: Scene) -> None:
    whole = told(county).whole
    assert (whole.received, whole.valid, whole.answered, whole.declined) == (15, 15, 9, 1)
    assert (whole.in_hand, whole.overdue, dict(whole.reasons)) == (5, 0, {"not_ours": 1})
    assert whole.answer_rate == Rate(9, 15)
    assert whole.answer_rate.percent == 60
    assert whole.on_time_rate == Rate(10, 10)
    median = whole.quantile(50)
    # Sorted waits: 0, then fourteen times 2, five of them still open: it may yet get longer.
    assert median is not None
    assert (median.days, median.at_least) == (2, True)
    here = told(county, county.here.slug).whole
    assert (here.received, here.answer_rate) == (12, Rate(9, 12))
    there = told(county, county.there.slug).whole
    assert (there.received, there.answer_rate.percent, there.quantile(50)) == (3, None, None)


def test_a_month_has_what_was_opened_in_it(county: Scene) -> None:
    assert told(county, month="2026-09").whole.received == 15
    assert told(county, month="2026-10").whole.received == 0
    assert [(m, t.received) for m, t in told(county).months] == [("2026-09", 15)]
    client = county.app.test_client()
    for bad in ("2026-13", "x", "２０２６-09"):
        assert client.get("/figures", query_string={"month": bad}).status_code == 404
    assert client.get("/figures?unit=nowhere").status_code == 404


def test_any_span_of_days_has_what_was_opened_in_it_and_its_last_day_counts(county: Scene) -> None:
    monday = dt.date(2026, 9, 21)
    with county.app.app_context(), db.reading() as session:
        for first, last, received in (
            (monday, monday, 15),
            (monday - dt.timedelta(days=9), monday - dt.timedelta(days=1), 0),
            (monday + dt.timedelta(days=1), monday + dt.timedelta(days=9), 0),
        ):
            period = Period("c", "第一阶段", first, last)
            found = statistics.figures(session, county.clock.today(), period=period)
            assert found.whole.received == received


def test_every_place_adds_up_to_the_whole(county: Scene) -> None:
    figures = told(county)
    assert sum(line.tally.received for line in figures.below) == figures.whole.received
    unit = told(county, "office")
    assert [(line.slug, line.tally.received) for line in unit.below] == [
        (county.here.slug, 12),
        (county.there.slug, 3),
    ]


def test_published_figures_are_those_of_the_public_log(county: Scene) -> None:
    runner = county.app.test_cli_runner()
    with county.app.app_context():
        worker.run_log(county.config, county.clock)
    good = runner.invoke(args=["verify-log"])
    assert good.exit_code == 0, good.output
    with county.writing() as session:
        stray = session.scalars(sa.select(CaseEvent).where(CaseEvent.move == Move.APPROVE)).first()
        session.delete(stray)
    assert runner.invoke(args=["verify-log"]).exit_code == 1


def test_the_page_asks_as_often_however_many_branches_there_are(county: Scene) -> None:
    statements: list[str] = []
    engine = county.app.extensions["engine"]
    event.listen(engine, "before_cursor_execute", lambda *told: statements.append(told[2]))

    def asked() -> int:
        statements.clear()
        told(county)
        return len(statements)

    before = asked()
    with county.writing() as session:
        for n in range(30):
            make_box(session, f"zhibu-{n}", county.clock)
    assert asked() == before


def test_rates_of_fewer_than_ten_are_not_told() -> None:
    assert Rate(9, 9).percent is None
    assert Rate(5, 10).percent == 50
    assert Rate(0, 0).percent is None


def test_what_is_open_and_in_time_is_neither_late_nor_on_time() -> None:
    monday = dt.date(2026, 11, 2)
    days = Workdays(monday, dt.date(2026, 12, 31))
    found = Tally()
    alive = Cases("b", monday, State.ACCEPTED, "", None, None, 4)
    found.add(alive, measured(alive, dt.date(2026, 11, 20), days))  # 14 working days later
    assert (found.in_hand, found.due, found.overdue) == (4, 0, 0)
    late = Tally()
    late.add(alive, measured(alive, dt.date(2026, 11, 24), days))  # 16
    assert (late.in_hand, late.due, late.on_time, late.overdue) == (4, 4, 0, 4)


def test_the_clock_stands_still_while_the_speaker_is_asked() -> None:
    monday = dt.date(2026, 11, 2)
    days = Workdays(monday, dt.date(2026, 12, 31))
    end = dt.date(2026, 11, 26)  # 18 working days later
    asked = ((Move.ASK, dt.date(2026, 11, 4)), (Move.REPLY, dt.date(2026, 11, 11)))
    row = Cases("b", monday, State.ANSWERED, "", end, None, 1, asked)
    found = Tally()
    found.add(row, measured(row, end, days))
    assert found.on_time_rate == Rate(1, 1)  # five of them weren't the committee's
    other = Cases("b", monday, State.ANSWERED, "", end, None, 1)
    found.add(other, measured(other, end, days))
    assert found.on_time_rate == Rate(1, 2)


# --- suppression ----------------------------------------------------------------------------------


def rated(groups: tuple[tuple[int, int], ...], chosen: int | None) -> object:
    """What is told of units with (good, bad) ratings: of one of them, or of the county."""
    counts: Counter[tuple[str, str]] = Counter()
    units = [f"u{i}" for i in range(len(groups))]
    for unit, (good, bad) in zip(units, groups, strict=True):
        counts[unit, Move.RATE_CONTENT], counts[unit, Move.RATE_DISSATISFIED] = good, bad
    quarter = statistics._quarter(
        "2026Q3", counts, units, None if chosen is None else units[chosen]
    )
    return quarter.rated, quarter.figure, quarter.together


@pytest.mark.parametrize("sizes", [(12, 3, 2), (10, 9), (11, 0, 4), (20, 10), (3, 4)])
def test_nobody_can_reckon_a_units_ratings_from_everything_that_is_told(
    sizes: tuple[int, ...],
) -> None:
    """Over all count vectors: whatever is told of all units and the county together, every unit's
    number of satisfied people could be another one."""
    seen: dict[object, list[tuple[int, ...]]] = {}
    for goods in itertools.product(*(range(n + 1) for n in sizes)):
        groups = tuple((good, n - good) for good, n in zip(goods, sizes, strict=True))
        tells = tuple(rated(groups, chosen) for chosen in (None, *range(len(sizes))))
        seen.setdefault(repr(tells), []).append(goods)
    for vectors in seen.values():
        for unit, size in enumerate(sizes):
            assert size == 0 or len({goods[unit] for goods in vectors}) > 1


def test_a_silence_is_no_rating_and_a_running_quarter_is_not_told(
    county: Scene, hand: Hand
) -> None:
    assert told(county).rated == ()
    hand.forward(days=15)
    county.open_boxes()
    (quarter,) = told(county).rated
    assert (quarter.quarter, quarter.answers, quarter.rated) == ("2026Q3", 9, 0)
    assert quarter.figure.band is None
    page = county.app.test_client().get("/figures").get_data(as_text=True)
    assert "0 ÷ 9" in page
    assert "样本不足" in page


def test_a_branch_is_never_rated_by_itself() -> None:
    counts: Counter[tuple[str, str]] = Counter()
    counts["u", Move.RATE_CONTENT] = counts["box", Move.RATE_CONTENT] = 40
    found = statistics._quarter("2026Q3", counts, ["u"], "box")
    assert found.rated == 40
    assert found.figure == suppression.Figure(40)


# --- files ----------------------------------------------------------------------------------------


def test_a_csv_has_every_denominator_and_no_formula(county: Scene) -> None:
    with county.writing() as session:
        unit = session.scalars(sa.select(Unit).where(Unit.slug == county.there.slug)).one()
        unit.name = '=HYPERLINK("https://evil.example")'
    answer = county.app.test_client().get("/figures.csv?unit=office")
    assert answer.mimetype == "text/csv"
    rows = list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    head, whole = rows[1], rows[2]
    line = dict(zip(head, whole, strict=True))
    assert (line["valid"], line["answered_valid"], line["answered_percent"]) == ("15", "9", "60")
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def cells(content: bytes, sheet: str) -> list[list[object]]:
    """A sheet's cells, read by a library that didn't write them."""
    return [list(row) for row in calamine(content).get_sheet_by_name(sheet).to_python()]


def calamine(content: bytes) -> CalamineWorkbook:
    return CalamineWorkbook.from_filelike(io.BytesIO(content))


def test_an_xlsx_is_read_back_by_a_library_that_did_not_write_it(county: Scene) -> None:
    with county.writing() as session:
        unit = session.scalars(sa.select(Unit).where(Unit.slug == county.there.slug)).one()
        unit.name = "=1+1"
    content = county.app.test_client().get("/figures.xlsx?unit=office").get_data()
    rows = cells(content, "places")
    assert rows[0][1:5] == ["received", "valid", "answered", "answered_valid"]
    assert rows[1][1:5] == [15, 15, 9, 9]
    assert "'=1+1" in {row[0] for row in rows}
    assert cells(content, "declined")[1] == ["not_ours", 1]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            assert b"<f>" not in archive.read(name)


def test_a_file_of_figures_tells_no_hour(county: Scene, hand: Hand) -> None:
    client = county.app.test_client()
    before = client.get("/figures.xlsx").get_data()
    hand.forward(hours=2)
    assert client.get("/figures.xlsx").get_data() == before
    with zipfile.ZipFile(io.BytesIO(before)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"2000-01-01T00:00:00Z" in archive.read("docProps/core.xml")


def test_the_page_draws_and_says_the_same_numbers(county: Scene) -> None:
    page = county.app.test_client().get("/figures").get_data(as_text=True)
    assert re.search(r'data-figure="answer-rate">9&nbsp;÷&nbsp;15\s+=&nbsp;60%', page)
    assert page.count('role="img"') == page.count("<title id=")
    for address in (
        "/figures?lang=en",
        "/figures?view=large",
        "/figures?unit=office&month=2026-09",
    ):
        assert county.app.test_client().get(address).status_code == 200


# --- a campaign -----------------------------------------------------------------------------------


def test_a_campaign_has_what_was_opened_in_its_days_on_every_surface(county: Scene) -> None:
    with county.writing() as session:
        made = [
            Campaign(name=name, starts_on=first, ends_on=last, state=state)
            for name, first, last, state in (
                ("专题教育", dt.date(2026, 9, 1), dt.date(2026, 9, 21), CampaignState.RUNNING),
                ("回头看", dt.date(2026, 9, 22), dt.date(2026, 12, 31), CampaignState.CLOSED),
                ("还在拟", dt.date(2026, 9, 1), dt.date(2026, 9, 30), CampaignState.DRAFT),
            )
        ]
        session.add_all(made)
        session.flush()
        during, after, unborn = (campaign.id for campaign in made)
    client = county.app.test_client()
    page = client.get(f"/figures?campaign={during}").get_data(as_text=True)
    assert 'data-figure="received">15<' in page
    assert f"/figures?unit=office&amp;campaign={during}" in page
    assert "还在拟" not in page
    later = client.get(f"/figures?campaign={after}").get_data(as_text=True)
    assert 'data-figure="received"' not in later
    file = client.get(f"/figures.csv?campaign={during}&unit=office").get_data()
    rows = list(csv.reader(io.StringIO(file.decode("utf-8-sig"))))
    assert rows[2][1] == "15"
    for bad in (unborn, "nothing"):
        assert client.get(f"/figures?campaign={bad}").status_code == 404
