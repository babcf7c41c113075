"""Pinyin, closures and the history of the tree."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.organisation.pinyin import search_key

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unit_event",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column(
            "change",
            sa.Enum(
                "added",
                "renamed",
                "moved",
                "merged",
                "closed",
                "reopened",
                name="change",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("before", sa.String(length=120), nullable=False),
        sa.Column("after", sa.String(length=120), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_unit_event_unit_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_event")),
    )
    with op.batch_alter_table("unit_event") as batch:
        batch.create_index(batch.f("ix_unit_event_unit_id"), ["unit_id"], unique=False)

    with op.batch_alter_table("unit") as batch:
        batch.add_column(sa.Column("closed_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("merged_into", sa.String(length=32), nullable=True))
        batch.add_column(sa.Column("search_key", sa.Text(), nullable=False, server_default=""))
        batch.create_index(batch.f("ix_unit_merged_into"), ["merged_into"], unique=False)
        batch.create_foreign_key(
            batch.f("fk_unit_merged_into_unit"),
            "unit",
            ["merged_into"],
            ["id"],
            ondelete="RESTRICT",
        )
    unit = sa.table("unit", sa.column("id"), sa.column("name"), sa.column("search_key"))
    connection = op.get_bind()
    for unit_id, name in connection.execute(sa.select(unit.c.id, unit.c.name)).all():
        key = search_key(name)
        connection.execute(sa.update(unit).where(unit.c.id == unit_id).values(search_key=key))


def downgrade() -> None:
    with op.batch_alter_table("unit") as batch:
        batch.drop_constraint(batch.f("fk_unit_merged_into_unit"), type_="foreignkey")
        batch.drop_index(batch.f("ix_unit_merged_into"))
        batch.drop_column("search_key")
        batch.drop_column("merged_into")
        batch.drop_column("closed_on")

    with op.batch_alter_table("unit_event") as batch:
        batch.drop_index(batch.f("ix_unit_event_unit_id"))

    op.drop_table("unit_event")
