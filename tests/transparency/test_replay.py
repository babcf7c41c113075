"""Attacks on the log by whoever holds the database, or even the county's key: all are found."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from app import db
from app.cases import service
from app.cases.models import Case, CaseEvent, DeclineReason, ThreadItem
from app.clock import Clock
from app.transparency import merkle, note
from app.transparency.models import LogHead, LogLeaf, LogNode, PendingLeaf
from app.transparency.replay import Fault, PaperHead
from config import Config
from tests.factories import BoxInHand, case_of, drop
from tests.submissions.conftest import open_now
from tests.transparency.conftest import LogInHand, drop_leaf
from tests.transparency.test_merkle import Tree, tree_of

RUNS = (3, 1, 0, 8, 11, 2)
SIZE = sum(RUNS)


@pytest.fixture
def filled(in_hand: LogInHand) -> LogInHand:
    """A log of several days, in order."""
    for count in RUNS:
        in_hand.day(count)
    assert in_hand.replay().size == SIZE
    return in_hand


def found(in_hand: LogInHand, *paper: PaperHead) -> bool:
    try:
        in_hand.replay(*paper)
    except Fault:
        return True
    return False


def put(position: int, leaf: bytes) -> list[sa.Executable]:
    """A leaf with its right hash at a position."""
    return [
        sa.delete(LogLeaf).where(LogLeaf.position == position),
        sa.insert(LogLeaf).values(
            position=position, leaf=leaf, leaf_hash=merkle.leaf_hash(leaf)
        ),
    ]  # fmt: skip


def rebuilt(tree: Tree) -> list[sa.Executable]:
    """Every stored hash, computed anew over forged leaves."""
    rows = [{"place": place, "node_hash": made} for place, made in tree.nodes.items()]
    return [sa.delete(LogNode), sa.insert(LogNode).values(rows)]


def resigned(in_hand: LogInHand, tree: Tree, sizes: set[int]) -> list[sa.Executable]:
    """The heads of these sizes, signed anew with the county's own key."""
    statements: list[sa.Executable] = []
    for size in sizes:
        head = note.Checkpoint(in_hand.key.name, size, tree.root(size))
        statements.append(
            sa.update(LogHead).where(LogHead.size == size)
            .values(root=head.root, note=note.sign(head, in_hand.seed))
        )  # fmt: skip
    return statements


Attack = Callable[[LogInHand, random.Random], list[sa.Executable]]


def drop_one(in_hand: LogInHand, dice: random.Random) -> list[sa.Executable]:
    return [sa.delete(LogLeaf).where(LogLeaf.position == dice.randrange(SIZE))]


def drop_one_and_close_the_gap(in_hand: LogInHand, dice: random.Random) -> list[sa.Executable]:
    at = dice.randrange(SIZE)
    kept = in_hand.leaves()
    del kept[at]
    rows = [
        {"position": n, "leaf": leaf, "leaf_hash": merkle.leaf_hash(leaf)}
        for n, leaf in enumerate(kept)
    ]
    return [sa.delete(LogLeaf), sa.insert(LogLeaf).values(rows), *rebuilt(tree_of(kept))]


def edit_one(in_hand: LogInHand, dice: random.Random) -> list[sa.Executable]:
    at = dice.randrange(SIZE)
    return [sa.update(LogLeaf).where(LogLeaf.position == at).values(leaf=drop_leaf(f"forged {at}"))]


def edit_one_with_its_hash(in_hand: LogInHand, dice: random.Random) -> list[sa.Executable]:
    at = dice.randrange(SIZE)
    return put(at, drop_leaf(f"forged {at}"))


def reorder_two(in_hand: LogInHand, dice: random.Random) -> list[sa.Executable]:
    one, two = dice.sample(range(SIZE), 2)
    standing = in_hand.leaves()
    gone = sa.delete(LogLeaf).where(LogLeaf.position.in_([one, two]))
    return [gone, *put(one, standing[two]), *put(two, standing[one])]


def add_one_at_the_end(in_hand: LogInHand, dice: random.Random) -> list[sa.Executable]:
    return put(SIZE, drop_leaf("slipped in"))


def replace_a_stored_hash(in_hand: LogInHand, dice: random.Random) -> list[sa.Executable]:
    place = dice.randrange(1, SIZE - SIZE.bit_count() + 1)
    return [sa.update(LogNode).where(LogNode.place == place).values(node_hash=dice.randbytes(32))]


def fork_one_and_sign_the_last_head(in_hand: LogInHand, dice: random.Random) -> list[sa.Executable]:
    """A fork by whoever has the key: all hashes and the newest head fit, older heads don't."""
    at = dice.randrange(SIZE - RUNS[-1])
    forged = in_hand.leaves()
    forged[at] = drop_leaf(f"forged {at}")
    tree = tree_of(forged)
    return [*put(at, forged[at]), *rebuilt(tree), *resigned(in_hand, tree, {SIZE})]


