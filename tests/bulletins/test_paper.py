"""Bulletins on paper: every word, in embedded fonts, whatever the name; nothing of their making."""

from __future__ import annotations

import dataclasses
import io
import re
import unicodedata
from pathlib import Path

import pypdf
import pypdfium2
import pytest
from babel.messages.pofile import read_po

from app.bulletins import promises, service
from app.bulletins.models import PromiseRating
from app.sheets import paper
from tests.bulletins.test_bulletins import OFFICE, TEXT, keeper_of, released, watcher, withdraw
from tests.cases.conftest import Scene

TRANSLATIONS = Path(__file__).parents[2] / "app/translations"


def pdf_text(content: bytes) -> str:
    document = pypdfium2.PdfDocument(content)
    text = "".join(page.get_textpage().get_text_range() for page in document)
    return re.sub(r"\s", "", text)


def test_the_sheet_holds_every_word_in_an_embedded_font_and_no_date_of_its_making(
    scene: Scene,
) -> None:
    long = dataclasses.replace(
        TEXT, problems="\n\n".join(f"第{n}个问题，" + "要说清楚" * 40 for n in range(30))
    )
    bulletin_id = released(scene, long)
    client = scene.app.test_client()
    content = client.get(f"/bulletins/{bulletin_id}.pdf").get_data()
    text = pdf_text(content)
    for words in ("第三季度通报", "会开得实在", "第29个问题", "年底前再评一次", "修好村口的路灯"):
        assert words in text
    assert "**" not in text
    reader = pypdf.PdfReader(io.BytesIO(content))
    assert len(reader.pages) > 1
    assert len(embedded(content)) == 1
    assert not reader.metadata
    assert content == client.get(f"/bulletins/{bulletin_id}.pdf").get_data()


def test_no_name_is_a_box_on_paper_and_no_character_reaches_a_log(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """Names are full of characters that GB 2312 doesn't have; the sheet's own words may be in
    traditional writing; a picture of a smile is marked as missing."""
    names = "犇燚姞婳璟旻鋆䶮𬮱㛃喆堃"
    told = dataclasses.replace(TEXT, meeting=f"到会的有{names}，¥35／㎡。\U0001f600")
    bulletin_id = released(scene, told)
    for query in ("", "?lang=zh-Hant", "?lang=en"):
        content = scene.app.test_client().get(f"/bulletins/{bulletin_id}.pdf{query}").get_data()
        text = unicodedata.normalize("NFKC", pdf_text(content))
        assert unicodedata.normalize("NFKC", f"到会的有{names}，¥35／㎡。〓") in text
        fonts = embedded(content)
        assert len(fonts) == 2
    assert caplog.records == []


def embedded(content: bytes) -> set[str]:
    """The names of a document's fonts; each of them stands in it whole."""
    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    names = set()
    for font in [f.get_object() for p in pages for f in p["/Resources"]["/Font"].values()]:  # type: ignore[index]
        below = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
        assert {"/FontFile2", "/FontFile3"} & below.keys()
        names.add(str(font["/BaseFont"]))
    return names


def test_the_sheets_own_words_are_in_its_fonts_in_every_language() -> None:
    """Whatever sentence of the catalogues comes onto a sheet."""
    sheet = paper.Paper()
    for language in ("zh_Hant", "en"):
        path = TRANSLATIONS / language / "LC_MESSAGES/messages.po"
        with path.open("rb") as file:
            words = "".join("".join(message.string or ()) for message in read_po(file))
        drawn = "".join(run for _, run in sheet._runs(words.replace("\n", "")))
        assert paper.UNKNOWN not in drawn
    sheet.add_page()
    sheet.bytes()  # closes its fonts


def test_no_line_on_paper_begins_with_a_full_stop(scene: Scene) -> None:
    long = dataclasses.replace(TEXT, meeting="这句话不长。" * 60)
    content = scene.app.test_client().get(f"/bulletins/{released(scene, long)}.pdf").get_data()
    page = pypdfium2.PdfDocument(content)[0].get_textpage()
    lines = page.get_text_range().splitlines()
    assert len([line for line in lines if "这句话" in line]) > 5
    assert not any(line.startswith(("。", "，")) for line in lines)


def test_the_sheet_of_a_withdrawn_bulletin_gives_the_reason_alone(scene: Scene) -> None:
    bulletin_id = released(scene)
    withdraw(scene, bulletin_id)
    text = pdf_text(scene.app.test_client().get(f"/bulletins/{bulletin_id}.pdf").get_data())
    assert "数字抄错了" in text
    assert "到会三十二人" not in text


def test_a_rating_stands_on_paper_as_on_the_page(scene: Scene) -> None:
    bulletin_id = released(scene)
    with scene.writing() as session:
        found, today = service.get(session, OFFICE, bulletin_id), scene.clock.today()
        promise = service.promises(session, bulletin_id)[0]
        promises.done(session, keeper_of(scene), found, promise, "村口亮了", today)
        promises.rate(session, watcher(scene), found, promise, PromiseRating.BASICALLY, None, today)
    client = scene.app.test_client()
    assert "监督组复评：基本满意" in client.get(f"/bulletins/{bulletin_id}").get_data(as_text=True)
    assert "监督组复评：基本满意" in pdf_text(
        client.get(f"/bulletins/{bulletin_id}.pdf").get_data()
    )
