"""Point 8: whoever holds the database, or even the county's key, changes the log; each is found."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.transparency import merkle, note, replay
from app.transparency.models import LogHead, LogLeaf, LogNode
from app.transparency.note import Checkpoint, VerifierKey
from app.transparency.replay import Fault, PaperHead
from tests.attack.stack import Stack
from tests.attack.verdicts import Verdict


@dataclass
class Ledger:
    """The log of a deployment, as somebody with its database and its secrets has it."""

    session: Session
    seed: bytes
    key: VerifierKey
    leaves: list[bytes]
    heads: list[int]
    dice: random.Random

    def write(self, leaves: Sequence[bytes]) -> None:
        """These leaves in place of all, with every hash that belongs to them."""
        hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
        rows = [
            {"position": n, "leaf": leaf, "leaf_hash": hashed}
            for n, (leaf, hashed) in enumerate(zip(leaves, hashes, strict=True))
        ]
        nodes = [
            {"place": node.place, "node_hash": made} for node, made in merkle.grow(0, [], hashes)
        ]
        for model, content in ((LogLeaf, rows), (LogNode, nodes)):
            self.session.execute(sa.delete(model))
            self.session.execute(sa.insert(model), content)

    def sign(self, size: int, root: bytes) -> None:
        """A head of this size, signed with the county's own key."""
        made = note.sign(Checkpoint(self.key.name, size, root), self.seed)
        head = sa.update(LogHead).where(LogHead.size == size)
        self.session.execute(head.values(root=root, note=made))

    def forged(self) -> bytes:
        """A leaf that nobody dropped."""
        return crypto.drop_leaf(self.dice.randbytes(32))

    def one(self) -> int:
        """Some leaf's position."""
        return self.dice.randrange(len(self.leaves))


def _drop(ledger: Ledger) -> None:
    gone = sa.delete(LogLeaf).where(LogLeaf.position == ledger.one())
    ledger.session.execute(gone)


def _drop_and_close_up(ledger: Ledger) -> None:
    at = ledger.one()
    ledger.write([*ledger.leaves[:at], *ledger.leaves[at + 1 :]])


def _edit(ledger: Ledger) -> None:
    changed = sa.update(LogLeaf).where(LogLeaf.position == ledger.one())
    ledger.session.execute(changed.values(leaf=ledger.forged()))


def _edit_and_rehash(ledger: Ledger) -> None:
    leaves = list(ledger.leaves)
    leaves[ledger.one()] = ledger.forged()
    ledger.write(leaves)


def _reorder(ledger: Ledger) -> None:
    leaves = list(ledger.leaves)
    one, two = ledger.dice.sample(range(len(leaves)), 2)
    leaves[one], leaves[two] = leaves[two], leaves[one]
    ledger.write(leaves)


def _replace_a_head(ledger: Ledger) -> None:
    ledger.sign(ledger.dice.choice(ledger.heads), ledger.dice.randbytes(32))


def _fork(ledger: Ledger) -> None:
    """Everything fits and is signed anew; within its run the leaf keeps its place."""
    leaves = list(ledger.leaves)
    at = ledger.one()
    low, high = (
        merkle.leaf_hash(leaves[n]) if 0 <= n < len(leaves) else edge
        for n, edge in ((at - 1, bytes(32)), (at + 1, b"\xff" * 32))
    )
    for _ in range(20_000):
        leaves[at] = ledger.forged()
        if low < merkle.leaf_hash(leaves[at]) < high:
            break
    ledger.write(leaves)
    peaks: list[bytes] = []
    for size in range(len(leaves) + 1):
        if size:
            list(merkle.grow(size - 1, peaks, [merkle.leaf_hash(leaves[size - 1])]))
        if size in ledger.heads:
            ledger.sign(size, merkle.fold(peaks))


ATTACKS: dict[str, Callable[[Ledger], None]] = {
    "a leaf dropped": _drop,
    "a leaf dropped, the rest closed up, all hashes made anew": _drop_and_close_up,
    "a leaf edited": _edit,
    "a leaf edited, all hashes made anew": _edit_and_rehash,
    "two leaves exchanged, all hashes made anew": _reorder,
    "a head replaced and signed with the county's key": _replace_a_head,
    "the whole log forked and signed anew, against one line of paper": _fork,
}


def log(stack: Stack, tries: int) -> list[Verdict]:
    """Point 8; the paper is what the front served before anybody touched anything."""
    served = note.read_checkpoint(stack.client().get("/log/checkpoint").body)
    if served is None:
        raise AssertionError("the front serves no checkpoint")
    paper = [PaperHead(served.size, served.root)]
    seed = stack.secrets.log_seed
    engine = sa.create_engine(stack.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection, Session(connection) as session:
        leaves = list(session.scalars(sa.select(LogLeaf.leaf).order_by(LogLeaf.position)))
        heads = sorted(set(session.scalars(sa.select(LogHead.size).where(LogHead.size > 0))))
        session.rollback()
        key = note.county_key(seed, served.origin)
        ledger = Ledger(session, seed, key, leaves, heads, random.Random(8))
        honest = _found(ledger, paper)
        verdicts = [
            Verdict(
                f"8 faults in the honest log ({len(leaves)} leaves, {len(heads)} heads)",
                honest or "0", "0", not honest and len(leaves) > 20,
            )
        ]  # fmt: skip
        verdicts += [_attacked(ledger, name, paper, tries) for name in ATTACKS]
    engine.dispose()
    return verdicts


def _attacked(ledger: Ledger, name: str, paper: list[PaperHead], tries: int) -> Verdict:
    found = 0
    for _ in range(tries):
        ATTACKS[name](ledger)
        found += bool(_found(ledger, paper))
    return Verdict(f"8 {name}", f"found {found} of {tries}", "all", found == tries)


def _found(ledger: Ledger, paper: list[PaperHead]) -> str:
    """What a replay says; everything is put back."""
    try:
        replay.replay(ledger.session, ledger.key, paper)
    except Fault as fault:
        return str(fault)
    finally:
        ledger.session.rollback()
    return ""
