"""The sentences of code and templates against the catalogues: what is new, what drifted."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
LANGUAGES = ("zh_Hant", "en")
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
METHODS = [("app/**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true"}}
NOISE = re.compile(
    r'"(?:POT-Creation-Date|PO-Revision-Date|Report-Msgid-Bugs-To|Last-Translator|Language-Team'
    r"|Generated-By):.*\n"
)
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")


def path_of(language: str) -> Path:
    """Where a language's catalogue lies."""
    return ROOT / "app" / "translations" / language / "LC_MESSAGES" / "messages.po"


def extracted() -> Catalog:
    """Every sentence that code and templates hold."""
    catalog = Catalog(charset="utf-8")
    found = extract_from_dir(
        ROOT, METHODS, OPTIONS, KEYWORDS,
        directory_filter=lambda path: Path(path).name not in (".venv", "var", "tests", ".git"),
    )  # fmt: skip
    for _file, _line, message, _comments, _context in found:
        catalog.add(message)
    return catalog


def read(language: str) -> Catalog:
    """A language's catalogue as it stands."""
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language)


def faults(language: str) -> list[str]:
    """What is missing, left over, untranslated, uncertain, or has other named parts."""
    wanted = {message.id: message for message in extracted() if message.id}
    catalog = read(language)
    held = {message.id: message for message in catalog if message.id}
    said = [f"missing: {key}" for key in wanted.keys() - held.keys()]
    said += [f"no longer used: {key}" for key in held.keys() - wanted.keys()]
    said += [f"no longer used: {key}" for key in catalog.obsolete]
    for message in held.values():
        ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
        texts = message.string if isinstance(message.string, tuple | list) else (message.string,)
        if message.fuzzy or not all(texts):
            said.append(f"not translated: {ids[0]}")
        elif any(_parts(text) - _parts(ids[0]) for text in texts) or not any(
            _parts(text) == _parts(ids[0]) for text in texts
        ):
            said.append(f"other named parts: {ids[0]}")
    return sorted(said)


def _parts(text: str | None) -> set[str]:
    return set(PLACEHOLDER.findall(text or ""))


def update() -> None:
    """Bring new sentences into the catalogues, take unused ones out; translations stay."""
    template = extracted()
    for language in LANGUAGES:
        old = read(language)
        fresh = Catalog(locale=language, charset="utf-8", fuzzy=False, header_comment="# Yanlu")
        for message in template:
            if message.id:
                known = old.get(message.id)
                fresh.add(message.id, known.string if known else None)
        with path_of(language).open("wb") as file:
            write_po(file, fresh, width=0, no_location=True, sort_output=True, omit_header=False)
        text = NOISE.sub("", path_of(language).read_text("utf-8"))
        path_of(language).write_text(text.replace("PROJECT VERSION", "Yanlu"), "utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["update"]:
        update()
    else:
        for name in LANGUAGES:
            print(name, *faults(name), sep="\n  ")
