"""Supervision groups, what goes past the branch, mergers, removals, phrases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.widening import allow

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KINDS = ["county", "unit", "branch"]
MOVES = [
    "open", "accept", "decline", "refer", "merge", "ask", "reply", "lapse", "draft", "discard",
    "approve", "rate_content", "rate_dissatisfied", "silence", "appeal", "uphold", "overturn",
    "withdraw", "remove",
]  # fmt: skip
ITEMS = ["opinion", "message", "draft", "answer", "decline", "consent", "rating"]
PAST = ["question", "referral", "appeal", "ruling", "blamed"]


def upgrade() -> None:
    allow("unit", "kind", [*KINDS, "group"], ordered=True)
    allow("case_event", "move", [*MOVES, "split"])
    allow("thread_item", "kind", ITEMS + PAST)
    with op.batch_alter_table("unit") as batch:
        batch.add_column(sa.Column("group_id", sa.String(length=32), nullable=True))
        batch.create_index(op.f("ix_unit_group_id"), ["group_id"])
        batch.create_foreign_key(
            op.f("fk_unit_group_id_unit"), "unit", ["group_id"], ["id"], ondelete="RESTRICT"
        )
    with op.batch_alter_table("case", table_kwargs={"sqlite_with_rowid": False}) as batch:
        batch.add_column(sa.Column("appeals", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("referrals", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("merged_into", sa.String(length=32), nullable=True))
        batch.create_index(op.f("ix_case_merged_into"), ["merged_into"])
        batch.create_foreign_key(
            op.f("fk_case_merged_into_case"), "case", ["merged_into"], ["id"], ondelete="RESTRICT"
        )
    with op.batch_alter_table("case", table_kwargs={"sqlite_with_rowid": False}) as batch:
        batch.alter_column("appeals", server_default=None)
        batch.alter_column("referrals", server_default=None)
    _create_tables()


def _create_tables() -> None:
    op.create_table(
        "phrase",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("box_id", sa.String(length=32), nullable=False),
        sa.Column("words", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["box_id"], ["box.id"], name=op.f("fk_phrase_box_id_box"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phrase")),
    )
    op.create_index(op.f("ix_phrase_box_id"), "phrase", ["box_id"])
    op.create_table(
        "recourse",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("group_box_id", sa.String(length=32), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "appeal",
                "blamed",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("raised_on", sa.Date(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case.id"], name=op.f("fk_recourse_case_id_case"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["group_box_id"],
            ["box.id"],
            name=op.f("fk_recourse_group_box_id_box"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recourse")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_recourse_case_id"), "recourse", ["case_id"])
    op.create_index(op.f("ix_recourse_group_box_id"), "recourse", ["group_box_id"])
    op.create_table(
        "removal",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column(
            "ground",
            sa.Enum(
                "court_order",
                "state_secret",
                "third_person",
                "unlawful",
                name="ground",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("asked_by", sa.String(length=32), nullable=False),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("removed_by", sa.String(length=32), nullable=True),
        sa.Column("removed_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "removed_by IS NULL OR removed_by <> asked_by", name=op.f("ck_removal_two_persons")
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case.id"], name=op.f("fk_removal_case_id_case"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_removal")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("removal")
    op.drop_table("recourse")
    op.drop_table("phrase")
    with op.batch_alter_table("case", table_kwargs={"sqlite_with_rowid": False}) as batch:
        batch.drop_constraint(op.f("fk_case_merged_into_case"), type_="foreignkey")
        batch.drop_index(op.f("ix_case_merged_into"))
        batch.drop_column("merged_into")
        batch.drop_column("referrals")
        batch.drop_column("appeals")
    with op.batch_alter_table("unit") as batch:
        batch.drop_constraint(op.f("fk_unit_group_id_unit"), type_="foreignkey")
        batch.drop_index(op.f("ix_unit_group_id"))
        batch.drop_column("group_id")
    # What the older schema has no word for becomes its nearest: nothing said is lost.
    past = ", ".join(f"'{kind}'" for kind in PAST)
    op.execute(f"UPDATE thread_item SET kind = 'message' WHERE kind IN ({past})")  # noqa: S608
    op.execute("UPDATE case_event SET move = 'refer' WHERE move = 'split'")
    op.execute("UPDATE unit SET kind = 'unit' WHERE kind = 'group'")
    allow("thread_item", "kind", ITEMS)
    allow("case_event", "move", MOVES)
    allow("unit", "kind", KINDS, ordered=True)
