"""The settings of an instance, read from the environment and validated before anything starts.

DATA_DIR, DATABASE_URL, HOST, PORT, COUNTY_NAME, COUNTY_PHONE, LOG_ORIGIN, TIMEZONE; OPENING_HOUR
and DIGEST_HOUR (0 to 23, local); ACCEPT_DAYS, ANSWER_DAYS, APPEAL_DAYS (working days from the
opening, or from the appeal; 5, 15, 15); MIXING_THRESHOLD (k); LIMITS (on, off); TRUSTED_PROXIES
(number of proxies in front); PUBLIC_URL (the site's address, for links in messages); MAIL_URL and
MAIL_FROM (smtp://user:password@host:587, TLS by STARTTLS; smtps:// for TLS at once; smtp+plain://
without, for a server on this machine); PRIVATE_TARGETS (on: robots may live in the county's own
network). THREAD_MONTHS (24 or more) is how long a settled thread is kept after the desk's last
message. DATABASE_URL may name several hosts (postgresql://u@a:5432,b:5432/yanlu): whichever takes
writes is used; DATABASE_POOL (16) is how many connections a process keeps. DATA_DIR/calendar.csv
tells holidays, where it exists. Demo accounts make a demo. COUNTY_PHONE stands on every page; while
there is none, no page names a number. LOG_FORMAT (text, json) is how processes speak to their
operator; METRICS_ADDRESS (as in 127.0.0.1:9105; none: nobody listens) is where the worker tells a
monitor how it fares, on this machine or in a private network alone.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

SECRETS_FILE = "secrets.json"
DEMO_ACCOUNTS = "demo-accounts.json"
SECRET_NAMES = ("instance_secret", "pepper", "site_salt", "log_seed")
# Invented: it stands on the pages of a demo and nowhere else.
DEMO_PHONE = "0000-12380"
CALENDAR_FILE = "calendar.csv"
CALENDAR_WORDS = {"off": False, "休": False, "work": True, "班": True}
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ConfigError(Exception):
    """A setting that can't be used; the message is one sentence for the operator."""


@dataclass(frozen=True)
class Secrets:
    """The instance's own secrets: 32 random bytes each, outside the database (threat: a dump)."""

    instance_secret: bytes = field(repr=False)
    pepper: bytes = field(repr=False)
    site_salt: bytes = field(repr=False)
    log_seed: bytes = field(repr=False)

    @classmethod
    def load(cls, data_dir: Path) -> Secrets:
        """Read the secrets of this instance, making them at the first start (mode 0600).

        Several processes may start at once: the file is written aside and linked into place, so
        one of them wins and all read the same file.
        """
        path = data_dir / SECRETS_FILE
        if not path.exists():
            _write_once(path, {name: secrets.token_hex(32) for name in SECRET_NAMES})
        try:
            raw = json.loads(path.read_text("ascii"))
            values = {name: bytes.fromhex(raw[name]) for name in SECRET_NAMES}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path} can't be read as the secrets of this instance: restore it from the backup;"
                " without it nothing that was sealed can be opened."
            ) from error
        if any(len(value) != 32 for value in values.values()):
            raise ConfigError(f"{path} is damaged: each secret must have 32 bytes; restore it.")
        return cls(**values)


def _write_once(path: Path, content: dict[str, str]) -> None:
    try:
        handle, aside = tempfile.mkstemp(dir=path.parent)  # mode 0600 from the start
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            pass  # another process was first; its file counts
        finally:
            os.unlink(aside)
    except OSError as error:
        raise ConfigError(f"{path.parent} can't be written to ({error.strerror}).") from error


