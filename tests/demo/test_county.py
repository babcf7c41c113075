"""The demo county: as large as a county, every state of a box and of an opinion, all invented."""

from __future__ import annotations

import json
from collections import Counter

import sqlalchemy as sa
from flask import Flask

from app import db
from app.cases.models import Answer, Case
from app.cases.workflow import State
from app.clock import Clock
from app.demo import county as demo
from app.demo import life, places
from app.organisation import exporting, importing, service, sheet_rows, sheets
from app.organisation.models import Box, Member, Unit, UnitKind
from app.organisation.views import THIN
from app.sealing.models import BoxKey
from app.staff import invitations, keepers
from config import Config

FATES = {State.WAITING, State.ACCEPTED, State.DECLINED, State.ANSWERING, State.ANSWERED,
         State.CLOSED, State.REOPENED, State.WITHDRAWN}  # fmt: skip
# And what becomes of some of them; lying is for whoever drops an opinion into the demo box.
TODAY = FATES | {State.ASKED, State.MERGED, State.APPEALED, State.UPHELD, State.REMOVED}


def number_of(app: Flask, model: type[object], *where: sa.ColumnElement[bool]) -> int:
    with app.app_context(), db.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model).where(*where)) or 0


def test_the_places_are_a_county_of_91_units_with_slugs_of_their_own() -> None:
    found = places.places()
    slugs = [place.slug for place in found] + [s for p in found for s, _ in p.branches]
    assert len(found) == 91
    assert 380 <= sum(len(place.branches) for place in found) <= 450
    assert len(slugs) == len(set(slugs))
    assert all(sheet_rows.SLUG.fullmatch(slug) for slug in slugs)
    assert {place.sort for place in found} == {"乡镇", "机关", "学校", "医院", "国企", "两新"}
    roll_call = list(places.people(found))
    assert len(roll_call) == places.MEMBERS == 3226
    assert len({person.number for person in roll_call}) == 3226
    assert {person.branch for person in roll_call} == {s for p in found for s, _ in p.branches}


def test_the_stories_are_many_and_each_is_its_own() -> None:
    told = life.stories()
    assert len(told) >= 60
    assert len({story.words for story in told}) == len(told)
    answers = [story.answer for story in told if story.answer]
    assert len(answers) == len(set(answers)) >= 35
    assert {story.fate for story in told} == {state.value for state in FATES}


def test_a_small_county_has_the_demo_box_and_its_accounts(app: Flask, config: Config) -> None:
    clock: Clock = app.extensions["clock"]
    said: list[str] = []
    with app.app_context():
        assert demo.make_county(config, clock, small=True, progress=said.append)
        assert not demo.make_county(config, clock)
    assert len(said) == 4
    accounts = json.loads((config.data_dir / "demo-accounts.json").read_text("utf-8"))
    assert {a["role"] for a in accounts} == {"keeper", "supervisor", "office", "operator"}
    assert [a["unit"] for a in accounts if a["role"] == "keeper"].count("demo") == 2
    assert all(set(a) == {"username", "password", "totp_secret", "role", "unit"} for a in accounts)
    with app.app_context(), db.reading() as session:
        branch = service.branch(session, "demo")
        keys = session.scalars(sa.select(BoxKey).where(BoxKey.box_id == branch.box_id)).all()
        assert len(keys) == 1
        assert service.member_count(session, branch.id) >= THIN
    assert number_of(app, Answer) == demo.SMALL_LIFE
    assert app.test_client().get("/box/demo").status_code == 200
    assert app.test_client().get("/units/jiaoyuju-lituixiu").status_code == 200


def test_the_whole_county_has_every_state_of_boxes_and_opinions(app: Flask, config: Config) -> None:
    clock: Clock = app.extensions["clock"]
    with app.app_context():
        assert demo.make_county(config, clock)
    assert number_of(app, Unit, Unit.kind == UnitKind.UNIT) == 91
    assert number_of(app, Member) == 3226
    with app.app_context(), db.reading() as session:
        states = Counter(session.scalars(sa.select(Case.state)))
        kept = session.scalar(sa.select(sa.func.count(sa.distinct(BoxKey.box_id)))) or 0
        opened = session.scalars(sa.select(Case.opened_on)).all()
        boxes = set(session.scalars(sa.select(Case.box_id)))
    assert set(states) == TODAY
    assert states.total() >= 60
    assert len(set(opened)) == life.WEEKS
    assert max(opened) == clock.today()
    assert len(boxes) >= 40
    boxes_made = number_of(app, Box)
    assert 10 <= boxes_made - kept <= 40  # nobody keeps these
    assert number_of(app, Unit, Unit.merged_into.is_not(None)) == 1
    assert number_of(app, Unit, Unit.closed_on.is_not(None)) == 2
    page = app.test_client().get("/answers").get_data(as_text=True)
    assert page.count('class="said"') == 20
    with app.app_context():
        with db.reading() as session:
            held = keepers.assignments(session)
            data = exporting.export(session, held)
        with db.transaction() as session:
            book = sheets.read_book("c.xlsx", data)
            done = importing.bring_in(session, book, clock.today())
            rows = [(row.username, row.role, row.unit) for row in done.staff]
            secret = config.secrets.instance_secret
            invited = invitations.invite_all(session, rows, clock.now(), None, secret)
            assert (invited.links, invited.later) == ((), ())
            assert keepers.assignments(session) == held
    counts = (done.units_changed, done.units_added, done.members_changed, done.members_added)
    assert counts == (0,) * 4


def test_every_demo_account_can_be_named() -> None:
    for username in (*demo.KEEPERS, "demo-keeper-1", "demo-office"):
        assert keepers.normal_username(username) == username
