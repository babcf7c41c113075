"""The guides say what the pages say: every button by its words, every picture there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.cases import terms
from tests import catalogue

DOCS = Path(__file__).parent.parent / "docs"
GUIDES = sorted(DOCS.glob("guide-*.md"))
PICTURE = re.compile(r"pictures/([\w-]+\.webp)")
MOST = 2 * 1024 * 1024


def said() -> dict[str, str]:
    """All that the pages say, by language; what stands in the source is Simplified."""
    source = [m.id for m in catalogue.extracted() if m.id]
    texts = {"zh-Hans": "\n".join(m if isinstance(m, str) else m[0] for m in source)}
    for language in catalogue.LANGUAGES:
        strings = [m.string for m in catalogue.read(language) if m.id]
        texts[language] = "\n".join(
            s if isinstance(s, str) else "\n".join(s or ()) for s in strings
        )
    return texts


def test_every_button_that_a_guide_names_is_on_a_page() -> None:
    texts = said()
    quotes = {
        "zh-Hans": re.compile(r"“([^”]*[\u4e00-\u9fff][^”]*)”"),
        "zh_Hant": re.compile(r"「([^」]+)」"),
        "en": re.compile(r"“([A-Z][^”]*)”"),
    }
    missing = [
        (path.name, language, words)
        for path in GUIDES
        for language, quote in quotes.items()
        for words in quote.findall(path.read_text("utf-8"))
        if words not in texts[language]
    ]
    assert missing == []


@pytest.mark.parametrize("path", [*GUIDES, DOCS / "operator.md", DOCS.parent / "README.md"])
def test_every_picture_that_is_shown_lies_there(path: Path) -> None:
    for name in PICTURE.findall(path.read_text("utf-8")):
        assert (DOCS / "pictures" / name).is_file(), name


def test_the_pictures_are_few_and_small_and_all_of_them_shown() -> None:
    shown = {
        name
        for path in [*DOCS.glob("*.md"), DOCS.parent / "README.md"]
        for name in PICTURE.findall(path.read_text("utf-8"))
    }
    there = {path.name: path.stat().st_size for path in (DOCS / "pictures").iterdir()}
    assert set(there) == shown
    assert sum(there.values()) < MOST


def test_the_guides_name_the_terms_that_count_where_nobody_set_others() -> None:
    speaker = (DOCS / "guide-speaker.md").read_text("utf-8")
    usual = terms.Terms()
    assert f"{usual.accept} 个工作日内告诉您受理不受理，{usual.answer} 个工作日内答复" in speaker
    assert f"{terms.APPEAL_WITHIN_DAYS} 天以内，一次" in speaker
    watching = (DOCS / "guide-supervisor.md").read_text("utf-8")
    assert f"{usual.appeal} 个工作日内裁定" in watching
