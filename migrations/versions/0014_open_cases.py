"""What is open in a box is found without reading what was closed."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_case_state", "case", ["box_id", "state", "clock_on", "id"])


def downgrade() -> None:
    op.drop_index("ix_case_state", table_name="case")
