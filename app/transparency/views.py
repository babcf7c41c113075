"""The public log as everybody reads it: heads, leaves, proofs, and the check of a receipt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app import crypto
from app.cases import logged
from app.cases.logged import Verdict
from app.db import reading
from app.errors import N_, DomainError, Invalid, NotFound
from app.i18n import sentence
from app.submissions.service import Pen
from app.text import printable
from app.transparency import log, merkle, note, tree, verifier
from app.web import STATUS, clock, config, keep_secret, limit

blueprint = Blueprint("log", __name__)

MOST_ENTRIES = 1000
HEADS_SHOWN, HEADS_ON_SHEET = 5, 30
_HASH_DIGITS = 64


def _county_key() -> note.VerifierKey:
    return note.county_key(config().secrets.log_seed, config().origin)


@blueprint.get("/log")
def index() -> str:
    """What the log is in plain words, its newest heads, and how to check."""
    with reading() as session:
        heads = tree.heads(session, HEADS_SHOWN)
    return render_template("transparency/log.html", heads=heads, key=str(_county_key()))


@blueprint.get("/log/sheet")
def sheet() -> str:
    """The heads as a sheet for the notice board."""
    with reading() as session:
        heads = tree.heads(session, HEADS_ON_SHEET)
    return render_template("transparency/sheet.html", heads=heads, key=str(_county_key()))


@blueprint.get("/log/verifier.py")
def verifier_file() -> Response:
    """The offline verifier, to be kept beside a saved receipt."""
    source = Path(verifier.__file__).read_text("utf-8")
    response = Response(source, mimetype="text/x-python")
    response.headers["Content-Disposition"] = 'attachment; filename="verifier.py"'
    return response


# --- for programs -------------------------------------------------------------------------------


def _newest(session: Session) -> tree.Head:
    head = tree.newest_head(session)
    if head is None:
        raise NotFound(N_("公开日志还没有开始，请明天再来。"))
    return head


def _number(name: str, default: int, most: int) -> int:
    """A whole number of the query, from 0 to `most`."""
    raw = request.args.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,15}", raw) or int(raw) > most:
        raise Invalid(
            N_("%(name)s 要写成 0 到 %(most)s 之间的整数，请改好再查。"), name=name, most=most
        )
    return int(raw)


def _json(make: Callable[[Session], object]) -> Response:
    """What `make` reads, as JSON; a refusal as a sentence."""
    status = 200
    try:
        with reading() as session:
            content = make(session)
    except DomainError as error:
        content, status = {"error": sentence(error)}, STATUS[type(error)]
    text = json.dumps(content, ensure_ascii=False)
    return Response(text + "\n", status=status, mimetype="application/json")


@blueprint.get("/log/checkpoint")
def checkpoint() -> Response:
    """The newest head as a C2SP checkpoint, cosignatures included."""
    try:
        with reading() as session:
            text, status = tree.checkpoint_text(session, _newest(session)), 200
    except NotFound as error:
        text, status = sentence(error) + "\n", 404
    return Response(text, status=status, mimetype="text/plain")


@blueprint.get("/log/entries")
def entries() -> Response:
    """Leaves in hex from `start` up to but not including `end`, at most 1,000 at a time."""

    def make(session: Session) -> object:
        size = _newest(session).size
        start = _number("start", 0, size)
        end = _number("end", min(size, start + MOST_ENTRIES), 10**15)
        if end < start:
            raise Invalid(N_("start 不能大于 end，请改好再查。"))
        found = tree.entries(session, start, min(end, size, start + MOST_ENTRIES))
        return {"start": start, "entries": [leaf.hex() for leaf in found]}

    return _json(make)


@blueprint.get("/log/proof")
def proof() -> Response:
    """The inclusion proof of a leaf (in hex; its hash and its position are taken too)."""
    place: list[int] = []

    def make(session: Session) -> object:
        most = _newest(session).size
        size = _number("size", most, most)
        position = _position(session, most)
        if position >= size:
            raise Invalid(N_("这一条排在后面，这么大的日志里还没有它。请把 size 写大些。"))
        place.append(position)
        return [step.hex() for step in tree.inclusion(session, position, size)]

    response = _json(make)
    if place:
        response.headers["Leaf-Index"] = str(place[0])
    return response


def _position(session: Session, size: int) -> int:
    asked = request.args.get("leaf", "").lower()
    if re.fullmatch(r"[0-9]{1,15}", asked):
        return _number("leaf", 0, max(size - 1, 0))
    if not re.fullmatch(r"(?:[0-9a-f]{2}){32,200}", asked):
        raise Invalid(N_("leaf 要写成一条日志的十六进制，或它的位置。请改好再查。"))
    raw = bytes.fromhex(asked)
    hashed = raw if len(asked) == _HASH_DIGITS else merkle.leaf_hash(raw)
    found = tree.positions(session, [hashed]).get(hashed)
    if found is None:
        raise NotFound(N_("公开日志里没有这一条。"))
    return found


@blueprint.get("/log/consistency")
def consistency() -> Response:
    """The proof that the log of `to` leaves begins with that of `from`."""

    def make(session: Session) -> object:
        size = _newest(session).size
        new = _number("to", size, size)
        old = _number("from", 0, new)
        return [step.hex() for step in tree.consistency(session, old, new)]

    return _json(make)


# --- for people ---------------------------------------------------------------------------------


@blueprint.route("/log/verify", methods=["GET", "POST"])
def verify() -> ResponseReturnValue:
    """Check a receipt's code, its promise, or both; nothing is kept."""
    if request.method != "POST":
        return _verify_page(None)
    limit("receipt")
    keep_secret()
    code, typed = _typed()
    settings = config()
    pen = Pen(settings.secrets, settings.origin, clock().today())
    error = "" if code or typed else "empty"
    keys = None
    try:
        keys = pen.receipt_keys(crypto.parse_code(code)) if code else None
    except crypto.MistypedCodeError:
        error = "mistyped"
    promise = log.read_promise(typed, _county_key().public_key)
    if typed and promise is None:
        error = error or "promise"
    with reading() as session:
        verdict = logged.verify(session, pen, keys, promise)
    # A code that stands among other words in the wrong field isn't shown again.
    kept = printable(typed[:2000]) if error and not crypto.contains_code(typed) else ""
    return _verify_page(verdict, error, kept), 422 if error == "empty" else 200


def _typed() -> tuple[str, str]:
    """Code and promise as typed; a code that was put into the promise's field is a code."""
    code, typed = (request.form.get(name, "").strip() for name in ("code", "promise"))
    try:
        return (code, typed) if code else (crypto.parse_code(typed), "")
    except crypto.MistypedCodeError:
        return code, typed


def _verify_page(verdict: Verdict | None, error: str = "", typed: str = "") -> str:
    return render_template(
        "transparency/verify.html",
        verdict=verdict if error != "empty" else None,
        error=error,
        typed=typed,
        kept_months=config().thread_months,
    )
