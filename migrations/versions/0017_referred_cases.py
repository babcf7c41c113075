"""The few cases that were referred are found without reading all the others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    few = sa.text("referrals > 0")
    op.create_index("ix_case_referred", "case", ["id"], sqlite_where=few, postgresql_where=few)


def downgrade() -> None:
    op.drop_index("ix_case_referred", table_name="case")
