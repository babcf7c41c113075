"""Which language and view a page is in (both travel in the URL), and the words for it.

The source language is Simplified Chinese: a message's id is its sentence. There is no
negotiation by header: Tor Browser asks everybody's pages in English, and an old phone in whatever
its shop had set; the link at the top of each page is plain and travels along.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, current_app, has_request_context, request, url_for

from app.errors import DomainError

LANGUAGES = {"zh-Hans": "简体中文", "zh-Hant": "繁體中文", "en": "English"}
SOURCE = "zh-Hans"
_BABEL = {"zh-Hans": "zh_Hans_CN", "zh-Hant": "zh_Hant_TW", "en": "en_GB"}
_FOLDER = Path(__file__).parent / "translations"


@lru_cache(maxsize=len(LANGUAGES))
def _translations(language: str) -> NullTranslations:
    if language == SOURCE:
        return NullTranslations()
    path = _FOLDER / language.replace("-", "_") / "LC_MESSAGES" / "messages.po"
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return Translations(compiled)


def language() -> str:
    """The language of this page: `?lang=`, else Simplified Chinese."""
    if not has_request_context():
        return SOURCE
    asked = request.args.get("lang", "")
    return asked if asked in LANGUAGES else SOURCE


def large() -> bool:
    """Whether this page is in the large view: `?view=large`."""
    return has_request_context() and request.args.get("view") == "large"


def a_page(usual: int) -> int:
    """How many things a list shows on a page: four in the large view."""
    return 4 if large() else usual


def _gettext(message: str) -> str:
    return str(_translations(language()).ugettext(message))


def _ngettext(singular: str, plural: str, count: int) -> str:
    return str(_translations(language()).ungettext(singular, plural, count))


def gettext(message: str, **values: object) -> str:
    """The message in the page's language, its named parts filled in."""
    text = _gettext(message)
    return text % values if values else text


def ngettext(singular: str, plural: str, num: int) -> str:
    """The message for so many, the number filled in."""
    return _ngettext(singular, plural, num) % {"num": num}


def sentence(error: DomainError) -> str:
    """A domain error as its reader's sentence."""
    shown = {k: day(v) if isinstance(v, dt.date) else v for k, v in error.values.items()}
    return gettext(error.message, **shown)


def day(date: dt.date | None) -> str:
    """A date as one says it in the page's language, weekday included."""
    if date is None:
        return ""
    pattern = "EEE d MMMM y" if language() == "en" else "y年M月d日（EEEE）"
    return format_date(date, pattern, locale=_BABEL[language()])


def moment(instant: dt.datetime) -> str:
    """An instant of the desk to the minute, in the county's time; never shown of a speaker."""
    local = instant.astimezone(current_app.config["YANLU"].timezone)
    return f"{day(local.date())} {local:%H:%M}"


def kept_in_links() -> dict[str, str]:
    """What every link of this page carries along: its language and its view."""
    kept = {}
    if language() != SOURCE:
        kept["lang"] = language()
    if large():
        kept["view"] = "large"
    return kept


def _keep_in_links(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static" or not has_request_context():
        return
    for name, value in kept_in_links().items():
        values.setdefault(name, value)


def _here(**changes: str | None) -> str:
    """This page's address with another language or view.

    A page that answers a POST has no address to come back to: the link leads to the address of
    the form, or home where there is none.
    """
    rule = request.url_rule
    asks = rule is not None and "GET" in (rule.methods or ())
    endpoint = request.endpoint if asks and request.endpoint else "organisation.home"
    values: dict[str, Any] = dict(request.view_args or {}) if asks else {}
    values.update(changes)
    return url_for(endpoint, **values)


def _context() -> dict[str, object]:
    config = current_app.config["YANLU"]
    return {
        "lang": language(),
        "large": large(),
        "demo": config.demo,
        "county_name": config.county_name,
        "county_phone": config.county_phone,
        "public_url": config.public_url,
        "language_links": [
            (code, name, _here(lang=None if code == SOURCE else code))
            for code, name in LANGUAGES.items()
        ],
        "large_link": _here(view=None if large() else "large"),
        "keep_fields": list(kept_in_links().items()),
        "day": day,
    }


def init_app(app: Flask) -> None:
    """Give templates their words and links their language."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    install = app.jinja_env.install_gettext_callables  # type: ignore[attr-defined]
    install(_gettext, _ngettext, newstyle=True)
    app.url_defaults(_keep_in_links)
    app.context_processor(_context)
    for code in LANGUAGES:
        _translations(code)
