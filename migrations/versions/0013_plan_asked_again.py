"""A look back at a plan may rely on a later round of ballots on the same member."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLE, COLUMN = "appraisal_plan_item", "asked_again_round_id"


def upgrade() -> None:
    with op.batch_alter_table(TABLE) as batch:
        batch.add_column(sa.Column(COLUMN, sa.String(length=32), nullable=True))
        batch.create_index(batch.f(f"ix_{TABLE}_{COLUMN}"), [COLUMN], unique=False)
        batch.create_foreign_key(
            batch.f(f"fk_{TABLE}_{COLUMN}_round"), "round", [COLUMN], ["id"], ondelete="SET NULL"
        )


def downgrade() -> None:
    with op.batch_alter_table(TABLE) as batch:
        batch.drop_constraint(batch.f(f"fk_{TABLE}_{COLUMN}_round"), type_="foreignkey")
        batch.drop_index(batch.f(f"ix_{TABLE}_{COLUMN}"))
        batch.drop_column(COLUMN)
