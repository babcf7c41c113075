"""From the outbox to real receivers: at least once, never twice without need, nothing lost."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hmac
import json
import socket
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from app import db, worker
from app.notifications import channels, outbox, service, targets
from app.notifications.channels import DeliveryError, Parcel, Post
from app.notifications.models import ChannelKind, Delivery
from app.notifications.outbox import Message
from config import Mail
from tests.conftest import Hand
from tests.factories import drop, make_box
from tests.notifications.conftest import House, PostOffice, Robot


def test_a_real_mail_arrives_once_with_an_id_that_tells_repeats(
    house: House, post_office: PostOffice
) -> None:
    house.test_message(house.channel(ChannelKind.EMAIL, "zhibu@county.example"))
    assert house.deliver() == 1
    assert house.deliver() == 0
    (mail,) = post_office.mails
    assert mail["To"] == "zhibu@county.example"
    assert "值班" in mail.get_content()
    assert mail["Message-ID"].endswith("@county.example>")
    assert mail["Date"].endswith(":00:00 +0000")  # no finer than the hour


def test_a_worker_killed_between_send_and_mark_sends_again_under_the_same_id(
    house: House, post_office: PostOffice, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.test_message(house.channel(ChannelKind.EMAIL, "zhibu@county.example"))

    def killed(*_args: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "sent", killed)
        with pytest.raises(SystemExit):
            house.deliver()
    assert house.deliver() == 0  # leased: another worker doesn't send it now
    hand.forward(minutes=6)
    assert house.deliver() == 1
    one, two = post_office.mails
    assert one["Message-ID"] == two["Message-ID"]


def test_a_server_that_is_down_for_a_day_loses_nothing(
    house: House, post_office: PostOffice, hand: Hand
) -> None:
    house.test_message(house.channel(ChannelKind.EMAIL, "zhibu@county.example"))
    up = house.config.mail
    assert up is not None
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        down = dataclasses.replace(up, port=closed.getsockname()[1])
        house.config = dataclasses.replace(house.config, mail=down)
        for _ in range(26):
            assert house.deliver() == 0
            hand.forward(hours=1)
    assert house.rows()[0][0] is Delivery.WAITING
    house.config = dataclasses.replace(house.config, mail=up)
    hand.forward(hours=36)
    assert house.deliver() == 1
    assert len(post_office.mails) == 1


@pytest.mark.parametrize(
    ("refusal", "then"), [("451 later", Delivery.WAITING), ("554 never", Delivery.DEAD)]
)
def test_a_passing_refusal_is_tried_again_and_a_final_one_is_a_dead_letter(
    house: House, post_office: PostOffice, hand: Hand, refusal: str, then: Delivery
) -> None:
    house.test_message(house.channel(ChannelKind.EMAIL, "zhibu@county.example"))
    post_office.refusals = [refusal]
    assert house.deliver() == 0
    assert house.rows() == [(then, 1, f"smtp_{refusal[:3]}")]
    with house.app.app_context(), db.transaction() as session:
        if then is Delivery.DEAD:
            (letter,) = service.dead_letters(session)
            assert "county.example" not in repr(letter)
            outbox.again(session, letter.id, house.clock.now())
    hand.forward(minutes=2)
    assert house.deliver() == 1


def test_a_recipient_that_bounces_is_a_dead_letter(house: House) -> None:
    house.test_message(house.channel(ChannelKind.EMAIL, "nobody@county.example"))
    assert house.deliver() == 0
    assert house.rows() == [(Delivery.DEAD, 1, "smtp_550")]


@pytest.mark.parametrize("kind", [ChannelKind.WECOM, ChannelKind.DINGTALK, ChannelKind.FEISHU])
def test_a_robot_that_answers_200_with_an_error_has_not_taken_it(
    house: House, robot: Robot, hand: Hand, kind: ChannelKind
) -> None:
    house.test_message(house.channel(kind, robot.url, "SECabc"))
    robot.answers = [(200, b'{"errcode":45009,"code":9499}'), (200, b"<html>"), (200, b"[]")]
    for tries in (1, 2, 3):
        assert house.deliver() == 0
        delivery, tried, failure = house.rows()[0]
        assert (delivery, tried) == (Delivery.WAITING, tries)
        assert failure.startswith("robot_")
        hand.forward(hours=1)
    robot.answers = [(200, b'{"errcode":0,"code":0}')]
    assert house.deliver() == 1


def test_dingtalk_and_feishu_are_signed_as_they_ask(robot: Robot, hand: Hand) -> None:
    post = Post(None, hand.now, allow_private=True)
    parcel = Parcel("k", "题", "文")
    robot.answers = [(200, b'{"errcode":0}'), (200, b'{"code":0}')]
    channels.deliver(post, ChannelKind.DINGTALK, f"{robot.url} SEC", parcel)
    asked = parse_qs(urlsplit(robot.posts[0][0]).query)
    stamp = asked["timestamp"][0]
    signed = hmac.digest(b"SEC", f"{stamp}\nSEC".encode(), "sha256")
    assert asked["sign"] == [base64.b64encode(signed).decode()]
    channels.deliver(post, ChannelKind.FEISHU, f"{robot.url} SEC", parcel)
    body = json.loads(robot.posts[1][2])
    signed = hmac.digest(f"{body['timestamp']}\nSEC".encode(), b"", "sha256")
    assert body["sign"] == base64.b64encode(signed).decode()


def test_a_webhook_proves_who_sent_it_and_which_it_is(robot: Robot, hand: Hand) -> None:
    post = Post(None, hand.now, allow_private=True)
    channels.deliver(post, ChannelKind.WEBHOOK, f"{robot.url} shared", Parcel("k-1", "题", "文"))
    _, headers, body = robot.posts[0]
    stamp = headers["Yanlu-Timestamp"]
    signed = hmac.digest(b"shared", stamp.encode() + b"." + body, "sha256").hex()
    assert headers["Yanlu-Signature"] == signed
    assert headers["Idempotency-Key"] == "k-1"
    assert json.loads(body) == {"key": "k-1", "subject": "题", "text": "文"}


@pytest.mark.parametrize(
    ("status", "final"), [(500, False), (429, False), (404, True), (302, True)]
)
def test_what_a_webhook_answers_decides_whether_to_try_again(
    robot: Robot, hand: Hand, status: int, final: bool
) -> None:
    robot.answers = [(status, b"")]
    robot.location = f"http://127.0.0.1:{robot.port}/elsewhere"
    with pytest.raises(DeliveryError) as caught:
        channels.deliver(
            Post(None, hand.now, allow_private=True), ChannelKind.WEBHOOK, robot.url,
            Parcel("k", "题", "文"),
        )  # fmt: skip
    assert (caught.value.reason, caught.value.final) == (f"http_{status}", final)
    assert len(robot.posts) == 1  # a redirect is not followed


def test_private_addresses_are_refused_unless_configured(robot: Robot, hand: Hand) -> None:
    post, parcel = Post(None, hand.now, allow_private=False), Parcel("k", "题", "文")
    port = robot.port
    for url in (
        robot.url,
        f"http://localhost:{port}/",
        f"http://[::ffff:127.0.0.1]:{port}/",
        f"http://0.0.0.0:{port}/",
        "http://169.254.169.254/",
        "http://10.0.0.1/",
        "http://2130706433/",
        "http://[::1]/",
        "http://[fd00::1]/",
        "http://[fec0::1]/",
        f"http://[::127.0.0.1]:{port}/",
        f"http://[64:ff9b::127.0.0.1]:{port}/",
        f"http://[2002:7f00:1::]:{port}/",
    ):
        with pytest.raises(DeliveryError) as caught:
            channels.deliver(post, ChannelKind.WEBHOOK, url, parcel)
        assert caught.value.reason == "private_address", url
    assert robot.posts == []


def test_a_name_that_turns_private_after_the_check_leads_nowhere(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["8.8.8.8", "127.0.0.1"]
    reached: list[object] = []

    def rebinding(host: str, port: int, *_args: object, **_kwargs: object) -> list[object]:
        known = answers.pop(0) if host == "evil.example" else host
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known, port))]

    def connect(_self: socket.socket, address: object) -> None:
        reached.append(address)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket.socket, "connect", connect)
    post = Post(None, hand.now, allow_private=False)
    reasons = []
    for _ in range(2):
        with pytest.raises(DeliveryError) as caught:
            channels.deliver(
                post, ChannelKind.WEBHOOK, "http://evil.example/", Parcel("k", "题", "文")
            )
        reasons.append(caught.value.reason)
    assert reached == [("8.8.8.8", 80)]  # asked once, connected to just that
    assert reasons == ["NewConnectionError", "private_address"]  # asked anew, refused


def test_what_was_checked_is_what_is_connected_to(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[object] = []

    def connect(address: object, *_args: object, **_kwargs: object) -> socket.socket:
        reached.append(address)
        raise OSError

    monkeypatch.setattr(targets, "public_address", lambda _host, _port: "8.8.8.8")
    monkeypatch.setattr(targets, "create_connection", connect)
    with pytest.raises(DeliveryError):
        channels.deliver(
            Post(None, hand.now, allow_private=False), ChannelKind.WEBHOOK,
            "https://robot.example/x", Parcel("k", "题", "文"),
        )  # fmt: skip
    assert reached == [("8.8.8.8", 443)]


def test_a_receiver_that_drips_is_cut_off(
    robot: Robot, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "WHOLE_SECONDS", 0.5)
    robot.answers, robot.drip = [(200, b"x" * 200)], 0.05
    done = threading.Event()

    def send() -> None:
        with pytest.raises(DeliveryError):
            channels.deliver(
                Post(None, hand.now, allow_private=True), ChannelKind.WECOM, robot.url,
                Parcel("k", "题", "文"),
            )  # fmt: skip
        done.set()

    threading.Thread(target=send, daemon=True).start()
    assert done.wait(8)


def test_a_line_break_in_a_subject_forges_no_header(hand: Hand) -> None:
    mail = Mail("127.0.0.1", 25, "a@b.example")
    made = channels.compose(
        mail, hand.now, "c@d.example", Parcel("k", "通报\r\nBcc: x@y.example", "文")
    )
    assert made["Bcc"] is None
    assert made["Subject"] == "通报 Bcc: x@y.example"


def test_two_workers_never_take_the_same_message(house: House, post_office: PostOffice) -> None:
    channel = house.channel(ChannelKind.EMAIL, "zhibu@county.example")
    for _ in range(12):
        house.test_message(channel)
    workers = [threading.Thread(target=house.deliver) for _ in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    ids = [mail["Message-ID"] for mail in post_office.mails]
    assert len(ids) == 12
    assert len(set(ids)) == 12


# --- the digest -----------------------------------------------------------------------------------


def digests(house: House) -> None:
    with house.app.app_context():
        worker.put_digests(house.config, house.clock)


def test_the_digest_goes_out_once_a_day_at_its_hour_on_empty_days_too(
    house: House, post_office: PostOffice, hand: Hand
) -> None:
    house.channel(ChannelKind.EMAIL, "zhibu@county.example")
    hand.now = dt.datetime(2026, 11, 23, 0, 30, tzinfo=dt.UTC)  # half past eight in the county
    digests(house)
    assert house.rows() == []
    hand.forward(hours=1)
    for _ in range(3):
        digests(house)
        house.deliver()
    assert len(post_office.mails) == 1
    hand.forward(days=1)
    digests(house)
    house.deliver()
    assert len(post_office.mails) == 2


def size_of_digest(house: House, post_office: PostOffice, hand: Hand) -> int:
    hand.forward(days=1)
    digests(house)
    house.deliver()
    return len(post_office.mails[-1].get_content())


def test_nothing_that_leaves_the_house_moves_with_one_unopened_drop(
    house: House, post_office: PostOffice, hand: Hand
) -> None:
    with house.app.app_context(), db.transaction() as session:
        box = make_box(session, "longtan", house.clock)
    house.unit_id = box.unit_id
    house.channel(ChannelKind.EMAIL, "zhibu@county.example")
    empty = size_of_digest(house, post_office, hand)
    before = post_office.mails[-1].get_content()
    with house.app.app_context(), db.transaction() as session:
        drop(session, house.config, house.clock, box, "还没开箱")
    lying = size_of_digest(house, post_office, hand)
    assert post_office.mails[-1].get_content() == before
    with house.app.app_context():
        worker.run_opening(house.config, house.clock, now=True)
    opened = size_of_digest(house, post_office, hand)
    assert empty == lying == opened
    assert "还没开箱" not in str(post_office.mails[-1])


# --- subscriptions --------------------------------------------------------------------------------


def test_a_dump_tells_no_address(house: House) -> None:
    with house.app.app_context(), db.transaction() as session:
        secret, today = house.config.secrets.instance_secret, house.clock.today()
        found = service.subscribe(session, secret, "laowang@mail.example", today)
        assert found is not None
        assert b"laowang" not in found.sealed_address + found.address_hash
    house.channel(ChannelKind.WECOM, "https://robot.example/send?key=topsecret")
    with house.app.app_context(), db.reading() as session:
        rows = session.execute(sa.text("SELECT * FROM channel")).all()
    assert "topsecret" not in repr(rows)


def test_a_failed_delivery_names_nobody(house: House) -> None:
    house.test_message(house.channel(ChannelKind.EMAIL, "nobody@county.example"))
    house.deliver()
    with house.app.app_context(), db.reading() as session:
        for row in session.execute(sa.text("SELECT * FROM outbox_row")).all():
            assert "county.example" not in repr(row)


@pytest.mark.parametrize(
    "typed", ["", "x", "x@y", "a b@c.example", "a@b.example,c@d.example", "a@b..", "<a@b.example>"]
)
def test_what_is_no_address_is_refused(house: House, typed: str) -> None:
    assert not service.is_address(typed)
    with (
        house.app.app_context(),
        db.transaction() as session,
        pytest.raises(Exception, match="邮箱"),
    ):
        service.subscribe(session, bytes(32), typed, house.clock.today())


def test_two_puts_of_one_key_are_one_message(house: House) -> None:
    channel = house.channel(ChannelKind.EMAIL, "zhibu@county.example")
    put = outbox.put
    with house.app.app_context(), db.transaction() as session:
        for _ in range(2):
            put(session, house.clock.now(), [Message("once", "test", {"name": "x"}, channel)])
    assert len(house.rows()) == 1
