"""The life of a round: every move from every state is as the table says."""

from __future__ import annotations

import itertools

import pytest

from app.evaluations.rounds import IllegalMoveError, Move, State, legal, moves, next_state

S, M = State, Move
LEGAL = {
    (S.DRAFT, M.FREEZE): S.FROZEN,
    (S.FROZEN, M.OPEN): S.OPEN,
    (S.FROZEN, M.VOID): S.VOID,
    (S.OPEN, M.CLOSE): S.CLOSED,
    (S.OPEN, M.VOID): S.VOID,
    (S.CLOSED, M.COUNT): S.COUNTED,
    (S.CLOSED, M.FAIL): S.VOID,
    (S.CLOSED, M.VOID): S.VOID,
    (S.COUNTED, M.CONFIRM): S.CONFIRMED,
    (S.COUNTED, M.FAIL): S.VOID,
    (S.CONFIRMED, M.PUBLISH): S.PUBLISHED,
}


@pytest.mark.parametrize(("state", "move"), [*itertools.product(State, Move)])
def test_every_move_from_every_state_is_as_the_table_says(state: State, move: Move) -> None:
    if (state, move) in LEGAL:
        assert next_state(state, move) is LEGAL[state, move]
    else:
        assert not legal(state, move)
        with pytest.raises(IllegalMoveError):
            next_state(state, move)


def test_nobody_voids_a_round_whose_result_can_be_known() -> None:
    for state in (S.COUNTED, S.CONFIRMED, S.PUBLISHED):
        assert M.VOID not in moves(state)


def test_the_ends_are_ends() -> None:
    assert not moves(S.PUBLISHED)
    assert not moves(S.VOID)
