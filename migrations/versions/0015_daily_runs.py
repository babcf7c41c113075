"""The day on which a daily job last ran."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "daily_run",
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("ran_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_daily_run")),
    )


def downgrade() -> None:
    op.drop_table("daily_run")
