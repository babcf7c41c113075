"""Campaigns, contact points, the look-back, precedents, steps about what is overdue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "campaign",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "running",
                "closed",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("ends_on >= starts_on", name=op.f("ck_campaign_ends_after_it_starts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
    )
    op.create_table(
        "leader",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("post", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leader")),
        sa.UniqueConstraint("name", "post", name=op.f("uq_leader_name_post")),
    )
    op.create_table(
        "precedent",
        sa.Column("id", sa.String(length=32), nullable=False),
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
        sa.Column(
            "ground",
            sa.Enum(
                "off_the_point",
                "facts",
                "reason",
                "not_done",
                "delay",
                "named",
                "traced",
                "pressed",
                "penalised",
                "other",
                name="ground",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "outcome",
            sa.Enum(
                "upheld",
                "overturned",
                "confirmed",
                "not_found",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("gist", sa.String(length=300), nullable=False),
        sa.Column("quarter", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_precedent")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("precedent") as batch:
        batch.create_index("ix_precedent_quarter", ["quarter", "id"], unique=False)

    op.create_table(
        "branch_progress",
        sa.Column("campaign_id", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.Column("met", sa.Integer(), nullable=False),
        sa.Column("required", sa.Integer(), nullable=False),
        sa.Column("late", sa.Integer(), nullable=False),
        sa.Column("counted_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
            name=op.f("fk_branch_progress_campaign_id_campaign"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_branch_progress_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("campaign_id", "unit_id", name=op.f("pk_branch_progress")),
    )
    with op.batch_alter_table("branch_progress") as batch:
        batch.create_index(batch.f("ix_branch_progress_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "contact_point",
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column("leader_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["leader_id"],
            ["leader.id"],
            name=op.f("fk_contact_point_leader_id_leader"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_contact_point_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_contact_point")),
    )
    with op.batch_alter_table("contact_point") as batch:
        batch.create_index(batch.f("ix_contact_point_leader_id"), ["leader_id"], unique=False)

    op.create_table(
        "look_back",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("campaign_id", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column(
            "verdict",
            sa.Enum(
                "good",
                "fair",
                "make_up",
                name="verdict",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("remark", sa.String(length=500), nullable=False),
        sa.Column("decided_by", sa.String(length=32), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(verdict IS NULL) = (decided_on IS NULL)",
            name=op.f("ck_look_back_decided_with_a_verdict"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
            name=op.f("fk_look_back_campaign_id_campaign"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_look_back_unit_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_look_back")),
        sa.UniqueConstraint(
            "campaign_id", "unit_id", name=op.f("uq_look_back_campaign_id_unit_id")
        ),
    )
    with op.batch_alter_table("look_back") as batch:
        batch.create_index(batch.f("ix_look_back_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "overdue_step",
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column(
            "matter",
            sa.Enum(
                "cases",
                "actions",
                "tasks",
                "recourses",
                name="matter",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column(
            "step",
            sa.Enum(
                "remind",
                "group",
                "leader",
                name="step",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_overdue_step_unit_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint(
            "unit_id", "matter", "due_on", "step", name=op.f("pk_overdue_step")
        ),
    )
    with op.batch_alter_table("overdue_step") as batch:
        batch.create_index(batch.f("ix_overdue_step_taken_on"), ["taken_on"], unique=False)

    op.create_table(
        "stage",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("campaign_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
            name=op.f("fk_stage_campaign_id_campaign"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage")),
        sa.UniqueConstraint("campaign_id", "position", name=op.f("uq_stage_campaign_id_position")),
    )
    op.create_table(
        "finding",
        sa.Column("look_back_id", sa.String(length=32), nullable=False),
        sa.Column(
            "question",
            sa.Enum(
                "box",
                "opinions",
                "answers",
                "study",
                "talks",
                "materials",
                "meetings",
                "appraisal",
                "bulletin",
                "promises",
                name="question",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "judgement",
            sa.Enum(
                "yes",
                "partly",
                "no",
                name="judgement",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("due", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["look_back_id"],
            ["look_back.id"],
            name=op.f("fk_finding_look_back_id_look_back"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("look_back_id", "question", name=op.f("pk_finding")),
    )
    op.create_table(
        "make_up_task",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("look_back_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("words", sa.String(length=300), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("evidence", sa.String(length=500), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("returns", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(done_on IS NULL) = (evidence = '')", name=op.f("ck_make_up_task_done_with_evidence")
        ),
        sa.CheckConstraint(
            "closed_on IS NULL OR done_on IS NOT NULL",
            name=op.f("ck_make_up_task_closed_once_done"),
        ),
        sa.ForeignKeyConstraint(
            ["look_back_id"],
            ["look_back.id"],
            name=op.f("fk_make_up_task_look_back_id_look_back"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_make_up_task")),
    )
    with op.batch_alter_table("make_up_task") as batch:
        batch.create_index(batch.f("ix_make_up_task_look_back_id"), ["look_back_id"], unique=False)

    op.create_table(
        "required_action",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("campaign_id", sa.String(length=32), nullable=False),
        sa.Column("stage_id", sa.String(length=32), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "talk_leaders",
                "talk_heads",
                "talk_members",
                "talk_public",
                "study",
                "materials",
                "opinions",
                "leaders_meeting",
                "branch_meeting",
                "appraisal",
                "feedback",
                "bulletin",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "basis",
            sa.Enum(
                "roll",
                "fixed",
                "stated",
                name="basis",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_required_action_something_is_due")),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.id"],
            name=op.f("fk_required_action_campaign_id_campaign"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["stage_id"],
            ["stage.id"],
            name=op.f("fk_required_action_stage_id_stage"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_required_action")),
        sa.UniqueConstraint(
            "campaign_id", "kind", name=op.f("uq_required_action_campaign_id_kind")
        ),
    )
    with op.batch_alter_table("required_action") as batch:
        batch.create_index(batch.f("ix_required_action_stage_id"), ["stage_id"], unique=False)

    op.create_table(
        "action_due",
        sa.Column("action_id", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column("due", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.CheckConstraint("due >= 0", name=op.f("ck_action_due_due_not_negative")),
        sa.ForeignKeyConstraint(
            ["action_id"],
            ["required_action.id"],
            name=op.f("fk_action_due_action_id_required_action"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_action_due_unit_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("action_id", "unit_id", name=op.f("pk_action_due")),
    )
    with op.batch_alter_table("action_due") as batch:
        batch.create_index(batch.f("ix_action_due_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "action_record",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("action_id", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column(
            "route",
            sa.Enum(
                "visit",
                "forum",
                "questionnaire",
                "talk",
                name="route",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("evidence", sa.String(length=300), nullable=False),
        sa.Column("recorded_by", sa.String(length=32), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_action_record_amount_not_negative")),
        sa.ForeignKeyConstraint(
            ["action_id"],
            ["required_action.id"],
            name=op.f("fk_action_record_action_id_required_action"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_action_record_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_action_record")),
    )
    with op.batch_alter_table("action_record") as batch:
        batch.create_index("ix_action_record_action", ["action_id"], unique=False)
        batch.create_index("ix_action_record_branch", ["unit_id", "action_id"], unique=False)

    op.create_table(
        "action_change",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("action_id", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column("record_id", sa.String(length=32), nullable=True),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before", sa.String(length=400), nullable=False),
        sa.Column("after", sa.String(length=400), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["action_id"],
            ["required_action.id"],
            name=op.f("fk_action_change_action_id_required_action"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["action_record.id"],
            name=op.f("fk_action_change_record_id_action_record"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_action_change_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_action_change")),
    )
    with op.batch_alter_table("action_change") as batch:
        batch.create_index("ix_action_change_branch", ["unit_id", "action_id"], unique=False)
        batch.create_index(batch.f("ix_action_change_record_id"), ["record_id"], unique=False)

    op.create_table(
        "attendance",
        sa.Column("record_id", sa.String(length=32), nullable=False),
        sa.Column("member_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_attendance_member_id_member"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["action_record.id"],
            name=op.f("fk_attendance_record_id_action_record"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("record_id", "member_id", name=op.f("pk_attendance")),
    )
    with op.batch_alter_table("attendance") as batch:
        batch.create_index(batch.f("ix_attendance_member_id"), ["member_id"], unique=False)

    with op.batch_alter_table("channel") as batch:
        batch.add_column(sa.Column("leader_id", sa.String(length=32), nullable=True))
        batch.create_index(batch.f("ix_channel_leader_id"), ["leader_id"], unique=False)
        batch.create_foreign_key(
            batch.f("fk_channel_leader_id_leader"),
            "leader",
            ["leader_id"],
            ["id"],
            ondelete="CASCADE",
        )


def downgrade() -> None:
    # A leader's address must not turn into a desk's, which would get the day's digest.
    mine = "SELECT id FROM channel WHERE leader_id IS NOT NULL"
    op.execute(f"DELETE FROM outbox_row WHERE channel_id IN ({mine})")  # noqa: S608
    op.execute("DELETE FROM channel WHERE leader_id IS NOT NULL")
    with op.batch_alter_table("channel") as batch:
        batch.drop_constraint(batch.f("fk_channel_leader_id_leader"), type_="foreignkey")
        batch.drop_index(batch.f("ix_channel_leader_id"))
        batch.drop_column("leader_id")
    op.drop_table("attendance")
    op.drop_table("action_change")
    op.drop_table("action_record")
    op.drop_table("action_due")
    op.drop_table("required_action")
    op.drop_table("make_up_task")
    op.drop_table("finding")
    op.drop_table("stage")
    op.drop_table("overdue_step")
    op.drop_table("look_back")
    op.drop_table("contact_point")
    op.drop_table("branch_progress")
    op.drop_table("precedent")
    op.drop_table("leader")
    op.drop_table("campaign")
