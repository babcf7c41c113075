"""The large view: its sizes as the browser draws them, and reading aloud by the device alone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.road.conftest import Instance

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# As a browser on a phone has it: two voices, one of them in the network; what is said is kept.
VOICES = """
window.said = [];
const voices = [
  {name: "far", lang: "zh-CN", localService: false},
  {name: "own", lang: "zh-CN", localService: true},
];
Object.defineProperty(window, "speechSynthesis", {value: {
  getVoices: () => voices.slice(0, %s),
  speak: (one) => window.said.push([one.text, one.voice.name]),
  cancel: () => {},
  addEventListener: () => {},
}});
window.SpeechSynthesisUtterance = function (text) { this.text = text; };
"""
SIZES = """() => [...document.querySelectorAll("body *")]
  .filter((e) => e.getClientRects().length && [...e.childNodes].some(
    (n) => n.nodeType === 3 && n.textContent.trim()))
  .map((e) => [e.tagName, parseFloat(getComputedStyle(e).fontSize),
    parseFloat(getComputedStyle(e).lineHeight)])"""
TARGETS = """() => [...document.querySelectorAll("button, summary, input, nav a, .call")]
  .filter((e) => e.getClientRects().length && !e.closest(".honey") && !e.closest("label"))
  .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect().height])"""


def phone(browser: Browser, voices: str = "") -> Page:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    if voices:
        page.add_init_script(voices)
    return page


def dropped(page: Page, instance: Instance) -> str:
    page.goto(f"{instance.base}/box/demo?view=large")
    page.fill("#opinion", "路灯坏了三个月，晚上看不见路。")
    page.click("main button.main")
    code = page.locator("[data-receipt-code]")
    expect(code).to_be_visible()
    return code.inner_text()


def test_letters_and_targets_are_large_and_the_telephone_is_in_sight(
    instance: Instance, browser: Browser
) -> None:
    page = phone(browser)
    for address in ("/", "/box/demo", "/receipt", "/answers", "/slip"):
        page.goto(f"{instance.base}{address}?view=large")
        for tag, size, line in page.evaluate(SIZES):
            assert 20 <= size <= 30, (address, tag, size)
            assert line >= 1.49 * size, (address, tag, size, line)
        for element, high in page.evaluate(TARGETS):
            assert high >= 60, (address, element, high)
        assert page.locator("a.call").bounding_box()["y"] < 740  # type: ignore[index]
    page.context.close()


def test_the_page_is_read_by_the_devices_own_voice_and_never_the_code(
    instance: Instance, browser: Browser
) -> None:
    page = phone(browser, VOICES % 2)
    code = dropped(page, instance)
    page.click("[data-read-aloud]")
    said = page.evaluate("window.said")
    assert {voice for _, voice in said} == {"own"}
    words = "".join(text for text, _ in said)
    assert "投进去了" in words
    digits = code.replace("-", "")
    assert digits not in re.sub(r"\D", "", words)
    assert page.inner_text("[data-promise]")[:40] not in words
    page.evaluate("window.said = []")
    page.click("[data-read-code]")
    spoken = "".join(text for text, _ in page.evaluate("window.said"))
    assert spoken.replace(" ", "") == digits
    page.context.close()


def test_without_a_voice_of_its_own_nothing_is_offered(
    instance: Instance, browser: Browser
) -> None:
    page = phone(browser, VOICES % 1)
    page.goto(f"{instance.base}/protection?view=large")
    expect(page.locator("main")).to_be_visible()
    assert not page.locator("[data-read-aloud]").is_visible()
    page.context.close()
