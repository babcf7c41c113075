"""Points 4, 5 and 6: lookups by the clock, the road without script, a dump without passwords."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pyotp

from app import crypto
from app.errors import DomainError
from tests.attack import files
from tests.attack.canaries import MARK, Hunt
from tests.attack.stack import BOX, HOST, Answer, Client, Stack
from tests.attack.verdicts import Verdict, mann_whitney, pooled, zero
from tests.pictures import hostile

TEXT = f"没有密码谁也打不开的话 {MARK}"


def sign_in(stack: Stack, client: Client, username: str = "demo-keeper-1") -> list[str]:
    """Somebody of the staff at their desk; the cookie's values on the way."""
    accounts = json.loads((stack.data / "demo-accounts.json").read_text("utf-8"))
    account = next(a for a in accounts if a["username"] == username)
    form = client.get("/desk/sign-in").first(r'name="csrf_token"[^>]*value="([^"]+)"')
    client.post("/desk/sign-in", csrf_token=form, username=username, password=account["password"])
    values = [client.cookies.get("desk", "")]
    page = client.get("/desk/second-factor")
    form = page.first(r'name="csrf_token"[^>]*value="([^"]+)"')
    now = int(time.time())
    for moment in (now, now + 30):  # a code is good once, and another point may have spent it
        totp = pyotp.TOTP(account["totp_secret"]).at(moment)
        done = client.post("/desk/second-factor", csrf_token=form, totp=totp)
        if done.status == 303:
            break
    return [*values, client.cookies.get("desk", "")]


def desk_listing(stack: Stack) -> list[str]:
    """The first pages of the queue, as a keeper sees it."""
    client = stack.client()
    sign_in(stack, client, "demo-keeper-2")
    found: list[str] = []
    path = "/desk/queue"
    for _ in range(8):
        page = client.get(path)
        found += re.findall(r'data-case="([0-9a-f]+)"', page.body)
        following = re.search(r'<a[^>]*rel="next"[^>]*href="([^"]+)"', page.body) or re.search(
            r'<a[^>]*href="([^"]+)"[^>]*rel="next"', page.body
        )
        if following is None:
            break
        path = following[1].replace("&amp;", "&")
    return found


# --- 4 ------------------------------------------------------------------------------------------


