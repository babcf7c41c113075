"""Backups: after an opening, sealed, read back; an instance made anew goes on without a fork."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from click.testing import Result
from flask import Flask

from app import archive, backups, create_app, crypto, db, wordindex, worker
from app.archive import Content
from app.backups import fingerprint
from app.cases import thread
from app.sealing.models import SealedItem
from app.staff.models import StaffSession
from app.submissions.service import Receipt
from app.transparency import replay, tree
from app.transparency.leaves import Counts
from config import Config
from tests.cases.conftest import Scene, scene
from tests.cases.test_desk import make_keeper
from tests.conftest import Hand
from tests.factories import drop, pen_of

__all__ = ["scene"]


def contents(app: Flask) -> Content:
    with app.app_context(), db.engine().connect() as connection:
        return archive.summed(archive.rows(connection, lambda *_: None))


@dataclass
class Kept:
    """A county with a case and a drop that lies unopened; where its backups and their key are."""

    scene: Scene
    folder: Path
    key: Path
    lying: Receipt

    def run(self, *args: str) -> Result:
        return self.scene.app.test_cli_runner().invoke(args=list(args))

    def backup(self) -> Path:
        result = self.run("backup", str(self.folder))
        assert result.exit_code == 0, result.output
        assert "reads back" in result.stdout
        return max(self.folder.glob("*.backup"))

    def head(self) -> str:
        with self.scene.app.app_context(), db.reading() as session:
            head = tree.newest_head(session)
            assert head is not None
            return f"{head.size} {head.root.hex()}"

    def frames(self, file: Path) -> list[archive.Frame]:
        private = bytes.fromhex(self.key.read_text().split()[1])
        with file.open("rb") as opened:
            return list(archive.read(opened, lambda sealed: crypto.unseal(private, sealed)))

    def restore(self, file: Path, *heads: str) -> Result:
        told = [part for head in heads or (self.head(),) for part in ("--head", head)]
        return self.run("restore", str(file), "--key", str(self.key), *told)

    def lose(self) -> None:
        """The database is gone."""
        with self.scene.app.app_context():
            db.downgrade("base")


@pytest.fixture
def kept(scene: Scene, tmp_path: Path) -> Kept:
    _, case_id = scene.opened("村口的路灯坏了")
    scene.answer(case_id)
    with scene.app.app_context():
        worker.run_log(scene.config, scene.clock)
    with scene.writing() as session:
        lying = drop(session, scene.config, scene.clock, scene.here, "还没有开箱的话")
    made = Kept(scene, tmp_path / "backups", tmp_path / "key.txt", lying)
    result = made.run("backup-key")
    made.key.write_text(result.stdout)
    return made


def words(scene: Scene, receipt: Receipt) -> list[str]:
    with scene.app.app_context(), db.reading() as session:
        page = thread.open_thread(session, pen_of(scene.config, scene.clock), receipt.keys)
        assert page is not None
        return [message.text for message in page.messages]


@pytest.mark.schema
def test_a_lost_database_comes_back_row_for_row_and_its_log_goes_on_without_a_fork(
    kept: Kept, hand: Hand
) -> None:
    before, file, head = contents(kept.scene.app), kept.backup(), kept.head()
    kept.lose()
    result = kept.restore(file, head)
    assert result.exit_code == 0, result.output
    assert "2026-11-23" in result.stdout
    assert head.split()[1] in result.stdout
    assert contents(kept.scene.app) == before
    assert words(kept.scene, kept.lying) == ["还没有开箱的话"]
    hand.forward(days=1)
    kept.scene.open_boxes()
    with kept.scene.app.app_context():
        worker.run_log(kept.scene.config, kept.scene.clock)
    assert kept.head() != head
    verified = kept.run("verify-log", "--head", head)
    assert verified.exit_code == 0, verified.output


@pytest.fixture
def elsewhere(kept: Kept, tmp_path: Path, hand: Hand) -> Iterator[Flask]:
    """The same secrets on another machine, with an empty SQLite file."""
    url = f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}"
    app = create_app(dataclasses.replace(kept.scene.config, database_url=url), kept.scene.clock)
    yield app
    db.close(app)


def restored(kept: Kept, app: Flask, file: Path, head: str, key: Path | None = None) -> Result:
    args = ["restore", str(file), "--key", str(key or kept.key), "--head", head]
    return app.test_cli_runner().invoke(args=args)


def test_what_one_database_wrote_another_reads(kept: Kept, elsewhere: Flask) -> None:
    before, file = contents(kept.scene.app), kept.backup()
    result = restored(kept, elsewhere, file, kept.head())
    assert result.exit_code == 0, result.output
    assert contents(elsewhere) == before
    assert elsewhere.test_cli_runner().invoke(args=["verify-log"]).exit_code == 0


def test_a_log_that_went_on_is_never_signed_a_second_time_under_its_name(
    kept: Kept, elsewhere: Flask, hand: Hand, tmp_path: Path
) -> None:
    file, old = kept.backup(), kept.head()
    hand.forward(days=1)
    kept.scene.open_boxes()
    with kept.scene.app.app_context():
        worker.run_log(kept.scene.config, kept.scene.clock)
    newer = kept.head()
    refused = restored(kept, elsewhere, file, newer)
    assert refused.exit_code == 1
    assert "a fork" in refused.stderr
    assert f"it had {newer.split()[0]} leaves, the backup has {old.split()[0]}" in refused.stderr
    with elsewhere.app_context():
        assert sa.inspect(db.engine()).get_table_names() == []
    config = dataclasses.replace(elsewhere.config["YANLU"], origin="county.example/second")
    renamed = create_app(config, kept.scene.clock)
    done = restored(kept, renamed, file, newer)
    assert done.exit_code == 0, done.output
    assert renamed.test_cli_runner().invoke(args=["verify-log"]).exit_code == 0
    page = renamed.test_client().get("/log/checkpoint").get_data(as_text=True)
    assert page.startswith("county.example/second\n")
    db.close(renamed)


def test_a_head_that_others_hold_and_the_backup_contradicts_stops_the_restoring(
    kept: Kept, elsewhere: Flask
) -> None:
    file, size = kept.backup(), kept.head().split()[0]
    refused = restored(kept, elsewhere, file, f"{size} {'0' * 64}")
    assert refused.exit_code == 1
    assert "forked" in refused.stderr


# --- when a backup is made ------------------------------------------------------------------------


def test_a_backup_follows_an_opening_and_each_has_one(kept: Kept, hand: Hand) -> None:
    kept.backup()
    again = kept.run("backup", str(kept.folder))
    assert again.exit_code == 1
    assert "one backup follows each opening" in again.stderr
    hand.forward(days=1)
    early = kept.run("backup", str(kept.folder))
    assert early.exit_code == 1
    assert "no box was opened today" in early.stderr
    assert [path.name for path in kept.folder.iterdir()] == ["yanlu-2026-11-23.backup"]
    kept.scene.open_boxes()
    assert kept.backup().name == "yanlu-2026-11-24.backup"


def test_backups_older_than_the_stated_age_are_deleted(kept: Kept, hand: Hand) -> None:
    kept.backup()
    hand.forward(days=30)
    kept.scene.open_boxes()
    kept.backup()
    assert len(list(kept.folder.iterdir())) == 2
    hand.forward(days=1)
    kept.scene.open_boxes()
    kept.backup()
    names = sorted(path.name for path in kept.folder.iterdir())
    assert names == ["yanlu-2026-12-23.backup", "yanlu-2026-12-24.backup"]


def ciphertexts(kept: Kept) -> set[str]:
    with kept.scene.app.app_context(), db.reading() as session:
        return {
            base64.b64encode(c).decode() for c in session.scalars(sa.select(SealedItem.ciphertext))
        }


def test_what_was_withdrawn_is_in_no_backup_made_afterwards(kept: Kept, hand: Hand) -> None:
    receipt, _ = kept.scene.opened("要收回的话")
    first, there = kept.backup(), ciphertexts(kept)
    kept.scene.withdraw(receipt)
    withdrawn = there - ciphertexts(kept)
    assert withdrawn
    hand.forward(days=1)
    kept.scene.open_boxes()
    second = kept.backup()
    for words, file, held in (("before", first, True), ("after", second, False)):
        told = json.dumps(kept.frames(file))
        assert all((text in told) is held for text in withdrawn), words


def test_a_session_is_in_no_backup(kept: Kept, app: Flask, config: Config) -> None:
    make_keeper(app, config, "yunling")
    with app.app_context(), db.reading() as session:
        assert session.scalars(sa.select(StaffSession)).all()
    tables = {frame.get("table") for frame in kept.frames(kept.backup())}
    assert "staff" in tables
    assert "staff_session" not in tables


# --- who can read it ------------------------------------------------------------------------------


def test_a_file_shows_nothing_without_its_key_and_its_size_counts_no_drops(kept: Kept) -> None:
    file = kept.backup()
    content = file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    assert len(content) % archive.STEP == 0
    for canary in ("longtan", "office", "staff", kept.scene.config.origin):
        assert canary.encode() not in content


def test_a_damaged_file_or_a_foreign_key_restores_nothing(
    kept: Kept, elsewhere: Flask, tmp_path: Path
) -> None:
    file = kept.backup()
    content = file.read_bytes()
    middle = 4000
    for name, bad in (
        ("cut", content[: archive.STEP // 2]),
        ("short", content[:20]),
        ("flipped", content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]),
        ("other", b"something else" * 1000),
    ):
        path = tmp_path / name
        path.write_bytes(bad)
        refused = restored(kept, elsewhere, path, "none")
        assert refused.exit_code == 1, name
        assert "backup" in refused.stderr
    foreign = tmp_path / "foreign.txt"
    for line in (f"yanlu-backup-key-1 {secrets.token_hex(32)}", "yanlu-backup-key-1 zz", ""):
        foreign.write_text(line)
        assert restored(kept, elsewhere, file, "none", foreign).exit_code == 1
    with elsewhere.app_context():
        assert sa.inspect(db.engine()).get_table_names() == []


def test_an_instance_that_is_there_is_not_overwritten(kept: Kept) -> None:
    file, before = kept.backup(), contents(kept.scene.app)
    refused = kept.restore(file)
    assert refused.exit_code == 1
    assert "an instance in this database already" in refused.stderr
    assert contents(kept.scene.app) == before


def test_other_secrets_are_told_before_anything_is_restored(kept: Kept, elsewhere: Flask) -> None:
    config: Config = elsewhere.config["YANLU"]
    other = dataclasses.replace(config.secrets, pepper=bytes(32))
    assert fingerprint(other) != fingerprint(config.secrets)
    elsewhere.config["YANLU"] = dataclasses.replace(config, secrets=other)
    refused = restored(kept, elsewhere, kept.backup(), "none")
    assert refused.exit_code == 1
    assert "secrets.json" in refused.stderr


def test_a_disk_that_writes_something_else_is_found_out(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = archive.fill
    with kept.scene.writing() as session:
        wordindex.put(session, wordindex.Published.ANSWER, "0" * 32, dt.date(2026, 11, 1), ["路灯"])
    monkeypatch.setattr(archive, "fill", lambda c, f, _: losing_one(real, c, f))
    refused = kept.run("backup", str(kept.folder))
    assert refused.exit_code == 1
    assert "doesn't read back" in refused.stderr
    assert list(kept.folder.iterdir()) == []


def losing_one(
    real: Callable[..., None], connection: sa.Connection, frames: Iterator[archive.Frame]
) -> None:
    """Everything but one pair of the index of published words."""
    lost = (f | {"rows": f["rows"][1:]} if f["table"] == "indexed_pair" else f for f in frames)
    real(connection, lost, lambda *_: None)


def test_a_second_key_is_not_made_over_the_first(kept: Kept) -> None:
    assert kept.run("backup-key").exit_code == 1


def test_what_a_killed_run_left_is_cleared_by_the_next(kept: Kept) -> None:
    scratch = kept.scene.config.data_dir / "read-back-x"
    scratch.mkdir()
    (scratch / "restored.sqlite3").write_bytes(b"rows")
    kept.folder.mkdir()
    (kept.folder / "yanlu-2026-11-23.unfinished").write_bytes(b"half")
    kept.backup()
    assert not scratch.exists()
    assert [path.name for path in kept.folder.iterdir()] == ["yanlu-2026-11-23.backup"]


def test_a_folder_that_cannot_be_written_to_is_told_in_a_sentence(kept: Kept) -> None:
    kept.folder.write_bytes(b"a file")
    assert kept.run("backup", str(kept.folder)).exit_code == 2
    below = kept.folder / "below"
    refused = kept.run("backup", str(below))
    assert refused.exit_code == 1
    assert "no backup of today" in refused.stderr


@pytest.mark.schema
def test_a_backup_of_an_older_schema_is_restored_and_brought_up(
    kept: Kept, elsewhere: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(kept.scene.app)
    with kept.scene.app.app_context():
        script = ScriptDirectory.from_config(db.alembic_config())
        newest = script.get_revision("head")
        db.downgrade(str(newest.down_revision))
        refused = kept.run("backup", str(kept.folder))
        assert "flask init" in refused.stderr
        # As the version of that time would have written it.
        monkeypatch.setattr(ScriptDirectory, "get_current_head", lambda _: newest.down_revision)
        monkeypatch.setattr(backups, "_read_back", unread)
        file = kept.backup()
    monkeypatch.undo()
    done = restored(kept, elsewhere, file, "none")
    assert done.exit_code == 0, done.output
    assert contents(elsewhere).rows == before.rows


def unread(*_told: object) -> replay.Replayed:
    return replay.Replayed(0, b"", Counts())
