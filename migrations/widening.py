"""Changing which values an enum's column may hold: its named check is made anew."""

from __future__ import annotations

from collections.abc import Iterable

from alembic import op


def allow(table: str, column: str, values: Iterable[str], *, ordered: bool = False) -> None:
    """Let a column hold these values alone.

    `ordered`: the table keeps its row numbers. All others are made anew without them on SQLite,
    which would otherwise come back with every rewriting.
    """
    listed = ", ".join(f"'{value}'" for value in values)
    name = op.f(f"ck_{table}_{column}")
    kwargs = {} if ordered else {"sqlite_with_rowid": False}
    with op.batch_alter_table(table, table_kwargs=kwargs) as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, f"{column} IN ({listed})")
