"""The edge: headers, refusals, rate limits, typed text, rich text, error pages, the plain pages.

The only module that reads an address or any header that tells one client from another.
"""

from __future__ import annotations

import gzip
import time
import traceback
from collections.abc import Sequence
from io import BytesIO
from types import TracebackType
from typing import IO

import sqlalchemy as sa
from flask import (
    Blueprint,
    Flask,
    Request,
    Response,
    current_app,
    g,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as WerkzeugResponse

from app import db, errors, journal, refusals
from app.buckets import Buckets
from app.cases import terms
from app.clock import Clock
from app.errors import N_, DomainError
from app.i18n import gettext, sentence
from app.notifications.feed import Entry, atom
from app.text import StrictFormParser, letter, printable, rich_text
from config import Config

blueprint = Blueprint("web", __name__)

BODY_LIMIT = 12 * 1024 * 1024
DRAIN_LIMIT = 64 * 1024 * 1024
PAGE_STEP = 4096
# A looked-up receipt: pages and times of one class, whatever was found. A lookup takes some 20 ms.
LOOKUP_PAGE_STEP = 16 * 1024
LOOKUP_TIME_STEP = 0.1
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    # no-referrer would make the browser send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
WORDS = ("opinion", "message", "reason")
STATUS = {
    errors.Invalid: 422,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Forbidden: 403,
    errors.TooMany: 429,
}


def config() -> Config:
    """The settings of this application."""
    settings: Config = current_app.config["YANLU"]
    return settings


def clock() -> Clock:
    """The clock of this application."""
    hand: Clock = current_app.extensions["clock"]
    return hand


# --- what comes in ----------------------------------------------------------------------------


class PrivateRequest(Request):
    """A request whose body never touches a disk."""

    form_data_parser_class = StrictFormParser

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        """In memory (bounded by BODY_LIMIT): Werkzeug would spool uploads to the temp folder."""
        return BytesIO()


def _refuse_foreign_posts() -> None:
    """Changes come from our own pages; checked where the browser says so (text browsers don't)."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site")
    foreign = origin is not None and origin.split("://", 1)[-1] != request.host
    if foreign or site not in (None, "same-origin", "none"):
        raise errors.Forbidden(N_("这一页不是从本站打开的，什么都没有存下。请从首页重新进来。"))


# --- limits without identity --------------------------------------------------------------------


def limit(name: str, cost: float = 1.0) -> None:
    """Take a token of this network's bucket; raises TooMany. Off with LIMITS=off."""
    buckets: Buckets = current_app.extensions["buckets"]
    if config().limits and not buckets.take(name, request.remote_addr, cost):
        raise errors.TooMany(
            N_("这会儿从您这个网络来的人太多了。什么都没有丢，请过几分钟再来，急的话请打电话。")
        )


# --- what goes out ------------------------------------------------------------------------------


def keep_secret() -> None:
    """Mark this response as one that holds a secret: padded to 4 KiB steps, never compressed."""
    g.setdefault("secret", PAGE_STEP)


def keep_level() -> None:
    """Let this answer tell nothing by its length or its time of what was looked up.

    It is padded to 16 KiB steps and leaves at the next tenth of a second since now.
    """
    g.secret = LOOKUP_PAGE_STEP
    g.looked_up_at = time.monotonic()


def _finish(response: Response) -> Response:
    if request.endpoint == "static":
        response.headers["Cache-Control"] = "public, max-age=86400"
    else:
        response.headers["Cache-Control"] = "no-store"
        response.headers.pop("ETag", None)
        response.headers.pop("Last-Modified", None)
        if g.get("secret"):
            _pad(response, g.secret)
    _compress(response)
    there = {name.lower() for name, _ in response.headers}
    missing = [(name, value) for name, value in HEADERS.items() if name.lower() not in there]
    response.headers.extend(missing)  # last and at once: each look for one goes through all
    if "looked_up_at" in g and LOOKUP_TIME_STEP:
        time.sleep(-(time.monotonic() - g.looked_up_at) % LOOKUP_TIME_STEP)
    return response


def _pad(response: Response, step: int) -> None:
    body = response.get_data()
    frame = b"<!---->"
    missing = -(len(body) + len(frame)) % step
    response.set_data(body + b"<!--" + b" " * missing + b"-->")


def _compress(response: Response) -> None:
    """gzip for public pages asked for by GET, and for static files.

    Never a page with a secret or of the desk: compressed lengths tell about contents (BREACH).
    """
    plain = request.method == "GET" and not g.get("secret") and request.blueprint != "staff"
    if (
        not plain
        or request.path.startswith("/desk")
        or response.status_code != 200
        or "Content-Encoding" in response.headers
        or not (
            (response.mimetype or "").startswith("text/") or response.mimetype == "image/svg+xml"
        )
        or "gzip" not in request.headers.get("Accept-Encoding", "")
    ):
        return
    response.direct_passthrough = False
    response.set_data(gzip.compress(response.get_data(), 6, mtime=0))  # no time in the header
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"


def site_url(path: str) -> str:
    """An address of ours as it stands outside our pages: in a feed, a mail, on paper."""
    return (config().public_url or request.host_url.rstrip("/")) + path


def feed_response(feed: str, page: str, title: str, entries: Sequence[Entry]) -> Response:
    """An Atom feed; `feed` and `page` are the endpoints of the feed itself and of its page."""
    text = atom(
        own_url=site_url(url_for(feed)),
        page_url=site_url(url_for(page)),
        title=f"{gettext(title)} · {config().county_name}",
        author=config().county_name,
        zone=config().timezone,
        today=clock().today(),
        entries=entries,
    )
    return Response(text, mimetype="application/atom+xml")


# --- refusals and faults ------------------------------------------------------------------------


class QuietFlask(Flask):
    """Flask whose fault log names the place and the type, never what was being handled."""

    request_class = PrivateRequest

    def dispatch_request(self) -> ResponseReturnValue:
        """A deadlock's victim once more from the start: it was undone whole, its body is here."""
        try:
            return super().dispatch_request()
        except sa.exc.DBAPIError as error:
            if request.files or not db.may_repeat(error):
                raise
        return super().dispatch_request()

    def log_exception(
        self,
        exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None],
    ) -> None:
        """Type and place alone: messages and variables may hold what a speaker typed."""
        kind, _, trace = exc_info
        frames = traceback.extract_tb(trace)
        ours = [f for f in frames if "site-packages" not in f.filename][-1:] or frames[-1:]
        where = " ".join(f"{f.name}:{f.lineno}" for f in ours)
        name = kind.__name__ if kind else "unknown"
        endpoint = request.endpoint or "none"
        words = f"fault {name} at {where} in {endpoint}"
        journal.say("fault", words, type=name, place=where, endpoint=endpoint)


