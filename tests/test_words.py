"""One word for one thing, and no slip of the pen, in all that people see."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import opencc
import pytest

from tests import catalogue

ROOT = Path(__file__).parent.parent
HAN = r"[\u3400-\u4dbf\u4e00-\u9fff]"
STOPS = "，。；：、？！（）“”「」《》…—\n"

# What sounds like an office or a machine, and what is said instead (docs/words.md).
OFFICIALESE = (
    "拨打", "提交", "进行操作", "予以", "给予", "权限", "系统错误", "操作失败", "非法", "无效的",
    "任何内容", "敬请", "谨此", "如需", "务必", "参数", "异常", "您的请求", "贵单位", "你",
)  # fmt: skip
# What the mainland writes and Taiwan and Hong Kong write otherwise, and what converters leave.
MAINLAND = (
    "軟件", "硬件", "網絡", "服務器", "默認", "視頻", "短信", "鏈接", "打印", "文件夾", "賬",
    "登錄", "刷新", "鼠標", "屏幕", "二維碼", "反饋", "渠道", "郵箱", "撥打", "釋出", "支援申訴",
    "查詢辦件", "回車", "下劃線", "退出登入", "並單", "並過去", "工作臺", "運行", "燒燬", "銷燬",
    "字符", "程序", "信息", "粘", "發佈", "密鑰", "界面",
)  # fmt: skip
# Second names for what has one (docs/words.md).
RIVALS = (
    "complaint", "petition", "suggestion(?! box)", "mailbox", "ticket", "voucher", "user name",
    "log-in", "login", "custodian", "inspector", "rejected", "reject", "dissatisfied", "basically",
    "administrator", "poll", "announcement", "telephone instead", "submit", "invalid", "illegal",
)  # fmt: skip
# Limits and terms, which are never one.
ALWAYS_MANY = {
    "most", "least", "limit", "longest", "months", "days", "accept", "answer", "wanted", "hour",
    "year", "page", "file", "row", "line", "group", "number", "found", "low", "high", "length",
}  # fmt: skip


@lru_cache
def sentences(language: str = "zh-Hans") -> tuple[tuple[str, str], ...]:
    """Each key with each of its forms in a language."""
    pairs: list[tuple[str, str]] = []
    for message in catalogue.read("en" if language == "zh-Hans" else language):
        if not message.id:
            continue
        key = message.id if isinstance(message.id, str) else message.id[0]
        said = key if language == "zh-Hans" else message.string
        pairs += [(key, text) for text in ((said,) if isinstance(said, str) else said or ())]
    return tuple(pairs)


def found(pattern: str, *languages: str) -> list[str]:
    return [t for lang in languages for _, t in sentences(lang) if re.search(pattern, t)]


def test_chinese_has_chinese_signs() -> None:
    assert found(rf"{HAN}[,;!?]|{HAN}:(?!/)|[,;!?:]{HAN}", "zh-Hans", "zh_Hant") == []
    assert found(rf"{HAN}\(|\){HAN}|\({HAN}", "zh-Hans", "zh_Hant") == []
    assert found(r"[\"']|\.\.\.|[「」]", "zh-Hans") == []
    assert found(r"[\"'“”‘’]|\.\.\.", "zh_Hant") == []
    assert found(rf"{HAN} +{HAN}", "zh-Hans", "zh_Hant") == []


def test_english_has_english_signs() -> None:
    assert found(r"[\"']|\.\.\.|  (?! *%\(\w+\)4d)", "en") == []
    assert found(r"[，。；：！？「」《》]", "en") == []


def test_a_date_stands_without_gaps_in_chinese() -> None:
    name = r"%\((?:day|last|first|since|until)\)s"
    assert found(rf"{HAN} {name}|{name} {HAN}", "zh-Hans", "zh_Hant") == []


def test_a_text_of_sentences_ends_as_one() -> None:
    open_ended = [
        text
        for language in ("zh-Hans", "zh_Hant")
        for _, text in sentences(language)
        if "。" in text.strip("。")
        if not re.search(r"[。？！：）」”]\s*$|%\(\w+\)s$|[请請]打$", text)
    ]
    assert open_ended == []


def test_no_breath_is_too_long() -> None:
    """Between two stops at most 34 characters, in a sentence at most 90."""
    runs = [
        part
        for _, text in sentences()
        for part in re.split(f"[{STOPS}]", re.sub(r"%\(\w+\)[sd]", "数", text))
        if len(re.findall(HAN, part)) > 34
    ]
    assert runs == []
    whole = [
        part
        for _, text in sentences()
        for part in re.split("[。？！\n]", re.sub(r"%\(\w+\)[sd]", "数", text))
        if len(re.findall(HAN, part)) > 90
    ]
    assert whole == []


@pytest.mark.parametrize("word", OFFICIALESE)
def test_nothing_sounds_like_an_office(word: str) -> None:
    assert found(re.escape(word), "zh-Hans") == []


@pytest.mark.parametrize("word", MAINLAND)
def test_traditional_is_not_converted_simplified(word: str) -> None:
    assert found(re.escape(word), "zh_Hant") == []


def test_no_simplified_sign_is_left_in_traditional() -> None:
    """A sign on its own that a converter would change; those of two lives are left out."""
    convert = opencc.OpenCC("s2t").convert
    two_lives = set("台群床峰污厘采占吃布柜游秘奸托表松制系准面里着只并干后云丑了几征")
    left = {
        sign
        for _, text in sentences("zh_Hant")
        for sign in re.findall(HAN, text)
        if sign not in two_lives and convert(sign) != sign
    }
    assert left == set()


def test_english_counts_one_as_one() -> None:
    """A number before a plural comes from ngettext, is a limit, or the words are turned round."""
    plural = re.compile(r"%\((\w+)\)d (?:more |of these |such )?[a-z]+s\b")
    bare = [
        message.string
        for message in catalogue.read("en")
        if isinstance(message.id, str) and message.id and isinstance(message.string, str)
        for name in plural.findall(message.string)
        if name not in ALWAYS_MANY
    ]
    assert bare == []


def _glossary() -> list[tuple[str, str, str]]:
    rows = re.findall(
        rf"^\| ({HAN}+) \| ([^|]+) \| ([^|]+) \| `", (ROOT / "docs/words.md").read_text("utf-8"),
        re.MULTILINE,
    )  # fmt: skip
    return [(hans, hant.strip(), en.strip()) for hans, hant, en in rows]


def test_the_list_of_words_is_read_here() -> None:
    assert len(_glossary()) > 30


@pytest.mark.parametrize(("hans", "hant", "english"), _glossary(), ids=lambda word: word)
def test_one_thing_has_one_word(hans: str, hant: str, english: str) -> None:
    """In Chinese always; English may leave the word out where it goes without saying."""
    other = [key for key, text in sentences("zh_Hant") if hans in key and hant not in text]
    assert other == []
    words = [word.strip().lower() for word in english.split("/")]
    told = [
        any(word in text.lower() for word in words) for key, text in sentences("en") if hans in key
    ]
    assert told, f"{hans} is on no page"
    assert sum(told) >= 0.7 * len(told)


@pytest.mark.parametrize("word", RIVALS)
def test_english_has_no_second_word_for_it(word: str) -> None:
    assert found(rf"(?i)\b{word}s?\b", "en") == []
