"""Bulletins, their promises, and what published texts are found by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.wordindex import pairs_of, plain

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "indexed_text",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "answer",
                "bulletin",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("published_id", sa.String(length=32), nullable=False),
        sa.Column("published_on", sa.Date(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_indexed_text")),
        sa.UniqueConstraint("published_id", name=op.f("uq_indexed_text_published_id")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "bulletin",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("unit_id", sa.String(length=32), nullable=False),
        sa.Column(
            "audience",
            sa.Enum(
                "branch",
                "unit",
                "public",
                name="audience",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "published",
                "withdrawn",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("meeting", sa.Text(), nullable=False),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("drafted_by", sa.String(length=32), nullable=False),
        sa.Column("drafted_on", sa.Date(), nullable=False),
        sa.Column("published_by", sa.String(length=32), nullable=True),
        sa.Column("published_on", sa.Date(), nullable=True),
        sa.Column("withdrawn_on", sa.Date(), nullable=True),
        sa.Column("withdrawn_because", sa.String(length=500), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(state = 'draft') = (published_on IS NULL) AND"
            " (state = 'withdrawn') = (withdrawn_on IS NOT NULL)",
            name=op.f("ck_bulletin_dated_as_it_stands"),
        ),
        sa.CheckConstraint(
            "published_by IS NULL OR published_by <> drafted_by",
            name=op.f("ck_bulletin_second_eyes"),
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_bulletin_unit_id_unit"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulletin")),
    )
    with op.batch_alter_table("bulletin") as batch:
        batch.create_index(
            "ix_bulletin_published", ["audience", "published_on", "id"], unique=False
        )
        batch.create_index("ix_bulletin_unit", ["unit_id", "published_on", "id"], unique=False)

    op.create_table(
        "indexed_pair",
        sa.Column("pair", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["number"],
            ["indexed_text.number"],
            name=op.f("fk_indexed_pair_number_indexed_text"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("pair", "number", name=op.f("pk_indexed_pair")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("indexed_pair") as batch:
        batch.create_index(batch.f("ix_indexed_pair_number"), ["number"], unique=False)

    op.create_table(
        "promise",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("bulletin_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("words", sa.String(length=300), nullable=False),
        sa.Column("owner", sa.String(length=60), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("evidence", sa.String(length=1000), nullable=False),
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
        sa.Column("rated_on", sa.Date(), nullable=True),
        sa.Column("reopenings", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(done_on IS NULL) = (evidence = '')", name=op.f("ck_promise_done_with_evidence")
        ),
        sa.CheckConstraint(
            "(rating IS NULL) = (rated_on IS NULL)", name=op.f("ck_promise_rated_on_a_day")
        ),
        sa.ForeignKeyConstraint(
            ["bulletin_id"],
            ["bulletin.id"],
            name=op.f("fk_promise_bulletin_id_bulletin"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promise")),
    )
    with op.batch_alter_table("promise") as batch:
        batch.create_index(batch.f("ix_promise_bulletin_id"), ["bulletin_id"], unique=False)
    _index_answers()


def _index_answers() -> None:
    """Let the answers that were published before be found as well."""
    answers = sa.table(
        "answer",
        *(sa.column(name) for name in ("id", "summary", "answer")),
        sa.column("published_on", sa.Date()),
    )
    texts = sa.table(
        "indexed_text",
        *(sa.column(name) for name in ("number", "kind", "published_id", "words")),
        sa.column("published_on", sa.Date()),
    )
    pairs = sa.table("indexed_pair", sa.column("pair"), sa.column("number"))
    bind = op.get_bind()
    for row in bind.execute(sa.select(answers)).all():
        words, number = plain(f"{row.summary}\n{row.answer}"), int(row.id[:15], 16)
        text = {"number": number, "kind": "answer", "published_id": row.id, "words": words}
        bind.execute(texts.insert().values(**text, published_on=row.published_on))
        rows = [{"pair": pair, "number": number} for pair in sorted(pairs_of(words))]
        if rows:
            bind.execute(pairs.insert(), rows)


def downgrade() -> None:
    with op.batch_alter_table("promise") as batch:
        batch.drop_index(batch.f("ix_promise_bulletin_id"))

    op.drop_table("promise")
    with op.batch_alter_table("indexed_pair") as batch:
        batch.drop_index(batch.f("ix_indexed_pair_number"))

    op.drop_table("indexed_pair")
    with op.batch_alter_table("bulletin") as batch:
        batch.drop_index("ix_bulletin_unit")
        batch.drop_index("ix_bulletin_published")

    op.drop_table("bulletin")
    op.drop_table("indexed_text")
