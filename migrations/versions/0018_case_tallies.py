"""Opened and answered cases are counted by box and day; the few that are open have an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

COUNTED = """
    INSERT INTO case_tally (box_id, opened_on, received, answered)
    SELECT counted.box_id, counted.opened_on, count(*), count(told.case_id)
    FROM "case" AS counted
    LEFT JOIN (SELECT DISTINCT case_id FROM case_event WHERE move = 'approve') AS told
    ON told.case_id = counted.id
    GROUP BY counted.box_id, counted.opened_on
    ORDER BY counted.box_id, counted.opened_on
"""


def upgrade() -> None:
    op.create_table(
        "case_tally",
        sa.Column("box_id", sa.String(length=32), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "answered >= 0 AND answered <= received",
            name=op.f("ck_case_tally_answered_of_received"),
        ),
        sa.ForeignKeyConstraint(
            ["box_id"], ["box.id"], name=op.f("fk_case_tally_box_id_box"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("box_id", "opened_on", name=op.f("pk_case_tally")),
        sqlite_with_rowid=False,
    )
    op.execute(COUNTED)
    few = sa.text("state IN ('waiting', 'accepted', 'answering', 'reopened')")
    op.create_index(
        "ix_case_open",
        "case",
        ["box_id", "state", "clock_on", "reopenings", "appeals"],
        sqlite_where=few,
        postgresql_where=few,
    )


def downgrade() -> None:
    op.drop_index("ix_case_open", table_name="case")
    op.drop_table("case_tally")
