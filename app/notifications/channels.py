"""Delivering one message: by mail, by the robots that committees use, by a signed webhook."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import smtplib
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote_plus, urlsplit

from urllib3.exceptions import HTTPError

from app.notifications.models import ChannelKind
from app.notifications.targets import PrivateTargetError, pool
from config import Mail

MOST_ANSWER = 4096
MAIL_ANSWER_SECONDS, WHOLE_MAIL_SECONDS = 15.0, 60.0


class DeliveryError(Exception):
    """It did not arrive. The reason is a code, never a text.

    `final`: trying again is of no use. `away`: the mail server takes nothing at all now, so that
    the next letter needn't be tried either.
    """

    def __init__(self, reason: str, *, final: bool = False, away: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.away = away


@dataclass(frozen=True)
class Parcel:
    """A message ready to go; `key` lets a receiver tell a second delivery of the same one."""

    key: str
    subject: str
    text: str
    unsubscribe: str = ""


@dataclass(frozen=True)
class Post:
    """What delivering needs: a mail server, the instant, whether private addresses are allowed."""

    mail: Mail | None = field(repr=False)
    now: dt.datetime
    allow_private: bool


def deliver(post: Post, kind: ChannelKind, target: str, parcel: Parcel) -> None:
    """Send one message to one target; raises DeliveryError."""
    if kind is ChannelKind.EMAIL:
        _mail(post, target, parcel)
        return
    url, _, secret = target.partition(" ")
    _ROBOTS[kind](post, url, secret, parcel)


# --- mail ---------------------------------------------------------------------------------------


class _Unfolded(EmailPolicy):
    """Addresses in headers stay whole: folded, Python would write them as encoded words, and no
    mail programme finds its one click in those (RFC 8058 reads a plain URI)."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name.lower() in ("list-unsubscribe", "message-id"):
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


def compose(mail: Mail, now: dt.datetime, to: str, parcel: Parcel) -> EmailMessage:
    """The message as RFC 5322 wants it; the date is the day's, the id comes from the key."""
    message = EmailMessage(_Unfolded())
    message["From"] = mail.sender
    message["To"] = to
    message["Subject"] = " ".join(parcel.subject.split())  # a line break would forge a header
    message["Date"] = format_datetime(now.replace(minute=0, second=0, microsecond=0))
    domain = mail.sender.rpartition("@")[2].rstrip(">")
    message["Message-ID"] = f"<{hashlib.sha256(parcel.key.encode()).hexdigest()[:32]}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if parcel.unsubscribe:
        message["List-Unsubscribe"] = f"<{parcel.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(parcel.text)
    return message


