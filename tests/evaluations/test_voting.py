"""A slip votes once, for its own round, while the round is open; whatever else is tried."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask

from app import crypto, db
from app.errors import Conflict, Forbidden, Invalid
from app.evaluations import batches, service, slips, urn, voting
from app.evaluations.counting import Outcome, Scale
from app.evaluations.models import Ballot, KeyHalf, Round, SealedBallot, SealedComment, SlipHash
from app.evaluations.rounds import State
from app.evaluations.voting import Standing
from tests.conftest import Hand
from tests.evaluations.conftest import Assembly


def number(made: Assembly, model: type[db.Base]) -> int:
    with made.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def state(made: Assembly, round_id: str) -> State:
    with made.reading() as session:
        return session.get_one(Round, round_id).state


def test_a_vote_takes_its_slip_and_leaves_one_sealed_ballot(assembly: Assembly) -> None:
    round_id, ((code, other),) = assembly.opened(None, 2)
    assert assembly.find(code)[0] is Standing.GOOD
    assembly.vote(round_id, code, 1)
    assert assembly.find(code)[0] is Standing.UNKNOWN
    assert assembly.find(other)[0] is Standing.GOOD
    assert (number(assembly, SlipHash), number(assembly, SealedBallot)) == (1, 1)


def test_a_used_slip_and_one_that_never_was_cannot_be_told_apart(assembly: Assembly) -> None:
    round_id, ((code, _),) = assembly.opened(None, 2)
    assembly.vote(round_id, code, 1)
    used, never = assembly.find(code), assembly.find(slips.new_codes(1)[0])
    assert used == never


def test_a_slip_votes_once(assembly: Assembly) -> None:
    round_id, ((code, _),) = assembly.opened(None, 2)
    assembly.vote(round_id, code, 1)
    with pytest.raises(Conflict):
        assembly.vote(round_id, code, 3)
    assert number(assembly, SealedBallot) == 1


def test_a_voided_slip_says_so_and_does_not_vote(assembly: Assembly) -> None:
    round_id, ((code, _),) = assembly.opened(None, 2)
    slip_hash = assembly.find(code)[2]
    with assembly.writing() as session:
        held = assembly.held(session, round_id)
        assert batches.void_slips(session, held, [slip_hash]) == 1
        assert batches.void_slips(session, held, [slip_hash]) == 0
    assert assembly.find(code)[0] is Standing.VOIDED
    with pytest.raises(Conflict):
        assembly.vote(round_id, code, 1)
    with assembly.reading() as session:
        (drawn,) = batches.turnout(session, round_id)
    assert (drawn.made, drawn.voided, drawn.issued, drawn.used) == (2, 1, 1, 0)


def test_a_slip_of_another_round_finds_its_own_and_does_not_vote_here(assembly: Assembly) -> None:
    first, ((code,),) = assembly.opened(None, 1)
    second, _ = assembly.opened(None, 1)
    assert assembly.find(code)[1] == first
    with pytest.raises(Conflict):
        assembly.vote(second, code, 1)
    assert assembly.find(code)[0] is Standing.GOOD
    assert number(assembly, SealedBallot) == 0


def test_rounds_of_a_quarter_share_a_salt_and_those_of_another_do_not(
    assembly: Assembly, hand: Hand
) -> None:
    for _ in range(3):
        assembly.frozen()
    hand.forward(days=60)
    later, ((code,),) = assembly.opened(None, 1)
    with assembly.reading() as session:
        assert len(voting.salts(session)) == 2
    assert assembly.find(code)[1] == later


def test_a_slip_waits_for_the_opening_and_is_late_after_the_last_day(
    assembly: Assembly, hand: Hand
) -> None:
    round_id = assembly.frozen()
    ((code,),) = assembly.drawn(round_id, 1)
    assert assembly.find(code)[0] is Standing.EARLY
    assembly.begin(round_id)
    hand.forward(days=3)
    assert assembly.find(code)[0] is Standing.GOOD  # the last day itself
    hand.forward(days=1)
    assert assembly.find(code)[0] is Standing.LATE
    with pytest.raises(Conflict):
        assembly.vote(round_id, code, 1)
    assert number(assembly, SlipHash) == 1


def test_a_vote_after_the_close_is_refused_and_the_slip_is_listed_as_unused(
    assembly: Assembly,
) -> None:
    round_id, ((code, other),) = assembly.opened(None, 2)
    assembly.vote(round_id, code, 1)
    assembly.close(round_id)
    with pytest.raises(Conflict):
        assembly.vote(round_id, other, 1)
    with assembly.reading() as session:
        assert len(batches.left_over(session, round_id, voided=False)) == 1


def test_a_round_that_is_finished_takes_no_ballot(assembly: Assembly) -> None:
    round_id, (codes,) = assembly.opened(None, 3)
    for code in codes[:2]:
        assembly.vote(round_id, code, 1)
    assembly.settled(round_id)
    assert assembly.find(codes[2])[0] is Standing.LATE
    with pytest.raises(Conflict):
        assembly.vote(round_id, codes[2], 3)


def test_a_ballot_written_into_a_counted_round_by_hand_makes_it_void(assembly: Assembly) -> None:
    round_id, (codes,) = assembly.opened(None, 3)
    for code in codes:
        assembly.vote(round_id, code, 1)
    assembly.close(round_id)
    assembly.count(round_id)
    with assembly.writing() as session:
        marks = session.scalars(sa.select(Ballot.marks)).first()
        session.add(Ballot(round_id=round_id, marks=marks))
    assert not assembly.confirm(round_id)
    assert state(assembly, round_id) is State.VOID


def test_more_ballots_than_slips_make_a_round_void(assembly: Assembly) -> None:
    round_id, (codes,) = assembly.opened(None, 4)
    for code in codes[:3]:
        assembly.vote(round_id, code, 1)
    with assembly.writing() as session:
        sealed = session.scalars(sa.select(SealedBallot.sealed)).first()
        session.add(SealedBallot(round_id=round_id, sealed=sealed))
    assembly.close(round_id)
    assert assembly.count(round_id) is Outcome.STUFFED
    assert state(assembly, round_id) is State.VOID
    assert number(assembly, SealedBallot) == 0
    assert number(assembly, KeyHalf) == 0


def test_a_ballot_taken_out_of_the_urn_is_noticed(assembly: Assembly) -> None:
    round_id, (codes,) = assembly.opened(None, 3)
    for code in codes:
        assembly.vote(round_id, code, 1)
    with assembly.writing() as session:
        session.delete(session.scalars(sa.select(SealedBallot).limit(1)).one())
    assembly.close(round_id)
    assert assembly.count(round_id) is Outcome.MISSING


def test_half_of_the_slips_is_not_enough(assembly: Assembly) -> None:
    round_id, (codes,) = assembly.opened(None, 4)
    for code in codes[:2]:
        assembly.vote(round_id, code, 1)
    assembly.close(round_id)
    assert assembly.count(round_id) is Outcome.QUORUM
    assert state(assembly, round_id) is State.VOID


def test_blank_is_an_abstention_and_counts_as_returned(assembly: Assembly) -> None:
    plan = assembly.plan(members=2)
    round_id, (codes,) = assembly.opened(plan, 3)
    assembly.vote(round_id, codes[0], 0, 0, 0)
    assembly.vote(round_id, codes[1], 1, 0, 3)
    assembly.settled(round_id)
    with assembly.reading() as session:
        rows = [
            session.execute(sa.text(
                "SELECT first, second, third, fourth, blank FROM tally WHERE subject_id = :id"
            ), {"id": subject.id}).one()
            for subject in service.subjects_of(session, round_id)
        ]  # fmt: skip
    assert [tuple(row) for row in rows] == [(1, 0, 0, 0, 1), (0, 0, 0, 0, 2), (0, 0, 1, 0, 1)]


# --- the urn takes two people ---------------------------------------------------------------------


def test_nobody_opens_the_urn_alone(assembly: Assembly) -> None:
    round_id, (codes,) = assembly.opened(None, 3)
    for code in codes:
        assembly.vote(round_id, code, 1)
    assembly.close(round_id, "wang")
    with pytest.raises(Forbidden):
        assembly.count(round_id, "wang")
    assert assembly.count(round_id, "zhao") is Outcome.VALID


def test_before_the_close_no_scrutineer_has_both_halves(assembly: Assembly) -> None:
    round_id, _ = assembly.opened(None, 1)
    with assembly.reading() as session:
        held = session.get_one(Round, round_id)
        for half in session.scalars(sa.select(KeyHalf)):
            assert half.handed is None
            for person in assembly.people.values():
                if person.hands.personal_key_id == half.holder_id:
                    raw = crypto.unseal(person.hands.private_key, half.sealed_half)
                    assert crypto.public_key_of(raw) != held.public_key


def test_whoever_counted_does_not_confirm(assembly: Assembly) -> None:
    round_id, (codes,) = assembly.opened(None, 1)
    assembly.vote(round_id, codes[0], 1)
    assembly.close(round_id, "wang")
    assembly.count(round_id, "li")
    with pytest.raises(Forbidden):
        assembly.confirm(round_id, "li")
    with pytest.raises(Forbidden):
        assembly.confirm(round_id, "chen")  # not a scrutineer
    assert assembly.confirm(round_id, "zhao")


def test_one_of_three_scrutineers_may_lose_their_key(assembly: Assembly) -> None:
    round_id, (codes,) = assembly.opened(None, 1)
    assembly.vote(round_id, codes[0], 1)
    with assembly.writing() as session:
        lost = assembly.people["wang"].hands.personal_key_id
        session.execute(
            sa.delete(KeyHalf).where(sa.or_(KeyHalf.holder_id == lost, KeyHalf.partner_id == lost))
        )
    with pytest.raises(Forbidden):
        assembly.close(round_id, "wang")
    assembly.close(round_id, "li")
    assert assembly.count(round_id, "zhao") is Outcome.VALID


def test_after_the_count_no_key_of_the_urn_is_left(assembly: Assembly) -> None:
    round_id, (codes,) = assembly.opened(None, 1)
    assembly.vote(round_id, codes[0], 1)
    assembly.close(round_id)
    assembly.count(round_id)
    assert number(assembly, KeyHalf) == 0
    assert number(assembly, SealedBallot) == 0


# --- the ballot -----------------------------------------------------------------------------------


def test_a_ballot_over_the_cap_is_refused_before_it_is_cast(assembly: Assembly) -> None:
    plan = assembly.plan(members=6, scale=Scale.COMPETENCE, capped=True)
    round_id, _ = assembly.opened(plan, 1)
    with assembly.reading() as session:
        paper = voting.paper(session, round_id)
    assert paper.most_excellent == 2
    said = {subject.id: "excellent" for subject in paper.subjects}
    with pytest.raises(Invalid):
        voting.marks_of(paper, said)
    for subject in paper.subjects[3:]:
        said[subject.id] = "qualified"
    assert voting.marks_of(paper, said) == (1, 1, 1, 2, 2, 2, 2)


def test_a_grade_of_the_other_scale_is_refused(assembly: Assembly) -> None:
    round_id, _ = assembly.opened(None, 1)
    with assembly.reading() as session:
        paper = voting.paper(session, round_id)
    with pytest.raises(Invalid):
        voting.marks_of(paper, {paper.subjects[0].id: "excellent"})


def test_all_ballots_and_all_comments_of_a_round_have_one_length(assembly: Assembly) -> None:
    plan = assembly.plan(members=3, comments=True)
    round_id, (codes,) = assembly.opened(plan, 4)
    long = "字" * voting.MAX_COMMENT
    for code, marks, said in zip(
        codes, [(0, 0, 0, 0), (1, 2, 3, 4), (4, 4, 4, 4), (1, 0, 0, 1)],
        [{}, {0: "好"}, {2: long}, {0: "𠮷" * voting.MAX_COMMENT, 3: "。"}], strict=True,
    ):  # fmt: skip
        assembly.vote(round_id, code, *marks, comments=said)
    with assembly.reading() as session:
        assert len({len(s) for s in session.scalars(sa.select(SealedBallot.sealed))}) == 1
        assert len({len(s) for s in session.scalars(sa.select(SealedComment.sealed))}) == 1


# --- at once, and killed --------------------------------------------------------------------------


def at_once(app: Flask, *steps: Callable[[], None]) -> list[BaseException | None]:
    """Run steps in threads that begin together; what each raised."""
    gate, raised = threading.Barrier(len(steps)), [None] * len(steps)

    def run(place: int, step: Callable[[], None]) -> None:
        gate.wait()
        try:
            step()
        except BaseException as error:  # noqa: BLE001 (handed to the test)
            raised[place] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return list(raised)


def test_one_slip_from_many_phones_at_the_same_instant_is_counted_once(
    app: Flask, assembly: Assembly
) -> None:
    round_id, (codes,) = assembly.opened(None, 6)
    for code in codes:
        raised = at_once(
            app,
            *(lambda mark=mark, c=code: assembly.vote(round_id, c, mark) for mark in (1, 2, 3, 4)),
        )
        assert sum(error is None for error in raised) == 1, raised
        assert all(isinstance(error, Conflict) for error in raised if error is not None), raised
    assert number(assembly, SealedBallot) == len(codes)
    assembly.close(round_id)
    assert assembly.count(round_id) is Outcome.VALID


def test_a_vote_in_the_closing_minute_is_counted_or_its_slip_stays_good(
    app: Flask, assembly: Assembly
) -> None:
    round_id, (codes,) = assembly.opened(None, 8)
    for code in codes[:5]:
        assembly.vote(round_id, code, 1)
    votes = [lambda c=code: assembly.vote(round_id, c, 1) for code in codes[5:]]
    raised = at_once(app, lambda: assembly.close(round_id), *votes)
    assert raised[0] is None
    cast = sum(error is None for error in raised[1:])
    assert number(assembly, SealedBallot) == 5 + cast
    assert number(assembly, SlipHash) == 3 - cast
    assert assembly.count(round_id) is Outcome.VALID


@pytest.mark.parametrize("killed_before", range(1, 8))
def test_a_vote_killed_at_any_statement_is_not_cast_and_the_slip_stays_good(
    app: Flask, assembly: Assembly, killed_before: int
) -> None:
    plan = assembly.plan(comments=True)
    round_id, ((code, _),) = assembly.opened(plan, 2)
    statements = [0]

    def kill(*_: object) -> None:
        statements[0] += 1
        if statements[0] == killed_before:
            raise KeyboardInterrupt

    engine = app.extensions["writing_engine"]
    sa.event.listen(engine, "before_cursor_execute", kill)
    try:
        assembly.vote(round_id, code, 1, comments={0: "好"})
        survived = True
    except KeyboardInterrupt:
        survived = False
    finally:
        sa.event.remove(engine, "before_cursor_execute", kill)
    assert number(assembly, SealedBallot) == number(assembly, SealedComment) == survived
    assert (assembly.find(code)[0] is Standing.GOOD) != survived
    if not survived:
        assembly.vote(round_id, code, 1, comments={0: "好"})
    assert number(assembly, SealedBallot) == 1


def test_a_count_killed_halfway_leaves_the_urn_as_it_was(app: Flask, assembly: Assembly) -> None:
    round_id, (codes,) = assembly.opened(None, 2)
    for code in codes:
        assembly.vote(round_id, code, 1)
    assembly.close(round_id)
    hands = assembly.people["li"].hands
    with assembly.reading() as session:
        opened = urn.open_urn(session, hands, session.get_one(Round, round_id))

    def killed() -> None:
        with assembly.writing() as session:
            urn.count(session, hands, assembly.held(session, round_id), opened, assembly.today)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert state(assembly, round_id) is State.CLOSED
    assert number(assembly, SealedBallot) == 2
    assert assembly.count(round_id) is Outcome.VALID
