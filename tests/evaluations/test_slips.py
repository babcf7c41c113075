"""Slips made offline, their list, their log."""

from __future__ import annotations

import re
from pathlib import Path

import pypdfium2
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app import crypto
from app.evaluations import batches, logged, service, slips
from app.evaluations.models import SlipBatch, SlipHash
from app.evaluations.slips import ListError, Order
from app.sheets.slips import A_PAGE, Words, slip_sheets
from app.transparency import leaves, log, tree
from app.transparency.models import LogLeaf, PendingLeaf
from app.transparency.replay import Fault
from tests.evaluations.conftest import Assembly

ORDER = Order("ab" * 16, bytes(range(16)))
WORDS = Words("评议", "党员", "扫一扫", "只能用一次", "https://yanlu.example/slip")


def make(made: Assembly, out: Path, *more: str) -> tuple[int, str]:
    words = ["slips", str(ORDER), "--address", WORDS.address, "--out", str(out), *more]
    done = made.app.test_cli_runner().invoke(args=words)
    return done.exit_code, done.output


def numbers(pdf: bytes) -> list[list[str]]:
    """The numbers on each page."""
    document = pypdfium2.PdfDocument(pdf)
    texts = [page.get_textpage().get_text_range() for page in document]
    document.close()
    return [re.findall(r"(?:\d{4}-){5}\d{2}", text) for text in texts]


def test_the_command_makes_sheets_and_a_list_that_belong_together(
    assembly: Assembly, tmp_path: Path
) -> None:
    out = tmp_path / "drawn"
    code, told = make(assembly, out, "--count", "30", "--group", "党员")
    assert code == 0, told
    assert "hashing slips 30/30" in told
    assert "printing slips 30/30" in told
    seen: set[str] = set()
    for name, count, page_sizes in (("slips", 30, [A_PAGE, A_PAGE, 6]), ("spares", 3, [3])):
        pages = numbers((out / f"{name}-001.pdf").read_bytes())
        assert [len(page) for page in pages] == page_sizes
        codes = [crypto.parse_code(number) for page in pages for number in page]
        read = slips.read_list((out / f"{name}.txt").read_bytes())
        assert read.round_id == ORDER.round_id
        assert sorted(crypto.slip_hash(c, ORDER.salt) for c in codes) == list(read.hashes)
        assert f"{name}: {count}, root {read.root.hex()}" in told
        assert not any(number in (out / f"{name}.txt").read_text() for number in codes)
        seen.update(codes)
    assert len(seen) == 33
    assert all(path.stat().st_mode & 0o077 == 0 for path in (out, *out.iterdir()))
    assert make(assembly, out, "--count", "1")[0] == 2  # never over what is there


def test_the_command_needs_no_database(assembly: Assembly, tmp_path: Path) -> None:
    asked: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    for name in ("engine", "writing_engine"):
        sa.event.listen(assembly.app.extensions[name], "before_cursor_execute", note)
    assert make(assembly, tmp_path / "out", "--count", "1", "--no-spares")[0] == 0
    assert not asked


def test_slips_are_alike_but_for_their_number_and_tell_no_date_and_no_maker() -> None:
    codes = [crypto.display_code(code) for code in slips.new_codes(A_PAGE * 2)]
    pdf = slip_sheets(codes, WORDS)
    assert pdf == slip_sheets(codes, WORDS)
    for word in (b"CreationDate", b"Producer", b"ModDate", b"/ID"):
        assert word not in pdf
    first, second = numbers(pdf)
    assert first + second == codes
    document = pypdfium2.PdfDocument(pdf)
    texts = {
        re.sub(r"(?:\d{4}-){5}\d{2}", "N", page.get_textpage().get_text_range())
        for page in document
    }
    document.close()
    assert len(texts) == 1
    assert b"FontFile" in pdf  # the Chinese is embedded, not hoped for


@given(st.sets(st.binary(min_size=32, max_size=32), min_size=1, max_size=40))
def test_a_list_survives_its_file_and_no_change_of_it_does(hashes: set[bytes]) -> None:
    written = slips.write_list(ORDER.round_id, sorted(hashes))
    read = slips.read_list(written.encode())
    assert read.hashes == tuple(sorted(hashes))
    lines = written.splitlines()
    for place in range(1, len(lines)):
        digit = lines[place][5]
        changed = lines[place][:5] + ("0" if digit != "0" else "1") + lines[place][6:]
        with pytest.raises(ListError):
            slips.read_list("\n".join([*lines[:place], changed, *lines[place + 1 :]]).encode())
        with pytest.raises(ListError):
            slips.read_list("\n".join(lines[:place] + lines[place + 1 :]).encode())


@pytest.mark.parametrize("text", ["", "x", "ab" * 16, f"{'ab' * 16}-{'0' * 31}", "g" * 32])
def test_an_order_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ListError):
        slips.read_order(text)


