"""By mail: under TLS or not at all, within a worker's time, headers as programmes read them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from app import worker
from app.notifications import channels
from app.notifications.channels import DeliveryError, Parcel, Post
from app.notifications.models import ChannelKind, Delivery
from config import Mail
from tests.conftest import Hand
from tests.notifications.conftest import House, PostOffice, receiving

PARCEL = Parcel("k", "题", "文")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certified(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ssl.SSLContext:
    """A server's certificate for localhost, signed by an authority that this machine trusts."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def send(hand: Hand, mail: Mail, to: str = "zhibu@county.example", parcel: Parcel = PARCEL) -> None:
    channels.deliver(Post(mail, hand.now, allow_private=False), ChannelKind.EMAIL, to, parcel)


def test_mail_goes_under_tls_by_both_ways(certified: ssl.SSLContext, hand: Hand) -> None:
    with receiving(tls_context=certified, require_starttls=True) as office:
        send(hand, Mail("localhost", office.port, "a@b.example"))
        assert len(office.mails) == 1
    with receiving(ssl_context=certified) as office:
        mail = Mail("localhost", office.port, "a@b.example", implicit_tls=True, starttls=False)
        send(hand, mail)
        assert len(office.mails) == 1


def test_nothing_goes_to_a_server_without_tls_or_with_anothers_certificate(
    authority: trustme.CA, certified: ssl.SSLContext, hand: Hand
) -> None:
    foreign = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(foreign)
    misnamed = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(misnamed)
    for settings in ({}, {"tls_context": foreign}, {"tls_context": misnamed}):
        with receiving(**settings) as office:
            with pytest.raises(DeliveryError) as refused:
                send(hand, Mail("localhost", office.port, "a@b.example", "user", "password"))
            assert (refused.value.away, refused.value.final) == (True, False)
            assert office.mails == []


@pytest.fixture
def dripping() -> Iterator[int]:
    """A server that says its greeting a byte at a time, for ever."""
    server = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        visitor, _ = server.accept()
        with visitor:
            while not over.wait(0.05):
                try:
                    visitor.sendall(b"2")
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    over.set()
    thread.join(5)
    server.close()


def test_a_mail_server_that_drips_is_cut_off(
    dripping: int, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "WHOLE_MAIL_SECONDS", 0.5)
    start = time.monotonic()
    with pytest.raises(DeliveryError) as cut:
        send(hand, Mail("127.0.0.1", dripping, "a@b.example", starttls=False))
    assert cut.value.away
    assert time.monotonic() - start < 5


def test_one_click_stands_in_the_header_as_a_plain_address(
    post_office: PostOffice, hand: Hand
) -> None:
    """RFC 8058; a long address folded by the library would be an encoded word to the receiver."""
    link = "https://yanlu.example.gov.cn/unsubscribe/" + "A1b2" * 60
    subject = "言路：何家坪镇第三季度通报，关于路灯、公章和水费的事情，请大家都来看一看"
    mail = Mail("127.0.0.1", post_office.port, "言路 <a@b.example>", starttls=False)
    send(hand, mail, parcel=Parcel("k", subject, "文", link))
    lines = post_office.raws[0].split(b"\r\n\r\n")[0].split(b"\r\n")
    assert f"List-Unsubscribe: <{link}>".encode() in lines
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines
    assert all(len(line) < 998 for line in lines)
    assert post_office.mails[0]["Subject"] == subject


def test_a_letter_that_the_server_refuses_for_our_sake_is_not_lost(
    house: House, post_office: PostOffice, hand: Hand
) -> None:
    """A sender that isn't allowed is for the operator to mend; the letters wait."""
    house.test_message(house.channel(ChannelKind.EMAIL, "zhibu@county.example"))
    post_office.senders_refused = True
    house.deliver()
    assert house.rows() == [(Delivery.WAITING, 1, "smtp_550")]
    post_office.senders_refused = False
    hand.forward(minutes=2)
    assert house.deliver() == 1


def test_a_server_that_is_away_costs_one_letter_a_turn_and_no_robot_its_message(
    house: House, post_office: PostOffice, hand: Hand
) -> None:
    up = house.config.mail
    assert up is not None
    channel = house.channel(ChannelKind.EMAIL, "zhibu@county.example")
    for _ in range(5):
        house.test_message(channel)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        away = dataclasses.replace(up, port=closed.getsockname()[1])
        house.config = dataclasses.replace(house.config, mail=away)
        assert house.deliver() == 0
    assert sorted(tries for _, tries, _ in house.rows()) == [0, 0, 0, 0, 1]
    house.config = dataclasses.replace(house.config, mail=up)
    hand.forward(minutes=2)
    assert house.deliver() == 5
    assert len({mail["Message-ID"] for mail in post_office.mails}) == 5


def test_slow_receivers_do_not_hold_up_the_next_opening(
    house: House, post_office: PostOffice, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = house.channel(ChannelKind.EMAIL, "zhibu@county.example")
    for _ in range(6):
        house.test_message(channel)
    real = channels.deliver

    def slow(*args: object) -> None:
        hand.forward(seconds=worker.TURN / dt.timedelta(seconds=2))
        real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(channels, "deliver", slow)
    assert [house.deliver() for _ in range(4)] == [2, 2, 2, 0]
