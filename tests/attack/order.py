"""Points 2 and 3: nothing that a dump can be sorted by gives the order of arrival."""

from __future__ import annotations

import hashlib
import io
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from PIL import Image

from app import crypto
from app.submissions.lying import LyingDrop, unwrap
from tests.attack.canaries import files_below
from tests.attack.roads import desk_listing
from tests.attack.stack import BOX, Stack
from tests.attack.verdicts import Verdict, correlation, pooled, zero
from tests.visitor import multipart

# Deleted rows of these are looked for in old pages; sequences and times are looked for in all.
LYING = ("lying_item", "lying_piece")
PIECES = 8  # of one photograph; one drop in so many encloses it, in every fourth run
STAFF_TABLES = re.compile(r"^(staff|audit|personal_key|key_grant|box_grant|role|alembic|sqlite_)")


@dataclass
class Table:
    """A table as a dump has it: rows in the order in which they lie."""

    name: str
    columns: list[str]
    rows: list[tuple[Any, ...]]


@dataclass
class Measures:
    """Rank correlations with arrival, by what was sorted."""

    rows: int
    rhos: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, arrivals: Sequence[int], values: Sequence[Any]) -> None:
        """One run's figure; constant values give 0."""
        order = {value: float(place) for place, value in enumerate(sorted(set(values)))}
        self.rhos[name].append(
            correlation([float(a) for a in arrivals], [order[value] for value in values])
        )

    def verdicts(self, z_bound: float) -> list[Verdict]:
        """By kind of measure (what stands before the first space): the worst of them."""
        kinds: dict[str, list[str]] = defaultdict(list)
        for name in self.rhos:
            kinds[name.split(" ")[0]].append(name)
        return [self._verdict(kind, names, z_bound) for kind, names in sorted(kinds.items())]

    def _verdict(self, kind: str, names: list[str], z_bound: float) -> Verdict:
        root = (self.rows - 1) ** 0.5
        held, worst, most, least = True, 0.0, 0, 1.0
        for name in names:
            zs = [rho * root for rho in self.rhos[name]]
            # What few runs measure gets a bound that chance doesn't reach.
            bound = z_bound if len(zs) >= 20 else max(z_bound, 3.5)
            over = sum(abs(z) > bound for z in zs)
            p = pooled(zs)
            worst, most, least = (
                max(worst, *map(abs, self.rhos[name])),
                max(most, over),
                min(least, p),
            )
            allowed = 1 if len(zs) >= 20 else 0
            held = held and over <= allowed and (p > 0.01 or len(zs) < 20)
        runs = max(len(self.rhos[name]) for name in names)
        return Verdict(
            f"2 arrival against {kind.replace('_', ' ')} ({len(names)} measures)",
            f"max |rho| {worst:.2f}, over {most} of {runs}, pooled p {least:.3f}",
            f"|rho| <= {z_bound / root:.2f} but for {1 if runs >= 20 else 0}, p > 0.01",
            held,
        )

    def at_the_edge(self, z_bound: float) -> list[str]:
        """The measures that fail, each with its figures."""
        return [
            f"{name}: {' '.join(f'{rho:+.2f}' for rho in self.rhos[name])}"
            for name in self.rhos
            if self._verdict(name, [name], z_bound).held is False
        ]


def tables(stack: Stack) -> Iterator[Table]:
    """Every table, rows as they lie, with the row's own hidden numbers."""
    lite = stack.database == "sqlite"
    with stack.sql() as connection:
        names = [row[0] for row in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'" if lite else
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()]  # fmt: skip
        for name in names:
            hidden = "" if lite else "ctid::text AS ctid, xmin::text::bigint AS xmin,"
            if (
                lite
                and "WITHOUT ROWID"
                not in connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,))
                .fetchone()[0]
                .upper()
            ):
                hidden = "rowid AS rowid,"
            cursor = connection.execute(f'SELECT {hidden} * FROM "{name}"')
            columns = [d[0] for d in cursor.description]
            yield Table(name, columns, [tuple(map(_plain, row)) for row in cursor.fetchall()])


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _ctid(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.strip("()").split(","))


# --- one run ------------------------------------------------------------------------------------