def error_page(status: int, text: str | None = None) -> WerkzeugResponse:
    """The page of a refusal: what happened, that nothing was lost, what to do."""
    heading, usual = refusals.words(status)
    page = render_template(
        "pages/error.html",
        status=status,
        heading=gettext(heading),
        sentence=text or gettext(usual),
        at_desk=request.path.startswith("/desk"),
        reopen=_address(),
        kept=_kept_words() if status in refusals.PASSING else {},
    )
    response = current_app.make_response((page, status))
    if status in refusals.PASSING:
        response.headers["Retry-After"] = "120"
    return response


def _address() -> str | None:
    """Where this page can be opened anew: a form that was sent, or the entrance to its thread."""
    rule = request.url_rule
    if request.method != "GET" and rule is not None and "GET" in (rule.methods or ()):
        return url_for(rule.endpoint, **request.view_args or {})
    return url_for("receipts.receipt") if request.path.startswith("/receipt/") else None


def _kept_words() -> dict[str, str]:
    """A speaker's form as it was sent, to be sent again; never a code, a password or a file."""
    if request.method != "POST" or request.path.startswith("/desk"):
        return {}
    try:
        typed = request.form.to_dict()
    except HTTPException:  # the body itself was what could not be taken
        return {}
    if not (typed.get("ticket") and any(typed.get(name) for name in WORDS)):
        return {}
    keep_secret()
    return {name: printable(value) for name, value in typed.items() if name not in ("code", "slip")}


def _on_domain_error(error: DomainError) -> WerkzeugResponse:
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    return error_page(status, sentence(error))


def _on_http_error(error: HTTPException) -> WerkzeugResponse:
    if error.code is None or error.code < 400:
        return error.get_response()
    if isinstance(error, RequestEntityTooLarge):
        _drain()
    return error_page(error.code)


def _drain() -> None:
    """Read away what is left of an oversized body, bounded: else the browser sees a reset."""
    stream = request.environ["wsgi.input"]
    left = min(request.content_length or 0, DRAIN_LIMIT)
    while left > 0:
        chunk = stream.read(min(65536, left))
        if not chunk:
            return
        left -= len(chunk)


def _on_database_fault(error: sa.exc.SQLAlchemyError) -> WerkzeugResponse:
    if not db.is_passing(error):
        raise error
    current_app.log_exception((type(error), error, error.__traceback__))  # type: ignore[arg-type]
    return error_page(refusals.AWAY)


# --- the plain pages ----------------------------------------------------------------------------


@blueprint.get("/protection")
def protection() -> str:
    """What protects a speaker, and what can't."""
    return render_template("pages/protection.html", kept_months=config().thread_months)


@blueprint.get("/help")
def how() -> str:
    """How a speaker goes about it, on one page to print."""
    return render_template(
        "pages/help.html",
        terms=terms.current(),
        address=site_url(url_for("organisation.home", lang=None, view=None)),
    )


@blueprint.post("/leave")
def leave() -> Response:
    """Quick exit: a neutral page, and the browser told to forget this site."""
    response = Response(render_template("pages/left.html"))
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readyz() -> Response:
    """Whether this process can take an opinion: its database answers, fits, and has room."""
    try:
        with db.reading() as session:
            missing = db.what_is_missing(session)
    except (sa.exc.DBAPIError, sa.exc.TimeoutError):
        missing = "database away"
    return Response((missing or "ok") + "\n", status=503 if missing else 200, mimetype="text/plain")


def init_app(app: Flask, settings: Config, hand: Clock) -> None:
    """Hang the edge onto the application."""
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.config["MAX_FORM_MEMORY_SIZE"] = 1024 * 1024
    app.extensions["buckets"] = Buckets(hand)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
    app.before_request(_refuse_foreign_posts)
    app.after_request(_finish)
    app.register_error_handler(DomainError, _on_domain_error)
    app.register_error_handler(HTTPException, _on_http_error)
    app.register_error_handler(sa.exc.SQLAlchemyError, _on_database_fault)
    app.jinja_env.filters["rich_text"] = rich_text
    app.jinja_env.filters["letter"] = letter
    app.register_blueprint(blueprint)