class _Hurried(smtplib.SMTP):
    """Cut off after WHOLE_MAIL_SECONDS, however slowly the other side drips its answers: a worker
    that hangs here would open no box."""

    def connect(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        self._end = threading.Timer(WHOLE_MAIL_SECONDS, self._cut)
        self._end.daemon = True
        self._end.start()
        try:
            return super().connect(*args, **kwargs)
        except BaseException:
            self._end.cancel()
            raise

    def _cut(self) -> None:
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close, with the watch on it."""
        self._end.cancel()
        super().close()


class _HurriedTLS(_Hurried, smtplib.SMTP_SSL):
    """The same with TLS from the first byte."""


def _mail(post: Post, to: str, parcel: Parcel) -> None:
    if post.mail is None:
        raise DeliveryError("no_mail_server", away=True)
    message = compose(post.mail, post.now, to, parcel)
    with _connected(post.mail) as server:
        try:
            server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise DeliveryError(f"smtp_{codes[0]}", final=all(c >= 500 for c in codes)) from None
        except smtplib.SMTPDataError as error:
            raise DeliveryError(f"smtp_{error.smtp_code}", final=error.smtp_code >= 500) from None
        except smtplib.SMTPResponseException as error:  # our own sender, or our greeting
            raise DeliveryError(f"smtp_{error.smtp_code}", away=True) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise DeliveryError(type(error).__name__) from None


def _connected(mail: Mail) -> smtplib.SMTP:
    """The mail server, greeted, under TLS and signed in; never without TLS where it was asked."""
    context = ssl.create_default_context()
    server: smtplib.SMTP | None = None
    try:
        if mail.implicit_tls:
            server = _HurriedTLS(mail.host, mail.port, timeout=MAIL_ANSWER_SECONDS, context=context)
        else:
            server = _Hurried(mail.host, mail.port, timeout=MAIL_ANSWER_SECONDS)
        if mail.starttls:
            server.starttls(context=context)
        if mail.user:
            server.login(mail.user, mail.password)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        if server is not None:
            server.close()
        code = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None
        reason = f"smtp_{code}" if code else type(error).__name__
        raise DeliveryError(reason, away=True) from None
    return server


# --- robots and webhooks ------------------------------------------------------------------------


def _wecom(post: Post, url: str, _secret: str, parcel: Parcel) -> None:
    body = {"msgtype": "text", "text": {"content": f"{parcel.subject}\n{parcel.text}"}}
    _require_zero(_send(post, url, body), "errcode")


def _dingtalk(post: Post, url: str, secret: str, parcel: Parcel) -> None:
    if secret:
        stamp = str(int(post.now.timestamp() * 1000))
        signed = hmac.digest(secret.encode(), f"{stamp}\n{secret}".encode(), "sha256")
        url += "&" if "?" in url else "?"
        url += f"timestamp={stamp}&sign={quote_plus(base64.b64encode(signed))}"
    body = {"msgtype": "text", "text": {"content": f"{parcel.subject}\n{parcel.text}"}}
    _require_zero(_send(post, url, body), "errcode")


def _feishu(post: Post, url: str, secret: str, parcel: Parcel) -> None:
    body: dict[str, object] = {
        "msg_type": "text",
        "content": {"text": f"{parcel.subject}\n{parcel.text}"},
    }
    if secret:
        stamp = str(int(post.now.timestamp()))
        signed = hmac.digest(f"{stamp}\n{secret}".encode(), b"", "sha256")
        body |= {"timestamp": stamp, "sign": base64.b64encode(signed).decode()}
    _require_zero(_send(post, url, body), "code")


def _webhook(post: Post, url: str, secret: str, parcel: Parcel) -> None:
    body = {"key": parcel.key, "subject": parcel.subject, "text": parcel.text}
    raw = json.dumps(body, ensure_ascii=False).encode()
    stamp = str(int(post.now.timestamp()))
    signed = hmac.digest(secret.encode(), stamp.encode() + b"." + raw, "sha256").hex()
    headers = {"Yanlu-Timestamp": stamp, "Yanlu-Signature": signed, "Idempotency-Key": parcel.key}
    _send(post, url, body, raw, headers)


_ROBOTS = {
    ChannelKind.WECOM: _wecom,
    ChannelKind.DINGTALK: _dingtalk,
    ChannelKind.FEISHU: _feishu,
    ChannelKind.WEBHOOK: _webhook,
}


def _send(
    post: Post,
    url: str,
    body: object,
    raw: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    if urlsplit(url).scheme not in ("https", "http"):
        raise DeliveryError("bad_url", final=True)
    content = raw if raw is not None else json.dumps(body, ensure_ascii=False).encode()
    try:
        with pool(allow_private=post.allow_private) as manager:
            answer = manager.request(
                "POST",
                url,
                body=content,
                headers={"Content-Type": "application/json"} | (headers or {}),
                redirect=False,
                preload_content=False,
            )
            said = answer.read(MOST_ANSWER)  # what a robot has to say is short
    except PrivateTargetError:
        raise DeliveryError("private_address", final=True) from None
    except (HTTPError, OSError, ValueError) as error:
        raise DeliveryError(type(error).__name__) from None
    if not 200 <= answer.status < 300:
        final = 300 <= answer.status < 500 and answer.status not in (408, 425, 429)
        raise DeliveryError(f"http_{answer.status}", final=final)
    return said


def _require_zero(said: bytes, field_name: str) -> None:
    """A robot answers 200 to everything; what it thinks stands in the body."""
    try:
        values = json.loads(said)
        code = values.get(field_name, values.get("StatusCode"))
    except (ValueError, AttributeError, RecursionError):
        raise DeliveryError("robot_answer_unread") from None
    if code != 0:
        raise DeliveryError(f"robot_{code}"[:64])