def one_run(
    stack: Stack, number: int, rows: int, measures: Measures, *, bytes_too: bool
) -> list[str]:
    """Drop, open, and compare; returns what matched byte for byte and shouldn't."""
    client = stack.client()
    ticket = client.get(BOX).ticket
    known: dict[Any, int] = {}
    lying: dict[Any, int] = {}
    secrets = stack.secrets
    for n in range(rows):
        fields = {"ticket": ticket, "opinion": f"第{number}回第{n}件：路灯坏了。"}
        encloses = number % 4 == 0 and n % PIECES == 0
        chosen = [("a.jpg", photograph())] if encloses else []
        answer = client.send(BOX, *multipart(fields, chosen))
        known[answer.commitment] = n
        leaf = crypto.drop_leaf(answer.commitment)
        known[leaf] = known[hashlib.sha256(b"\0" + leaf).digest()] = n
        code = answer.code.replace("-", "")
        lying[crypto.receipt_keys(code, secrets.pepper, secrets.site_salt).pool_id] = n
    client.close()
    before = b"".join(c for _, c in files_below(*stack.places()[:1], *stack.places()[4:]))
    wrapped = _measure_lying(stack, lying, measures)
    pieces, bare = _follow_pieces(stack, lying, known)
    wrapped += pieces
    # PostgreSQL compresses long values on disk; whoever has the files reads them like this.
    before += b"".join(v for t in tables(stack) for r in t.rows for v in r if isinstance(v, bytes))
    stack.command("open-boxes", "--now")
    found = list(tables(stack))
    _expand(found, known)
    for table in found:
        _measure(table, known, measures)
    if stack.database == "sqlite":
        _measure_offsets(stack, found, known, measures)
    return bare + (_matches(stack, found, known, before, wrapped) if bytes_too else [])


def _measure_lying(stack: Stack, lying: dict[Any, int], measures: Measures) -> list[bytes]:
    """Rows of the shut box: their place on disk may tell arrival, what they hold may not."""
    (table,) = (t for t in tables(stack) if t.name == "lying_item")
    at = {name: n for n, name in enumerate(table.columns)}
    rows = [row for row in table.rows if row[at["pool_id"]] in lying]
    arrivals = [lying[row[at["pool_id"]]] for row in rows]
    measures.add("key lying_item", arrivals, [row[at["pool_id"]] for row in rows])
    if "rowid" in at:
        measures.add("rowid lying_item", arrivals, [row[at["rowid"]] for row in rows])
    for column in set(at) - {"pool_id", "wrapped", "rowid", "ctid", "xmin"}:
        measures.add(
            f"column lying_item.{column}", arrivals, [str(row[at[column]]) for row in rows]
        )
    return [bytes(row[at["wrapped"]]) for row in rows]


@cache
def photograph() -> bytes:
    """What is enclosed with some drops: noise, so that it fills PIECES pieces once developed."""
    out = io.BytesIO()
    Image.effect_noise((2200, 1650), 60).save(out, "JPEG", quality=75)
    return out.getvalue()


def _follow_pieces(
    stack: Stack, lying: dict[Any, int], known: dict[Any, int]
) -> tuple[list[bytes], list[str]]:
    """Learn where each piece will come out, which no dump tells.

    Returns the pieces as they lie, and the rows that have no outer layer to take off.
    """
    found = {table.name: table for table in tables(stack)}
    lock, items, pieces = found["opening_key"], found["lying_item"], found["lying_piece"]
    sealed = dict(zip(lock.columns, lock.rows[0], strict=True))["sealed_private_key"]
    secret = crypto.hkdf(stack.secrets.instance_secret, "opening key")
    private_key = crypto.decrypt(secret, sealed)
    bare = []
    for row in items.rows:
        item = dict(zip(items.columns, row, strict=True))
        if item["pool_id"] not in lying:
            continue
        try:
            drop = unwrap(item["wrapped"], private_key)
        except crypto.SealError:
            bare.append(f"a row without the outer layer: {bytes(item['wrapped'][:8]).hex()}")
            continue
        if isinstance(drop, LyingDrop):
            known.update(dict.fromkeys(drop.locator.ids(), lying[item["pool_id"]]))
    return [dict(zip(pieces.columns, row, strict=True))["wrapped"] for row in pieces.rows], bare


def _expand(found: list[Table], known: dict[Any, int]) -> None:
    """Follow unique ids from table to table, as somebody with a dump would."""
    for _ in range(4):
        for table in found:
            unique = [
                n for n in range(len(table.columns))
                if len({row[n] for row in table.rows}) == len(table.rows) > 1
            ]  # fmt: skip
            for row in table.rows:
                arrival = _arrival(row, known)
                if arrival is None:
                    continue
                for n in unique:
                    if isinstance(row[n], str | bytes) and len(row[n]) == 32:
                        known.setdefault(row[n], arrival)


def _arrival(row: tuple[Any, ...], known: dict[Any, int]) -> int | None:
    return next((known[v] for v in row if isinstance(v, str | bytes) and v in known), None)


def _measure(table: Table, known: dict[Any, int], measures: Measures) -> None:
    pairs = [(a, row) for row in table.rows if (a := _arrival(row, known)) is not None]
    if len(pairs) < measures.rows or table.name in LYING:
        return
    arrivals = [a for a, _ in pairs]
    measures.add(f"order_as_it_lies {table.name}", arrivals, range(len(pairs)))
    for n, column in enumerate(table.columns):
        values = [row[n] for _, row in pairs]
        if column == "ctid":
            measures.add(f"ctid {table.name}", arrivals, [_ctid(value) for value in values])
        elif column in ("rowid", "xmin"):
            measures.add(f"{column} {table.name}", arrivals, values)
        elif n == 0 or not isinstance(values[0], bytes):
            measures.add(f"column {table.name}.{column}", arrivals, [str(v) for v in values])


