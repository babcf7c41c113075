"""The life of a member's appraisal: (state, move) -> state. Pure."""

from __future__ import annotations

from enum import StrEnum

from app.errors import N_, Conflict


class State(StrEnum):
    """Where the committee's appraisal of one member stands."""

    OPEN = "open"
    DRAFTED = "drafted"
    FINISHED = "finished"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    REMOVED = "removed"


class Move(StrEnum):
    """What the committee, the member or the calendar does with it."""

    HAND_IN = "hand_in"
    DRAFT = "draft"
    FINISH = "finish"
    RETURN = "return"
    DELIVER = "deliver"
    ACKNOWLEDGE = "acknowledge"
    REPLY = "reply"
    REVISE = "revise"
    REMOVE = "remove"


class IllegalMoveError(Conflict):
    """A move that the table doesn't have for this state."""


S, M = State, Move

_TABLE: dict[tuple[State, Move], State] = {
    # A self-appraisal belongs to what the committee considers: not after it has finished.
    (S.OPEN, M.HAND_IN): S.OPEN,
    (S.DRAFTED, M.HAND_IN): S.DRAFTED,
    (S.OPEN, M.DRAFT): S.DRAFTED,
    (S.DRAFTED, M.DRAFT): S.DRAFTED,
    (S.DRAFTED, M.FINISH): S.FINISHED,
    (S.FINISHED, M.RETURN): S.DRAFTED,
    **{(state, M.DELIVER): S.DELIVERED for state in (S.FINISHED, S.DELIVERED, S.ACKNOWLEDGED)},
    (S.DELIVERED, M.ACKNOWLEDGE): S.ACKNOWLEDGED,
    **{(state, M.REPLY): state for state in (S.DELIVERED, S.ACKNOWLEDGED)},
    # What was delivered stays on record; the next delivery says what changed.
    **{(state, M.REVISE): S.DRAFTED for state in (S.DELIVERED, S.ACKNOWLEDGED)},
    **{(state, M.REMOVE): S.REMOVED for state in State if state is not S.REMOVED},
}

_REFUSED = {
    M.HAND_IN: N_("支部已经写好评议意见，自评不能再交了。什么都没有改变，请和支部联系。"),
    M.ACKNOWLEDGE: N_("已经记下您看过了，不用再点。什么都没有改变。"),
}


def next_state(state: State, move: Move) -> State:
    """The state that a move leads to; raises IllegalMoveError."""
    if (state, move) not in _TABLE:
        usual = N_("这份评议现在不能这样办。什么都没有改变，请刷新后再看。")
        raise IllegalMoveError(_REFUSED.get(move, usual))
    return _TABLE[state, move]


def legal(state: State, move: Move) -> bool:
    """Whether the table has this move for this state."""
    return (state, move) in _TABLE