def timing(stack: Stack, times: int, lookups: int) -> list[Verdict]:
    """Point 4: unknown codes against known ones, lying and opened, interleaved."""
    client = stack.client()
    client.drop("开过箱的一件")
    opened = client.drop("开过箱的另一件").code
    photograph = hostile.encoded(hostile.image(), "JPEG")
    pictures = files.enclose(client, "附了照片的一件", ("a.jpg", photograph)).code
    stack.command("open-boxes", "--now")
    kinds = {"lying": client.drop("还在箱子里的一件").code, "opened": opened, "pictures": pictures}
    verdicts = []
    for name, code in kinds.items():
        zs = []
        medians: list[float] = []
        for _ in range(times):
            known, unknown = _interleaved(client, code, lookups)
            zs.append(mann_whitney(known, unknown))
            medians += [1000 * sorted(x)[len(x) // 2] for x in (known, unknown)]
        p = pooled(zs)
        verdicts.append(
            Verdict(
                f"4 lookup time, unknown against {name}, {times} x {lookups}",
                f"pooled p {p:.3f}, z {' '.join(f'{z:+.1f}' for z in zs)},"
                f" medians {min(medians):.1f} to {max(medians):.1f} ms",
                "p > 0.01",
                p > 0.01,
            )
        )
    page = client.thread(kinds["opened"])
    nothing = client.thread(_unknown())
    same = len(page.body.encode()) == len(nothing.body.encode())
    verdicts.append(
        Verdict(
            "4 lookup length, unknown against known",
            f"{len(nothing.body.encode())} and {len(page.body.encode())} bytes",
            "equal", same and page.status == nothing.status,
        )
    )  # fmt: skip
    return verdicts


def _unknown() -> str:
    return crypto.format_code(random.SystemRandom().randrange(10**20))


def _interleaved(client: Client, code: str, lookups: int) -> tuple[list[float], list[float]]:
    known: list[float] = []
    unknown: list[float] = []
    for _ in range(lookups // 2):
        turns = [(known, code), (unknown, _unknown())]
        random.shuffle(turns)
        for into, asked in turns:
            into.append(client.thread(asked).seconds)
    return known, unknown


# --- 5 ------------------------------------------------------------------------------------------


def flow(stack: Stack) -> list[Verdict]:
    """Point 5: the whole road by forms alone; cookies, third parties, the code in an address."""
    client = stack.client()
    pages: list[Answer] = [client.get(p) for p in ("/", "/units", "/answers", "/protection", BOX)]
    pages.append(client.post(BOX, ticket=pages[-1].ticket, opinion="整条路走一遍"))
    code = pages[-1].code
    ticket = pages[-1].ticket
    pages += [client.post("/receipt/file", ticket=ticket), client.thread(code)]
    stack.command("open-boxes", "--now")
    pages.append(client.thread(code))
    pages.append(client.post("/receipt/reply", ticket=pages[-1].ticket, message="再说一句"))
    pages.append(client.post("/receipt/burn", ticket=pages[-1].ticket, confirm="yes"))
    pages += [client.thread(code), client.post("/leave")]
    wrong = [f"{p.status}" for p in pages if p.status != 200]
    addresses = [a for page in pages for a in _addresses(page)]
    foreign = [a for a in addresses if urlsplit(a).netloc not in ("", HOST)]
    plain = code.replace("-", "")
    with_code = [a for a in addresses if plain in re.sub(r"\D", "", a)]
    titles = [p for p in pages if plain in re.sub(r"\D", "", "".join(_titles(p)))]
    set_cookies = [v for p in pages for k, v in p.headers if k.lower() == "set-cookie"]
    return [
        zero(f"5 pages of the road that didn't answer 200 (of {len(pages)})", wrong),
        zero("5 Set-Cookie on the road", set_cookies),
        zero("5 third-party addresses", foreign),
        zero("5 the code in an address, header or title", [*with_code, *titles]),
        *_headers(pages),
    ]


def _titles(page: Answer) -> list[str]:
    return re.findall(r"<title[^>]*>(.*?)</title>", page.body, re.S)


def _addresses(page: Answer) -> Iterator[str]:
    yield from re.findall(r'(?:href|src|action|poster|srcset|data)="([^"]*)"', page.body)
    yield from (v for k, v in page.headers if k.lower() in ("location", "link", "refresh"))


def _headers(pages: list[Answer]) -> list[Verdict]:
    lacking = []
    for page in pages:
        held = {k.lower(): v for k, v in page.headers}
        if held.get("cache-control") != "no-store" or "etag" in held or "last-modified" in held:
            lacking.append("cache")
        if "default-src 'none'" not in held.get("content-security-policy", ""):
            lacking.append("policy")
    return [zero("5 pages that may be cached or load from elsewhere", lacking)]


# --- 6 ------------------------------------------------------------------------------------------


def dump(stack: Stack, rows: list[tuple[Any, ...]]) -> list[Verdict]:
    """Point 6: somebody with the dump, the instance's secrets and the logs, but no password."""
    verdicts = _fixation(stack)
    secrets = stack.secrets
    candidates = {secrets.instance_secret, secrets.pepper, secrets.site_salt, secrets.log_seed}
    for secret in tuple(candidates):
        candidates |= {crypto.hkdf(secret, info) for info in ("opening key", "ticket", "", "key")}
    blobs = {value for row in rows for value in row if isinstance(value, bytes)}
    for blob in tuple(blobs):
        for key in tuple(candidates):
            if len(blob) == 72:  # a sealed private key: 32 bytes and what sealing adds
                _try(candidates, crypto.decrypt, key, blob)
    candidates |= {blob for blob in blobs if len(blob) == 32}
    opened, layers = _open_all(candidates, blobs)
    spoken = Hunt((MARK,)).hits([(f"blob {n}", raw) for n, raw in enumerate(opened)])
    return [
        *verdicts,
        Verdict(
            f"6 texts opened from the dump ({len(blobs)} blobs, {len(candidates)} keys tried,"
            f" {layers} outer layers off)",
            str(len(spoken)), "0", not spoken and layers > 0,
        ),
    ]  # fmt: skip


def _open_all(candidates: set[bytes], blobs: set[bytes]) -> tuple[list[bytes], int]:
    opened: set[bytes] = set()
    layers = 0
    for key in candidates:
        for blob in blobs:
            for way in (crypto.unseal, crypto.decrypt):
                _try(opened, way, key, blob)
    for raw in tuple(opened):
        if len(raw) > 20_000:
            layers += 1
            head = raw[4 : 4 + int.from_bytes(raw[:4], "big")]
            for wrapped in re.findall(rb"[0-9a-f]{160}", head):
                for key in candidates:
                    _try(opened, crypto.unseal, key, bytes.fromhex(wrapped.decode()))
    return list(opened), layers


def _try(into: set[bytes], way: Any, key: bytes, blob: bytes) -> None:
    try:
        into.add(way(key, blob))
    except (crypto.SealError, ValueError, DomainError):
        return


def _fixation(stack: Stack) -> list[Verdict]:
    client = stack.client()
    client.cookies["desk"] = planted = "ab" * 48
    halfway, full = sign_in(stack, client)
    kept = [c for c in (planted[:32], halfway[:32], halfway[32:]) if c in full]
    thief = stack.client()
    thief.cookies["desk"] = halfway
    entered = thief.get("/desk/queue").status == 200
    with stack.sql() as connection:
        stored = connection.execute("SELECT * FROM staff_session").fetchall()
    known = {bytes(v) for row in stored for v in row if isinstance(v, bytes | memoryview)}
    unlocked: set[bytes] = set()
    for key in {v for v in known if len(v) == 32} | {bytes(32)}:
        for blob in known:
            _try(unlocked, crypto.decrypt, key, blob)
    return [
        zero("6 halves of the cookie that outlive the second factor", kept),
        Verdict("6 the first cookie enters afterwards", str(entered).lower(), "false", not entered),
        Verdict(
            f"6 sessions unlocked by the store alone (of {len(stored)})", str(len(unlocked)), "0",
            not unlocked and bool(stored),
        ),
    ]  # fmt: skip
