"""Delivering one message: by mail, by the robots that committees use, by a signed webhook."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import quote_plus, urlsplit

from urllib3.exceptions import HTTPError

from app.notifications.models import ChannelKind
from app.notifications.targets import PrivateTargetError, pool
from config import Mail

MOST_ANSWER = 4096


class DeliveryError(Exception):
    """It did not arrive. `final`: trying again is of no use. The reason is a code, never a text."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


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


def compose(mail: Mail, now: dt.datetime, to: str, parcel: Parcel) -> EmailMessage:
    """The message as RFC 5322 wants it; the date is the day's, the id comes from the key."""
    message = EmailMessage()
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


def _mail(post: Post, to: str, parcel: Parcel) -> None:
    mail = post.mail
    if mail is None:
        raise DeliveryError("no_mail_server")
    message = compose(mail, post.now, to, parcel)
    context = ssl.create_default_context()
    try:
        if mail.implicit_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                mail.host, mail.port, timeout=15, context=context
            )
        else:
            server = smtplib.SMTP(mail.host, mail.port, timeout=15)
        with server:
            if mail.starttls:
                server.starttls(context=context)
            if mail.user:
                server.login(mail.user, mail.password)
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise DeliveryError(f"smtp_{codes[0]}", final=all(c >= 500 for c in codes)) from None
    except smtplib.SMTPResponseException as error:
        # An account that is refused may be mended by the operator: only the letter's own is final.
        own = isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused)
        final = own and error.smtp_code >= 500
        raise DeliveryError(f"smtp_{error.smtp_code}", final=final) from None
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(type(error).__name__) from None


# --- robots and webhooks ------------------------------------------------------------------------


def _wecom(post: Post, url: str, _secret: str, parcel: Parcel) -> None:
    body = {"msgtype": "text", "text": {"content": f"{parcel.subject}\n{parcel.text}"}}
    _require_zero(_send(post, url, body), "errcode")


def _dingtalk(post: Post, url: str, secret: str, parcel: Parcel) -> None:
    if secret:
        stamp = str(int(post.now.timestamp() * 1000))
        signed = hmac.digest(secret.encode(), f"{stamp}\n{secret}".encode(), "sha256")
        url += f"&timestamp={stamp}&sign={quote_plus(base64.b64encode(signed))}"
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
    except (ValueError, AttributeError):
        raise DeliveryError("robot_answer_unread") from None
    if code != 0:
        raise DeliveryError(f"robot_{code}"[:64])
