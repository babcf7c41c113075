"""Channels, subscriptions, the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed_address", sa.LargeBinary(), nullable=False),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("confirmed_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("address_hash", name=op.f("uq_subscription_address_hash")),
    )
    op.create_table(
        "channel",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "email",
                "wecom",
                "dingtalk",
                "feishu",
                "webhook",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("sealed_target", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_channel_unit_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
    )
    with op.batch_alter_table("channel") as batch:
        batch.create_index(batch.f("ix_channel_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "outbox_row",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("channel_id", sa.String(length=32), nullable=True),
        sa.Column("subscription_id", sa.String(length=32), nullable=True),
        sa.Column("values", sa.Text(), nullable=False),
        sa.Column(
            "delivery",
            sa.Enum(
                "waiting",
                "sent",
                "dead",
                name="delivery",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("put_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failure", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "(channel_id IS NULL) <> (subscription_id IS NULL)",
            name=op.f("ck_outbox_row_one_recipient"),
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
            name=op.f("fk_outbox_row_channel_id_channel"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("fk_outbox_row_subscription_id_subscription"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_row")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_row_key")),
    )
    with op.batch_alter_table("outbox_row") as batch:
        batch.create_index(batch.f("ix_outbox_row_channel_id"), ["channel_id"], unique=False)
        batch.create_index("ix_outbox_row_due", ["delivery", "next_at"], unique=False)
        batch.create_index(
            batch.f("ix_outbox_row_subscription_id"), ["subscription_id"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("outbox_row") as batch:
        batch.drop_index(batch.f("ix_outbox_row_subscription_id"))
        batch.drop_index("ix_outbox_row_due")
        batch.drop_index(batch.f("ix_outbox_row_channel_id"))

    op.drop_table("outbox_row")
    with op.batch_alter_table("channel") as batch:
        batch.drop_index(batch.f("ix_channel_unit_id"))

    op.drop_table("channel")
    op.drop_table("subscription")
