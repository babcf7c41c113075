"""What in a text would give its speaker away; pure, and nothing of it is ever kept or counted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.submissions.self_identification import addresses, kin, names, numbers, posts
from app.submissions.self_identification.folded_text import fold
from app.submissions.self_identification.kinds import Kind

__all__ = ["MASK", "Kind", "Mark", "Piece", "excerpt", "find", "mask", "pieces"]

# Two stars, never longer than what they stand for: a text that fits still fits when masked. They
# are full-width because a pair of ASCII stars is markup to whoever quotes them.
MASK = "＊＊"
_SHOWN = 40


@dataclass(frozen=True)
class Mark:
    """A stretch of the text as it was typed, and what it would tell."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True)
class Piece:
    """A stretch of the text to be shown; `kind` is None where nothing was found."""

    text: str
    kind: Kind | None = None


def find(text: str) -> tuple[Mark, ...]:
    """What would give the speaker away, in the order of the text, never overlapping."""
    folded = fold(text)
    spans = sorted(
        (
            *numbers.find(folded),
            *names.find(folded),
            *addresses.find(folded),
            *posts.find(folded),
            *kin.find(folded),
        ),
        key=lambda span: (span.start, -span.end),
    )
    marks: list[Mark] = []
    for span in spans:
        start, end = folded.original(span.start, span.end)
        if marks and start < marks[-1].end:
            marks[-1] = Mark(marks[-1].start, max(end, marks[-1].end), marks[-1].kind)
        else:
            marks.append(Mark(start, end, span.kind))
    return tuple(marks)


def mask(text: str) -> str:
    """The text with two stars in place of each finding; everything else to the letter."""
    return "".join(MASK if piece.kind else piece.text for piece in pieces(text))


def excerpt(text: str) -> tuple[Piece, ...]:
    """The pieces to be shown: long stretches without a finding lose their middle."""
    return tuple(
        replace(piece, text=f"{piece.text[:_SHOWN]} …… {piece.text[-_SHOWN:]}")
        if piece.kind is None and len(piece.text) > 3 * _SHOWN
        else piece
        for piece in pieces(text)
    )


def pieces(text: str) -> tuple[Piece, ...]:
    """The whole text, cut where findings begin and end."""
    cut: list[Piece] = []
    done = 0
    for found in find(text):
        if found.start > done:
            cut.append(Piece(text[done : found.start]))
        cut.append(Piece(text[found.start : found.end], found.kind))
        done = found.end
    if done < len(text):
        cut.append(Piece(text[done:]))
    return tuple(cut)