def test_an_order_may_be_broken_over_lines() -> None:
    assert slips.read_order(f" {str(ORDER)[:20]}\n{str(ORDER)[20:].upper()} ") == ORDER


def test_spares_are_a_tenth_and_at_least_one() -> None:
    assert [slips.with_spares(n) for n in (1, 10, 11, 100, 101)] == [2, 11, 13, 110, 112]


# --- the log --------------------------------------------------------------------------------------


def leaves_of(made: Assembly) -> set[bytes]:
    with made.reading() as session:
        return set(session.scalars(sa.select(PendingLeaf.leaf)))


def run_log(made: Assembly) -> None:
    with made.writing() as session:
        tree.run(session, made.config.secrets.log_seed, made.config.origin, made.today)


def test_count_and_root_of_every_batch_are_in_the_log_before_the_draw(assembly: Assembly) -> None:
    round_id = assembly.frozen(assembly.plan(groups=("党员", "群众")))
    assembly.drawn(round_id, 3, 5)
    with assembly.reading() as session:
        drawn = batches.batches_of(session, round_id)
        wanted = {leaves.slip_batch_leaf(round_id, b.count, b.root) for b in drawn}
    assert [batch.count for batch in drawn] == [3, 5]
    assert leaves_of(assembly) == wanted
    run_log(assembly)
    with assembly.reading() as session:
        assert log.logged(session, wanted) == wanted
        assert logged.check_slips(session) == 2


def test_at_the_close_what_was_voided_and_what_was_not_used_enters_the_log(
    assembly: Assembly,
) -> None:
    round_id, (codes,) = assembly.opened(None, 6)
    for code in codes[:3]:
        assembly.vote(round_id, code, 1)
    voided, unused = assembly.find(codes[3])[2], sorted(assembly.find(c)[2] for c in codes[4:])
    with assembly.writing() as session:
        batches.void_slips(session, assembly.held(session, round_id), [voided])
    assembly.settled(round_id)
    assert leaves.unused_slips_leaf(round_id, 2, slips.root_of(unused)) in leaves_of(assembly)
    assert leaves.voided_slips_leaf(round_id, 1, slips.root_of([voided])) in leaves_of(assembly)
    run_log(assembly)
    text = assembly.app.test_client().get(f"/results/{round_id}/slips").text
    assert [one.hex() for one in unused] == text.split("unused 2 ")[1].split()[1:3]
    done = assembly.app.test_cli_runner().invoke(args=["verify-log"])
    assert done.exit_code == 0, done.output
    assert "batches of slips 1" in done.output


@pytest.mark.parametrize("fault", ["count", "gone", "back"])
def test_verify_log_finds_a_batch_that_was_changed_and_a_slip_that_was_slipped_in(
    assembly: Assembly, fault: str
) -> None:
    round_id, (codes,) = assembly.opened(None, 4)
    for code in codes[:3]:
        assembly.vote(round_id, code, 1)
    used = crypto.slip_hash(codes[0], bytes(16))
    assembly.settled(round_id)
    run_log(assembly)
    with assembly.writing() as session:
        batch = session.scalars(sa.select(SlipBatch)).one()
        if fault == "count":
            batch.count = 5
        elif fault == "gone":
            session.execute(sa.delete(SlipHash))
        else:
            session.add(SlipHash(slip_hash=used, batch_id=batch.id, voided=False))
    with assembly.reading() as session, pytest.raises(Fault):
        logged.check_slips(session)
    assert assembly.app.test_cli_runner().invoke(args=["verify-log"]).exit_code == 1


def test_a_leaf_of_slips_names_no_group_and_no_branch(assembly: Assembly) -> None:
    round_id = assembly.frozen()
    assembly.drawn(round_id, 3)
    run_log(assembly)
    with assembly.reading() as session:
        (leaf,) = session.scalars(sa.select(LogLeaf.leaf))
        group = service.groups_of(session, round_id)[0]
    assert leaf.startswith(b"B1" + bytes.fromhex(round_id))
    assert bytes.fromhex(group.id) not in leaf


def test_slips_are_added_before_the_voting_and_never_while_it_runs(assembly: Assembly) -> None:
    round_id, _ = assembly.opened(None, 2)
    with pytest.raises(Exception, match="票签要在定下来以后"):
        assembly.drawn(round_id, 2)


def test_a_batch_whose_printing_failed_is_voided_whole(assembly: Assembly) -> None:
    round_id = assembly.frozen()
    assembly.drawn(round_id, 5)
    with assembly.writing() as session:
        held = assembly.held(session, round_id)
        (batch,) = batches.batches_of(session, round_id)
        assert batches.void_batch(session, held, batch.id) == 5
        (drawn,) = batches.turnout(session, round_id)
    assert (drawn.made, drawn.voided, drawn.issued) == (5, 5, 0)
