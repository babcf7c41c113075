"""Point 7 of the attack: nothing leads from a slip to a readable ballot, nor from a sheet to the
list."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import crypto, db
from app.evaluations import counting, slips, urn
from app.evaluations.models import Ballot, Comment, SealedBallot, SealedComment, SlipHash
from config import Config
from tests.attack.verdicts import correlation
from tests.evaluations.conftest import Assembly

VOTERS = 120
# Four standard deviations: one run in 16,000 is over it by chance.
SIGMAS = 4.0
TABLES = ("round", "subject", "voter_group", "slip_batch", "slip_hash", "sealed_ballot",
          "sealed_comment", "ballot", "tally", "comment")  # fmt: skip


def unrelated(one: Sequence[float], other: Sequence[float]) -> bool:
    return bool(abs(correlation(list(one), list(other))) * (len(one) - 1) ** 0.5 < SIGMAS)


@pytest.fixture
def voted(assembly: Assembly) -> tuple[str, list[str]]:
    """A round in which the first half graded 1 and the second half 4: order would show."""
    plan = assembly.plan(comments=True)
    round_id, (codes,) = assembly.opened(plan, VOTERS)
    for place, code in enumerate(codes):
        mark = 1 if place < VOTERS // 2 else 4
        comments = {0: f"第{place}句"} if place % 4 == 0 else {}
        assembly.vote(round_id, code, mark, comments=comments)
    return round_id, codes


def test_after_the_count_no_row_keeps_the_order_in_which_votes_came(
    assembly: Assembly, voted: tuple[str, list[str]]
) -> None:
    round_id, _ = voted
    assembly.close(round_id)
    assembly.count(round_id)
    with assembly.reading() as session:
        by_id = list(session.scalars(sa.select(Ballot.marks).order_by(Ballot.id)))
        by_place = list(session.scalars(sa.select(Ballot.marks)))
        assert len(by_id) == VOTERS
        for rows in (by_id, by_place):
            marks = [float(counting.decode(raw, 1, 1).marks[0]) for raw in rows]
            assert unrelated(range(VOTERS), marks)
        if session.get_bind().dialect.name == "postgresql":
            xmins = session.scalars(sa.text("SELECT DISTINCT xmin::text FROM ballot")).all()
            assert len(xmins) == 1


def test_a_slips_deletion_and_its_readable_ballot_share_no_bytes(
    assembly: Assembly, voted: tuple[str, list[str]]
) -> None:
    """What a dump or a journal of the voting days has, against what a later dump has."""
    round_id, _ = voted
    with assembly.reading() as session:
        before = set(session.scalars(sa.select(SealedBallot.id)))
        before |= set(session.scalars(sa.select(SealedComment.id)))
        sealed = set(session.scalars(sa.select(SealedBallot.sealed)))
        assert len(sealed) == VOTERS  # equal grades never look equal
    assembly.close(round_id)
    assembly.count(round_id)
    with assembly.reading() as session:
        after = set(session.scalars(sa.select(Ballot.id)))
        after |= set(session.scalars(sa.select(Comment.id)))
        left = sum(
            session.scalar(sa.select(sa.func.count()).select_from(model)) or 0
            for model in (SealedBallot, SealedComment, SlipHash)
        )
    assert not before & after
    assert left == 0


def test_neither_used_slips_nor_the_urn_are_left_in_the_file(
    assembly: Assembly, voted: tuple[str, list[str]], config: Config
) -> None:
    if not config.database_url.startswith("sqlite"):
        return
    round_id, codes = voted
    with assembly.reading() as session:
        sealed = list(session.scalars(sa.select(SealedBallot.sealed)))
        salt = session.scalars(sa.text("SELECT salt FROM round")).one()
    assembly.close(round_id)
    assembly.count(round_id)
    with assembly.app.app_context():
        db.truncate_journal()
    raw = b"".join(
        Path(str(config.database_url.removeprefix("sqlite:///")) + end).read_bytes()
        for end in ("", "-wal")
    )
    assert round_id.encode() in raw
    assert not any(crypto.slip_hash(code, salt) in raw for code in codes)
    assert not any(one in raw for one in sealed)
    assert not any(code.encode() in raw for code in codes)


def test_with_the_whole_database_and_one_scrutineers_key_no_ballot_opens(
    assembly: Assembly, voted: tuple[str, list[str]]
) -> None:
    with assembly.reading() as session:
        sealed = list(session.scalars(sa.select(SealedBallot.sealed)))
        halves = session.execute(sa.text("SELECT holder_id, sealed_half FROM key_half")).all()
        wang = assembly.people["wang"].hands
        keys = [wang.private_key]
        own = [bytes(raw) for holder, raw in halves if holder == wang.personal_key_id]
        keys += [crypto.unseal(wang.private_key, raw) for raw in own]
        assert len(own) == 2
    for key in keys:
        assert not any(list(crypto.unseal_each(key, sealed)))


def test_the_order_of_a_list_is_unrelated_to_the_order_on_the_sheets() -> None:
    codes = slips.new_codes(400)
    hashes = slips.hash_codes(codes, bytes(16), 2, lambda _count: None)
    assert hashes == sorted(hashes)
    place = {hashed: number for number, hashed in enumerate(hashes)}
    listed = [float(place[crypto.slip_hash(code, bytes(16))]) for code in codes]
    assert unrelated(range(400), listed)
    assert unrelated([float(code[:20]) for code in codes], range(400))


def test_no_table_of_a_round_has_a_time_or_a_running_number() -> None:
    for name in TABLES:
        for column in db.Base.metadata.tables[name].columns:
            assert not isinstance(column.type, db.UTCDateTime | sa.DateTime), (name, column.name)
            assert not (column.primary_key and isinstance(column.type, sa.Integer)), name


def test_comments_come_out_mixed_and_apart_from_their_ballots(
    assembly: Assembly, voted: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    round_id, _ = voted
    monkeypatch.setattr(urn, "_CHANCE", random.Random(3))
    assembly.close(round_id)
    assembly.count(round_id)
    with assembly.reading() as session:
        sizes = {len(raw) for raw in session.scalars(sa.select(Comment.sealed))}
        number = session.scalar(sa.select(sa.func.count()).select_from(Comment))
        columns = set(Comment.__table__.columns.keys())
    assert len(sizes) == 1
    assert number == VOTERS // 4
    assert columns == {"id", "subject_id", "box_key_id", "sealed"}
