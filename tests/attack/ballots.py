"""Points 7 and 10: from a slip to a readable ballot, and from what is published to a count."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from app import crypto
from app.evaluations import results, slips
from tests.attack.canaries import files_below
from tests.attack.order import Table, tables
from tests.attack.roads import sign_in
from tests.attack.stack import Client, Stack
from tests.attack.verdicts import Verdict, correlation, zero

VOTES = 14
GRADES = 5
URN = ("sealed_ballot", "sealed_comment", "key_half")
DEMO_SLIPS = "demo-slips.txt"


def ballots(stack: Stack) -> list[Verdict]:
    """Vote in the demo round, open its urn, and look for whatever joins the two."""
    text = (stack.data / DEMO_SLIPS).read_text("utf-8")
    codes = [crypto.parse_code(line.split()[0]) for line in text.splitlines() if line.strip()]
    round_id = _vote(stack, codes[:VOTES])
    before = _rows(stack, round_id)
    count_round(stack, round_id)
    after = _rows(stack, round_id)
    return [
        *_joined(stack, round_id, before, after),
        zero("7 used slips in database, logs and files", _left(stack, codes[:VOTES])),
        _sheets(),
        _published(),
    ]


# --- 7 ------------------------------------------------------------------------------------------


def _vote(stack: Stack, codes: list[str]) -> str:
    """Half of them satisfied, then half of them not; the round's id."""
    client = stack.client()
    for place, code in enumerate(codes):
        page = client.post("/slip", slip=code)
        grade = "satisfied" if place < len(codes) // 2 else "dissatisfied"
        names = set(re.findall(r'name="(grade-[0-9a-f]{32})"', page.body))
        done = client.post("/slip", ticket=page.ticket, **dict.fromkeys(names, grade))
        done.first(r"(data-counted)")
    with stack.sql() as connection:
        row = connection.execute("SELECT id FROM round WHERE state = 'open'").fetchone()
    return str(row[0])


def count_round(stack: Stack, round_id: str) -> None:
    """Close a round and open its urn, as two scrutineers of the demo do."""
    # Not the first keeper: a one-time code that another point has spent would be refused.
    for username, step in (("demo-supervisor", "close"), ("demo-keeper-2", "count")):
        client = stack.client()
        sign_in(stack, client, username)
        _step(client, round_id, step)


def _step(client: Client, round_id: str, step: str) -> None:
    page = client.get(f"/desk/rounds/{round_id}")
    token = page.first(r'name="csrf_token"[^>]*value="([^"]+)"')
    version = page.first(r'name="version"[^>]*value="(\d+)"')
    done = client.post(f"/desk/rounds/{round_id}/{step}", csrf_token=token, version=version)
    if done.status != 303:
        raise AssertionError(f"{step}: {done.status}")


def _rows(stack: Stack, round_id: str) -> dict[str, Table]:
    """The tables that hold ballots, with this round's rows alone where they name it."""
    found = {}
    for table in tables(stack):
        if table.name in (*URN, "ballot", "slip_hash"):
            rows = [r for r in table.rows if "round_id" not in table.columns or round_id in r]
            found[table.name] = Table(table.name, table.columns, rows)
    return found


def _joined(
    stack: Stack, round_id: str, before: dict[str, Table], after: dict[str, Table]
) -> Iterator[Verdict]:
    urn = {value for name in URN for row in before[name].rows for value in _telling(row)}
    readable = {value for row in after["ballot"].rows for value in _telling(row)}
    shared = (urn & readable) - {round_id}
    number = len(before["sealed_ballot"].rows), len(after["ballot"].rows)
    yield Verdict("7 ballots sealed, and readable after the count", f"{number[0]}, {number[1]}",
                  f"{VOTES}, {VOTES}", number == (VOTES, VOTES))  # fmt: skip
    yield zero("7 values that the urn and the readable ballots share", sorted(map(repr, shared)))
    yield zero("7 rows of the urn and its key after the count",
               [row for name in URN for row in after[name].rows])  # fmt: skip
    if stack.database == "postgresql":
        place = after["ballot"].columns.index("xmin")
        stamps = {row[place] for row in after["ballot"].rows}
        yield Verdict("7 transactions that readable ballots tell apart", str(len(stamps)), "1",
                      len(stamps) == 1)  # fmt: skip


def _telling(row: tuple[object, ...]) -> Iterator[object]:
    """What could be looked for elsewhere: long enough not to be met by chance."""
    yield from (value for value in row if isinstance(value, bytes | str) and len(value) >= 16)


def _left(stack: Stack, codes: list[str]) -> list[str]:
    """Where the digits still stand; on SQLite, whose pages are wiped, the hashes too."""
    sought = [code.encode() for code in codes]
    sought += [crypto.display_code(code).encode() for code in codes]
    if stack.database == "sqlite":
        with stack.sql() as connection:
            salts = [row[0] for row in connection.execute("SELECT salt FROM round").fetchall()]
        sought += [crypto.slip_hash(code, salt) for code in codes for salt in set(salts)]
    return [
        name
        for name, raw in files_below(stack.data, stack.logs, stack.temp)
        if not name.endswith(DEMO_SLIPS) and any(one in raw for one in sought)
    ]


def _sheets() -> Verdict:
    """The order on the sheets against the order of the list."""
    codes, salt = slips.new_codes(400), bytes(16)
    place = {h: n for n, h in enumerate(slips.hash_codes(codes, salt, 2, lambda _count: None))}
    listed = [float(place[crypto.slip_hash(code, salt)]) for code in codes]
    rho = correlation([float(n) for n in range(len(codes))], listed)
    bound = 4.5 / (len(codes) - 1) ** 0.5
    return Verdict("7 order of the sheets against order of the list (400 slips)",
                   f"|rho| {abs(rho):.2f}", f"<= {bound:.2f}", abs(rho) <= bound)  # fmt: skip


# --- 10 -----------------------------------------------------------------------------------------


def vectors(n: int) -> Iterator[tuple[int, ...]]:
    """Every way in which n ballots fall on four grades and blank."""
    for bars in itertools.combinations(range(n + GRADES - 1), GRADES - 1):
        edges = (-1, *bars, n + GRADES - 1)
        yield tuple(b - a - 1 for a, b in itertools.pairwise(edges))


def betrayed(sizes: tuple[int, ...]) -> list[object]:
    """The outcomes of a round with such groups that fit a single count of some grade."""
    seen: dict[object, list[set[int]]] = {}
    for groups in itertools.product(*(vectors(n) for n in sizes)):
        told = results.told(groups)
        fitting = seen.setdefault(told, [set() for _ in range(GRADES * len(sizes))])
        for place, count in enumerate(itertools.chain(*groups)):
            fitting[place].add(count)
    return [told for told, fitting in seen.items() if any(len(counts) < 2 for counts in fitting)]


def _published() -> Verdict:
    """A round's figures are made of its own counts alone: several rounds tell what each tells."""
    tried = ((5,), (9,), (10,), (12,), (19,), (20,), (2, 3), (3, 9), (6, 6), (1, 1, 8))
    return zero(f"10 outcomes of {len(tried)} kinds of rounds that fit a single count",
                [told for sizes in tried for told in betrayed(sizes)])  # fmt: skip
