"""The first road: tree, boxes, what lies in them, cases, staff."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_row",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_row")),
    )
    with op.batch_alter_table("audit_row", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_row_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_row_staff_id"), ["staff_id"], unique=False)

    op.create_table(
        "lying_item",
        sa.Column("pool_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("pool_id", name=op.f("pk_lying_item")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "opening_key",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary(), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opening_key")),
    )
    op.create_table(
        "pending_leaf",
        sa.Column("leaf_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_hash", name=op.f("pk_pending_leaf")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sealed_item",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("receipt_wrap", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_item")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("password_salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("password_verifier", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed_totp_secret", sa.LargeBinary(), nullable=False),
        sa.Column("last_totp_step", sa.BigInteger(), nullable=True),
        sa.Column("failed_sign_ins", sa.Integer(), nullable=False),
        sa.Column("next_sign_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "failed_sign_ins >= 0", name=op.f("ck_staff_failed_sign_ins_not_negative")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("username", name=op.f("uq_staff_username")),
    )
    op.create_table(
        "unit",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "county",
                "unit",
                "branch",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("parent_id", sa.String(length=32), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["unit.id"], name=op.f("fk_unit_parent_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit")),
        sa.UniqueConstraint("slug", name=op.f("uq_unit_slug")),
    )
    with op.batch_alter_table("unit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_unit_parent_id"), ["parent_id"], unique=False)

    op.create_table(
        "box",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column("second_eyes", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_box_unit_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_box")),
        sa.UniqueConstraint("unit_id", name=op.f("uq_box_unit_id")),
    )
    op.create_table(
        "personal_key",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_on", sa.Date(), nullable=False),
        sa.Column("retired_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
            name=op.f("fk_personal_key_staff_id_staff"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personal_key")),
    )
    with op.batch_alter_table("personal_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_personal_key_staff_id"), ["staff_id"], unique=False)
        batch_op.create_index(
            "uq_personal_key_current",
            ["staff_id"],
            unique=True,
            sqlite_where=sa.text("retired_on IS NULL"),
            postgresql_where=sa.text("retired_on IS NULL"),
        )

    op.create_table(
        "role_assignment",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "keeper",
                "supervisor",
                "office",
                "operator",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("unit_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
            name=op.f("fk_role_assignment_staff_id_staff"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_role_assignment_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_assignment")),
        sa.UniqueConstraint(
            "staff_id", "role", "unit_id", name=op.f("uq_role_assignment_staff_id_role_unit_id")
        ),
    )
    with op.batch_alter_table("role_assignment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_role_assignment_unit_id"), ["unit_id"], unique=False)
        batch_op.create_index(
            "uq_role_assignment_county",
            ["staff_id", "role"],
            unique=True,
            sqlite_where=sa.text("unit_id IS NULL"),
            postgresql_where=sa.text("unit_id IS NULL"),
        )

    op.create_table(
        "speaker_tally",
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column("quarter", sa.String(length=6), nullable=False),
        sa.Column(
            "speaker",
            sa.Enum(
                "member",
                "cadre",
                "public",
                "retired",
                "unsaid",
                name="speaker",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_speaker_tally_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("unit_id", "quarter", "speaker", name=op.f("pk_speaker_tally")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "staff_session",
        sa.Column("id_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("sealed_keys", sa.LargeBinary(), nullable=False),
        sa.Column("passed_second_factor", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
            name=op.f("fk_staff_session_staff_id_staff"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_staff_session")),
    )
    with op.batch_alter_table("staff_session", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_staff_session_expires_at"), ["expires_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_staff_session_staff_id"), ["staff_id"], unique=False)

    op.create_table(
        "box_key",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("box_id", sa.String(length=32), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_on", sa.Date(), nullable=False),
        sa.Column("retired_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["box_id"], ["box.id"], name=op.f("fk_box_key_box_id_box"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_box_key")),
    )
    with op.batch_alter_table("box_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_box_key_box_id"), ["box_id"], unique=False)
        batch_op.create_index(
            "uq_box_key_current",
            ["box_id"],
            unique=True,
            sqlite_where=sa.text("retired_on IS NULL"),
            postgresql_where=sa.text("retired_on IS NULL"),
        )

    op.create_table(
        "case",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("box_id", sa.String(length=32), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "lying",
                "waiting",
                "accepted",
                "declined",
                "merged",
                "asked",
                "answering",
                "answered",
                "closed",
                "reopened",
                "appealed",
                "upheld",
                "withdrawn",
                "removed",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "state_before",
            sa.Enum(
                "lying",
                "waiting",
                "accepted",
                "declined",
                "merged",
                "asked",
                "answering",
                "answered",
                "closed",
                "reopened",
                "appealed",
                "upheld",
                "withdrawn",
                "removed",
                name="state_before",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("clock_on", sa.Date(), nullable=False),
        sa.Column("state_on", sa.Date(), nullable=False),
        sa.Column(
            "channel",
            sa.Enum(
                "web",
                "paper",
                "phone",
                "meeting",
                name="channel",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("lookup_id", sa.LargeBinary(length=32), nullable=True),
        sa.Column("receipt_key", sa.LargeBinary(), nullable=True),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column(
            "decline_reason",
            sa.Enum(
                "not_ours",
                "no_facts",
                "already_answered",
                "personal_dispute",
                "other_door",
                "abusive",
                name="decline_reason",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column(
            "rating",
            sa.Enum(
                "satisfied",
                "basically",
                "dissatisfied",
                name="rating",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("reopenings", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(lookup_id IS NULL) = (receipt_key IS NULL)",
            name=op.f("ck_case_receipt_whole_or_burnt"),
        ),
        sa.ForeignKeyConstraint(
            ["box_id"], ["box.id"], name=op.f("fk_case_box_id_box"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case")),
        sa.UniqueConstraint("lookup_id", name=op.f("uq_case_lookup_id")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("case", schema=None) as batch_op:
        batch_op.create_index("ix_case_queue", ["box_id", "clock_on", "id"], unique=False)

    op.create_table(
        "answer",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("box_id", sa.String(length=32), nullable=False),
        sa.Column("published_on", sa.Date(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["box_id"], ["box.id"], name=op.f("fk_answer_box_id_box"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case.id"], name=op.f("fk_answer_case_id_case"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("answer", schema=None) as batch_op:
        batch_op.create_index("ix_answer_box", ["box_id", "published_on", "id"], unique=False)
        batch_op.create_index("ix_answer_case", ["case_id"], unique=False)
        batch_op.create_index("ix_answer_published", ["published_on", "id"], unique=False)

    op.create_table(
        "case_event",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "move",
            sa.Enum(
                "open",
                "accept",
                "decline",
                "refer",
                "merge",
                "ask",
                "reply",
                "lapse",
                "draft",
                "discard",
                "approve",
                "rate_content",
                "rate_dissatisfied",
                "silence",
                "appeal",
                "uphold",
                "overturn",
                "withdraw",
                "remove",
                name="move",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "from_state",
            sa.Enum(
                "lying",
                "waiting",
                "accepted",
                "declined",
                "merged",
                "asked",
                "answering",
                "answered",
                "closed",
                "reopened",
                "appealed",
                "upheld",
                "withdrawn",
                "removed",
                name="from_state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "to_state",
            sa.Enum(
                "lying",
                "waiting",
                "accepted",
                "declined",
                "merged",
                "asked",
                "answering",
                "answered",
                "closed",
                "reopened",
                "appealed",
                "upheld",
                "withdrawn",
                "removed",
                name="to_state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("moved_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case.id"], name=op.f("fk_case_event_case_id_case"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("case_id", "position", name=op.f("pk_case_event")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "key_grant",
        sa.Column("box_key_id", sa.String(length=32), nullable=False),
        sa.Column("personal_key_id", sa.String(length=32), nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["box_key_id"],
            ["box_key.id"],
            name=op.f("fk_key_grant_box_key_id_box_key"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["personal_key_id"],
            ["personal_key.id"],
            name=op.f("fk_key_grant_personal_key_id_personal_key"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("box_key_id", "personal_key_id", name=op.f("pk_key_grant")),
    )
    with op.batch_alter_table("key_grant", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_key_grant_personal_key_id"), ["personal_key_id"], unique=False
        )

    op.create_table(
        "key_wrap",
        sa.Column("item_id", sa.String(length=32), nullable=False),
        sa.Column("box_key_id", sa.String(length=32), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["box_key_id"],
            ["box_key.id"],
            name=op.f("fk_key_wrap_box_key_id_box_key"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["sealed_item.id"],
            name=op.f("fk_key_wrap_item_id_sealed_item"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("item_id", "box_key_id", name=op.f("pk_key_wrap")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "thread_item",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.String(length=32), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "opinion",
                "message",
                "draft",
                "answer",
                "decline",
                "consent",
                "rating",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "author",
            sa.Enum(
                "speaker",
                "desk",
                "group",
                name="author",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("written_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case.id"], name=op.f("fk_thread_item_case_id_case"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["sealed_item.id"],
            name=op.f("fk_thread_item_item_id_sealed_item"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("case_id", "position", name=op.f("pk_thread_item")),
        sa.UniqueConstraint("item_id", name=op.f("uq_thread_item_item_id")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("thread_item")
    op.drop_table("key_wrap")
    with op.batch_alter_table("key_grant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_key_grant_personal_key_id"))

    op.drop_table("key_grant")
    op.drop_table("case_event")
    with op.batch_alter_table("answer", schema=None) as batch_op:
        batch_op.drop_index("ix_answer_published")
        batch_op.drop_index("ix_answer_case")
        batch_op.drop_index("ix_answer_box")

    op.drop_table("answer")
    with op.batch_alter_table("case", schema=None) as batch_op:
        batch_op.drop_index("ix_case_queue")

    op.drop_table("case")
    with op.batch_alter_table("box_key", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_box_key_current",
            sqlite_where=sa.text("retired_on IS NULL"),
            postgresql_where=sa.text("retired_on IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_box_key_box_id"))

    op.drop_table("box_key")
    with op.batch_alter_table("staff_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_session_staff_id"))
        batch_op.drop_index(batch_op.f("ix_staff_session_expires_at"))

    op.drop_table("staff_session")
    op.drop_table("speaker_tally")
    with op.batch_alter_table("role_assignment", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_role_assignment_county",
            sqlite_where=sa.text("unit_id IS NULL"),
            postgresql_where=sa.text("unit_id IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_role_assignment_unit_id"))

    op.drop_table("role_assignment")
    with op.batch_alter_table("personal_key", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_personal_key_current",
            sqlite_where=sa.text("retired_on IS NULL"),
            postgresql_where=sa.text("retired_on IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_personal_key_staff_id"))

    op.drop_table("personal_key")
    op.drop_table("box")
    with op.batch_alter_table("unit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_unit_parent_id"))

    op.drop_table("unit")
    op.drop_table("staff")
    op.drop_table("sealed_item")
    op.drop_table("pending_leaf")
    op.drop_table("opening_key")
    op.drop_table("lying_item")
    with op.batch_alter_table("audit_row", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_row_staff_id"))
        batch_op.drop_index(batch_op.f("ix_audit_row_at"))

    op.drop_table("audit_row")
