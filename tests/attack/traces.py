"""Point 1: nothing of a speaker in any file, in quiet times and after every kind of accident."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator

from app import archive, crypto
from tests.attack import canaries, files
from tests.attack.canaries import ADDRESS, HEADERS, IDENTITY, MARK, WORDS, Hunt
from tests.attack.stack import BOX, HOST, Client, Stack
from tests.attack.verdicts import Verdict, zero
from tests.pictures import hostile

TEXT = f"{WORDS} {MARK}"
_SLOW = 1_300_000
_BREAK = {
    "sqlite": (
        "CREATE TRIGGER broken BEFORE INSERT ON lying_item"
        " BEGIN SELECT RAISE(ABORT, 'broken'); END",
        "DROP TRIGGER broken",
    ),
    "postgresql": (
        "ALTER TABLE lying_item ADD CONSTRAINT broken CHECK (false) NOT VALID",
        "ALTER TABLE lying_item DROP CONSTRAINT broken",
    ),
}


def speaker(stack: Stack) -> Client:
    """The canary: an address of its own and every header that tells one person from another."""
    return stack.client(ADDRESS, **{k.replace("-", "_"): v for k, v in HEADERS.items()})


def broken_hello() -> bytes:
    """A TLS 1.3 hello whose key share has no right length: nginx logs the client at crit."""

    def sized(width: int, content: bytes) -> bytes:
        return len(content).to_bytes(width, "big") + content

    extensions = (
        b"\x00\x2b" + sized(2, b"\x02\x03\x04")
        + b"\x00\x0a" + sized(2, sized(2, b"\x00\x1d"))
        + b"\x00\x0d" + sized(2, sized(2, b"\x04\x03\x08\x04\x04\x01"))
        + b"\x00\x33" + sized(2, sized(2, b"\x00\x1d" + sized(2, b"\x01" * 31)))
    )  # fmt: skip
    hello = b"\x03\x03" + b"r" * 32 + b"\x00" + sized(2, b"\x13\x01") + b"\x01\x00"
    return b"\x16\x03\x01" + sized(2, b"\x01" + sized(3, hello + sized(2, extensions)))


class Traces:
    """One speaker's road with all its accidents, and what was found after each."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.codes: list[str] = []
        self.verdicts: list[Verdict] = []
        self.places: list[str] = []  # pool ids, as a log would spell them
        self.backup_key = ""

    def run(self) -> list[Verdict]:
        """Every accident in turn; after each, everything is searched."""
        accidents: dict[str, Callable[[], None]] = {
            "a whole road": self.walk,
            "a forced 500": self.fault,
            "malformed HTTP and TLS": self.malformed,
            "a body that is too large": self.too_large,
            "a database error": self.database_error,
            "the application away": self.away,
            "SIGKILL in the middle of a drop": self.killed,
            "an opening": self.opened,
            "a backup": self.backed_up,
        }
        for name, accident in accidents.items():
            accident()
            time.sleep(0.2)  # let what is written late be written
            self.look(name)
        self.look("a backup, opened with its key", self.backup_opened())
        self.look_at_place_logs()
        return self.verdicts

    def look(self, name: str, contents: Iterable[tuple[str, bytes]] | None = None) -> None:
        """Search everything on disk and every open file."""
        if contents is None:
            contents = [
                *canaries.files_below(*self.stack.places()),
                *canaries.open_files(self.stack.process_ids(), *self.stack.places()),
            ]
        seen = list(contents)
        spoken = [MARK, WORDS, *self.codes, *(c.replace("-", "") for c in self.codes)]
        self.verdicts.append(zero(f"1 identity after {name}", Hunt(IDENTITY).hits(seen)))
        self.verdicts.append(zero(f"1 text and code after {name}", Hunt(tuple(spoken)).hits(seen)))

    def look_at_place_logs(self) -> None:
        """A drop's place in the pool stands in the database by right, in a log never."""
        found = Hunt(tuple(self.places)).hits(self.stack.logged())
        self.verdicts.append(zero("1 a drop's place in a log", found))

    # --- accidents ----------------------------------------------------------------------------

    def walk(self) -> None:
        """Home, form, drop, thread, a refusal, leaving; and a slow upload watched meanwhile."""
        client = speaker(self.stack)
        for path in ("/", BOX, "/receipt", "/answers", "/protection", "/nowhere"):
            client.get(path)
        self.codes.append(client.drop(TEXT).code)
        client.thread(self.codes[-1])
        photograph = hostile.encoded(hostile.image(), "JPEG", comment=TEXT)
        self.codes.append(files.enclose(client, TEXT, (f"{MARK}.jpg", photograph)).code)
        client.thread("1" * 22)
        client.drop(TEXT + "\x00")
        client.post("/leave")
        self.slow_upload("a slow upload")
        client.close()

    def slow_upload(self, name: str, *, finish: bool = True) -> None:
        """A file of words, most of it sent; then every temporary and open file is searched."""
        client = speaker(self.stack)
        ticket = client.get(BOX).ticket
        client.close()
        words = (TEXT + "\n").encode()
        filling = words * (_SLOW // len(words))
        head = (
            f'--x\r\nContent-Disposition: form-data; name="ticket"\r\n\r\n{ticket}\r\n'
            f'--x\r\nContent-Disposition: form-data; name="opinion"\r\n\r\n{TEXT}\r\n'
            '--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n'
            "Content-Type: text/plain\r\n\r\n"
        ).encode()
        body = head + filling + b"\r\n--x--\r\n"
        lines = [f"POST {BOX} HTTP/1.1", f"Host: {HOST}", f"Content-Length: {len(body)}",
                 "Content-Type: multipart/form-data; boundary=x", "Connection: close",
                 *(f"{k}: {v}" for k, v in HEADERS.items())]  # fmt: skip
        with client.socket() as line:
            line.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body[:-2000])
            time.sleep(0.5)
            self.look(name + ", while it lasts")
            if not finish:
                self.stack.kill_app()
                return
            line.sendall(body[-2000:])
            with contextlib.suppress(OSError):
                while line.recv(65536):
                    pass

    def fault(self) -> None:
        """A drop that fails with the words and everything in hand in the exception."""
        answer = speaker(self.stack).drop(f"{TEXT} FAULT-500")
        if answer.status != 500 or MARK in answer.body:
            raise AssertionError(f"the forced fault gave {answer.status}")

    def malformed(self) -> None:
        """Broken requests to the front, to its plain port, straight to the application server."""
        bad = [
            f"GET /{MARK}\x01 HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {canaries.AGENT}\r\n\r\n",
            f"POST {BOX} HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For {ADDRESS} {TEXT}\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {ADDRESS}\r\n\r\n",
            f"{canaries.AGENT} {ADDRESS} {TEXT}\r\n\r\n",
            f"GET / HTTP/9.9 {ADDRESS}\r\nReferer: {canaries.REFERER}\r\n\r\n",
            f"POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\nzz{TEXT}\r\n",
        ]
        client = speaker(self.stack)
        for request in bad:
            raw = request.encode()
            with contextlib.suppress(OSError), client.socket() as secured:
                secured.settimeout(2)
                secured.sendall(raw)
                secured.recv(4096)
            for port in (self.stack.http_port, self.stack.app_port, self.stack.port):
                with contextlib.suppress(OSError), self._plain(port) as line:
                    line.sendall(raw)
                    line.recv(4096)
        noise = b"\x16\x03\x01\x02\x00" + b"\x01" * 512
        for broken in (b"\x16\x03\x01\x00\x05hello", noise, broken_hello()):
            with contextlib.suppress(OSError), self._plain(self.stack.port) as line:
                line.sendall(broken)
                line.recv(4096)

    def _plain(self, port: int) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), 2, (ADDRESS, 0))

    def too_large(self) -> None:
        """13 MB of words."""
        filling = (TEXT * 400_000).encode()[: 13 * 1024 * 1024]
        with contextlib.suppress(OSError):
            answer = speaker(self.stack).send(BOX, b"opinion=" + filling, "text/plain")
            if answer.status != 413:
                raise AssertionError(f"an oversized body gave {answer.status}")
        kind = "application/x-www-form-urlencoded"
        speaker(self.stack).send(BOX, b"opinion=" + filling[: 11 * 1024 * 1024], kind)

    def database_error(self) -> None:
        """The database refuses the row; repaired, the same form gives the receipt."""
        breaking, mending = _BREAK[self.stack.database]
        client = speaker(self.stack)
        ticket = client.get(BOX).ticket
        with self.stack.sql() as connection:
            connection.execute(breaking)
        try:
            status = client.post(BOX, ticket=ticket, opinion=TEXT).status
        finally:
            with self.stack.sql() as connection:
                connection.execute(mending)
        if status not in (500, 503):
            raise AssertionError(f"a broken database gave {status}")
        code = client.post(BOX, ticket=ticket, opinion=TEXT).code
        self.codes.append(code)
        secrets = self.stack.secrets
        plain = code.replace("-", "")
        place = crypto.receipt_keys(plain, secrets.pepper, secrets.site_salt).pool_id
        self.places.append(place[:24].hex())
        told = self.stack.probe(PARAMETERS).strip()
        self.verdicts.append(
            zero("1 parameters in a database exception", [] if told == "clean" else [told])
        )

    def away(self) -> None:
        """The front alone, its application server gone."""
        client = speaker(self.stack)
        self.stack.kill_app()
        client.get(BOX)
        client.post("/receipt", code=self.codes[-1] if self.codes else "1" * 22)
        self.stack.start_app()
        self.stack.wait()

    def killed(self) -> None:
        """Web and worker die while somebody's words are in hand."""
        self.slow_upload("a drop about to be killed", finish=False)
        self.stack.start_app()
        self.stack.wait()

    def opened(self) -> None:
        """What lay there comes out; the codes open it."""
        self.stack.command("open-boxes", "--now")
        client = speaker(self.stack)
        for code in self.codes:
            if 'data-state="waiting"' not in client.thread(code).body:
                raise AssertionError("an opened case isn't found by its code")

    def backed_up(self) -> None:
        """The backup that follows an opening, with what was opened and one more that lies."""
        client = speaker(self.stack)
        self.codes.append(client.drop(TEXT).code)
        client.close()
        self.backup_key = self.stack.command("backup-key").split()[-1]
        self.stack.command("backup", str(self.stack.data / "backups"))

    def backup_opened(self) -> Iterator[tuple[str, bytes]]:
        """What somebody reads who has both the file and the printed key: rows, as in the dump."""
        private_key = bytes.fromhex(self.backup_key)
        (path,) = (self.stack.data / "backups").glob("*.backup")
        told = set()
        with path.open("rb") as file:
            for frame in archive.read(file, lambda sealed: crypto.unseal(private_key, sealed)):
                told.add(frame.get("table"))
                yield str(path), json.dumps(frame, ensure_ascii=False).encode()
        if not told >= {"case", "sealed_item", "lying_item"}:
            raise AssertionError(f"the backup holds {sorted(map(str, told))} alone")


# What SQLAlchemy's exception says of a statement that failed, in the tree under attack.
PARAMETERS = """
with app.app_context():
    try:
        with db.transaction() as session:
            row = {"p": b"p" * 32, "w": b"only-a-parameter"}
            for _ in range(2):
                session.execute(
                    sa.text("INSERT INTO lying_item (pool_id, wrapped) VALUES (:p, :w)"), row
                )
    except sa.exc.IntegrityError as error:
        told = str(error)
    print("clean" if "only-a-parameter" not in told else "the exception holds the words")
"""
