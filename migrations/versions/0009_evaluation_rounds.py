"""Evaluation rounds: subjects, groups of voters, slips as hashes, ballots sealed and counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "round",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column(
            "scale",
            sa.Enum(
                "satisfaction",
                "competence",
                name="scale",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("capped", sa.Boolean(), nullable=False),
        sa.Column("names_public", sa.Boolean(), nullable=False),
        sa.Column("comments_box_id", sa.String(length=32), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "frozen",
                "open",
                "closed",
                "counted",
                "confirmed",
                "published",
                "void",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=True),
        sa.Column("closes_on", sa.Date(), nullable=False),
        sa.Column("drafted_by", sa.String(length=32), nullable=False),
        sa.Column("drafted_on", sa.Date(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("counted_by", sa.String(length=32), nullable=True),
        sa.Column("counted_on", sa.Date(), nullable=True),
        sa.Column("confirmed_by", sa.String(length=32), nullable=True),
        sa.Column("confirmed_on", sa.Date(), nullable=True),
        sa.Column("published_on", sa.Date(), nullable=True),
        sa.Column(
            "void_reason",
            sa.Enum(
                "quorum",
                "stuffed",
                "missing",
                "altered",
                "decided",
                name="void_reason",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("void_words", sa.String(length=300), nullable=False),
        sa.Column("voided_on", sa.Date(), nullable=True),
        sa.Column("spoilt", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(state = 'void') = (void_reason IS NOT NULL)", name=op.f("ck_round_void_for_a_reason")
        ),
        sa.CheckConstraint("confirmed_by <> counted_by", name=op.f("ck_round_second_count")),
        sa.ForeignKeyConstraint(
            ["comments_box_id"],
            ["box.id"],
            name=op.f("fk_round_comments_box_id_box"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_round_unit_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round")),
    )
    with op.batch_alter_table("round") as batch:
        batch.create_index("ix_round_published", ["state", "published_on", "id"], unique=False)
        batch.create_index("ix_round_unit", ["unit_id", "drafted_on", "id"], unique=False)

    op.create_table(
        "ballot",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("round_id", sa.String(length=32), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_ballot_round_id_round"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ballot")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("ballot") as batch:
        batch.create_index(batch.f("ix_ballot_round_id"), ["round_id"], unique=False)

    op.create_table(
        "key_half",
        sa.Column("round_id", sa.String(length=32), nullable=False),
        sa.Column("holder_id", sa.String(length=32), nullable=False),
        sa.Column("partner_id", sa.String(length=32), nullable=False),
        sa.Column("sealed_half", sa.LargeBinary(), nullable=False),
        sa.Column("handed", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["holder_id"],
            ["personal_key.id"],
            name=op.f("fk_key_half_holder_id_personal_key"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"],
            ["personal_key.id"],
            name=op.f("fk_key_half_partner_id_personal_key"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_key_half_round_id_round"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("round_id", "holder_id", "partner_id", name=op.f("pk_key_half")),
    )
    with op.batch_alter_table("key_half") as batch:
        batch.create_index(batch.f("ix_key_half_holder_id"), ["holder_id"], unique=False)
        batch.create_index(batch.f("ix_key_half_partner_id"), ["partner_id"], unique=False)

    op.create_table(
        "scrutineer",
        sa.Column("round_id", sa.String(length=32), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["round_id"],
            ["round.id"],
            name=op.f("fk_scrutineer_round_id_round"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"],
            ["staff.id"],
            name=op.f("fk_scrutineer_staff_id_staff"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("round_id", "staff_id", name=op.f("pk_scrutineer")),
    )
    with op.batch_alter_table("scrutineer") as batch:
        batch.create_index(batch.f("ix_scrutineer_staff_id"), ["staff_id"], unique=False)

    op.create_table(
        "sealed_ballot",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("round_id", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["round_id"],
            ["round.id"],
            name=op.f("fk_sealed_ballot_round_id_round"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_ballot")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("sealed_ballot") as batch:
        batch.create_index(batch.f("ix_sealed_ballot_round_id"), ["round_id"], unique=False)

    op.create_table(
        "sealed_comment",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("round_id", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["round_id"],
            ["round.id"],
            name=op.f("fk_sealed_comment_round_id_round"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sealed_comment")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("sealed_comment") as batch:
        batch.create_index(batch.f("ix_sealed_comment_round_id"), ["round_id"], unique=False)

    op.create_table(
        "subject",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("round_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "branch",
                "committee",
                "member",
                "stage",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("member_id", sa.String(length=32), nullable=True),
        sa.Column("verdict", sa.String(length=300), nullable=False),
        sa.CheckConstraint(
            "(kind = 'member') = (member_id IS NOT NULL)", name=op.f("ck_subject_member_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"],
            ["member.id"],
            name=op.f("fk_subject_member_id_member"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["round.id"], name=op.f("fk_subject_round_id_round"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject")),
        sa.UniqueConstraint("round_id", "position", name=op.f("uq_subject_round_id_position")),
    )
    with op.batch_alter_table("subject") as batch:
        batch.create_index(batch.f("ix_subject_member_id"), ["member_id"], unique=False)

    op.create_table(
        "voter_group",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("round_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("returned", sa.Integer(), nullable=False),
        sa.Column("papers", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["round_id"],
            ["round.id"],
            name=op.f("fk_voter_group_round_id_round"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voter_group")),
        sa.UniqueConstraint("round_id", "position", name=op.f("uq_voter_group_round_id_position")),
    )
    op.create_table(
        "comment",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("box_key_id", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["box_key_id"],
            ["box_key.id"],
            name=op.f("fk_comment_box_key_id_box_key"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["subject.id"],
            name=op.f("fk_comment_subject_id_subject"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("comment") as batch:
        batch.create_index(batch.f("ix_comment_box_key_id"), ["box_key_id"], unique=False)
        batch.create_index(batch.f("ix_comment_subject_id"), ["subject_id"], unique=False)

    op.create_table(
        "slip_batch",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("round_id", sa.String(length=32), nullable=False),
        sa.Column("group_id", sa.String(length=32), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at_desk", sa.Boolean(), nullable=False),
        sa.Column("added_on", sa.Date(), nullable=False),
        sa.CheckConstraint("count > 0", name=op.f("ck_slip_batch_not_empty")),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["voter_group.id"],
            name=op.f("fk_slip_batch_group_id_voter_group"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["round_id"],
            ["round.id"],
            name=op.f("fk_slip_batch_round_id_round"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slip_batch")),
    )
    with op.batch_alter_table("slip_batch") as batch:
        batch.create_index(batch.f("ix_slip_batch_group_id"), ["group_id"], unique=False)
        batch.create_index(batch.f("ix_slip_batch_round_id"), ["round_id"], unique=False)

    op.create_table(
        "tally",
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("group_id", sa.String(length=32), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("second", sa.Integer(), nullable=False),
        sa.Column("third", sa.Integer(), nullable=False),
        sa.Column("fourth", sa.Integer(), nullable=False),
        sa.Column("blank", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["voter_group.id"],
            name=op.f("fk_tally_group_id_voter_group"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["subject.id"],
            name=op.f("fk_tally_subject_id_subject"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subject_id", "group_id", name=op.f("pk_tally")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("tally") as batch:
        batch.create_index(batch.f("ix_tally_group_id"), ["group_id"], unique=False)

    op.create_table(
        "slip_hash",
        sa.Column("slip_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("batch_id", sa.String(length=32), nullable=False),
        sa.Column("voided", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["slip_batch.id"],
            name=op.f("fk_slip_hash_batch_id_slip_batch"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("slip_hash", name=op.f("pk_slip_hash")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("slip_hash") as batch:
        batch.create_index("ix_slip_hash_batch", ["batch_id", "voided"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("slip_hash") as batch:
        batch.drop_index("ix_slip_hash_batch")

    op.drop_table("slip_hash")
    with op.batch_alter_table("tally") as batch:
        batch.drop_index(batch.f("ix_tally_group_id"))

    op.drop_table("tally")
    with op.batch_alter_table("slip_batch") as batch:
        batch.drop_index(batch.f("ix_slip_batch_round_id"))
        batch.drop_index(batch.f("ix_slip_batch_group_id"))

    op.drop_table("slip_batch")
    with op.batch_alter_table("comment") as batch:
        batch.drop_index(batch.f("ix_comment_subject_id"))
        batch.drop_index(batch.f("ix_comment_box_key_id"))

    op.drop_table("comment")
    op.drop_table("voter_group")
    with op.batch_alter_table("subject") as batch:
        batch.drop_index(batch.f("ix_subject_member_id"))

    op.drop_table("subject")
    with op.batch_alter_table("sealed_comment") as batch:
        batch.drop_index(batch.f("ix_sealed_comment_round_id"))

    op.drop_table("sealed_comment")
    with op.batch_alter_table("sealed_ballot") as batch:
        batch.drop_index(batch.f("ix_sealed_ballot_round_id"))

    op.drop_table("sealed_ballot")
    with op.batch_alter_table("scrutineer") as batch:
        batch.drop_index(batch.f("ix_scrutineer_staff_id"))

    op.drop_table("scrutineer")
    with op.batch_alter_table("key_half") as batch:
        batch.drop_index(batch.f("ix_key_half_partner_id"))
        batch.drop_index(batch.f("ix_key_half_holder_id"))

    op.drop_table("key_half")
    with op.batch_alter_table("ballot") as batch:
        batch.drop_index(batch.f("ix_ballot_round_id"))

    op.drop_table("ballot")
    with op.batch_alter_table("round") as batch:
        batch.drop_index("ix_round_unit")
        batch.drop_index("ix_round_published")

    op.drop_table("round")
