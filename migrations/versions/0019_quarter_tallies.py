"""Answers and ratings are counted by box and quarter."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

MOVES = (
    "open", "accept", "decline", "refer", "merge", "split", "ask", "reply", "lapse", "draft",
    "discard", "approve", "rate_content", "rate_dissatisfied", "silence", "appeal", "uphold",
    "overturn", "withdraw", "remove",
)  # fmt: skip


def upgrade() -> None:
    made = op.create_table(
        "quarter_tally",
        sa.Column("quarter", sa.String(length=6), nullable=False),
        sa.Column("box_id", sa.String(length=32), nullable=False),
        sa.Column(
            "move",
            sa.Enum(*MOVES, name="move", native_enum=False, length=32, create_constraint=True),
            nullable=False,
        ),
        sa.Column("seen", sa.Boolean(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.CheckConstraint("number >= 0", name=op.f("ck_quarter_tally_number_not_negative")),
        sa.ForeignKeyConstraint(
            ["box_id"], ["box.id"], name=op.f("fk_quarter_tally_box_id_box"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("quarter", "box_id", "move", "seen", name=op.f("pk_quarter_tally")),
        sqlite_with_rowid=False,
    )
    if rows := _counted(op.get_bind()):
        op.bulk_insert(made, rows)


def _counted(connection: sa.Connection) -> list[dict[str, object]]:
    case = sa.table("case", *map(sa.column, ("id", "box_id", "channel")))
    event = sa.table(
        "case_event", sa.column("case_id"), sa.column("move"), sa.column("moved_on", sa.Date)
    )
    columns = (case.c.box_id, case.c.channel, event.c.move, event.c.moved_on)
    query = (
        sa.select(*columns, sa.func.count())
        .join_from(event, case, case.c.id == event.c.case_id)
        .where(event.c.move.in_(("approve", "rate_content", "rate_dissatisfied")))
        .group_by(*columns)
    )
    found: Counter[tuple[str, str, str, bool]] = Counter()
    for box_id, channel, move, moved_on, number in connection.execute(query):
        found[_quarter(moved_on), box_id, move, channel != "web"] += number
    names = ("quarter", "box_id", "move", "seen", "number")
    return [dict(zip(names, (*key, n), strict=True)) for key, n in sorted(found.items())]


def _quarter(day: dt.date) -> str:
    return f"{day.year}Q{(day.month - 1) // 3 + 1}"


def downgrade() -> None:
    op.drop_table("quarter_tally")
