"""Migrations go up and down, on a populated database too, and end at the models."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask

from app import cli, db
from app.cases.models import Case
from app.clock import Clock
from app.demo import county as demo
from config import Config


def test_the_migrated_schema_is_that_of_the_models(app: Flask) -> None:
    with app.app_context(), db.engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.Base.metadata) == []


def test_constraints_have_the_names_of_the_models(app: Flask) -> None:
    with app.app_context():
        seen = sa.inspect(db.engine())
        for table in db.Base.metadata.tables.values():
            wanted = {c.name for c in table.constraints if isinstance(c, sa.CheckConstraint)}
            held = {c["name"] for c in seen.get_check_constraints(table.name)}
            assert wanted == held, table.name


def test_speakers_tables_have_no_row_number(app: Flask) -> None:
    with app.app_context():
        if db.engine().dialect.name != "sqlite":
            return
        with db.engine().connect() as connection:
            rows = connection.execute(sa.text("SELECT name, sql FROM sqlite_master"))
            tables = {row.name: row.sql or "" for row in rows}
        for name in ("lying_item", "case", "case_event", "thread_item", "sealed_item", "key_wrap",
                     "pending_leaf", "log_leaf", "log_node", "log_head", "answer",
                     "speaker_tally", "case_tally", "slip_hash", "quarter_tally", "sealed_ballot",
                     "sealed_comment", "ballot", "tally", "comment", "lying_piece",
                     "attachment_piece"):  # fmt: skip
            assert "WITHOUT ROWID" in tables[name], name


@pytest.mark.schema
def test_a_populated_database_goes_down_and_up_again(app: Flask, config: Config) -> None:
    clock: Clock = app.extensions["clock"]
    with app.app_context():
        assert demo.make_county(config, clock, small=True)
        with db.reading() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(Case))
        db.downgrade("base")
        tables = set(sa.inspect(db.engine()).get_table_names())
        assert tables <= {"alembic_version"}
        cli.prepare()
        cli.prepare()
        assert demo.make_county(config, clock, small=True)
        assert not demo.make_county(config, clock)
