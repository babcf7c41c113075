"""Subscribing with double opt-in and one-click ending; channels at the desk."""

from __future__ import annotations

import dataclasses
import re

import pytest
import sqlalchemy as sa
from flask import Flask

from app import db, worker
from app.notifications.models import Channel, OutboxRow, Subscription
from config import Config, Mail
from tests.cases.test_desk import Keeper, make_keeper
from tests.cases.test_desk_at_once import office, token_of
from tests.notifications.conftest import PostOffice, Robot


@pytest.fixture
def mailing(app: Flask, config: Config, post_office: PostOffice) -> Config:
    mail = Mail("127.0.0.1", post_office.port, "yanlu@county.example", starttls=False)
    config = dataclasses.replace(config, mail=mail, public_url="http://localhost")
    app.config["YANLU"] = config
    return config


def subscribe(app: Flask, address: str) -> int:
    client = app.test_client()
    page = client.get("/subscribe").get_data(as_text=True)
    ticket = re.findall(r'name="ticket" value="([^"]*)"', page)[0]
    return client.post("/subscribe", data={"ticket": ticket, "address": address}).status_code


def delivered(app: Flask, config: Config) -> int:
    with app.app_context():
        return worker.deliver(config, app.extensions["clock"])


def test_nobody_is_subscribed_before_they_confirm_from_their_own_mailbox(
    app: Flask, mailing: Config, post_office: PostOffice
) -> None:
    assert subscribe(app, "laowang@mail.example") == 200
    assert subscribe(app, "LaoWang@mail.example") == 200  # asked twice: one mail
    assert delivered(app, mailing) == 1
    (mail,) = post_office.mails
    path = re.findall(r"http://localhost(/subscribe/\S+)", mail.get_content())[0]
    client = app.test_client()
    assert client.head(path).status_code == 200  # what a scanner of mails asks confirms nothing
    assert "确认订阅" in client.get(path).get_data(as_text=True)
    with app.app_context(), db.reading() as session:
        assert session.scalars(sa.select(Subscription)).one().confirmed_on is None
    assert "订好了" in client.post(path).get_data(as_text=True)
    assert subscribe(app, "laowang@mail.example") == 200  # the same answer, and no further mail
    assert delivered(app, mailing) == 0


def test_a_mail_programme_unsubscribes_with_one_click_and_a_replay_changes_nothing(
    app: Flask, mailing: Config, post_office: PostOffice
) -> None:
    subscribe(app, "laowang@mail.example")
    delivered(app, mailing)
    path = re.findall(r"http://localhost(/subscribe/\S+)", post_office.mails[0].get_content())[0]
    client = app.test_client()
    client.post(path)
    with app.test_request_context("/?lang=en&view=large"), db.reading() as session:
        from app.notifications.views import unsubscribe_link  # noqa: PLC0415 (needs a request)

        link = unsubscribe_link(session.scalars(sa.select(Subscription.id)).one())
    assert "?" not in link
    one_click = {"List-Unsubscribe": "One-Click"}
    for _ in range(2):
        answer = client.post(link.removeprefix("http://localhost"), data=one_click)
        assert answer.status_code == 200
    with app.app_context(), db.reading() as session:
        assert session.scalars(sa.select(Subscription)).all() == []
        assert session.scalars(sa.select(OutboxRow)).all() == []
    assert client.post(path).status_code == 404


def test_a_forged_link_and_a_bad_address_are_refused_kindly(app: Flask, mailing: Config) -> None:
    client = app.test_client()
    assert client.get("/subscribe/x.y").status_code == 404
    assert client.post("/unsubscribe/x.y").status_code == 404
    assert subscribe(app, "not an address") == 422
    assert client.post("/subscribe", data={"address": "a@b.example"}).status_code == 422


@pytest.fixture
def keeper(app: Flask, config: Config) -> Keeper:
    return make_keeper(app, config, "longtan")


