"""What clients were told, and what they find afterwards."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

from tests.attack.stack import BOX, Answer
from tests.crash.instance import Caller, said, state

# A thread has eight acts a week; all clients at once may choose the same one.
MOST_ACTS = 4


class Refused(Exception):
    """The server was up and answered something that nobody was waiting for."""


@dataclass
class Thread:
    """A drop that was acknowledged, and what was acknowledged to it since."""

    code: str
    texts: list[str]
    lying: bool = True
    answered: bool = False
    rated: bool = False

    @property
    def may_act(self) -> bool:
        """Whether another act has room."""
        return not self.lying and len(self.texts) + self.rated <= MOST_ACTS


@dataclass
class Deed:
    """Something a client does: `attempt` until it is acknowledged, always with the same form."""

    name: ClassVar[str]
    ticket: str = ""
    tried: bool = False

    def attempt(self, caller: Caller) -> bool:
        """True once the server acknowledged it; False when it was busy."""
        if not self.ticket and not self._load(caller):
            return False
        again, self.tried = self.tried, True
        answer = self._send(caller)
        if answer.status == 503:
            return False
        if answer.status == 200:
            return self._acknowledged(answer)
        return self._settled(caller, answer, again)

    def _load(self, caller: Caller) -> bool:
        raise NotImplementedError

    def _send(self, caller: Caller) -> Answer:
        raise NotImplementedError

    def _acknowledged(self, answer: Answer) -> bool:
        raise NotImplementedError

    def _settled(self, caller: Caller, answer: Answer, again: bool) -> bool:
        """Refused: an opening came in between, or it was stored before the answer got lost."""
        raise Refused(f"{self.name}: {answer.status} {answer.body[-300:]}")


@dataclass
class Drop(Deed):
    """An opinion."""

    name = "drops"
    text: str = field(default_factory=lambda: f"路灯坏了，第{secrets.token_hex(6)}盏。")
    thread: Thread | None = None

    def _load(self, caller: Caller) -> bool:
        page = caller.get(BOX)
        if page.status == 503:
            return False
        self.ticket = page.ticket
        return True

    def _send(self, caller: Caller) -> Answer:
        return caller.post(BOX, ticket=self.ticket, opinion=self.text, decision="as-is")

    def _acknowledged(self, answer: Answer) -> bool:
        if self.thread is None:
            self.thread = Thread(answer.code, [self.text])
        elif self.thread.code != answer.code:
            raise Refused(f"the same form, another receipt: {answer.code}")
        return True

    def _settled(self, caller: Caller, answer: Answer, again: bool) -> bool:
        if answer.status != 422 or self.thread is not None:
            return super()._settled(caller, answer, again)
        self.ticket = answer.ticket  # stale: the page came back with a fresh one
        return self.attempt(caller)


@dataclass
class Act(Deed):
    """An act on a thread."""

    thread: Thread = field(default_factory=lambda: Thread("", []))

    def _load(self, caller: Caller) -> bool:
        page = caller.post("/receipt", code=self.thread.code)
        if page.status == 503:
            return False
        self.ticket = page.ticket
        return True


@dataclass
class Reply(Act):
    """A message."""

    name = "replies"
    text: str = field(default_factory=lambda: f"再补一句，{secrets.token_hex(6)}。")

    def _send(self, caller: Caller) -> Answer:
        return caller.post("/receipt/reply", ticket=self.ticket, message=self.text)

    def _acknowledged(self, answer: Answer) -> bool:
        if said(answer).count(self.text) != 1:
            raise Refused(f"a reply stands there {said(answer).count(self.text)} times")
        self.thread.texts.append(self.text)
        return True

    def _settled(self, caller: Caller, answer: Answer, again: bool) -> bool:
        if answer.status != 422:
            return super()._settled(caller, answer, again)
        if again and self.text in said(answer):
            return self._acknowledged(answer)
        self.ticket = answer.ticket
        return self.attempt(caller)


@dataclass
class Rate(Act):
    """A rating."""

    name = "ratings"

    def _send(self, caller: Caller) -> Answer:
        return caller.post("/receipt/rate", ticket=self.ticket, rating="satisfied")

    def _acknowledged(self, answer: Answer) -> bool:
        self.thread.rated = True
        return True

    def _settled(self, caller: Caller, answer: Answer, again: bool) -> bool:
        if answer.status not in (409, 422):
            return super()._settled(caller, answer, again)
        if again and "/receipt/rate" not in answer.body:
            return self._acknowledged(answer)
        self.ticket = answer.ticket
        return self.attempt(caller)


@dataclass
class Vote(Deed):
    """A slip, turned into a ballot."""

    name = "ballots"
    slip: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    def attempt(self, caller: Caller) -> bool:
        """As a voter does who saw no answer: the slip once more; used up means counted."""
        page = caller.post("/slip", slip=self.slip)
        if page.status == 503:
            return False
        if 'data-error="unknown"' in page.body:
            if self.tried:
                return True
            raise Refused("a slip is gone that nobody used")
        names = re.findall(r'name="(grade-[0-9a-f]{32})"', page.body)
        self.tried = True
        chosen = dict.fromkeys(names, "satisfied")
        done = caller.post("/slip", ticket=page.ticket, **chosen)
        if done.status == 503:
            return False
        if done.status != 200 or "data-counted" not in done.body:
            raise Refused(f"ballot: {done.status}")
        return True


@dataclass
class Ledger:
    """Everything that was acknowledged, by all clients."""

    threads: list[Thread] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0

    def note(self, deed: Deed) -> None:
        """A deed was acknowledged."""
        self.counts[deed.name] += 1
        if isinstance(deed, Drop) and deed.thread:
            self.threads.append(deed.thread)

    def check(self, caller: Caller, thread: Thread) -> str:
        """Its receipt opens, with exactly the acknowledged messages; where it stands."""
        page = caller.post("/receipt", code=thread.code)
        there, wanted = Counter(said(page)), Counter(thread.texts)
        if there != wanted:
            self.lost += (wanted - there).total()
            self.doubled += (there - wanted).total()
            self.faults.append(f"{page.status}: {wanted - there} lost, {there - wanted} more")
        found = state(page)
        thread.lying = found == "lying"
        thread.answered = found == "answered"
        return found
