"""People at the front while machines break, and a ledger of what they were told."""

from __future__ import annotations

import html
import http.client
import itertools
import random
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.attack.stack import BOX, Answer, Client
from tests.cluster.stack import Cluster

SECONDS_TO_READ = 3.2
PATIENCE = 240.0
SPEAKERS, REPLIERS, VOTERS = 6, 3, 2
MOST_REPLIES = 6
GRADES = ("satisfied", "basically", "dissatisfied", "unknown")
KIND = "<title>这会儿用不了"
_WORDS = "路灯水井桥渠晒场戏台粮仓池塘石阶篱笆风车碾子"


@dataclass(frozen=True)
class Attempt:
    """One form sent or page asked for: when, and whether it was served."""

    began: float
    ended: float
    kind: str
    served: bool
    kindly: bool


@dataclass
class Receipt:
    """What somebody took home, and what they were told had been taken in since."""

    code: str
    text: str
    at: float
    replies: list[str] = field(default_factory=list)


@dataclass
class Ledger:
    """Everything that was acknowledged, and everything that went as it never should."""

    attempts: list[Attempt] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    ballots: list[dict[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def acknowledged(self) -> Counter[str]:
        """How many of each kind."""
        replies = sum(len(receipt.replies) for receipt in self.receipts)
        return Counter(drops=len(self.receipts), replies=replies, ballots=len(self.ballots))


def said(page: Answer) -> list[str]:
    """The speaker's words on a thread's page."""
    found = re.findall(r'data-message="speaker"[^>]*>(.*?)</div>', page.body, re.S)
    return [html.unescape(words) for words in found]


class Load:
    """Speakers, repliers, voters and the hourly opening, each in a thread of their own."""

    def __init__(self, cluster: Cluster, slips: list[str]) -> None:
        self.ledger = Ledger()
        self._cluster = cluster
        self._slips = deque(slips)
        self._dice = random.Random(20)
        self._numbers = itertools.count(1)
        self._waiting: deque[Receipt] = deque()
        self._opened_at = 0.0
        self._going, self._ended = threading.Event(), threading.Event()
        self._busy = 0
        self._changed = threading.Condition()
        crowd = [self._speak] * SPEAKERS + [self._reply] * REPLIERS + [self._vote] * VOTERS
        self._threads = [
            threading.Thread(target=self._live, args=(deed, cluster.client(f"127.0.1.{n}")))
            for n, deed in enumerate(crowd, start=1)
        ] + [threading.Thread(target=self._open_boxes)]

    # --- life ---------------------------------------------------------------------------------

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._going.set()
        for thread in self._threads:
            thread.join()

    def go(self) -> None:
        """Let everybody come."""
        self._going.set()

    def settle(self) -> None:
        """Let nobody new come, and wait until whoever is there was told that it is done."""
        self._going.clear()
        with self._changed:
            if not self._changed.wait_for(lambda: self._busy == 0, PATIENCE + 60):
                raise AssertionError(f"{self._busy} people were never told anything")

    def _live(self, deed: Callable[[Client], None], client: Client) -> None:
        while not self._ended.is_set():
            self._going.wait()
            with self._at_it():
                try:
                    deed(client)
                except AssertionError as error:
                    self.ledger.wrong.append(str(error)[:300])
            time.sleep(0.2)

    @contextmanager
    def _at_it(self) -> Iterator[None]:
        with self._changed:
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _insist(self, kind: str, send: Callable[[], Answer]) -> tuple[Answer, bool]:
        """The same form again and again until it is served; whether it was refused before."""
        began = time.monotonic()
        for tries in itertools.count():
            asked = time.monotonic()
            try:
                answer = send()
                served, kindly = answer.status < 500, KIND in answer.body
            except (OSError, http.client.HTTPException):
                served, kindly = False, False
            attempt = Attempt(asked, time.monotonic(), kind, served, kindly)
            self.ledger.attempts.append(attempt)
            if served:
                return answer, tries > 0
            if attempt.ended - began > PATIENCE:
                raise AssertionError(f"a {kind} was refused for {PATIENCE:.0f} s")
            time.sleep(0.5)
        raise AssertionError

    def _words(self) -> str:
        return f"{next(self._numbers)}：" + "".join(self._dice.choices(_WORDS, k=24))

    # --- what people do -----------------------------------------------------------------------

    def _speak(self, client: Client) -> None:
        """Drop an opinion; now and then press twice."""
        text = self._words()
        page, _ = self._insist("form", lambda: client.get(BOX))
        while True:
            ticket = page.ticket
            time.sleep(SECONDS_TO_READ)
            fields = {"ticket": ticket, "opinion": text, "decision": "as-is"}
            page, _ = self._insist("drop", lambda sent=fields: client.post(BOX, **sent))  # type: ignore[misc]
            if page.status == 200:
                break
            if (
                page.status != 422
            ):  # 422: the boxes were opened meanwhile; the page has a new ticket
                raise AssertionError(f"a drop was answered with {page.status}")
        receipt = Receipt(page.code, text, time.monotonic())
        self.ledger.receipts.append(receipt)
        self._waiting.append(receipt)
        if self._dice.random() < 0.25:
            again, _ = self._insist("drop", lambda: client.post(BOX, **fields))
            if again.code != receipt.code:
                raise AssertionError("the same form gave another receipt")

    def _reply(self, client: Client) -> None:
        """Come back with a receipt, and add a line."""
        if not self._waiting or self._waiting[0].at > self._opened_at:
            return
        receipt = self._waiting.popleft()
        page, _ = self._insist("thread", lambda: client.thread(receipt.code))
        message = self._words()
        for _ in range(20):
            fields = {"ticket": page.ticket, "message": message}
            page, _ = self._insist(
                "reply", lambda sent=fields: client.post("/receipt/reply", **sent)  # type: ignore[misc]
            )  # fmt: skip
            if page.status != 200:  # opened meanwhile: what does the thread say?
                page, _ = self._insist("thread", lambda: client.thread(receipt.code))
            if message in said(page):
                receipt.replies.append(message)
                break
        else:
            raise AssertionError("twenty times a reply was neither taken nor refused")
        if len(receipt.replies) < MOST_REPLIES:
            self._waiting.append(receipt)

    def _vote(self, client: Client) -> None:
        """Vote with a slip; now and then press twice."""
        if not self._slips:
            raise AssertionError("no slip is left: make more")
        self._vote_with(client, self._slips.popleft())
        time.sleep(1)

    def vote_out(self) -> None:
        """Let people vote until the round counts: more than half of the slips must have."""
        client = self._cluster.client("127.0.1.100")
        while len(self.ledger.ballots) <= len(self._slips):
            self._vote_with(client, self._slips.popleft())

    def _vote_with(self, client: Client, slip: str) -> None:
        page, _ = self._insist("slip", lambda: client.post("/slip", slip=slip))
        names = sorted(set(re.findall(r'name="(grade-[0-9a-f]{32})"', page.body)))
        grades = {name: self._dice.choice(GRADES) for name in names}
        ticket = page.ticket
        done, before = self._insist("ballot", lambda: client.post("/slip", ticket=ticket, **grades))
        # Refused once and then "used": the first one had arrived, as the page says.
        if not ("data-counted" in done.body or (done.status == 409 and before)):
            raise AssertionError(f"a ballot was answered with {done.status}")
        self.ledger.ballots.append(grades)
        if self._dice.random() < 0.25:
            again, _ = self._insist("ballot", lambda: client.post("/slip", ticket=ticket, **grades))
            if again.status != 409:
                raise AssertionError("the same slip voted twice")

    def _open_boxes(self) -> None:
        """The day's opening, again and again, from either machine."""
        for machine in itertools.cycle(self._cluster.applications):
            self._going.wait()
            if self._ended.is_set():
                return
            with self._at_it():
                self.open_now(machine.name)
            self._ended.wait(15)

    def open_now(self, name: str) -> None:
        """One opening; while the database is away there is none."""
        began = time.monotonic()
        machine = next(one for one in self._cluster.applications if one.name == name)
        try:
            self._cluster.flask(machine, "open-boxes", "--now")
        except AssertionError:
            return
        self._opened_at = began