@dataclass(frozen=True)
class Mail:
    """The mail server that digests and bulletins go out by."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    implicit_tls: bool = False
    starttls: bool = True


@dataclass(frozen=True)
class Config:
    """Validated settings; `from_environ` says in one sentence what is wrong with a bad one."""

    data_dir: Path
    database_url: str = field(repr=False)
    secrets: Secrets = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 8000
    county_name: str = "言路县"
    county_phone: str = ""
    origin: str = "yanlu.invalid/county"
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    opening_hour: int = 8
    accept_days: int = 5
    answer_days: int = 15
    appeal_days: int = 15
    mixing_threshold: int = 3
    limits: bool = True
    trusted_proxies: int = 0
    demo: bool = False
    public_url: str = ""
    mail: Mail | None = field(default=None, repr=False)
    allow_private_targets: bool = False
    digest_hour: int = 9
    thread_months: int = 24
    calendar: Mapping[dt.date, bool] = field(default_factory=dict, repr=False)
    log_format: str = "text"
    metrics_address: tuple[str, int] | None = None
    database_pool: int = 16

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Config:
        """Build the settings from the environment variables named above; raises ConfigError."""
        data_dir = _data_dir(environ.get("DATA_DIR") or "var")
        host = environ.get("HOST") or "127.0.0.1"
        limits = _switch(environ, "LIMITS", default=True)
        demo = (data_dir / DEMO_ACCOUNTS).exists()
        if not limits and host not in LOOPBACK:
            raise ConfigError("LIMITS=off is for tests and works on a loopback HOST only.")
        return cls(
            data_dir=data_dir,
            database_url=_database_url(environ.get("DATABASE_URL"), data_dir),
            secrets=Secrets.load(data_dir),
            host=host,
            port=_number(environ, "PORT", 8000, 1, 65535),
            county_name=environ.get("COUNTY_NAME") or "言路县",
            county_phone=_phone(environ.get("COUNTY_PHONE") or "", demo=demo),
            origin=_origin(environ.get("LOG_ORIGIN") or "yanlu.invalid/county"),
            timezone=_timezone(environ.get("TIMEZONE") or "Asia/Shanghai"),
            opening_hour=_number(environ, "OPENING_HOUR", 8, 0, 23),
            accept_days=_number(environ, "ACCEPT_DAYS", 5, 1, 60),
            answer_days=_number(environ, "ANSWER_DAYS", 15, 1, 120),
            appeal_days=_number(environ, "APPEAL_DAYS", 15, 1, 120),
            mixing_threshold=_number(environ, "MIXING_THRESHOLD", 3, 1, 100),
            limits=limits,
            trusted_proxies=_number(environ, "TRUSTED_PROXIES", 0, 0, 5),
            demo=demo,
            public_url=_public_url(environ.get("PUBLIC_URL") or ""),
            mail=_mail(environ.get("MAIL_URL") or "", environ.get("MAIL_FROM") or ""),
            allow_private_targets=_switch(environ, "PRIVATE_TARGETS", default=False),
            digest_hour=_number(environ, "DIGEST_HOUR", 9, 0, 23),
            thread_months=_number(environ, "THREAD_MONTHS", 24, 24, 1200),
            calendar=_calendar(data_dir / CALENDAR_FILE),
            log_format=_log_format(environ.get("LOG_FORMAT") or "text"),
            metrics_address=_private_address(environ.get("METRICS_ADDRESS") or ""),
            database_pool=_number(environ, "DATABASE_POOL", 16, 2, 200),
        )


def _data_dir(name: str) -> Path:
    path = Path(name).absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"DATA_DIR {path} can't be made ({error.strerror}): name a folder that this user may"
            " write to."
        ) from error
    return path


def _phone(text: str, *, demo: bool) -> str:
    """The county's telephone. Nobody outside a demo is told to call the invented one."""
    number = text.strip()
    if demo:
        return number or DEMO_PHONE
    return "" if number == DEMO_PHONE else number


def _database_url(url: str | None, data_dir: Path) -> str:
    if not url:
        return f"sqlite:///{data_dir / 'yanlu.sqlite3'}"
    return read_database_url(url, "DATABASE_URL")


def read_database_url(url: str, name: str) -> str:
    """The URL of a database with its driver; libpq's several hosts become SQLAlchemy's.

    Raises ConfigError; a URL may hold a password, so the sentences name its scheme alone.
    """
    scheme = urlsplit(url).scheme
    if scheme not in ("sqlite", "postgres", "postgresql", "postgresql+psycopg"):
        raise ConfigError(f"{name} begins with {scheme!r}: use sqlite:/// or postgresql://.")
    if scheme != "sqlite":
        url = _several_hosts("postgresql+psycopg" + url[len(scheme) :])
    try:
        sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ConfigError(
            f"{name} can't be read: write it like postgresql://user@host:5432/name, with @, / and :"
            " in a password percent-encoded, several hosts as a:5432,b:5432."
        ) from error
    return url


