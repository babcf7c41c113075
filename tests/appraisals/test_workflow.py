"""The table of an appraisal's states, and the questions."""

from __future__ import annotations

import pytest

from app.appraisals import questions
from app.appraisals.workflow import IllegalMoveError, Move, State, legal, next_state
from app.errors import Invalid

S, M = State, Move
LEGAL = {
    S.OPEN: {M.HAND_IN: S.OPEN, M.DRAFT: S.DRAFTED, M.REMOVE: S.REMOVED},
    S.DRAFTED: {
        M.HAND_IN: S.DRAFTED, M.DRAFT: S.DRAFTED, M.FINISH: S.FINISHED, M.REMOVE: S.REMOVED
    },
    S.FINISHED: {M.RETURN: S.DRAFTED, M.DELIVER: S.DELIVERED, M.REMOVE: S.REMOVED},
    S.DELIVERED: {
        M.DELIVER: S.DELIVERED, M.ACKNOWLEDGE: S.ACKNOWLEDGED, M.REPLY: S.DELIVERED,
        M.REVISE: S.DRAFTED, M.REMOVE: S.REMOVED,
    },
    S.ACKNOWLEDGED: {
        M.DELIVER: S.DELIVERED, M.REPLY: S.ACKNOWLEDGED, M.REVISE: S.DRAFTED, M.REMOVE: S.REMOVED
    },
    S.REMOVED: {},
}  # fmt: skip


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("move", Move)
def test_every_move_from_every_state_is_as_the_table_says(state: State, move: Move) -> None:
    expected = LEGAL[state].get(move)
    assert legal(state, move) == (expected is not None)
    if expected is None:
        with pytest.raises(IllegalMoveError):
            next_state(state, move)
    else:
        assert next_state(state, move) is expected


def test_there_are_nine_questions_and_each_begins_with_what_to_look_at() -> None:
    assert len(questions.NINE) == 9
    assert all(question.startswith("看") for question in questions.NINE)
    assert questions.asked("") == questions.NINE


def test_a_branchs_own_questions_are_kept_and_the_template_is_not_copied() -> None:
    assert questions.stored("\n".join(questions.NINE) + "\n\n") == ""
    assert questions.asked(questions.stored(" 看安全：  有没有违章？ \n\n看节俭：省了什么？")) == (
        "看安全： 有没有违章？",
        "看节俭：省了什么？",
    )


@pytest.mark.parametrize("typed", ["问\n" * 13, "长" * 201])
def test_too_many_or_too_long_questions_are_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        questions.stored(typed)
