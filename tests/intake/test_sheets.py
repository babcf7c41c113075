"""What is printed: the font is in it, the code to be scanned leads home, no secret is in it."""

from __future__ import annotations

import dataclasses
import io

import pypdf
import pypdfium2
import pytest
import zxingcpp
from flask import Flask

from app import crypto
from config import Config
from tests.cases.test_desk import make_keeper
from tests.cases.test_desk_at_once import office
from tests.conftest import PHONE
from tests.intake.conftest import Typist, open_boxes
from tests.submissions.conftest import Speaker

BOX = "http://localhost/box/"


def text_of(raw: bytes) -> list[str]:
    return [
        page.extract_text().replace("\0", "") for page in pypdf.PdfReader(io.BytesIO(raw)).pages
    ]


def scanned(raw: bytes, page: int = 0) -> list[str]:
    image = pypdfium2.PdfDocument(raw)[page].render(scale=3).to_pil()
    return sorted(found.text for found in zxingcpp.read_barcodes(image))


def check_paper(raw: bytes) -> None:
    """Its one font is embedded, and nothing tells when it was made."""
    reader = pypdf.PdfReader(io.BytesIO(raw))
    assert reader.metadata is None
    assert "/ID" not in reader.trailer
    for page in reader.pages:
        fonts = page["/Resources"]["/Font"]  # type: ignore[index]
        for font in fonts.values():
            inner = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"]
            assert {"/FontFile2", "/FontFile3"} & set(inner.get_object())


def forms_of(typist: Typist, number: str) -> bytes:
    token = typist.open("phone").form("/phone").fields["csrf_token"]
    answer = typist.send("/desk/intake/longtan/forms", [("csrf_token", token), ("number", number)])
    assert answer.status_code == 200
    assert answer.mimetype == "application/pdf"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.get_data()


def test_no_paper_sends_anybody_to_a_number_that_is_not(
    app: Flask, config: Config, typist: Typist
) -> None:
    poster = "/desk/intake/posters.pdf?unit=longtan"
    for phone in (PHONE, ""):
        app.config["YANLU"] = dataclasses.replace(config, county_phone=phone)
        for raw in (forms_of(typist, "1"), typist.keeper.client.get(poster).get_data()):
            (page,) = text_of(raw)
            assert ("请打" in page, PHONE in page) == (bool(phone), bool(phone))


def codes_on(page: str) -> list[str]:
    found = [line for line in page.splitlines() if line.count("-") == 5]
    return [crypto.parse_code(line) for line in found]


def test_each_form_bears_its_own_code_twice_and_the_scanned_code_none(typist: Typist) -> None:
    raw = forms_of(typist, "3")
    check_paper(raw)
    pages = text_of(raw)
    assert len(pages) == 3
    each = [codes_on(page) for page in pages]
    assert all(len(codes) == 2 and len(set(codes)) == 1 for codes in each)
    assert len({codes[0] for codes in each}) == 3
    assert scanned(raw) == ["http://localhost/receipt"]
    assert "longtan支部" in pages[0]
    assert "意见表" in pages[0]


def test_a_printed_form_is_keyed_in_and_its_slip_opens_the_thread(
    app: Flask, typist: Typist, speaker: Speaker
) -> None:
    (page,) = text_of(forms_of(typist, "1"))
    code = codes_on(page)[0]
    assert "unknown" in speaker.thread(code).html
    typist.key_in("paper", {"opinion": "路灯坏了。", "code": code})
    open_boxes(app)
    assert speaker.thread(code).marked("data-message", "speaker") == ["路灯坏了。"]


@pytest.mark.parametrize("number", ["0", "51", "-1", "x", "", "９"])
def test_so_many_forms_are_not_printed(typist: Typist, number: str) -> None:
    token = typist.open("phone").form("/phone").fields["csrf_token"]
    answer = typist.send("/desk/intake/longtan/forms", [("csrf_token", token), ("number", number)])
    assert answer.status_code == 422


def test_a_meeting_hands_out_its_receipts_on_one_sheet(
    app: Flask, typist: Typist, speaker: Speaker
) -> None:
    page = typist.key_in("meeting", {"opinion": "一。"}, {}, {"opinion": "二。\n\n三。"})
    answer = typist.again(page, "meeting/receipts")
    assert answer.status_code == 200
    raw = answer.get_data()
    check_paper(raw)
    (text,) = text_of(raw)
    assert "第 1 条" in text
    assert "第 3 条" in text
    assert "第 2 条" not in text
    codes = codes_on(text)
    threads = [speaker.thread(code) for code in codes]
    assert [t.marked("data-message", "speaker") for t in threads] == [["一。"], ["二。\n\n三。"]]
    promises = [t.marked("data-promise")[0] for t in threads]
    assert scanned(raw) == sorted(promises)
    open_boxes(app)
    assert typist.again(page, "meeting/receipts").get_data() == raw


def test_the_sheet_of_a_meeting_that_was_altered_is_not_printed(typist: Typist) -> None:
    page = typist.key_in("meeting", {"opinion": "一。"})
    assert typist.again(page, "meeting/receipts", ticket="x").status_code == 422


@pytest.mark.parametrize("kind", ["poster", "label"])
def test_a_poster_leads_to_the_box_of_its_branch(typist: Typist, kind: str) -> None:
    answer = typist.keeper.client.get(f"/desk/intake/posters.pdf?unit=longtan&kind={kind}")
    raw = answer.get_data()
    check_paper(raw)
    assert scanned(raw) == [BOX + "longtan"]
    (text,) = text_of(raw)
    assert "longtan支部" in text
    assert BOX + "longtan" in text


def test_all_branches_are_in_one_document(app: Flask, config: Config, typist: Typist) -> None:
    make_keeper(app, config, "shiqiao")
    client = office(app, config, "county-office")
    raw = client.get("/desk/intake/posters.pdf").get_data()
    found = [scanned(raw, page) for page in range(len(text_of(raw)))]
    assert sorted(found) == [[BOX + "diyi"], [BOX + "longtan"], [BOX + "shiqiao"]]
    assert len(text_of(client.get("/desk/intake/posters.pdf?kind=label").get_data())) == 1
    assert len(text_of(typist.keeper.client.get("/desk/intake/posters.pdf").get_data())) == 1


@pytest.mark.parametrize("lang", ["zh-Hant", "en"])
def test_every_character_of_a_sheet_is_in_its_font(
    typist: Typist, caplog: pytest.LogCaptureFixture, lang: str
) -> None:
    client = typist.keeper.client
    client.get(f"/desk/intake/posters.pdf?lang={lang}")
    token = typist.open("phone").form("/phone").fields["csrf_token"]
    typist.send(f"/desk/intake/longtan/forms?lang={lang}", [("csrf_token", token), ("number", "1")])
    assert "missing" not in caplog.text