def _several_hosts(url: str) -> str:
    """libpq's `//u@a:1,b:2/d` and SQLAlchemy's `//u@/d?host=a:1&host=b:2` as one kind of list."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    said = parse_qsl(parts.query)
    named = hosts.split(",") if "," in hosts else [value for key, value in said if key == "host"]
    query = dict(said)
    if len(named) > 1:
        pairs = [re.fullmatch(r"\[?(.*?)\]?(?::(\d+))?", one) for one in named]
        query["host"] = ",".join(pair[1] for pair in pairs if pair)
        query["port"] = ",".join(pair[2] or "5432" for pair in pairs if pair)
        parts = parts._replace(netloc=user + at)
    elif "," not in query.get("host", ""):
        return url
    # Else whichever answers first is taken, a standby too.
    query.setdefault("target_session_attrs", "read-write")
    return parts._replace(query=urlencode(query, safe=",:/")).geturl()


def _public_url(raw: str) -> str:
    parts = urlsplit(raw)
    if raw and (parts.scheme not in ("http", "https") or not parts.netloc or parts.query):
        raise ConfigError("PUBLIC_URL is the site's address, as in https://yanlu.example.")
    return raw.rstrip("/")


def _mail(url: str, sender: str) -> Mail | None:
    if not url:
        return None
    parts = urlsplit(url)
    ports = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
    # The URL may hold a password: the sentence doesn't repeat it.
    if parts.scheme not in ports or not parts.hostname:
        raise ConfigError(
            "MAIL_URL begins with smtp://, smtps:// or smtp+plain:// and names a host."
        )
    if "@" not in sender or any(c in sender for c in "\r\n"):
        raise ConfigError("MAIL_FROM is the address that mail comes from; MAIL_URL needs it.")
    try:
        port = parts.port or ports[parts.scheme]
    except ValueError as error:
        raise ConfigError("MAIL_URL names a port that is no number.") from error
    return Mail(
        host=parts.hostname,
        port=port,
        sender=sender,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        implicit_tls=parts.scheme == "smtps",
        starttls=parts.scheme == "smtp",
    )


def _calendar(path: Path) -> dict[dt.date, bool]:
    """The operator's days: one a line, `2027-02-17,off` or `2027-02-20,work` (or 休, 班)."""
    if not path.exists():
        return {}
    days = {}
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} can't be read as text in UTF-8.") from error
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        day, _, word = (part.strip() for part in line.partition(","))
        try:
            days[dt.date.fromisoformat(day)] = CALENDAR_WORDS[word]
        except (ValueError, KeyError) as error:
            raise ConfigError(
                f"{path}, line {number}: give a date and off or work, as in 2027-02-17,off."
            ) from error
    return days


def _number(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    raw = environ.get(name) or str(default)
    if not (raw.isascii() and raw.isdigit()) or not low <= int(raw) <= high:
        raise ConfigError(f"{name} is {raw!r}: give a whole number from {low} to {high}.")
    return int(raw)


def _switch(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    raw = (environ.get(name) or ("on" if default else "off")).lower()
    if raw not in ("on", "off"):
        raise ConfigError(f"{name} is {raw!r}: give on or off.")
    return raw == "on"


def _log_format(raw: str) -> str:
    if raw not in ("text", "json"):
        raise ConfigError(f"LOG_FORMAT is {raw!r}: give text or json.")
    return raw


def _private_address(raw: str) -> tuple[str, int] | None:
    """Where the worker listens for a monitor; never where the public could ask."""
    if not raw:
        return None
    host, _, port = raw.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
        number = int(port)
    except ValueError as error:
        raise ConfigError("METRICS_ADDRESS is an address and a port: 127.0.0.1:9105.") from error
    if not address.is_private or address.is_unspecified or not 1 <= number <= 65535:
        raise ConfigError(
            "METRICS_ADDRESS must be this machine's or a private network's: 127.0.0.1:9105."
        )
    return str(address), number


def _origin(raw: str) -> str:
    if not raw.isascii() or any(c.isspace() or c == "+" for c in raw):
        raise ConfigError("LOG_ORIGIN names the public log: plain letters, no spaces, no plus.")
    return raw


def _timezone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"TIMEZONE is {name!r}: give a name such as Asia/Shanghai.") from error
