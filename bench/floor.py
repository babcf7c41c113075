"""The bare framework that the application is held against: one template, one form, one insert.

Flask, Flask-WTF, SQLAlchemy Core and nothing else, on the application's own database. `/page` is
the form and no more; `/box/<slug>` looks its box up first, as whoever serves a thousand boxes must;
posted, each puts one row and commits it durably. `/sealed/<slug>` does so with the cryptography of
a drop: the same Argon2id, the same sealed boxes, the same 24 KiB, the same signature.
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from flask import Flask, abort, render_template
from flask_wtf import FlaskForm
from jinja2 import DictLoader
from nacl.public import PublicKey, SealedBox
from nacl.pwhash import argon2id
from nacl.secret import SecretBox
from nacl.signing import SigningKey
from wtforms import TextAreaField
from wtforms.validators import InputRequired

from app import crypto

_PAGE = """<!doctype html>
<html lang="zh"><head><meta charset="utf-8"><title>{{ name }}</title></head><body>
<h1>{{ name }}</h1>
{% if receipt %}<p>{{ receipt }}</p>{% else %}
<form method="post">{{ form.hidden_tag() }}
<label for="opinion">您想说什么？</label>{{ form.opinion(rows=9) }}
<button>投进意见箱</button></form>{% endif %}
</body></html>
"""
_TABLES = sa.MetaData()
_BOX = sa.Table("floor_box", _TABLES, sa.Column("slug", sa.String(64), primary_key=True),
                sa.Column("name", sa.Text), sa.Column("public_key", sa.LargeBinary))  # fmt: skip
_OPINION = sa.Table("floor_opinion", _TABLES, sa.Column("id", sa.LargeBinary(32), primary_key=True),
                    sa.Column("content", sa.LargeBinary))  # fmt: skip


class OpinionForm(FlaskForm):  # type: ignore[misc]
    """One field."""

    opinion = TextAreaField(validators=[InputRequired()])


def typed(form: OpinionForm) -> bytes:
    """What was typed."""
    return str(form.opinion.data).encode()


def create_floor(url: str, boxes: int) -> Flask:
    """The bare application, with so many boxes, on a database that may hold anything else too."""
    app = Flask("floor")
    app.secret_key = "bench"  # the same in every process, so that one's forms are the other's
    app.jinja_loader = DictLoader({"page.html": _PAGE})
    engine = sa.create_engine(url)
    _TABLES.drop_all(engine)
    _TABLES.create_all(engine)
    lock, signing_key = crypto.new_private_key(), SigningKey.generate()
    opening_key = crypto.public_key_of(lock)
    rows = [{"slug": f"b{n}", "name": f"支部{n}", "public_key": opening_key} for n in range(boxes)]
    with engine.begin() as connection:
        connection.execute(sa.insert(_BOX), rows)
    engine.dispose()  # or workers that are forked from here would share its connection

    def put(content: bytes) -> None:
        with engine.begin() as connection:
            connection.execute(
                sa.insert(_OPINION).values(id=secrets.token_bytes(32), content=content)
            )

    def found(slug: str) -> Any:
        with engine.connect() as connection:
            row = connection.execute(sa.select(_BOX).where(_BOX.c.slug == slug)).first()
        if row is None:
            abort(404)
        return row._mapping

    @app.route("/page", methods=["GET", "POST"])
    def page() -> str:
        form = OpinionForm()
        if form.validate_on_submit():
            put(typed(form))
            return render_template("page.html", name="意见箱", receipt="收到了")
        return render_template("page.html", name="意见箱", form=form)

    @app.route("/box/<slug>", methods=["GET", "POST"])
    def box(slug: str) -> str:
        one, form = found(slug), OpinionForm()
        if form.validate_on_submit():
            put(typed(form))
            return render_template("page.html", name=one["name"], receipt="收到了")
        return render_template("page.html", name=one["name"], form=form)

    @app.route("/sealed/<slug>", methods=["GET", "POST"])
    def sealed(slug: str) -> str:
        one, form = found(slug), OpinionForm()
        if not form.validate_on_submit():
            return render_template("page.html", name=one["name"], form=form)
        code, content = seal(typed(form), one["public_key"], opening_key)
        receipt = f"{code} {signing_key.sign(code.encode()).signature.hex()}"
        put(content)
        return render_template("page.html", name=one["name"], receipt=receipt)

    app.extensions["engine"] = app.extensions["writing_engine"] = engine
    return app


def seal(text: bytes, box_key: bytes, opening_key: bytes) -> tuple[str, bytes]:
    """A code and the row: stretched, encrypted, its key wrapped twice, all of it wrapped again."""
    code = crypto.format_code(secrets.randbelow(10**20))
    seed = argon2id.kdf(32, code.encode(), bytes(16), crypto.CODE_OPSLIMIT, crypto.CODE_MEMLIMIT)
    key = secrets.token_bytes(32)
    wraps = [
        SealedBox(PublicKey(public)).encrypt(key)
        for public in (box_key, crypto.public_key_of(seed))
    ]
    body = bytes(SecretBox(key).encrypt(crypto.pad_to_class(text)))
    inner = crypto.pad(b"".join([*wraps, body]), crypto.LYING_BYTES - 48)
    return code, bytes(SealedBox(PublicKey(opening_key)).encrypt(inner))
