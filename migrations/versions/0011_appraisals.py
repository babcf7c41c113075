"""Appraisals of members: occasions, where each stands, links, sealed texts, plans."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "appraisal_occasion",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("box_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("questions", sa.Text(), nullable=False),
        sa.Column("begun_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["box_id"],
            ["box.id"],
            name=op.f("fk_appraisal_occasion_box_id_box"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appraisal_occasion")),
        sa.UniqueConstraint("box_id", "name", name=op.f("uq_appraisal_occasion_box_id_name")),
    )
    with op.batch_alter_table("appraisal_occasion") as batch:
        batch.create_index(
            "ix_appraisal_occasion_begun", ["box_id", "begun_on", "id"], unique=False
        )

    op.create_table(
        "appraisal",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("occasion_id", sa.String(length=32), nullable=False),
        sa.Column("member_id", sa.String(length=32), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "open",
                "drafted",
                "finished",
                "delivered",
                "acknowledged",
                "removed",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("handed_on", sa.Date(), nullable=True),
        sa.Column(
            "handed_by",
            sa.Enum(
                "link",
                "paper",
                name="handed_by",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("written_by", sa.String(length=32), nullable=True),
        sa.Column("written_on", sa.Date(), nullable=True),
        sa.Column("finished_on", sa.Date(), nullable=True),
        sa.Column("delivered_on", sa.Date(), nullable=True),
        sa.Column(
            "delivered_by",
            sa.Enum(
                "link",
                "paper",
                name="delivered_by",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("acknowledged_on", sa.Date(), nullable=True),
        sa.Column(
            "acknowledged_by",
            sa.Enum(
                "link",
                "paper",
                name="acknowledged_by",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("replied_on", sa.Date(), nullable=True),
        sa.Column("gone_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(state NOT IN ('delivered', 'acknowledged') OR delivered_on IS NOT NULL)"
            " AND (state <> 'acknowledged' OR acknowledged_on IS NOT NULL)",
            name=op.f("ck_appraisal_dated_as_it_stands"),
        ),
        sa.CheckConstraint(
            "(handed_on IS NULL) = (handed_by IS NULL)"
            " AND (delivered_on IS NULL) = (delivered_by IS NULL)"
            " AND (acknowledged_on IS NULL) = (acknowledged_by IS NULL)",
            name=op.f("ck_appraisal_each_day_with_its_channel"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_appraisal_member_id_member"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["occasion_id"],
            ["appraisal_occasion.id"],
            name=op.f("fk_appraisal_occasion_id_appraisal_occasion"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appraisal")),
        sa.UniqueConstraint(
            "occasion_id", "member_id", name=op.f("uq_appraisal_occasion_id_member_id")
        ),
    )
    with op.batch_alter_table("appraisal") as batch:
        batch.create_index(batch.f("ix_appraisal_member_id"), ["member_id"], unique=False)

    op.create_table(
        "appraisal_plan_item",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("appraisal_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.String(length=32), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("evidence_id", sa.String(length=32), nullable=True),
        sa.Column("asked_again_on", sa.Date(), nullable=True),
        sa.Column("kept", sa.Boolean(), nullable=True),
        sa.Column("reopenings", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(done_on IS NULL) = (evidence_id IS NULL)",
            name=op.f("ck_appraisal_plan_item_done_with_evidence"),
        ),
        sa.CheckConstraint(
            "(kept IS NULL) = (asked_again_on IS NULL)",
            name=op.f("ck_appraisal_plan_item_kept_as_asked_again"),
        ),
        sa.ForeignKeyConstraint(
            ["appraisal_id"],
            ["appraisal.id"],
            name=op.f("fk_appraisal_plan_item_appraisal_id_appraisal"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["evidence_id"],
            ["sealed_item.id"],
            name=op.f("fk_appraisal_plan_item_evidence_id_sealed_item"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["sealed_item.id"],
            name=op.f("fk_appraisal_plan_item_item_id_sealed_item"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appraisal_plan_item")),
        sa.UniqueConstraint("evidence_id", name=op.f("uq_appraisal_plan_item_evidence_id")),
        sa.UniqueConstraint("item_id", name=op.f("uq_appraisal_plan_item_item_id")),
    )
    with op.batch_alter_table("appraisal_plan_item") as batch:
        batch.create_index(
            batch.f("ix_appraisal_plan_item_appraisal_id"), ["appraisal_id"], unique=False
        )

    op.create_table(
        "appraisal_text",
        sa.Column("item_id", sa.String(length=32), nullable=False),
        sa.Column("appraisal_id", sa.String(length=32), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "self_draft",
                "self",
                "written",
                "feedback",
                "reply",
                "oral",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "channel",
            sa.Enum(
                "link",
                "paper",
                name="channel",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("link_id", sa.String(length=32), nullable=True),
        sa.Column("written_on", sa.Date(), nullable=False),
        sa.Column("acknowledged_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["appraisal_id"],
            ["appraisal.id"],
            name=op.f("fk_appraisal_text_appraisal_id_appraisal"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["sealed_item.id"],
            name=op.f("fk_appraisal_text_item_id_sealed_item"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_appraisal_text")),
    )
    with op.batch_alter_table("appraisal_text") as batch:
        batch.create_index(
            batch.f("ix_appraisal_text_appraisal_id"), ["appraisal_id"], unique=False
        )
        batch.create_index(batch.f("ix_appraisal_text_link_id"), ["link_id"], unique=False)

    op.create_table(
        "member_link",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("appraisal_id", sa.String(length=32), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum(
                "self",
                "feedback",
                name="purpose",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("issued_by", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["appraisal_id"],
            ["appraisal.id"],
            name=op.f("fk_member_link_appraisal_id_appraisal"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_link")),
        sa.UniqueConstraint(
            "appraisal_id", "purpose", name=op.f("uq_member_link_appraisal_id_purpose")
        ),
    )


def downgrade() -> None:
    _destroy_words()
    op.drop_table("member_link")
    with op.batch_alter_table("appraisal_text") as batch:
        batch.drop_index(batch.f("ix_appraisal_text_link_id"))
        batch.drop_index(batch.f("ix_appraisal_text_appraisal_id"))

    op.drop_table("appraisal_text")
    with op.batch_alter_table("appraisal_plan_item") as batch:
        batch.drop_index(batch.f("ix_appraisal_plan_item_appraisal_id"))

    op.drop_table("appraisal_plan_item")
    with op.batch_alter_table("appraisal") as batch:
        batch.drop_index(batch.f("ix_appraisal_member_id"))

    op.drop_table("appraisal")
    with op.batch_alter_table("appraisal_occasion") as batch:
        batch.drop_index("ix_appraisal_occasion_begun")

    op.drop_table("appraisal_occasion")


def _destroy_words() -> None:
    """Nothing else names these sealed items: without their tables nobody could destroy them."""
    for query in (
        "SELECT item_id FROM appraisal_text",
        "SELECT item_id FROM appraisal_plan_item",
        "SELECT evidence_id FROM appraisal_plan_item WHERE evidence_id IS NOT NULL",
    ):
        op.execute(f"DELETE FROM key_wrap WHERE item_id IN ({query})")  # noqa: S608 (no value in it)
        op.execute(f"DELETE FROM sealed_item WHERE id IN ({query})")  # noqa: S608
