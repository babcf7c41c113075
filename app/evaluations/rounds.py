"""The life of a round: (state, move) -> state. Pure; the only place where it changes."""

from __future__ import annotations

from enum import StrEnum

from app.errors import N_, Conflict


class State(StrEnum):
    """Where a round stands."""

    DRAFT = "draft"
    FROZEN = "frozen"
    OPEN = "open"
    CLOSED = "closed"
    COUNTED = "counted"
    CONFIRMED = "confirmed"
    PUBLISHED = "published"
    VOID = "void"


class Move(StrEnum):
    """What somebody does with a round; `fail` is the count's own verdict, `void` a person's."""

    FREEZE = "freeze"
    OPEN = "open"
    CLOSE = "close"
    COUNT = "count"
    CONFIRM = "confirm"
    PUBLISH = "publish"
    VOID = "void"
    FAIL = "fail"


class IllegalMoveError(Conflict):
    """A move that the table doesn't have for this state."""


S, M = State, Move

# Nobody calls a round void once its result can be known: whoever dislikes it could.
_TABLE: dict[tuple[State, Move], State] = {
    (S.DRAFT, M.FREEZE): S.FROZEN,
    (S.FROZEN, M.OPEN): S.OPEN,
    (S.OPEN, M.CLOSE): S.CLOSED,
    (S.CLOSED, M.COUNT): S.COUNTED,
    (S.CLOSED, M.FAIL): S.VOID,
    (S.COUNTED, M.CONFIRM): S.CONFIRMED,
    (S.COUNTED, M.FAIL): S.VOID,
    (S.CONFIRMED, M.PUBLISH): S.PUBLISHED,
    **{(state, M.VOID): S.VOID for state in (S.FROZEN, S.OPEN, S.CLOSED)},
}

# From the draw of the slips on, everybody may see that there is a round, and its slips' roots.
PUBLIC = frozenset(State) - {S.DRAFT}
# What the ballots came to is there, and a second person has counted anew.
SETTLED = frozenset({S.CONFIRMED, S.PUBLISHED})


def next_state(state: State, move: Move) -> State:
    """The state that a move leads to. Raises IllegalMoveError."""
    if (state, move) not in _TABLE:
        raise IllegalMoveError(N_("这一轮评议现在不能走这一步。什么都没有改变，请刷新后再看。"))
    return _TABLE[state, move]


def legal(state: State, move: Move) -> bool:
    """Whether the table has this move for this state."""
    return (state, move) in _TABLE


def moves(state: State) -> frozenset[Move]:
    """The moves that lead on from a state."""
    return frozenset(move for held, move in _TABLE if held is state)
