"""However much there is, a page of the desk asks the database as often."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from app import db
from app.organisation import service as organisation
from app.organisation.models import UnitKind
from app.staff import keepers
from app.staff.models import Role, Staff
from config import Config
from tests.cases.test_desk import Keeper, make_keeper, opened
from tests.test_other_units import somebody


@pytest.fixture
def asked(app: Flask) -> Callable[[FlaskClient, str], int]:
    """How many statements a page takes."""
    statements: list[str] = []
    with app.app_context():
        engine = db.engine()
    event.listen(engine, "before_cursor_execute", lambda *told: statements.append(told[2]))

    def count(client: FlaskClient, address: str) -> int:
        statements.clear()
        assert client.get(address).status_code == 200
        return len(statements)

    return count


def more_units(app: Flask, count: int, person: str, role: Role) -> None:
    """Further boxes that somebody keeps."""
    with app.app_context(), db.transaction() as session:
        staff = session.query(Staff).filter_by(username=person).one()
        key = keepers.personal_key_of(session, staff.id)
        clock = app.extensions["clock"]
        for number in range(count):
            unit = organisation.add_unit(
                session, slug=f"more-{number}", name=f"又一个{number}", kind=UnitKind.BRANCH
            )
            box = organisation.add_box(session, unit)
            keepers.assign(session, staff, role, unit.id)
            keepers.new_box_key(session, box.id, [key], clock.today())


def test_the_queue_and_a_case_ask_as_often_for_many_as_for_two(
    app: Flask, config: Config, asked: Callable[[FlaskClient, str], int]
) -> None:
    keeper: Keeper = make_keeper(app, config, "longtan")
    (_, first), _ = opened(app, config, keeper.box, "第一件：院墙裂了缝。", "院墙又裂了缝。")
    addresses = ("/desk/queue", "/desk/queue?state=overdue", f"/desk/cases/{first}")
    before = [asked(keeper.client, address) for address in addresses]
    opened(app, config, keeper.box, *(f"又一件 {number}" for number in range(25)))
    assert [asked(keeper.client, address) for address in addresses] == before


def test_people_and_keys_of_many_boxes_ask_as_often_as_of_one(
    app: Flask, config: Config, asked: Callable[[FlaskClient, str], int]
) -> None:
    keeper = make_keeper(app, config, "longtan")
    office = somebody(app, config, Role.OFFICE, None)
    pages = [
        (keeper.client, "/desk/staff"), (keeper.client, "/desk/account"),
        (office, "/desk/staff"), (office, "/desk/units"), (office, "/desk/queue"),
    ]  # fmt: skip
    before = [asked(client, address) for client, address in pages]
    more_units(app, 12, "longtan", Role.KEEPER)
    assert [asked(client, address) for client, address in pages] == before
