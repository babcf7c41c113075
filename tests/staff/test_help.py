"""The menu and the first day's page: what somebody may see, and what is done already."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app import db
from app.notifications import service as notifications
from app.notifications.models import ChannelKind
from app.sealing.models import BoxKey
from app.staff import keepers, menu
from app.staff.models import KeyGrant, Role, RoleAssignment
from config import Config
from tests.cases.test_desk import Keeper, make_keeper, opened
from tests.inspecting_client import elements, find, parse, text_of
from tests.test_access import TABLE, routes

PAGES = [entry.endpoint for group in menu.MENU for entry in group.entries]


@pytest.fixture
def keeper(app: Flask, config: Config) -> Keeper:
    return make_keeper(app, config, "longtan")


def links(client: FlaskClient, address: str) -> list[tuple[str, str | None]]:
    tree = parse(client.get(address).text)
    (details,) = (e for e in elements(tree, "details") if e.get("class") == "menu")
    return [(e.get("href") or "", e.get("aria-current")) for e in elements(details, "a")]


def done(client: FlaskClient) -> dict[str, bool]:
    tree = parse(client.get("/desk/welcome").text)
    return {e.get("data-step") or "": e.get("class") == "done" for e in find(tree, "data-step")}


def test_a_page_stands_in_the_menu_once() -> None:
    assert len(PAGES) == len(set(PAGES))


@pytest.mark.parametrize("role", list(Role))
def test_the_menu_shows_all_that_a_role_may_open_and_nothing_else(
    app: Flask, keeper: Keeper, role: Role
) -> None:
    with app.app_context(), db.transaction() as session:
        session.execute(sa.update(RoleAssignment).values(role=role))
    allowed = {
        address
        for (method, address), endpoint in routes(app).items()
        if method == "GET" and endpoint in PAGES
        and (not (rule := TABLE[method, address]) or role in rule)  # type: ignore[operator]
    }  # fmt: skip
    assert {url for url, _ in links(keeper.client, "/desk/account")} == allowed


def test_the_menu_says_where_one_is(app: Flask, config: Config, keeper: Keeper) -> None:
    ((_, case_id),) = opened(app, config, keeper.box, "路灯坏了")
    for address, current in (
        ("/desk/queue", ("/desk/queue", "page")),
        (f"/desk/cases/{case_id}", ("/desk/queue", "true")),
        ("/desk/phrases", ("/desk/phrases", "page")),
        ("/desk/account/second-factor", ("/desk/account", "true")),
    ):
        assert [link for link in links(keeper.client, address) if link[1]] == [current], address


def test_the_present_page_is_in_sight_though_the_menu_is_shut(keeper: Keeper) -> None:
    tree = parse(keeper.client.get("/desk/phrases").text)
    (front,) = (e for e in elements(tree, "p") if e.get("class") == "front")
    assert [e.get("href") for e in elements(front, "a") if e.get("aria-current")] == [
        "/desk/phrases"
    ]


def test_the_first_day_ticks_what_a_keeper_has_done(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    assert done(keeper.client) == dict.fromkeys(
        ("colleague", "posters", "channel", "first_case"), False
    )
    other = make_keeper(app, config, "lishan")
    with app.app_context(), db.transaction() as session:
        (appointment,) = session.scalars(
            sa.select(RoleAssignment).where(RoleAssignment.unit_id == other.box.unit_id)
        )
        appointment.unit_id = keeper.box.unit_id
        (pair_id,) = session.scalars(sa.select(BoxKey.id).where(BoxKey.box_id == keeper.box.box_id))
        key = keepers.personal_key_of(session, appointment.staff_id)
        session.add(KeyGrant(box_key_id=pair_id, personal_key_id=key.id, sealed_private_key=b"x"))
        notifications.add_channel(
            session, config.secrets.instance_secret, unit_id=keeper.box.unit_id,
            kind=ChannelKind.EMAIL, name="办公室", target="office@yanlu.example", secret="",
            allow_plain=False,
        )  # fmt: skip
    assert done(keeper.client) == {
        "colleague": True, "posters": False, "channel": True, "first_case": False
    }  # fmt: skip


def test_the_first_day_is_over_with_the_first_case(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    assert "/desk/welcome" in in_main(keeper)
    ((_, case_id),) = opened(app, config, keeper.box, "路灯坏了")
    assert "/desk/welcome" in in_main(keeper)
    assert keeper.move(case_id, "accept").status_code == 303
    assert done(keeper.client)["first_case"]
    assert "/desk/welcome" not in in_main(keeper)


def in_main(keeper: Keeper) -> list[str]:
    tree = parse(keeper.client.get("/desk/queue").text)
    (main,) = elements(tree, "main")
    return [e.get("href") or "" for e in elements(main, "a")]


def test_the_components_page_shows_every_state_with_a_word_and_a_shape(
    app: Flask, keeper: Keeper
) -> None:
    with app.app_context(), db.transaction() as session:
        session.execute(sa.update(RoleAssignment).values(role=Role.OPERATOR))
    tree = parse(keeper.client.get("/desk/components").text)
    marks = [e for e in tree.iter() if (e.get("class") or "").split()[:1] == ["state"]]
    assert len(marks) > 40
    for mark in marks:
        shapes = [text_of(e) for e in mark if e.get("aria-hidden") == "true"]
        assert len(shapes) == 1, text_of(mark)
        assert text_of(mark).replace(shapes[0], "").strip(), "a shape without a word"


def test_the_queue_begins_with_what_somebody_chose_and_with_all_that_is_open_else(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    opened(app, config, keeper.box, "路灯坏了")
    assert shown_first(keeper) == "open"
    page = parse(keeper.client.get("/desk/queue?state=asked").text)
    (form,) = (e for e in elements(page, "form") if e.get("action") == "/desk/queue/first")
    fields = {e.get("name") or "": e.get("value") or "" for e in elements(form, "input")}
    assert keeper.client.post("/desk/queue/first", data=fields).status_code == 303
    assert shown_first(keeper) == "asked"
    refused = keeper.client.post("/desk/queue/first", data={**fields, "state": "路灯"})
    assert refused.status_code == 422
    assert shown_first(keeper) == "asked"


def shown_first(keeper: Keeper) -> str:
    tree = parse(keeper.client.get("/desk/queue").text)
    (here,) = (e for e in find(tree, "aria-current", "true") if "state=" in (e.get("href") or ""))
    return (here.get("href") or "").partition("state=")[2]
