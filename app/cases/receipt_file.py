"""The receipt as a file: what its holder needs to prove everything without us."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app import crypto
from app.cases.thread import Message, ThreadPage, decision_leaf
from app.errors import N_, Conflict
from app.submissions.service import Pen
from app.transparency import note, tree
from app.transparency.tree import Evidence


def receipt_file(session: Session, pen: Pen, page: ThreadPage) -> dict[str, object]:
    """The receipt as `yanlu-receipt/1`; proof and checkpoint are null until it is in the log.

    `index` is the leaf's position, which the proof needs; `key` the county's verifier key;
    `decisions` what was decided so far, each with the proof of its own leaf. Raises Conflict.
    """
    content = page.content
    if content is None:
        raise Conflict(N_("这件意见已经撤回，没有可以保存的内容了。"))
    if page.attachments is None:
        raise Conflict(N_("附的照片打不开了，现在存不成文件。请告诉监督组，或打电话告诉县里。"))
    dropped = crypto.drop_leaf(page.commitment)
    decided = [message for message in page.messages if message.reason]
    leaves = [decision_leaf(page, message) for message in decided]
    checkpoint, found = tree.evidence(session, [dropped, *leaves])
    return {
        "format": "yanlu-receipt/1",
        "text": content.text,
        "attachments": [file.hash.hex() for file in page.attachments],
        "nonce": content.nonce.hex(),
        "commitment": page.commitment.hex(),
        "promise": content.promise,
        **_proof(found.get(dropped)),
        "checkpoint": checkpoint if dropped in found else None,
        "decisions": [
            _decision(message) | _proof(found.get(leaf))
            for message, leaf in zip(decided, leaves, strict=True)
        ],
        "key": str(note.county_key(pen.secrets.log_seed, pen.origin)),
    }


def _decision(message: Message) -> dict[str, object]:
    return {"outcome": message.outcome, "reason": message.reason, "words": message.text}


def _proof(found: Evidence | None) -> dict[str, object]:
    return {
        "proof": [step.hex() for step in found.proof] if found else None,
        "index": found.index if found else None,
    }