def replace_a_heads_root(in_hand: LogInHand, dice: random.Random) -> list[sa.Executable]:
    size = dice.choice([3, 4, 12, 23, 25])
    head = note.Checkpoint(in_hand.key.name, size, dice.randbytes(32))
    signed = note.sign(head, in_hand.seed)
    return [sa.update(LogHead).where(LogHead.size == size).values(root=head.root, note=signed)]


def replace_a_heads_signature(in_hand: LogInHand, dice: random.Random) -> list[sa.Executable]:
    head = dice.choice(in_hand.heads())
    stranger = note.sign(
        note.Checkpoint(in_hand.key.name, head.size, head.root), dice.randbytes(32)
    )
    return [sa.update(LogHead).where(LogHead.size == head.size).values(note=stranger)]


def replace_a_heads_count(in_hand: LogInHand, dice: random.Random) -> list[sa.Executable]:
    size = dice.choice([3, 4, 12, 23, 25])
    return [sa.update(LogHead).where(LogHead.size == size).values(drops=LogHead.drops - 1)]


def cut_off_the_last_day(in_hand: LogInHand, dice: random.Random) -> list[sa.Executable]:
    return [sa.delete(LogHead).where(LogHead.size == SIZE)]


ATTACKS: list[Attack] = [
    drop_one, drop_one_and_close_the_gap, edit_one, edit_one_with_its_hash, reorder_two,
    add_one_at_the_end, replace_a_stored_hash, fork_one_and_sign_the_last_head,
    replace_a_heads_root, replace_a_heads_signature, replace_a_heads_count, cut_off_the_last_day,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_drop_edit_reorder_fork_and_replaced_heads_are_found_every_time(
    filled: LogInHand, attack: Attack
) -> None:
    tries, caught = 8, 0
    for seed in range(tries):
        with filled.app.app_context(), db.transaction() as session:
            for statement in attack(filled, random.Random(seed)):
                session.execute(statement)
            copies = [list(session.execute(sa.select(model.__table__))) for model in TABLES]
            session.rollback()
        assert found_in(filled, copies), f"{attack.__name__} {seed}"
        caught += 1
    print(f"\n{attack.__name__}: found {caught} of {tries}")
    assert found(filled) is False


TABLES: list[type[db.Base]] = [LogLeaf, LogNode, LogHead]


def found_in(in_hand: LogInHand, copies: list[list[sa.Row[tuple[object, ...]]]]) -> bool:
    """Whether a replay finds the fault, with these contents; the database is put back."""
    before: list[list[sa.Row[tuple[object, ...]]]] = []
    with in_hand.app.app_context(), db.transaction() as session:
        for model, rows in zip(TABLES, copies, strict=True):
            before.append(list(session.execute(sa.select(model.__table__))))
            _put_all(session, model, rows)
    try:
        return found(in_hand)
    finally:
        with in_hand.app.app_context(), db.transaction() as session:
            for model, rows in zip(TABLES, before, strict=True):
                _put_all(session, model, rows)


def _put_all(session: Session, model: type[db.Base], rows: object) -> None:
    session.execute(sa.delete(model))
    values = [dict(row._mapping) for row in rows]  # type: ignore[attr-defined]
    session.execute(sa.insert(model), values)


def test_a_whole_log_forked_and_signed_anew_is_found_by_a_head_on_paper(
    filled: LogInHand,
) -> None:
    paper = [PaperHead(head.size, head.root) for head in filled.heads() if head.size]
    dice = random.Random(1)
    tries, caught = 8, 0
    for _ in range(tries):
        at = dice.randrange(SIZE)
        forged = filled.leaves()
        # Sorted within its run, signed with the right key: only paper can know.
        near = int.from_bytes(merkle.leaf_hash(forged[at]), "big")
        replacement = min(
            (drop_leaf(f"{at} {n}") for n in range(3000)),
            key=lambda leaf: abs(int.from_bytes(merkle.leaf_hash(leaf), "big") - near),
        )
        original, forged[at] = forged[at], replacement
        tree = tree_of(forged)
        sizes = {head.size for head in filled.heads()}
        filled.tamper(*put(at, replacement), *rebuilt(tree), *resigned(filled, tree, sizes))
        caught += found(filled, *[head for head in paper if head.size > at][:1])
        honest = tree_of([*forged[:at], original, *forged[at + 1 :]])
        filled.tamper(*put(at, original), *rebuilt(honest), *resigned(filled, honest, sizes))
        assert not found(filled, *paper)
    print(f"\nfork of the whole log, against paper: found {caught} of {tries}")
    assert caught == tries


def test_the_command_names_the_first_fault_and_ends_with_one(filled: LogInHand) -> None:
    run = filled.app.test_cli_runner()
    assert run.invoke(args=["verify-log"]).exit_code == 0
    filled.tamper(
        sa.update(LogLeaf).where(LogLeaf.position == 20).values(leaf=b"x"),
        sa.update(LogLeaf).where(LogLeaf.position == 7).values(leaf=b"y"),
    )
    done = run.invoke(args=["verify-log"])
    assert (done.exit_code, done.output.startswith("fault: leaf 7 was changed")) == (1, True)


# --- figures against the log --------------------------------------------------------------------


@pytest.fixture
def decided(in_hand: LogInHand, config: Config, box: BoxInHand) -> LogInHand:
    """Three opinions: one answered, one declined, one waiting."""
    clock: Clock = in_hand.app.extensions["clock"]
    with in_hand.app.app_context():
        with db.transaction() as session:
            receipts = [drop(session, config, clock, box, f"意见{n}") for n in range(3)]
        open_now(in_hand.app)
        with db.transaction() as session:
            one, two, _ = (case_of(session, receipt) for receipt in receipts)
            today = clock.today()
            service.accept(session, one, today)
            service.draft(session, box.desk(), one, "修好了", "", today)
            service.approve(session, box.desk(), one, today)
            reason = DeclineReason.NOT_OURS
            service.decline(session, box.desk(), two, reason, "不归我们", today)
    in_hand.day()
    return in_hand


def verify(in_hand: LogInHand) -> tuple[int, str]:
    done = in_hand.app.test_cli_runner().invoke(args=["verify-log"])
    return done.exit_code, done.output


def test_received_answered_and_declined_are_what_the_log_says(decided: LogInHand) -> None:
    status, said = verify(decided)
    assert status == 0, said
    assert "size 5" in said
    assert f"root {decided.heads()[0].root.hex()}" in said
    assert "received 3 (cases 3, taken back before the opening 0), answered 1, declined 1" in said


def test_an_opinion_deleted_after_its_decision_is_found(decided: LogInHand) -> None:
    with decided.app.app_context(), db.transaction() as session:
        gone = session.scalars(sa.select(Case.id).where(Case.state == "declined")).one()
        for model in (CaseEvent, ThreadItem):
            session.execute(sa.delete(model).where(model.case_id == gone))
        session.execute(sa.delete(Case).where(Case.id == gone))
    status, said = verify(decided)
    assert (status, "gone from the cases" in said) == (1, True)


def test_an_opinion_deleted_before_any_decision_shows_as_one_too_few(decided: LogInHand) -> None:
    with decided.app.app_context(), db.transaction() as session:
        gone = session.scalars(sa.select(Case.id).where(Case.state == "waiting")).one()
        for model in (CaseEvent, ThreadItem):
            session.execute(sa.delete(model).where(model.case_id == gone))
        session.execute(sa.delete(Case).where(Case.id == gone))
    status, said = verify(decided)
    assert (status, "(cases 2, taken back before the opening 1)" in said) == (0, True)


def test_a_case_slipped_in_without_a_leaf_is_found(decided: LogInHand) -> None:
    with decided.app.app_context(), db.transaction() as session:
        session.execute(sa.update(Case).where(Case.state == "waiting").values(commitment=b"x" * 32))
    status, said = verify(decided)
    assert (status, "slipped in" in said) == (1, True)


@pytest.mark.parametrize("state", ["answered", "declined"])
def test_a_decision_taken_back_by_hand_is_found(decided: LogInHand, state: str) -> None:
    move = "approve" if state == "answered" else "decline"
    with decided.app.app_context(), db.transaction() as session:
        session.execute(sa.delete(CaseEvent).where(CaseEvent.move == move))
    status, said = verify(decided)
    assert (status, f"says {state} of a case that wasn't" in said) == (1, True)


def test_a_decision_that_was_kept_from_the_log_is_found(decided: LogInHand) -> None:
    clock: Clock = decided.app.extensions["clock"]
    with decided.app.app_context(), db.transaction() as session:
        case = session.scalars(sa.select(Case).where(Case.state == "waiting")).one()
        session.add(
            CaseEvent(
                case_id=case.id, position=9, move="decline", from_state="waiting",
                to_state="declined", moved_on=clock.today(),
            )
        )  # fmt: skip
    status, said = verify(decided)
    assert (status, "but the log doesn't say so" in said) == (1, True)


def test_what_waits_for_the_next_run_is_no_fault(decided: LogInHand, box: BoxInHand) -> None:
    clock: Clock = decided.app.extensions["clock"]
    with decided.app.app_context(), db.transaction() as session:
        case = session.scalars(sa.select(Case).where(Case.state == "waiting")).one()
        service.decline(
            session, box.desk(), case, DeclineReason.NO_FACTS, "没有事实", clock.today()
        )
    assert verify(decided)[0] == 0
    with decided.app.app_context(), db.transaction() as session:
        session.execute(sa.delete(PendingLeaf))
    assert verify(decided)[0] == 1


def test_a_head_from_paper_is_held_against_the_log(decided: LogInHand) -> None:
    run = decided.app.test_cli_runner()
    head = decided.heads()[0]
    assert run.invoke(args=["verify-log", "--head", f"5 {head.root_words}"]).exit_code == 0
    for bad in (f"5 {'00' * 32}", f"6 {head.root_words}", "5 abc", "nothing"):
        assert run.invoke(args=["verify-log", "--head", bad]).exit_code == 1


def test_an_application_without_a_head_is_told_so(app: Flask) -> None:
    with app.app_context(), db.transaction() as session:
        session.execute(sa.delete(LogHead))
    done = app.test_cli_runner().invoke(args=["verify-log"])
    assert (done.exit_code, "no signed head" in done.output) == (1, True)
