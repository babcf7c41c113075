"""The public log beside the slips: every batch stands in it as it was announced."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.evaluations import batches, slips
from app.evaluations.models import Round, SlipBatch
from app.transparency import leaves, log
from app.transparency.models import PendingLeaf
from app.transparency.replay import Fault


def check_slips(session: Session) -> int:
    """Hold every batch, and what each closed round left over, against the log; how many batches.

    A leaf that waits for the day's run counts. Raises Fault: somebody changed a batch, or a slip
    that was never used is gone from the list, or one has come back.
    """
    expected: dict[bytes, str] = {}
    found = list(session.scalars(sa.select(SlipBatch)))
    for batch in found:
        leaf = leaves.slip_batch_leaf(batch.round_id, batch.count, batch.root)
        expected[leaf] = f"a batch of {batch.count} slips of round {batch.round_id}"
    for round_id in session.scalars(sa.select(Round.id).where(Round.closed_on.is_not(None))):
        unused = batches.left_over(session, round_id, voided=False)
        voided = batches.left_over(session, round_id, voided=True)
        for build, hashes, word in (
            (leaves.unused_slips_leaf, unused, "unused"),
            (leaves.voided_slips_leaf, voided, "voided"),
        ):
            leaf = build(round_id, len(hashes), slips.root_of(hashes))
            expected[leaf] = f"the list of {word} slips of round {round_id}"
    missing = expected.keys() - log.logged(session, expected) - _pending(session)
    for leaf in sorted(missing):
        raise Fault(f"{expected[leaf]} isn't in the log as it was announced")
    return len(found)


def _pending(session: Session) -> frozenset[bytes]:
    return frozenset(session.scalars(sa.select(PendingLeaf.leaf)))
