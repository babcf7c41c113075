"""The tree at the desk: finding, adding, renaming, moving, merging, closing, import, export."""

from __future__ import annotations

from collections.abc import Callable

from flask import (
    Blueprint,
    Response,
    copy_current_request_context,
    redirect,
    render_template,
    request,
    stream_template,
    url_for,
)
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.db import reading, transaction
from app.errors import N_, Conflict, Invalid
from app.i18n import gettext, sentence
from app.organisation import contacts, exporting, importing, service, sheets, tree
from app.organisation.contact_views import tell
from app.organisation.models import Unit, UnitKind
from app.progress import Progress, Running
from app.sealing import service as sealing
from app.staff import audit, guard, invitations, keepers
from app.staff.models import Role
from app.text import clean, printable
from app.web import clock, config

blueprint = Blueprint("units", __name__, url_prefix="/desk/units")

WHO = (Role.OFFICE, Role.OPERATOR)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@blueprint.get("")
@guard.desk(*WHO)
def index() -> str:
    """The whole tree, or what a search finds."""
    q = request.args.get("q", "").strip()[:100]
    with reading() as session:
        return render_template(
            "organisation/desk_units.html",
            q=q,
            results=service.search(session, q, everything=True) if q else None,
            tree=service.tree(session),
            groups=service.groups(session),
            most=service.MOST_RESULTS,
        )


@blueprint.get("/<slug>")
@guard.desk(*WHO)
def show(slug: str) -> str:
    """One unit: its data, what hangs below, its history, what can be done."""
    return _page(slug)


def _page(slug: str, alert: str | None = None) -> str:
    with reading() as session:
        unit = tree.unit(session, slug)
        return render_template(
            "organisation/desk_unit.html",
            unit=unit,
            box=unit.box,
            kept=bool(unit.box and sealing.open_boxes(session, [unit.box.id])),
            parent=unit.parent,
            below=service.below(session, unit.id),
            history=tree.history(session, unit.id),
            groups=service.groups(session),
            kinds=[kind for kind, above in tree.BELOW.items() if unit.kind in above],
            members=service.member_count(session, unit.id),
            alert=alert,
            typed={name: printable(value) for name, value in request.form.items()},
        )


def _change(slug: str, action: str, change: Callable[[Session, Unit], str]) -> ResponseReturnValue:
    """One change of one unit, audited; refused, its page comes back with the sentence."""
    try:
        with transaction() as session:
            unit = tree.unit(session, slug)
            leads_to = change(session, unit)
            staff_id = guard.current().staff_id
            audit.record(session, clock().now(), staff_id, f"unit_{action}", unit.id)
    except (Invalid, Conflict) as error:
        return _page(slug, sentence(error)), 409 if isinstance(error, Conflict) else 422
    return redirect(url_for("units.show", slug=leads_to), 303)


def _field(name: str, at_most: int = 120) -> str:
    return clean(request.form.get(name, ""), field=name, at_most=at_most)


@blueprint.post("/<slug>/add")
@guard.desk(*WHO)
def add(slug: str) -> ResponseReturnValue:
    """Hang a new unit below this one."""

    def change(session: Session, unit: Unit) -> str:
        try:
            kind = UnitKind(request.form.get("kind", ""))
        except ValueError:
            raise Invalid(N_("还没有选类别，没有改动。请选一种。"), field="kind") from None
        new = tree.add(
            session,
            slug=_field("slug", 64),
            name=_field("name"),
            kind=kind,
            parent=unit,
            today=clock().today(),
            phone=_field("phone", tree.MAX_PHONE),
        )
        return new.slug

    return _change(slug, "add", change)


@blueprint.post("/<slug>/<any(rename,move,merge,close,reopen,policy):step>")
@guard.desk(*WHO)
def change(slug: str, step: str) -> ResponseReturnValue:
    """Rename, move, merge, close, reopen, or set the policy."""
    return _change(slug, step, _STEPS[step])


def _rename(session: Session, unit: Unit) -> str:
    phone = _field("phone", tree.MAX_PHONE)
    tree.rename(session, unit, _field("name"), phone, clock().today())
    return unit.slug


