#!/usr/bin/env python3
"""Yanlu 言路: checks a saved receipt or a promise, offline; Python 3.8 or newer, nothing else.

  python3 verifier.py yanlu-receipt.html [--head "2026-11-27 123 4e3b bb1f ..."]
  python3 verifier.py --promise "yanlu-promise/1 ..." --key "..." --entries FILE... --head "..."

--head     公告栏上的一行（日期、条数、根），可以给几行 / a line of the notice board, any number
--key      公告栏上的县里公钥 / the county's key as the notice board has it
--entries  从 /log/entries 存下的文件 / saved answers of /log/entries

结果 Exit status: 0 记进去了 included; 3 还不能断定 not proven yet; 1 不对 wrong; 2 没有查成 unreadable.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import hashlib
import hmac
import json
import re
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

INCLUDED, WRONG, USAGE, PENDING = 0, 1, 2, 3
# fmt: off
SENTENCES = {
    "included": ("结论：记进去了。", "Verdict: included."),
    "pending": ("结论：还不能断定。", "Verdict: not proven yet."),
    "wrong": ("结论：不对，请追究。", "Verdict: something is wrong; ask for an account."),
    "usage": ("结论：没有查成。", "Verdict: nothing was checked."),
    "nothing given": ("请给出回执文件或承诺。", "Give a receipt file or a promise."),
    "file": ("文件读不出来，或者不完整。", "A file can't be read, or isn't complete."),
    "no receipt": ("这不是存下来的言路回执。", "This isn't a saved Yanlu receipt."),
    "bad promise": ("承诺抄得不完整，请对着纸再抄一遍。", "The promise isn't complete: copy it from the paper again."),
    "bad key": ("县里的公钥抄得不对。", "The county's key isn't copied right."),
    "bad head": ("公告栏这一行抄得不对：{line}", "This line of the notice board isn't copied right: {line}"),
    "gap": ("存下的日志中间缺了一段。", "A part is missing between the saved entries."),
    "own key": ("用的是文件里的公钥，请和公告栏上的比一比：{key}", "The key is the file's own; compare it with the one on the board: {key}"),
    "signed": ("承诺是县里签的：最晚 {by} 记进公开日志。", "The county signed this promise: in the public log by {by}."),
    "not signed": ("承诺上的签名不是这个公钥签的：抄错了，或者是假的。", "The promise isn't signed with this key: it was copied wrong, or it is false."),
    "words fit": ("原话和承诺对得上：承诺说的就是文件里这些话。", "The words fit the promise: it is about exactly these words."),
    "other words": ("文件里的原话和承诺对不上：文件改过，或者内容换过。", "The words in the file aren't those of the promise: one of them was changed."),
    "bad checkpoint": ("文件里的日志头不是县里签的。", "The checkpoint in the file isn't signed by the county."),
    "proof false": ("文件里的证明不成立：它证明不了您的意见在日志里。", "The proof in the file doesn't hold: it doesn't show your opinion in the log."),
    "proof true": ("证明成立：您的意见在县里签了名的 {size} 条日志里。", "The proof holds: your opinion is in the log of {size} leaves that the county signed."),
    "decided": ("日志里也记着对它的决定：{name}。", "The log also has what was decided: {outcome}."),
    "undecided": ("文件存下时，这个决定还没有记进日志：{name}。请再存一次文件。", "When the file was saved this decision wasn't in the log yet: {outcome}. Save the file again."),
    "other decision": ("文件里的这个决定，日志里没有对得上的：{name}。", "The log has no such decision as the file has it: {outcome}."),
    "no head": ("再用 --head 抄上公告栏 {size} 条的那一行，就能知道给您看的不是另一本日志。", "With the notice board's line over {size} leaves (--head) you also learn that you weren't shown another log."),
    "other size": ("公告栏这一行是 {board} 条，文件里是 {size} 条：请抄 {size} 条的那一行，或存下 /log/entries 用 --entries 查。", "This line of the board is over {board} leaves, the file over {size}: copy the line over {size} leaves, or save /log/entries and check with --entries."),
    "head fits": ("公告栏上 {board} 条的根和这本日志对得上。", "The head over {board} leaves on the board agrees with this log."),
    "forked": ("公告栏上 {board} 条的根和给您看的日志对不上，不是一本。请把文件和公告栏的照片交给监督组，或打电话。", "The head over {board} leaves on the board isn't of the log that you were shown. Take the file and a photograph of the board to the supervision group, or telephone."),
    "entries short": ("存下的日志只有 {have} 条，公告栏上是 {board} 条：请存全了再查。", "The saved log has {have} leaves, the board's head {board}: save all of it and check again."),
    "in entries": ("您的意见在公告栏贴出来的日志里。", "Your opinion is in the log whose head hangs on the board."),
    "broken": ("县里签名答应最晚 {by} 记进日志，公告栏上更晚的日志里却没有：承诺没有兑现。请把承诺、日志和公告栏的照片交给监督组，或打电话。", "The county signed that it would be in the log by {by}, but the later log on the board doesn't have it: the promise was broken. Take promise, log and a photograph of the board to the supervision group, or telephone."),
    "not yet": ("存下的日志里还没有。承诺的日子是 {by}：请用那天以后贴出来的一行（带日期）再查。", "It isn't in the saved log yet. The promised day is {by}: check again with a line (and its date) that was posted after that day."),
    "no proof": ("这里面还没有证明。{by} 以后请再存一次文件；网站上什么都没有了，就存下 /log/entries，用 --entries 和公告栏的一行来查。", "There is no proof in it yet. After {by} save the file again; if the site has nothing any more, save /log/entries and check with --entries and a line of the board."),
}
OUTCOMES = {"answered": "已答复", "declined": "不予采纳", "upheld": "维持原来的处理", "overturned": "支持申诉"}
Head = Tuple[Optional[dt.date], int, bytes]
Promise = NamedTuple("Promise", [("origin", str), ("by", dt.date), ("commitment", bytes), ("signature", bytes), ("signed", str)])
Key = NamedTuple("Key", [("name", str), ("id", bytes), ("public", bytes)])
# fmt: on


class Told(Exception):
    """The exit status, the sentence's name and its parts."""