def test_a_channel_is_added_tried_and_deleted_and_its_address_shown_to_nobody(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    token = token_of(keeper.client, "/desk/outbox")
    data = {"csrf_token": token, "unit": keeper.box.unit_id, "kind": "wecom", "name": "群",
            "target": "https://robot.example/send?key=topsecret"}  # fmt: skip
    assert keeper.client.post("/desk/outbox/channels", data=data).status_code == 303
    page = keeper.client.get("/desk/outbox").get_data(as_text=True)
    assert "topsecret" not in page
    (channel_id,) = re.findall(r"/desk/outbox/channels/(\w+)/test", page)
    for bad in ({"unit": "0"}, {"kind": "sms"}, {"target": "robot"}, {"name": " "}):
        assert keeper.client.post("/desk/outbox/channels", data=data | bad).status_code == 422
    stranger = make_keeper(app, config, "shiqiao")
    foreign = {"csrf_token": token_of(stranger.client, "/desk/outbox")}
    for step in ("test", "delete"):
        address = f"/desk/outbox/channels/{channel_id}/{step}"
        assert stranger.client.post(address, data=foreign).status_code == 404
    address = f"/desk/outbox/channels/{channel_id}"
    assert keeper.client.post(f"{address}/test", data={"csrf_token": token}).status_code == 303
    assert "等着发出：1 封" in keeper.client.get("/desk/outbox").get_data(as_text=True)
    assert keeper.client.post(f"{address}/delete", data={"csrf_token": token}).status_code == 303
    with app.app_context(), db.reading() as session:
        assert session.scalars(sa.select(Channel)).all() == []
        assert session.scalars(sa.select(OutboxRow)).all() == []


def add(keeper: Keeper, **changed: str) -> int:
    data = {"csrf_token": token_of(keeper.client, "/desk/outbox"), "unit": keeper.box.unit_id,
            "kind": "wecom", "name": "群", "target": "https://robot.example/x"}  # fmt: skip
    return keeper.client.post("/desk/outbox/channels", data=data | changed).status_code


def test_a_robots_address_is_taken_under_tls_alone_and_a_webhook_with_a_secret_alone(
    app: Flask, config: Config, keeper: Keeper
) -> None:
    assert add(keeper, target="http://robot.example/x") == 422
    assert add(keeper, kind="webhook") == 422
    assert add(keeper, kind="webhook", secret="shared") == 303
    app.config["YANLU"] = dataclasses.replace(config, allow_private_targets=True)
    assert add(keeper, target="http://robot.county.example/x") == 303


def test_whoever_tries_a_channel_sees_how_it_fared(
    app: Flask, config: Config, keeper: Keeper, robot: Robot
) -> None:
    config = dataclasses.replace(config, allow_private_targets=True)
    app.config["YANLU"] = config
    add(keeper, target=robot.url)
    page = keeper.client.get("/desk/outbox").get_data(as_text=True)
    assert "data-delivery" not in page
    address = re.findall(r"(/desk/outbox/channels/\w+/test)", page)[0]
    for answer, told in (
        (b'{"errcode":93000}', ('data-delivery="waiting"', "机器人没有收", "robot_93000")),
        (b'{"errcode":0}', ('data-delivery="sent"', "已送到")),
    ):
        robot.answers = [(200, answer)]
        token = {"csrf_token": token_of(keeper.client, "/desk/outbox")}
        keeper.client.post(address, data=token)
        delivered(app, config)
        page = keeper.client.get("/desk/outbox").get_data(as_text=True)
        assert all(words in page for words in told)
        with app.app_context(), db.transaction() as session:
            session.execute(sa.delete(OutboxRow))


def test_the_office_sends_all_dead_letters_again_in_one_go(
    app: Flask, config: Config, keeper: Keeper, robot: Robot
) -> None:
    config = dataclasses.replace(config, allow_private_targets=True)
    app.config["YANLU"] = config
    add(keeper, target=robot.url)
    boss = office(app, config, "boss")
    page = keeper.client.get("/desk/outbox").get_data(as_text=True)
    address = re.findall(r"(/desk/outbox/channels/\w+/test)", page)[0]
    token = {"csrf_token": token_of(keeper.client, "/desk/outbox")}
    robot.answers = [(404, b""), (404, b"")]
    for _ in range(2):
        keeper.client.post(address, data=token)
    delivered(app, config)
    page = boss.get("/desk/outbox").get_data(as_text=True)
    assert page.count("这个地址不对，或者已经停用") == 2
    again = boss.post(
        "/desk/outbox/letters/again", data={"csrf_token": token_of(boss, "/desk/outbox")}
    )
    assert again.status_code == 303
    assert delivered(app, config) == 2
    assert "都送到了" in boss.get("/desk/outbox").get_data(as_text=True)
