"""Many workers at once, one that is killed, and messages that nobody can send."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import sqlalchemy as sa

from app import db, worker
from app.notifications import outbox, service
from app.notifications.models import Channel, ChannelKind, Delivery, OutboxRow
from app.notifications.outbox import Message
from tests.conftest import Hand
from tests.notifications.conftest import House, PostOffice, Robot


def at_once(number: int, work: Callable[[], object]) -> None:
    """So many threads, each with a connection of its own; what one of them raises is raised."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 (told below)
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_workers_that_put_the_same_digests_at_once_put_each_once(
    house: House, robot: Robot, post_office: PostOffice
) -> None:
    for _ in range(8):
        house.channel(ChannelKind.WEBHOOK, robot.url, "shared")
    barrier = threading.Barrier(4)

    def work() -> None:
        with house.app.app_context():
            barrier.wait()
            worker.put_digests(house.config, house.clock)
        house.deliver()

    at_once(4, work)
    keys = Counter(headers["Idempotency-Key"] for _, headers, _ in robot.posts)
    assert len(keys) == 8
    assert set(keys.values()) == {1}


def started(house: House) -> subprocess.Popen[bytes]:
    """A worker as an operator starts it, in a process of its own; it ends when nothing is due."""
    config = house.config
    environ = os.environ | {
        "DATA_DIR": str(config.data_dir),
        "DATABASE_URL": config.database_url,
        "PRIVATE_TARGETS": "on",
    }
    command = [sys.executable, "-m", "flask", "--app", "app", "worker", "--once"]
    return subprocess.Popen(command, env=environ)


def put_now(house: House, channel_id: str, number: int) -> None:
    """Messages that are due by the machine's own clock: that is a process's."""
    now = dt.datetime.now(dt.UTC)
    with house.app.app_context(), db.transaction() as session:
        outbox.put(
            session,
            now,
            [Message(f"once {n}", "test", {"name": "群"}, channel_id) for n in range(number)],
        )


def keys_of(robot: Robot) -> list[str]:
    posts = [headers["Idempotency-Key"] for _, headers, _ in robot.posts]
    return [key for key in posts if key.startswith("once")]


def test_worker_processes_share_the_outbox_without_double_work(house: House, robot: Robot) -> None:
    put_now(house, house.channel(ChannelKind.WEBHOOK, robot.url, "shared"), 30)
    workers = [started(house) for _ in range(2)]
    assert [process.wait(60) for process in workers] == [0, 0]
    assert sorted(keys_of(robot)) == sorted(f"once {n}" for n in range(30))


def test_a_process_killed_while_it_sends_loses_nothing_and_repeats_under_the_same_key(
    house: House, robot: Robot
) -> None:
    put_now(house, house.channel(ChannelKind.WEBHOOK, robot.url, "shared"), 1)
    robot.answers, robot.drip = [(200, b"x" * 100)], 0.1
    process = started(house)
    end = time.monotonic() + 60
    while not keys_of(robot) and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    robot.answers, robot.drip = [], 0
    with house.app.app_context(), db.transaction() as session:
        row = session.scalars(sa.select(OutboxRow).where(OutboxRow.key == "once 0")).one()
        assert row.delivery is Delivery.WAITING
        row.next_at -= outbox.LEASE
    assert started(house).wait(60) == 0
    assert keys_of(robot) == ["once 0", "once 0"]


def test_a_message_that_nobody_can_send_holds_up_no_other(
    house: House, robot: Robot, hand: Hand
) -> None:
    good = house.channel(ChannelKind.WEBHOOK, robot.url, "shared")
    bad = house.channel(ChannelKind.WEBHOOK, robot.url, "shared")
    house.test_message(bad)
    with house.app.app_context(), db.transaction() as session:
        session.get_one(Channel, bad).sealed_target = b"damaged"
        of_another_version = Message("x", "telegram", {}, channel_id=good)
        outbox.put(session, hand.now, [of_another_version])
    hand.forward(minutes=1)
    house.test_message(good)
    assert house.deliver() == 1
    with house.app.app_context(), db.reading() as session:
        dead = {letter.failure for letter in service.dead_letters(session)}
    assert dead == {"unreadable", "unknown_kind"}


def test_a_robot_that_answers_with_a_riddle_does_not_stop_the_worker(
    house: House, robot: Robot
) -> None:
    house.test_message(house.channel(ChannelKind.WECOM, robot.url))
    robot.answers = [(200, b"[" * 4096)]
    house.deliver()
    assert house.rows() == [(Delivery.WAITING, 1, "robot_answer_unread")]


def test_what_was_sent_or_given_up_long_ago_is_forgotten(house: House, hand: Hand) -> None:
    channel = house.channel(ChannelKind.EMAIL, "nobody@county.example")
    house.test_message(channel)
    house.deliver()
    for days, left in ((60, 1), (31, 0)):
        hand.forward(days=days)
        with house.app.app_context(), db.transaction() as session:
            outbox.purge(session, hand.now)
        assert len(house.rows()) == left
