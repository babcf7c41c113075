"""The life of an opinion: (state, move) -> state. Pure; the only place where a state changes."""

from __future__ import annotations

from enum import StrEnum

from app.errors import N_, Conflict


class State(StrEnum):
    """Where an opinion stands; each has a plain sentence for the speaker."""

    LYING = "lying"
    WAITING = "waiting"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    MERGED = "merged"
    ASKED = "asked"
    ANSWERING = "answering"
    ANSWERED = "answered"
    CLOSED = "closed"
    REOPENED = "reopened"
    APPEALED = "appealed"
    UPHELD = "upheld"
    WITHDRAWN = "withdrawn"
    REMOVED = "removed"


class Move(StrEnum):
    """What somebody, or the calendar, does with an opinion."""

    OPEN = "open"
    ACCEPT = "accept"
    DECLINE = "decline"
    REFER = "refer"
    MERGE = "merge"
    SPLIT = "split"
    ASK = "ask"
    REPLY = "reply"
    LAPSE = "lapse"
    DRAFT = "draft"
    DISCARD = "discard"
    APPROVE = "approve"
    RATE_CONTENT = "rate_content"
    RATE_DISSATISFIED = "rate_dissatisfied"
    SILENCE = "silence"
    APPEAL = "appeal"
    UPHOLD = "uphold"
    OVERTURN = "overturn"
    WITHDRAW = "withdraw"
    REMOVE = "remove"


class IllegalMoveError(Conflict):
    """A move that the table doesn't have for this state."""


S, M = State, Move

# None: back to the state before.
_TABLE: dict[tuple[State, Move], State | None] = {
    (S.LYING, M.OPEN): S.WAITING,
    (S.WAITING, M.ACCEPT): S.ACCEPTED,
    **{(state, M.DECLINE): S.DECLINED for state in (S.WAITING, S.ACCEPTED)},
    **{(state, M.REFER): S.WAITING for state in (S.WAITING, S.ACCEPTED)},
    **{(state, M.MERGE): S.MERGED for state in (S.WAITING, S.ACCEPTED)},
    # Not in the first design: a merger made by mistake, or whose other case was withdrawn.
    (S.MERGED, M.SPLIT): None,
    **{(state, M.ASK): S.ASKED for state in (S.WAITING, S.ACCEPTED)},
    (S.ASKED, M.REPLY): None,
    (S.ASKED, M.LAPSE): None,
    **{(state, M.DRAFT): S.ANSWERING for state in (S.ACCEPTED, S.REOPENED)},
    (S.ANSWERING, M.DISCARD): None,
    (S.ANSWERING, M.APPROVE): S.ANSWERED,
    (S.ANSWERED, M.RATE_CONTENT): S.CLOSED,
    (S.ANSWERED, M.RATE_DISSATISFIED): S.REOPENED,
    (S.ANSWERED, M.SILENCE): S.CLOSED,
    **{(state, M.APPEAL): S.APPEALED for state in (S.DECLINED, S.ANSWERED, S.CLOSED)},
    (S.APPEALED, M.UPHOLD): S.UPHELD,
    (S.APPEALED, M.OVERTURN): S.REOPENED,
    **{
        (state, M.WITHDRAW): S.WITHDRAWN
        for state in (
            S.LYING, S.WAITING, S.ACCEPTED, S.MERGED, S.ASKED, S.ANSWERING, S.DECLINED, S.REOPENED
        )
    },
    **{
        (state, M.REMOVE): S.REMOVED
        for state in State
        if state not in (S.LYING, S.WITHDRAWN, S.REMOVED)
    },
}  # fmt: skip

# The states that a draft, a question or a merger comes back to.
_RETURNS = {
    S.MERGED: frozenset({S.WAITING, S.ACCEPTED}),
    S.ASKED: frozenset({S.WAITING, S.ACCEPTED}),
    S.ANSWERING: frozenset({S.ACCEPTED, S.REOPENED}),
}

DESK_MOVES = frozenset(
    {M.ACCEPT, M.DECLINE, M.REFER, M.MERGE, M.SPLIT, M.ASK, M.DRAFT, M.DISCARD, M.APPROVE}
)


def next_state(
    state: State,
    move: Move,
    *,
    before: State | None = None,
    reopened_once: bool = False,
    appealed_once: bool = False,
) -> State:
    """The state that a move leads to, by the table of the product's design.

    `before` is the state to return to from `asked`, `answering` and `merged`. The second
    dissatisfied rating closes (`reopened_once`); an appeal is possible once (`appealed_once`).
    Raises IllegalMoveError.
    """
    if (state, move) not in _TABLE or (move is Move.APPEAL and appealed_once):
        raise IllegalMoveError(N_("这件意见现在的状态不能这样办理。什么都没有改变，请刷新后再看。"))
    if move is Move.RATE_DISSATISFIED and reopened_once:
        return State.CLOSED
    target = _TABLE[state, move]
    if target is not None:
        return target
    if before not in _RETURNS[state]:
        raise ValueError(f"no state to return to from {state}")
    return before


def legal(state: State, move: Move) -> bool:
    """Whether the table has this move for this state."""
    return (state, move) in _TABLE


def state_before(state: State, move: Move) -> State | None:
    """What must be remembered when a move leaves `state`: what can come back to it."""
    return state if move in (Move.ASK, Move.DRAFT, Move.MERGE) else None
