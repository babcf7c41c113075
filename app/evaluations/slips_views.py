"""Slips at the desk: lists brought in, a few made here, those left over voided."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue

from app import crypto
from app.db import reading, transaction
from app.errors import N_, Conflict, Forbidden, Invalid
from app.evaluations import batches, desk_page, reach, slips
from app.evaluations.desk_views import WHO, note, refused, to, version
from app.evaluations.models import Round, VoterGroup
from app.i18n import gettext
from app.sheets.slips import Words, slip_sheets
from app.staff import guard
from app.web import clock, keep_secret, site_url

blueprint = Blueprint("slips", __name__, url_prefix="/desk/rounds")
MOST_TYPED = 300
HOW = N_("用手机扫一扫，或打开网址，输入下面的号码")
ONCE = N_("只能用一次。没拆开的票签可以随便调换。")


@blueprint.post("/<round_id>/slips")
@guard.desk(*WHO)
def bring(round_id: str) -> ResponseReturnValue:
    """Bring in a list that was made offline; its count and root go into the public log."""
    sent = request.files.get("list")
    try:
        listed = batches.read_list(sent.read() if sent else b"", round_id)
        with transaction() as session:
            held = reach.get_locked(session, guard.actor(), round_id, version())
            reach.require_lead(guard.actor(), held)
            batches.add(session, held, request.form.get("group", ""), listed, clock().today())
            note(session, "add_slips", round_id, str(len(listed.hashes)))
    except (Invalid, Conflict, Forbidden) as error:
        return refused(round_id, error)
    return to(round_id, "slips")


@blueprint.post("/<round_id>/print")
@guard.desk(*WHO)
def make(round_id: str) -> ResponseReturnValue:
    """Make slips here and hand them out as a PDF, once: nobody can have it again."""
    try:
        with reading() as session:
            held = reach.get(session, guard.actor(), round_id, version())
            reach.require_lead(guard.actor(), held)
            words = _words(held, session.get(VoterGroup, request.form.get("group", "")))
        codes = slips.new_codes(_count())
        made = desk_page.at_desk_list(held, codes)
        with transaction() as session:
            held = reach.get_locked(session, guard.actor(), round_id, version())
            group_id = request.form.get("group", "")
            batches.add(session, held, group_id, made, clock().today(), at_desk=True)
            note(session, "make_slips", round_id, str(len(codes)))
    except (Invalid, Conflict, Forbidden) as error:
        return refused(round_id, error)
    return _sheets(codes, words)


def _sheets(codes: list[str], words: Words) -> Response:
    keep_secret()
    sheets = slip_sheets([crypto.display_code(code) for code in codes], words)
    response = Response(sheets, mimetype="application/pdf")
    response.headers["Content-Disposition"] = 'attachment; filename="slips.pdf"'
    return response


def _words(held: Round, group: VoterGroup | None) -> Words:
    if group is None or group.round_id != held.id:
        raise Invalid(N_("还没有选给哪一组，没有做票签。"), field="group")
    address = site_url(url_for("evaluations.slip"))
    return Words(held.title, group.name, gettext(HOW), gettext(ONCE), address)


def _count() -> int:
    typed = request.form.get("count", "").strip()
    count = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 6 else 0
    if not 0 < count <= batches.MOST_AT_DESK:
        raise Invalid(
            N_("在这里一次可以做 1 到 %(most)d 张，再多请在不联网的电脑上做。没有做票签。"),
            field="count",
            most=batches.MOST_AT_DESK,
        )
    return count


@blueprint.post("/<round_id>/leftover")
@guard.desk(*WHO)
def void_left_over(round_id: str) -> ResponseReturnValue:
    """Void the slips that were left over, by their numbers, in everybody's sight."""
    try:
        codes = _typed_codes()
        with reading() as session:
            salt = reach.get(session, guard.actor(), round_id).salt
        hashes = slips.hash_codes(codes, salt, 2, lambda _count: None)
        with transaction() as session:
            held = reach.get_locked(session, guard.actor(), round_id, version())
            reach.require_lead(guard.actor(), held)
            done = batches.void_slips(session, held, hashes)
            if done < len(codes):
                raise Invalid(
                    N_(
                        "有 %(count)d 张不是这一轮的票签，或者用过、作废过了。"
                        "一张也没有作废，请核对以后再交。"
                    ),
                    field="codes",
                    count=len(codes) - done,
                )
            note(session, "void_slips", round_id, str(done))
    except (Invalid, Conflict, Forbidden) as error:
        return refused(round_id, error)
    return to(round_id, "voided")


def _typed_codes() -> list[str]:
    lines = [line for line in request.form.get("codes", "").splitlines() if line.strip()]
    codes = set()
    for place, line in enumerate(lines[: MOST_TYPED + 1], start=1):
        try:
            codes.add(crypto.parse_code(line))
        except crypto.MistypedCodeError:
            raise Invalid(
                N_("第 %(line)d 行的号码好像打错了一位。一张也没有作废，请核对以后再交。"),
                field="codes",
                line=place,
            ) from None
    if not 0 < len(lines) <= MOST_TYPED:
        raise Invalid(
            N_("一行写一张票签的号码，一次最多 %(most)d 张。一张也没有作废。"),
            field="codes",
            most=MOST_TYPED,
        )
    return sorted(codes)


@blueprint.post("/<round_id>/batches/<batch_id>/void")
@guard.desk(*WHO)
def void_batch(round_id: str, batch_id: str) -> ResponseReturnValue:
    """Void a whole batch before the draw: its printing failed, or a sheet was seen."""
    try:
        with transaction() as session:
            held = reach.get_locked(session, guard.actor(), round_id, version())
            reach.require_lead(guard.actor(), held)
            done = batches.void_batch(session, held, batch_id)
            note(session, "void_slips", round_id, str(done))
    except (Conflict, Forbidden) as error:
        return refused(round_id, error)
    return to(round_id, "voided")