def _other(session: Session, field: str) -> Unit:
    found = service.named(session, _field(field))
    if found is None:
        raise Invalid(N_("没有找到这个单位，没有改动。请写全称或短名。"), field=field)
    return tree.unit(session, found.slug)


def _move(session: Session, unit: Unit) -> str:
    tree.move(session, unit, _other(session, "parent"), clock().today())
    return unit.slug


def _merge(session: Session, unit: Unit) -> str:
    tree.merge(session, unit, _other(session, "into"), clock().today())
    return unit.slug


def _close(session: Session, unit: Unit) -> str:
    tree.close(session, unit, clock().today())
    return unit.slug


def _reopen(session: Session, unit: Unit) -> str:
    tree.reopen(session, unit, clock().today())
    return unit.slug


def _policy(session: Session, unit: Unit) -> str:
    group = _other(session, "group") if request.form.get("group") else None
    eyes = request.form.get("second_eyes") == "yes"
    tree.set_policy(session, unit, second_eyes=eyes, group=group)
    return unit.slug


_STEPS = {
    "rename": _rename,
    "move": _move,
    "merge": _merge,
    "close": _close,
    "reopen": _reopen,
    "policy": _policy,
}


# --- spreadsheets ---------------------------------------------------------------------------------


@blueprint.route("/import", methods=["GET", "POST"])
@guard.desk(*WHO)
def bring_in() -> ResponseReturnValue:
    """Bring a spreadsheet in: all of it, or a list of every fault and nothing."""
    if request.method in guard.SAFE_METHODS:
        return _import_page()
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise sheets.fault("", N_("还没有选文件，什么都没有导入。"))
        book = sheets.read_book(file.filename, file.read(sheets.MOST_BYTES + 1))
        if book.staff and not guard.actor().is_office:
            raise sheets.fault("staff", N_("请人只有县管理员能请。请去掉这张表，再导入一次。"))
        with reading() as session:
            importing.check(session, book)
    except sheets.SheetError as error:
        return _import_page(error.faults), 422
    response = Response(stream_template("organisation/import.html", **_import(book)))
    response.headers["X-Accel-Buffering"] = "no"  # the proxy hands each piece on at once
    return response


def _import_page(faults: list[sheets.Fault] | None = None) -> str:
    shown = {"faults": _told(faults or []), "most": sheets.MOST_FAULTS}
    return render_template("organisation/import.html", **shown)


def _told(faults: list[sheets.Fault]) -> list[tuple[sheets.Fault, str]]:
    return [(fault, fault.filled(gettext(fault.message))) for fault in faults]


def _import(book: sheets.Book) -> dict[str, object]:
    """The import, begun: its steps, and how it ended, which waits for the end."""
    staff_id, today, now = guard.current().staff_id, clock().today(), clock().now()

    @copy_current_request_context
    def work(progress: Progress) -> tuple[importing.Imported, invitations.Invited]:
        with transaction() as session:
            done = importing.bring_in(session, book, today, progress)
            rows = [(row.username, row.role, row.unit) for row in done.staff]
            secret = config().secrets.instance_secret
            invited = invitations.invite_all(session, rows, now, staff_id, secret)
            for leader_id, address in done.addresses:
                tell(session, contacts.leader(session, leader_id), address)
            audit.record(session, now, staff_id, "import")
        return done, invited

    running = Running(work)

    def outcome() -> dict[str, object]:
        try:
            done, invited = running.result()
        except sheets.SheetError as error:  # somebody changed the tree meanwhile
            return {"faults": _told(error.faults)}
        except (Invalid, Conflict) as error:
            return {"faults": [(sheets.Fault("staff", 0, "", ""), sentence(error))]}
        links = [(name, _link(token)) for name, token in invited.links]
        return {"done": done, "links": links, "later": invited.later}

    return {"steps": running, "outcome": outcome, "most": sheets.MOST_FAULTS}


def _link(token: str) -> str:
    return url_for("enrolment.invitation", token=token, lang=None, view=None, _external=True)


@blueprint.get("/export")
@guard.desk(*WHO)
def export() -> ResponseReturnValue:
    """The county as a spreadsheet."""
    with reading() as session:
        raw = exporting.export(session, keepers.assignments(session))
    response = Response(raw, mimetype=XLSX)
    response.headers["Content-Disposition"] = 'attachment; filename="county.xlsx"'
    return response
