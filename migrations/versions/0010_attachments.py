"""What is enclosed with an opinion, in pieces; and where a case's pieces are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, key, content in (
        ("lying_piece", "pool_id", "wrapped"),
        ("attachment_piece", "id", "ciphertext"),
    ):
        op.create_table(
            name,
            sa.Column(key, sa.LargeBinary(length=32), nullable=False),
            sa.Column(content, sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{name}")),
            sqlite_with_rowid=False,
        )
    with op.batch_alter_table("case", table_kwargs={"sqlite_with_rowid": False}) as batch:
        batch.add_column(sa.Column("sealed_locator", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("case", table_kwargs={"sqlite_with_rowid": False}) as batch:
        batch.drop_column("sealed_locator")
    op.drop_table("attachment_piece")
    op.drop_table("lying_piece")
