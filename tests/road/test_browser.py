"""The road in a real browser, 360 px wide, JavaScript off."""

from __future__ import annotations

import contextlib
import io
import re
import unicodedata
from urllib.request import Request, urlopen

import pyotp
import pypdf
import pytest
from playwright.sync_api import Browser, Error, Page, expect

from tests.road.conftest import Instance, phone
from tests.road.keyboard import Keyboard
from tests.road.test_messages import rows

TELLING = "路灯坏了三个月。\n我叫李四，电话13800138000，请回话。"
MASKED = "路灯坏了三个月。\n我叫＊＊，电话＊＊，请回话。"

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def fits(page: Page) -> None:
    """Nothing is wider than the phone."""
    box = page.locator("main").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360


def sign_in(page: Page, instance: Instance, account: dict[str, str]) -> None:
    page.goto(f"{instance.base}/desk/sign-in")
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("button.main")
    page.fill("#totp", pyotp.TOTP(account["totp_secret"]).now())
    page.click("button.main")
    page.wait_for_url("**/desk/queue")


def drop(page: Page, instance: Instance, text: str) -> str:
    """From the poster's code to the receipt: two screens."""
    page.goto(f"{instance.base}/box/demo")
    fits(page)
    page.fill("#opinion", text)
    page.click("button.main")
    fits(page)
    if page.locator("[data-self-identification]").count():
        page.click("button[value=as-is]")
        fits(page)
    return page.inner_text("[data-receipt-code]")


def answer(page: Page, instance: Instance, text: str, reply: str) -> None:
    page.goto(f"{instance.base}/desk/queue")
    words = " ".join(text.split())[:20]
    page.locator("[data-case]", has_text=words).locator("a").first.click()
    assert page.locator("[data-opinion]").evaluate("e => e.textContent") == text
    page.click("form[action*='/accept'] button")
    page.fill("#answer", reply)
    page.fill("#summary", "群众反映的一件事")
    page.click("form[action*='/draft'] button")
    page.click("form[action*='/approve'] button")
    assert page.locator("[data-state]").first.get_attribute("data-state") == "answered"
    fits(page)


def read(page: Page, instance: Instance, code: str) -> None:
    page.goto(f"{instance.base}/receipt")
    page.fill("#code", code)
    page.click("main button")


def texts(page: Page, author: str) -> list[str]:
    found: list[str] = page.locator(f"[data-message={author}]").evaluate_all(
        "all => all.map(e => e.textContent)"
    )
    return found