def _measure_offsets(
    stack: Stack, found: list[Table], known: dict[Any, int], measures: Measures
) -> None:
    content = (stack.data / "yanlu.sqlite3").read_bytes()
    for table in found:
        if table.name in LYING:
            continue
        offsets: list[tuple[int, int]] = []
        for row in table.rows:
            arrival = _arrival(row, known)
            blob = next((v for v in row if isinstance(v, bytes) and len(v) >= 32), None)
            if arrival is not None and blob is not None:
                offsets.append((arrival, content.find(blob[:48])))
        if len(offsets) >= measures.rows:
            measures.add(
                f"page_offset {table.name}", [a for a, _ in offsets], [o for _, o in offsets]
            )


def _matches(
    stack: Stack, found: list[Table], known: dict[Any, int], before: bytes, wrapped: list[bytes]
) -> list[str]:
    """Bytes of cases in what lay on disk before the opening; bytes of drops in what does after."""
    matched = []
    for table in found:
        if table.name in LYING:
            continue
        ours = [row for row in table.rows if _arrival(row, known) is not None]
        for row in ours:
            for n, (column, value) in enumerate(zip(table.columns, row, strict=True)):
                raw = value.encode() if isinstance(value, str) else value
                if not isinstance(raw, bytes) or len(raw) < 32 or _shared(ours, n):
                    continue
                middle = raw[:32] if len(raw) < 200 else raw[100:164]
                if middle in before or middle.hex().encode() in before:
                    matched.append(f"{table.name}.{column}")
    if stack.database == "sqlite":
        after = b"".join(c for _, c in files_below(stack.data))
        matched += [
            "lying_item.wrapped" for blob in wrapped if any(blob[n : n + 48] in after for n in
                                                            (0, 6000, 12000, len(blob) - 48))
        ]  # fmt: skip
    return matched


def _shared(ours: list[tuple[Any, ...]], n: int) -> bool:
    """Whether the drops' rows share a column's values: a box's id says nothing of one drop."""
    return len({row[n] for row in ours}) < len(ours) // 2


# --- the points ---------------------------------------------------------------------------------


def order(stack: Stack, runs: int, rows: int, z_bound: float = 2.576) -> list[Verdict]:
    """Point 2. A figure at the edge is drawn again once, since chance fails one in forty."""
    for attempt in (1, 2):
        measures = Measures(rows)
        matched: list[str] = []
        files = len(list(files_below(stack.data)))
        for number in range(runs):
            matched += one_run(stack, number, rows, measures, bytes_too=number < 3)
        if runs < 20 or not measures.at_the_edge(z_bound) or matched:
            break
        if attempt == 1:
            for name in measures.at_the_edge(z_bound):
                print(f"   at the edge, drawn once more: {name}", file=sys.stderr, flush=True)
    added = len(list(files_below(stack.data))) - files
    listing = desk_listing(stack)
    return [
        *measures.verdicts(z_bound),
        zero("2 bytes of cases before, of drops after the opening", matched),
        Verdict("2 files that drops left in DATA_DIR", str(max(added, 0)), "0", added <= 0),
        Verdict(
            "2 the desk's listing is in the order of random ids", f"{len(listing)} cases",
            "sorted", listing == sorted(listing),
        ),
    ]  # fmt: skip


def schema(stack: Stack) -> list[Verdict]:
    """Point 3: no time finer than a day and no sequence where speakers' rows are."""
    fine: list[str] = []
    counted: list[str] = []
    with stack.sql() as connection:
        if stack.database == "sqlite":
            for name, text in connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
            ).fetchall():
                if _is_staffs(name):
                    continue
                fine += [name] if re.search(r"\b(DATETIME|TIMESTAMP|TIME)\b", text, re.I) else []
                if re.search(r"AUTOINCREMENT", text, re.I) or (
                    name in _SPEAKERS and "WITHOUT ROWID" not in text.upper()
                ):
                    counted.append(name)
        else:
            for table, column, kind, default, identity in connection.execute(
                "SELECT table_name, column_name, data_type, column_default, is_identity"
                " FROM information_schema.columns WHERE table_schema = 'public'"
            ).fetchall():
                if _is_staffs(table):
                    continue
                fine += [f"{table}.{column}"] if kind.startswith("time") else []
                if "nextval" in (default or "") or identity == "YES":
                    counted.append(f"{table}.{column}")
    return [
        zero("3 times finer than a day in speakers' tables", fine),
        zero("3 sequences and row numbers in speakers' tables", counted),
    ]


# Tables in which a row exists because somebody spoke.
_SPEAKERS = frozenset(
    {"lying_item", "lying_piece", "attachment_piece", "case", "case_event", "thread_item",
     "sealed_item", "key_wrap", "pending_leaf", "answer", "speaker_tally", "case_tally",
     "quarter_tally"}
)  # fmt: skip


def _is_staffs(name: str) -> bool:
    return name not in _SPEAKERS
