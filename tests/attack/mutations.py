"""Point 11: each trap is put back into a copy of the tree, and the attack must notice."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.attack import ballots, files, order, roads
from tests.attack.stack import Stack
from tests.attack.traces import Traces
from tests.attack.verdicts import Verdict

Check = Callable[[Stack], list[Verdict]]
_ROWS = 40


@dataclass(frozen=True)
class Trap:
    """A change of the tree (`file, old, new`) and the part of the attack that must fail for it."""

    name: str
    database: str
    patches: tuple[tuple[str, str, str], ...]
    check: Check

    def put_into(self, tree: Path) -> None:
        """Change the copy; a patch that finds nothing is a fault of this table."""
        for name, old, new in self.patches:
            text = (tree / name).read_text("utf-8")
            if old not in text:
                raise AssertionError(f"{self.name}: {name} has no {old!r}")
            (tree / name).write_text(text.replace(old, new), "utf-8")


def _order(stack: Stack) -> list[Verdict]:
    return [*order.order(stack, 1, _ROWS, 4.5), *order.schema(stack)]


def _traces(*accidents: str) -> Check:
    def check(stack: Stack) -> list[Verdict]:
        traces = Traces(stack)
        for name in accidents:
            getattr(traces, name)()
            traces.look(name)
        traces.look_at_place_logs()
        return traces.verdicts

    return check


def _timing(stack: Stack) -> list[Verdict]:
    return roads.timing(stack, 2, 600)


_LYING = "app/submissions/lying.py"
_NO_LAYER = (
    (_LYING, "crypto.seal_to(opening_public_key, crypto.pad(data, _INNER_BYTES))",
     "crypto.pad(data, crypto.LYING_BYTES)"),
    (_LYING, "crypto.unpad(crypto.unseal(opening_private_key, wrapped))", "crypto.unpad(wrapped)"),
)  # fmt: skip
_ENCLOSED = "app/sealing/attachments.py"
_ROWID = "sqlite_with_rowid=False"
_BUFFERED = (
    ("deploy/nginx.conf", "proxy_request_buffering off", "proxy_request_buffering on"),
    ("deploy/nginx.conf", "client_body_buffer_size 12m", "client_body_buffer_size 16k"),
)
_ONE_BY_ONE = (
    "session.execute(sa.insert(model), sorted(rows, key=lambda row: str(row[key])))",
    "for row in rows:\n            with session.begin_nested():\n"
    "                session.execute(sa.insert(model).values(**row))",
)

TRAPS = (
    Trap("row numbers in the box", "sqlite",
         (("migrations/versions/0001_first_road.py", _ROWID, "sqlite_with_rowid=True"),), _order),
    Trap("no outer layer", "sqlite", _NO_LAYER, _order),
    Trap("no outer layer", "postgresql", _NO_LAYER, _order),
    Trap("cases written one by one, as they came", "postgresql",
         (("app/cases/opening.py", *_ONE_BY_ONE),), _order),
    Trap("pieces written as they came", "postgresql",
         ((_ENCLOSED, "_batches(sorted(out))", "_batches(out)"),), _order),
    Trap("pieces without the outer layer", "sqlite",
         ((_ENCLOSED, "crypto.seal_to(opening_key.public_key, piece)", "piece + bytes(48)"),
          (_ENCLOSED, "crypto.unseal(lock.private_key, wrapped)", "wrapped[:-48]")), _order),
    Trap("pictures saved again with what they carried", "sqlite",
         (("app/pictures/darkroom.py", 'new.save(out, "JPEG", ',
           'new.save(out, "JPEG", exif=image.info.get("exif", b""), '),), files.attachments),
    Trap("journal not emptied at the opening", "sqlite",
         (("app/worker.py", "db.truncate_journal()", "pass"),), _order),
    Trap("deleted rows not overwritten", "sqlite",
         (("app/engines.py", "PRAGMA secure_delete = ON", "PRAGMA secure_delete = OFF"),), _order),
    Trap("an instant in a speaker's table", "sqlite",
         (("migrations/versions/0001_first_road.py", '"opened_on", sa.Date()',
           '"opened_on", sa.DateTime()'),), order.schema),
    Trap("PostgreSQL logs as it comes", "postgresql",
         (("deploy/postgresql.conf", "log_min_error_statement = panic", ""),
          ("deploy/postgresql.conf", "log_error_verbosity = terse", "")),
         _traces("database_error")),
    Trap("gunicorn's own logger", "sqlite",
         (("deploy/gunicorn.conf.py", "logger_class = QuietLogger", ""),), _traces("malformed")),
    Trap("parameters in exceptions", "sqlite",
         (("app/engines.py", "hide_parameters=True", "hide_parameters=False"),),
         _traces("database_error")),
    Trap("Flask's own log of faults", "sqlite",
         (("app/web.py", "def log_exception(", "def other_log_exception("),), _traces("fault")),
    Trap("Werkzeug's temporary files", "sqlite",
         (("app/web.py", "return BytesIO()", "return super()._get_file_stream("
           "total_content_length, content_type, filename, content_length)"),), _traces("walk")),
    Trap("nginx spools bodies", "sqlite", _BUFFERED, _traces("walk")),
    Trap("nginx error_log info", "sqlite",
         (("deploy/nginx.conf", "error.log emerg", "error.log info"),), _traces("malformed")),
    Trap("nginx error_log crit", "sqlite",
         (("deploy/nginx.conf", "error.log emerg", "error.log crit"),),
         _traces("malformed", "away")),
    Trap("nginx access_log", "sqlite",
         (("deploy/nginx.conf", "access_log off", "access_log /var/log/nginx/access.log"),),
         _traces("walk")),
    Trap("a cookie on the road", "sqlite",
         (("app/web.py", "    _compress(response)\n    there",
           '    _compress(response)\n    response.set_cookie("v", "1")\n    there'),), roads.flow),
    Trap("lookups answered at once", "sqlite",
         (("app/web.py", "LOOKUP_TIME_STEP = 0.1", "LOOKUP_TIME_STEP = 0.0"),
          ("app/cases/thread.py", "    _open_nothing(session, keys)\n", "")),
         _timing),
    Trap("the urn kept beside the readable ballots", "postgresql",
         (("app/evaluations/service.py", "for model in (SealedBallot, SealedComment, KeyHalf):",
           "for model in ():"),), ballots.ballots),
)  # fmt: skip


def put_back(folder: Path, words: Sequence[str] | None, databases: Sequence[str]) -> list[Verdict]:
    """Every trap (or those whose name holds one of the words): caught or not."""
    verdicts = []
    for number, trap in enumerate(TRAPS):
        if trap.database not in databases:
            continue
        if words and not any(word in trap.name for word in words):
            continue
        print(f"   trap: {trap.name} [{trap.database}]", file=sys.stderr, flush=True)
        told = _spring(trap, Stack(folder / str(number), trap.database))
        print(f"      {told}", file=sys.stderr, flush=True)
        verdicts.append(
            Verdict(f"11 {trap.name} [{trap.database}]", told, "caught", told.startswith("caught"))
        )
    return verdicts


def _spring(trap: Trap, stack: Stack) -> str:
    try:
        trap.put_into(stack.tree)
        with stack:
            found = trap.check(stack)
    except AssertionError as error:  # the mutant doesn't even run: nothing is proved
        return f"no verdict: {str(error)[-80:]!r}"
    failed = [v for v in found if v.held is False]
    if not failed:
        return f"NOT CAUGHT: {found[0].figure}"
    figure = failed[0].figure.replace(str(stack.folder) + "/", "")
    return f"caught: {failed[0].test}: {figure[:60]}"