def test_three_messages_walk_the_road_on_a_phone_without_script(
    instance: Instance, browser: Browser
) -> None:
    by_length = sorted(rows(), key=lambda row: len(row["message"]))
    three = [by_length[0], by_length[len(by_length) // 2], by_length[-1]]
    page = phone(browser)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    codes = [drop(page, instance, row["message"]) for row in three]
    assert page.context.cookies() == []
    instance.command("open-boxes", "--now")
    desk = phone(browser)
    sign_in(desk, instance, instance.account("keeper", "demo"))
    for row in three:
        answer(desk, instance, row["message"], row["answer"])
    for row, code in zip(three, codes, strict=True):
        read(page, instance, code)
        fits(page)
        assert texts(page, "speaker") == [row["message"]]
        assert texts(page, "desk") == [row["answer"]]
    page.check("input[value=satisfied]")
    page.click("form[action*='/rate'] button")
    assert page.locator("[role=status]").is_visible()
    page.fill("#message", "谢谢你们")
    page.click("form[action*='/reply'] button")
    assert texts(page, "speaker")[-1] == "谢谢你们"
    assert page.context.cookies() == []
    assert all(address.startswith(instance.base) for address in asked)
    digits = [code.replace("-", "") for code in codes]
    assert not any(code in address.replace("-", "") for code in digits for address in asked)
    page.click("text=立即离开")
    assert "言路" not in page.content()


def test_after_leaving_nothing_is_stored_and_back_shows_nothing(
    instance: Instance, browser: Browser
) -> None:
    page = phone(browser)
    code = drop(page, instance, "看完就走")
    read(page, instance, code)
    page.click("text=立即离开")
    with contextlib.suppress(Error):  # no-store: the browser has nothing to go back to
        page.go_back()
    page.wait_for_timeout(300)  # the browser puts up its own page instead
    assert "看完就走" not in page.content()


def test_the_warning_works_without_script_on_a_phone(instance: Instance, browser: Browser) -> None:
    page = phone(browser)
    page.goto(f"{instance.base}/box/demo")
    page.fill("#opinion", TELLING)
    page.click("button.main")
    fits(page)
    assert page.locator("mark").count() == 2
    assert page.locator("textarea").is_hidden()
    page.click("button[value=edit]")
    assert page.input_value("#opinion") == TELLING
    assert page.locator("[data-self-identification]").count() == 0
    page.click("button.main")
    page.click("button.main")
    code = page.inner_text("[data-receipt-code]")
    read(page, instance, code)
    assert texts(page, "speaker") == [MASKED]


def speak_by_keyboard(keys: Keyboard, instance: Instance) -> str:
    """From the home page to the receipt; its code."""
    page = keys.page
    page.goto(instance.base)
    page.keyboard.press("Tab")
    assert keys.has_focus(".skip")  # past the menus at once
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert keys.has_focus("main *")
    keys.page.goto(instance.base)
    keys.write("#q", "演示")
    keys.enter()
    keys.press("a[href*='/box/demo']")
    keys.write("#opinion", TELLING)
    keys.go_to("[name=recipient]")
    page.keyboard.press("ArrowRight")
    assert page.locator("[name=recipient][value=superior]").is_checked()
    page.keyboard.press("ArrowLeft")
    keys.press("button.main", "Space")
    keys.press("button[value=edit]")
    keys.press("button.main")
    keys.press("button[value=as-is]")
    code = page.inner_text("[data-receipt-code]")
    keys.press("main a.button")
    return code


def answer_by_keyboard(keys: Keyboard, instance: Instance, account: dict[str, str]) -> None:
    """A keeper's few keys: sign in, find the case, accept, answer, publish, sign out."""
    page = keys.page
    page.goto(f"{instance.base}/desk/sign-in")
    keys.write("#username", account["username"])
    keys.write("#password", account["password"])
    keys.enter()
    keys.write("#totp", pyotp.TOTP(account["totp_secret"]).now())
    keys.enter()
    for _ in range(page.locator("[data-case]").count()):
        page.keyboard.press("j")
        if TELLING[:8] in page.evaluate("document.activeElement.textContent"):
            break
    keys.enter()
    assert page.locator("[data-opinion]").evaluate("e => e.textContent") == TELLING
    page.keyboard.press("a")  # to the button; Enter presses it
    keys.enter()
    page.keyboard.press("e")
    page.keyboard.insert_text("路灯修好了。")
    keys.write("#summary", "路灯坏了。")
    keys.press("form[action*='/draft'] button:not([name])")
    page.keyboard.press("p")
    keys.enter()
    expect(page.locator("main [data-state]").first).to_have_attribute("data-state", "answered")
    keys.press("form[action*='/sign-out'] button")


def test_an_opinion_is_left_and_found_again_by_keyboard_alone(
    instance: Instance, browser: Browser
) -> None:
    keys = Keyboard(phone(browser))
    keys.write("#code", speak_by_keyboard(keys, instance))
    keys.enter()
    assert texts(keys.page, "speaker") == [TELLING]


@pytest.mark.long
def test_the_road_and_the_desk_are_walked_by_keyboard_alone(
    instance: Instance, browser: Browser
) -> None:
    keys = Keyboard(phone(browser))
    code = speak_by_keyboard(keys, instance)
    instance.command("open-boxes", "--now")
    desk = Keyboard(browser.new_context().new_page())
    answer_by_keyboard(desk, instance, instance.account("keeper", "demo", 1))
    keys.write("#code", code)
    keys.enter()
    assert texts(keys.page, "desk") == ["路灯修好了。"]
    keys.go_to("[name=rating]")
    keys.page.keyboard.press("Space")
    keys.press("form[action*='/rate'] button")
    assert keys.has_focus("[role=status]")  # told at once what came of it
    keys.write("#message", "谢谢")
    keys.press("form[action*='/reply'] button")
    assert texts(keys.page, "speaker")[-1] == "谢谢"
    keys.press("form[action*='/leave'] button")
    assert "言路" not in keys.page.content()


def test_the_road_is_walked_without_a_stylesheet(instance: Instance, browser: Browser) -> None:
    page = phone(browser)
    page.route("**/*.css", lambda route: route.abort())
    page.goto(f"{instance.base}/box/demo")
    words = page.inner_text("main")
    order = ["您想说什么", "由谁来开箱", "附照片", "还可以选几项", "投进意见箱"]
    assert sorted(order, key=words.index) == order
    code = drop(page, instance, TELLING)
    read(page, instance, code)
    assert texts(page, "speaker") == [TELLING]
    assert page.locator("[data-state]").first.inner_text() == "□在箱中"


def test_the_form_page_is_light(instance: Instance) -> None:
    """HTML, stylesheet and icon, as they go over the wire: at most 14,336 bytes."""
    total = 0
    for address in ("/box/demo", "/static/style.css", "/static/icon.svg"):
        request = Request(f"{instance.base}{address}", headers={"Accept-Encoding": "gzip"})
        with urlopen(request, timeout=30) as answer:
            sent = answer.read()
        total += len(sent)
    print(f"\nform page, cold: {total} bytes")
    assert total <= 14_336


# --- the large view: its sizes as a browser draws them, read aloud by the device alone ------------

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


def scripted(browser: Browser, voices: str = "") -> Page:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    if voices:
        page.add_init_script(voices)
    return page


def taken(page: Page, instance: Instance) -> str:
    page.goto(f"{instance.base}/box/demo?view=large")
    page.fill("#opinion", "路灯坏了三个月，晚上看不见路。")
    page.click("main button.main")
    code = page.locator("[data-receipt-code]")
    expect(code).to_be_visible()
    return code.inner_text()


def test_letters_and_targets_are_large_and_the_telephone_is_in_sight(
    instance: Instance, browser: Browser
) -> None:
    page = scripted(browser)
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
    page = scripted(browser, VOICES % 2)
    code = taken(page, instance)
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
    page = scripted(browser, VOICES % 1)
    page.goto(f"{instance.base}/protection?view=large")
    expect(page.locator("main")).to_be_visible()
    assert not page.locator("[data-read-aloud]").is_visible()
    page.context.close()


@pytest.mark.parametrize("query", ["", "?lang=zh-Hant", "?lang=en", "?lang=en&view=large"])
def test_how_to_speak_prints_on_one_page(instance: Instance, browser: Browser, query: str) -> None:
    page = browser.new_page()
    page.goto(f"{instance.base}/help{query}")
    paper = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4")))
    assert len(paper.pages) == 1
    page.context.close()


def test_a_printed_list_of_branches_lacks_none_though_it_is_folded_on_the_screen(
    instance: Instance, browser: Browser
) -> None:
    page = browser.new_page()
    page.goto(f"{instance.base}/units")
    page.evaluate("document.querySelectorAll('details').forEach(e => (e.open = false))")
    paper = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4")))
    told = unicodedata.normalize("NFKC", "".join(p.extract_text() for p in paper.pages))
    assert "何家坪镇" in told
    assert "石桥村支部" in told
    page.context.close()


def test_a_printed_form_says_where_to_get_one_on_paper_and_the_screen_does_not(
    instance: Instance, browser: Browser
) -> None:
    page = phone(browser)
    page.goto(f"{instance.base}/box/demo")
    expect(page.locator(".on-paper")).to_be_hidden()
    page.emulate_media(media="print")
    expect(page.locator(".on-paper")).to_be_visible()
    expect(page.locator("#opinion")).to_be_hidden()
    page.context.close()
