"""The main job in w3m and in lynx: find a branch, speak, come back, read, rate, reply; and vote."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.road.conftest import CODE, Instance
from tests.road.terminal import Lynx, TextBrowser, W3m
from tests.road.test_ballots import slips_of
from tests.road.test_browser import TELLING
from tests.road.test_messages import answer, opened_cases

pytestmark = pytest.mark.xdist_group("browser")

ANSWER = "路灯已经修好了，谢谢您。"


@pytest.fixture(params=["w3m", pytest.param("lynx", marks=pytest.mark.long)])
def text_browser(
    request: pytest.FixtureRequest, instance: Instance, tmp_path: Path
) -> Iterator[TextBrowser]:
    """The home page in a text browser."""
    kind = W3m if request.param == "w3m" else Lynx
    opened = kind(tmp_path, instance.base)
    opened.shows("有话请说，言者无罪")
    yield opened
    opened.close()


def read_as_text(address: str) -> str:
    """A page as w3m shows it."""
    program = shutil.which("w3m")
    if program is None:
        pytest.fail("no w3m: tests/provision.py should have installed it")
    return subprocess.run(
        [program, "-dump", "-I", "UTF-8", "-O", "UTF-8", "-o", "auto_image=0", address],
        capture_output=True, text=True, timeout=30, check=True,
    ).stdout  # fmt: skip


def who(browser: TextBrowser) -> int:
    """Each has a keeper and a slip of its own: codes and slips are good once."""
    return ["w3m", "lynx"].index(browser.program)


def speak(browser: TextBrowser) -> str:
    """Find the branch, say something, look at what would tell who speaks; the receipt's code."""
    browser.write("支部或单位的名称", "演示")
    browser.press("查找")
    browser.shows("意见箱开着")
    browser.follow("演示支部", after="查找")
    browser.shows("您想说什么？")
    browser.write_lines("您想说什么？", TELLING)
    browser.press("投进意见箱")
    browser.shows("还没投，请先看一眼", "李四（姓名）", "13800138000（电话）")
    browser.press("原样投")
    browser.shows("投进去了，请收好回执")
    browser.wait(lambda: CODE.search(browser.screen), "a receipt's code")
    found: str = CODE.findall(browser.screen)[0]
    return found


def come_back(browser: TextBrowser, code: str) -> None:
    """Enter the receipt."""
    browser.follow("查回执")
    browser.shows("凭回执看进展")
    browser.write("回执码（22", code)
    browser.press("看进展", after="回执码（22")
    browser.shows("办理进展")


def test_a_text_browser_carries_the_main_job(text_browser: TextBrowser, instance: Instance) -> None:
    code = speak(text_browser)
    instance.command("open-boxes", "--now")
    keeper = instance.account("keeper", "demo", who(text_browser))
    desk, queue = instance.sign_in(keeper)
    assert answer(desk, opened_cases(desk, queue)[0], {TELLING: ANSWER})

    come_back(text_browser, code)
    text_browser.shows(ANSWER)
    text_browser.choose("满意", after="这个答复，您觉得")
    text_browser.press("评价", after="这个答复，您觉得")
    text_browser.shows("您的评价：满意")
    text_browser.write_lines("再说几句", "我再去看了一次。\n灯亮了。")
    text_browser.press("放进意见箱", after="再说几句")
    text_browser.shows("您 · 还在箱子里", "我再去看了一次。", "灯亮了。")
    text_browser.press("立即离开")
    text_browser.wait(lambda: "言路" not in text_browser.screen, "a page that isn't ours")


def test_a_text_browser_casts_a_ballot(text_browser: TextBrowser, instance: Instance) -> None:
    slip = slips_of(instance)[who(text_browser)]
    text_browser.follow("手里有评议的票签？到这里投票")
    text_browser.shows("凭票签投票")
    text_browser.write("票签上的号码", slip)
    text_browser.press("打开选票")
    text_browser.shows("弃权")
    text_browser.choose("满意", after="1. ")
    text_browser.press("交票", after="弃权")
    text_browser.shows("票已经交了，谢谢您")


@pytest.mark.parametrize("address", ["/", "/box/demo", "/receipt", "/answers", "/protection"])
def test_a_text_browser_reads_the_page(instance: Instance, address: str) -> None:
    assert "言路" in read_as_text(f"{instance.base}{address}")