# --- Ed25519 (RFC 8032), verification alone -----------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
BASE_Y = 4 * pow(5, P - 2, P) % P
Point = Tuple[int, int, int, int]


def _point(encoded: bytes) -> Point | None:
    """A point in extended coordinates, None when these bytes are none."""
    number = int.from_bytes(encoded, "little")
    y, sign = number & (2**255 - 1), number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def _add(one: Point, two: Point) -> Point:
    a = (one[1] - one[0]) * (two[1] - two[0]) % P
    b = (one[1] + one[0]) * (two[1] + two[0]) % P
    c = 2 * one[3] * two[3] * D % P
    d = 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Point) -> Point:
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = _add(result, point)
        point, number = _add(point, point), number >> 1
    return result


def _encode(point: Point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def ed25519_verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature is good: R == [S]B - [k]A, S below the order of the group."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    point = _point(public_key)
    scalar = int.from_bytes(signature[32:], "little")
    if point is None or scalar >= ORDER or _times(8, point)[0] == 0:
        return False  # an odd scalar, or a key of small order, which signs anything
    hashed = hashlib.sha512(signature[:32] + public_key + message).digest()
    k = int.from_bytes(hashed, "little") % ORDER
    minus = (P - point[0], point[1], point[2], P - point[3])
    base = _point(BASE_Y.to_bytes(32, "little"))
    made = _add(_times(scalar, base), _times(k, minus)) if base else minus
    return _encode(made) == signature[:32]


# --- the Merkle tree (RFC 9162) -----------------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    row = list(hashes)
    while len(row) > 1:  # a hash without a neighbour moves up as it is
        pairs = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        row = pairs + ([row[-1]] if len(row) % 2 else [])
    return row[0]


def verify_inclusion(
    hashed: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether a proof shows a leaf hash at `index` under the root of `size` leaves."""
    if not 0 <= index < size:
        return False
    at, last, result = index, size - 1, hashed
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            result = node_hash(step, result)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            result = node_hash(result, step)
        at, last = at >> 1, last >> 1
    return last == 0 and result == root


def read_receipt(page: str) -> Dict[str, Any]:
    """The receipt of a saved page."""
    for text in re.findall(r"<script[^>]*application/json[^>]*>([^<]*)</script>", page):
        saved = json.loads(text)
        if isinstance(saved, dict) and saved.get("format") == "yanlu-receipt/1":
            return saved
    raise Told(USAGE, "no receipt")


def read_promise(text: str) -> Promise:
    """A promise, its lines broken anywhere."""
    found = re.fullmatch(
        r"yanlu-promise/1 (\S+) (\d{4}-\d{2}-\d{2}) ([0-9a-fA-F ]+)", " ".join(text.split())
    )
    digits = found.group(3).replace(" ", "").lower() if found else ""
    if not found or len(digits) != 192:
        raise Told(USAGE, "bad promise")
    signed = f"yanlu-promise/1 {found.group(1)} {found.group(2)} {digits[:64]}"
    raw, by = bytes.fromhex(digits), dt.date.fromisoformat(found.group(2))
    return Promise(found.group(1), by, raw[:32], raw[32:], signed)


def read_key(text: str) -> Key:
    """The county's verifier key: name+id+base64."""
    name, _, rest = text.strip().partition("+")
    hashed, _, packed = rest.partition("+")
    try:
        raw = base64.b64decode(packed, validate=True)
    except ValueError:
        raw = b""
    key = Key(name, hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4], raw[1:])
    if len(raw) != 33 or raw[0] != 1 or key.id.hex() != hashed:
        raise Told(USAGE, "bad key")
    return key


def read_head(line: str) -> Head:
    """Day (or None), size and root of a line of the notice board's sheet."""
    found = re.fullmatch(r"\s*(?:(\d{4}-\d{2}-\d{2})\s+)?(\d+)\s+(\S[\S\s]*)", line)
    digits = re.sub(r"\s", "", found.group(3)) if found else ""
    try:
        root = bytes.fromhex(digits) if len(digits) == 64 else base64.b64decode(digits)
    except ValueError:
        root = b""
    if not found or len(root) != 32:
        raise Told(USAGE, "bad head", {"line": line})
    day = dt.date.fromisoformat(found.group(1)) if found.group(1) else None
    return day, int(found.group(2)), root


def read_checkpoint(text: str, key: Key) -> Tuple[int, bytes]:
    """Size and root of a checkpoint that the county signed."""
    body, _, lines = text.partition("\n\n")
    parts = body.split("\n")
    for line in lines.split("\n"):
        found = re.fullmatch("\u2014 (\\S+) (\\S+)", line)
        raw = base64.b64decode(found.group(2)) if found else b""
        named = found and found.group(1) == parts[0] == key.name and raw[:4] == key.id
        if named and ed25519_verify(key.public, (body + "\n").encode(), raw[4:]):
            return int(parts[1]), base64.b64decode(parts[2])
    raise Told(WRONG, "bad checkpoint")


def read_entries(paths: Sequence[str]) -> List[bytes]:
    """All leaves of saved answers of /log/entries, in order."""
    parts = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            saved = json.load(file)
        parts.append((saved.get("start", 0), [bytes.fromhex(e) for e in saved["entries"]]))
    leaves: List[bytes] = []
    for start, entries in sorted(parts):
        if start != len(leaves):
            raise Told(USAGE, "gap")
        leaves += entries
    return leaves


def say(name: str, values: Optional[Dict[str, Any]] = None) -> None:
    """The sentence in both languages, each on a line of its own."""
    chinese, english = SENTENCES[name]
    print(chinese.format(**values or {}))
    print("  " + english.format(**values or {}))


def check_promise(promise: Promise, key: Key) -> None:
    """Whether the county signed the promise."""
    signed = ed25519_verify(key.public, promise.signed.encode(), promise.signature)
    if promise.origin != key.name or not signed:
        raise Told(WRONG, "not signed")
    say("signed", {"by": promise.by})


def check_words(saved: Dict[str, Any], committed: bytes) -> None:
    """Whether the promise is about the words in the file."""
    files = b"".join(bytes.fromhex(digest) for digest in saved["attachments"])
    parts = hashlib.sha256(saved["text"].encode()).digest() + hashlib.sha256(files).digest()
    computed = hmac.new(bytes.fromhex(saved["nonce"]), parts, "sha256").digest()
    if computed != committed or computed.hex() != saved["commitment"]:
        raise Told(WRONG, "other words")
    say("words fit")


def check_heads(heads: Sequence[Head], size: int, root: bytes) -> None:
    """Hold a checkpoint against the notice board."""
    for _, board_size, board_root in heads:
        if board_size != size:
            say("other size", {"board": board_size, "size": size})
        elif board_root != root:
            raise Told(WRONG, "forked", {"board": board_size})
        else:
            say("head fits", {"board": board_size})
    if not heads:
        say("no head", {"size": size})


def check_proof(saved: Dict[str, Any], committed: bytes, key: Key) -> Tuple[int, bytes]:
    """Whether the file proves that its leaf is in the log; the head under which it does."""
    head = read_checkpoint(saved["checkpoint"], key)
    if not proves(saved, b"S1" + committed, *head):
        raise Told(WRONG, "proof false")
    say("proof true", {"size": head[0]})
    return head


def proves(saved: Dict[str, Any], leaf: bytes, size: int, root: bytes) -> bool:
    """Whether a saved proof shows this leaf under this head."""
    proof = [bytes.fromhex(step) for step in saved["proof"]]
    return verify_inclusion(leaf_hash(leaf), saved["index"], size, proof, root)


def check_decisions(saved: Dict[str, Any], committed: bytes, size: int, root: bytes) -> None:
    """Whether the log has each decision of the file with its words; of a refusal, its reason."""
    for told in saved.get("decisions", []):
        outcome, reason = told["outcome"], told["reason"]
        said = {"outcome": outcome, "name": OUTCOMES.get(outcome, outcome)}
        of_words = hashlib.sha256(told["words"].encode()).hexdigest()
        hashed = hashlib.sha256(reason.encode() + bytes.fromhex(saved["nonce"])).digest()
        leaf = b"D1" + committed + outcome.encode() + hashed
        if told["proof"] is None:
            say("undecided", said)
        elif (outcome != "declined" and reason != of_words) or not proves(told, leaf, size, root):
            raise Told(WRONG, "other decision", said)
        else:
            say("decided", said)


def check_entries(leaves: Sequence[bytes], promise: Promise, heads: Sequence[Head]) -> int:
    """Look for the leaf in the whole log, held against the notice board."""
    hashes = [leaf_hash(leaf) for leaf in leaves]
    covered, late = 0, False
    for day, size, root in heads:
        if size > len(leaves):
            raise Told(USAGE, "entries short", {"have": len(leaves), "board": size})
        if root_of(hashes[:size]) != root:
            raise Told(WRONG, "forked", {"board": size})
        say("head fits", {"board": size})
        covered, late = max(covered, size), late or (day is not None and day > promise.by)
    if b"S1" + promise.commitment in leaves[:covered]:
        say("in entries")
        return INCLUDED
    if late:
        raise Told(WRONG, "broken", {"by": promise.by})
    say("not yet", {"by": promise.by})
    return PENDING


def judge(given: argparse.Namespace) -> int:
    """Everything that can be checked with what was given; the exit status."""
    saved: Dict[str, Any] = {}
    if given.file:
        with open(given.file, encoding="utf-8") as file:
            saved = read_receipt(file.read())
    elif not given.promise:
        raise Told(USAGE, "nothing given")
    promise = read_promise(given.promise or saved["promise"])
    key = read_key(given.key or saved.get("key", ""))
    if not given.key:
        say("own key", {"key": saved["key"]})
    heads = [read_head(line) for line in given.head]
    check_promise(promise, key)
    if saved:
        check_words(saved, promise.commitment)
    if given.entries:
        return check_entries(read_entries(given.entries), promise, heads)
    if not saved.get("checkpoint"):
        say("no proof", {"by": promise.by})
        return PENDING
    size, root = check_proof(saved, promise.commitment, key)
    check_decisions(saved, promise.commitment, size, root)
    check_heads(heads, size, root)
    return INCLUDED


def main(arguments: Optional[List[str]] = None) -> int:
    """The command."""
    if not sys.stdout.isatty() and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?")
    parser.add_argument("--head", action="append", default=[])
    parser.add_argument("--entries", nargs="+")
    for name in ("--promise", "--key"):
        parser.add_argument(name)
    try:
        status = judge(parser.parse_args(arguments))
    except Told as told:
        status = told.args[0]
        say(*told.args[1:])
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        status = USAGE
        say("file")
    say({INCLUDED: "included", PENDING: "pending", WRONG: "wrong", USAGE: "usage"}[status])
    return status


if __name__ == "__main__":
    sys.exit(main())
