"""The life of an opinion, move by move, against the table of the product's design."""

from __future__ import annotations

import itertools

import pytest

from app.cases.workflow import IllegalMoveError, Move, State, legal, next_state, state_before

S, M = State, Move

# Written out a second time, row by row as the design has it; None: the state before.
ROWS: list[tuple[str, str, State | None]] = [
    ("lying", "open", S.WAITING),
    ("waiting", "accept", S.ACCEPTED),
    ("waiting accepted", "decline", S.DECLINED),
    ("waiting accepted", "refer", S.WAITING),
    ("waiting accepted", "merge", S.MERGED),
    ("waiting accepted", "ask", S.ASKED),
    ("asked", "reply lapse", None),
    ("merged", "split", None),
    ("accepted reopened", "draft", S.ANSWERING),
    ("answering", "discard", None),
    ("answering", "approve", S.ANSWERED),
    ("answered", "rate_content silence", S.CLOSED),
    ("answered", "rate_dissatisfied", S.REOPENED),
    ("declined answered closed", "appeal", S.APPEALED),
    ("appealed", "uphold", S.UPHELD),
    ("appealed", "overturn", S.REOPENED),
    (
        "lying waiting accepted merged asked answering declined reopened",
        "withdraw",
        S.WITHDRAWN,
    ),
    (
        "waiting accepted declined merged asked answering answered closed reopened appealed upheld",
        "remove",
        S.REMOVED,
    ),
]
EXPECTED = {
    (State(state), Move(move)): target
    for states, moves, target in ROWS
    for state in states.split()
    for move in moves.split()
}
BEFORE = {S.MERGED: S.ACCEPTED, S.ASKED: S.WAITING, S.ANSWERING: S.REOPENED}


@pytest.mark.parametrize(("state", "move"), list(itertools.product(State, Move)))
def test_every_move_from_every_state_is_as_the_table_says(state: State, move: Move) -> None:
    if (state, move) not in EXPECTED:
        assert not legal(state, move)
        with pytest.raises(IllegalMoveError):
            next_state(state, move, before=BEFORE.get(state))
        return
    assert legal(state, move)
    target = EXPECTED[state, move] or BEFORE[state]
    assert next_state(state, move, before=BEFORE.get(state)) is target


def test_a_second_dissatisfied_rating_closes() -> None:
    assert next_state(S.ANSWERED, M.RATE_DISSATISFIED, reopened_once=True) is S.CLOSED


def test_an_appeal_is_possible_once() -> None:
    for state in (S.DECLINED, S.ANSWERED, S.CLOSED):
        with pytest.raises(IllegalMoveError):
            next_state(state, M.APPEAL, appealed_once=True)


@pytest.mark.parametrize("before", [S.WAITING, S.ACCEPTED])
def test_a_question_comes_back_to_where_it_was_asked(before: State) -> None:
    assert state_before(before, M.ASK) is before
    assert next_state(S.ASKED, M.REPLY, before=before) is before


def test_a_draft_never_comes_back_to_a_state_it_cannot_have_left() -> None:
    for before in (None, S.WAITING, S.CLOSED):
        with pytest.raises(ValueError, match="no state"):
            next_state(S.ANSWERING, M.DISCARD, before=before)


def test_every_state_is_reached_and_only_ends_have_no_way_on() -> None:
    reached = {S.LYING} | {target for target in EXPECTED.values() if target}
    assert reached == set(State)
    ends = {state for state in State if not any(s is state for s, _ in EXPECTED)}
    assert ends == {S.WITHDRAWN, S.REMOVED}
