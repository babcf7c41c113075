"""Where a speaker tells their name: behind "我叫", behind a label, as a signature; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.submissions.self_identification.folded_text import Folded
from app.submissions.self_identification.kinds import Kind, Span
from app.submissions.self_identification.surnames import (
    LINK,
    NEVER_GIVEN,
    STRICT_LINK,
    TITLES,
    is_han,
    name_at,
    surname_at,
)

_CALLED = re.compile(
    r"(?<![跟对向让使])(?:我的?名字?[叫是]|我的大名[叫是]?|(?:我|本人|俺|咱)(?:就|名|的真名|"
    r"真名)?(?:叫(?:做|作)?|[喊唤名][做作])|在下|鄙人|小民|草民|民女|卑职|晚辈|老朽|小女子|弱女子|"
    r"(?:我|本人|鄙人)的?(?:姓名|真名|真实姓名|实名)[叫是为]?|本人名叫|实名(?:反映|"
    r"举报)?人?|我的?(?:名字?|大名|姓名)[^。!?\n:]{1,8}:|(?:行不更名|坐不改姓)[,\s]|"
    r"我[,是][^。!?;\n]{0,16},(?:名|大名)叫|"
    r"(?:村民|学生|家长|业主|党员|居民|职工|教师|群众|代表|户主|社员|退休干部)(?=:))[\s:]{0,2}"
)
_LABEL = re.compile(
    r"(?<!被)(?:姓名|名字|署名|落款|签名|签字|户主|留名|"
    r"(?:联系|反映|反应|举报|投诉|申请|信访|上访|来信|写信|留言|建议|求助|检举|控告|提议|联络|"
    r"陈述|报告|投书|具状|诉求|申诉|意见|"
    r"发信|寄信|报案|咨询|诉讼|提出|代笔|执笔|书写|填表|填报|提交|发言|提问)(?:群众|村民|居民|"
    r"党员|业主|者|人)?(?:姓名|签名|签字)?)"
    r"(?:是|为|叫)?[\s:,()]{0,4}"
)
_NAME_AND_NAME = re.compile(r"[、,/\s和及与]{1,2}")
_SELF = re.compile(
    r"(?:我|本人|俺|咱|鄙人)(?:就|也|乃|便)?(?:是|系|乃)|这里是|我这边是|"
    r"(?<!请)本人[,:、\s]{0,2}|(?<![\u4e00-\u9fff])我[,:、]\s?|(?<=[\n,。])叫"
)
_ROLE = re.compile(
    r"的那[个位]|的|邻居|村民|党员|老师|教师|医生|护士|职工|工人|居民|业主|住户|干部|学生|家长|"
    r"户主|员工|农民|群众|劳模|模范|战士|同事|同学|师傅|代表|家属|知青|烈属|大夫|技术员|"
    r"裁缝|木匠|司机|会计|书记|主任|支书|村长|"
    r"组长|退休|老兵|军人|商户|店主|老板|经理|租户|出纳|委员|所长|站长|校长|局长|员|户|生|"
    r"[组村社队县市镇乡局所站校院厂区]|(?<=[\u4e00-\u9fff])\s|,"
)
_I_AM = re.compile(
    r"(?:我|本人|俺|咱|鄙人)(?:就|也|原)?(?:是|系)|本人|(?<![\u4e00-\u9fff])(?:我|来自)"
)
_SURNAMED = re.compile(
    r"(?<![跟随])(?:我|鄙人|本人|俺|免贵|在下|咱|小弟|老汉|老朽|小女子)(?:家|敝|贱|"
    r"免贵)?也?(?=姓(?!名))|(?:我|俺|"
    r"本人)[^。!?;\n那他她有]{1,12},(?=姓[\u4e00-\u9fff](?:[,。!;\s]|$))"
)
_NICK = re.compile(
    r"(?:我叫|叫我|喊我|称我|称呼我|我就是|我是|俺是|咱是|我|本人)(?=[小老阿大]?[\u4e00-\u9fff])"
)
_BY_SEX = re.compile(r"[,、 (]{1,3}(?:男|女)性?(?=[,、。;)\s]|$)")
_THINGS = ("小白", "小车", "小花", "小麦", "小池", "老井", "老花")
_ENGLISH = re.compile(
    r"(?:my name is|my name's|i am called|call me|yours (?:sincerely|faithfully|"
    r"truly),?)\s{1,3}([a-z]{2,20}(?: [a-z]{2,20}){0,2})", re.I
)  # fmt: skip
_ACCUSED = re.compile(r"被|对象|书记|村长|主任|干部|该人|此人|嫌疑|违法")


def find(folded: Folded) -> Iterator[Span]:
    """Every place where the speaker's name stands."""
    for start, end in (*_told(folded.plain), *_signed(folded.plain)):
        yield Span(start, end, Kind.NAME)


def _told(plain: str) -> Iterator[tuple[int, int]]:
    yield from _behind(plain, _CALLED, LINK, labelled=False)
    yield from _labelled(plain)
    yield from _behind(plain, _SELF, STRICT_LINK, labelled=False)
    yield from _in_apposition(plain)
    yield from _surnames(plain)
    yield from _with_sex(plain)
    yield from _foreign(plain)
    yield from _vowed(plain)
    for found in _ENGLISH.finditer(plain):
        yield found.span(1)


def _behind(
    plain: str, trigger: re.Pattern[str], link: re.Pattern[str], *, labelled: bool
) -> Iterator[tuple[int, int]]:
    for found in trigger.finditer(plain):
        sure = labelled or "名" in found[0]
        end = name_at(plain, found.end(), link, labelled=sure)
        if end:
            yield found.end(), end


def _labelled(plain: str) -> Iterator[tuple[int, int]]:
    for found in _LABEL.finditer(plain):
        at = found.end()
        if not name_at(plain, at, LINK, labelled=":" in found[0]) and (
            place := _FROM.match(plain, at)
        ):
            at = place.end()
        while end := name_at(plain, at, LINK, labelled=":" in found[0]):
            yield at, end
            more = _NAME_AND_NAME.match(plain, end)
            if more is None:
                break
            at = more.end()


_FROM = re.compile(r"[\u4e00-\u9fff]{2,12}\s(?=[\u4e00-\u9fff]{2,4}(?![\u4e00-\u9fff]))")
_TOLD_OF = re.compile(r"(?:反映|举报|投诉)(?!过)|找|要求|希望|告|,(?!叫)")
_ASKED_OF = re.compile(rf"{_TOLD_OF.pattern}|请|给|对|向|跟|和")


def _nicknamed(plain: str, at: int) -> int:
    """ "老周" at the end of a clause."""
    if plain[at : at + 2] in _THINGS:
        return 0
    end = surname_at(plain, at + 1) if plain[at : at + 1] in ("老", "小", "阿") else 0
    return end if end and not is_han(plain[end : end + 1] or " ") else 0


def _titled(plain: str, at: int) -> int:
    """ "莫老师" at the end of a clause."""
    end = surname_at(plain, at)
    title = TITLES.match(plain, end) if end else None
    return title.end() if title and not is_han(plain[title.end() : title.end() + 1] or " ") else 0


def _in_apposition(plain: str) -> Iterator[tuple[int, int]]:
    """ "我是龙潭村三组的张桂芳", "本人系退休教师李国强"."""
    for found in _ROLE.finditer(plain):
        at = found.end()
        if plain[at : at + 1] == "叫":
            at += 1
        end = name_at(plain, at) or _nicknamed(plain, at) or _titled(plain, at)
        if not end:
            continue
        clause = re.split(r"[。!?;\n]", plain[max(0, found.start() - 26) : found.start()])[-1]
        told = _I_AM.search(clause)
        if told is None or (found[0] == "," and "叫" not in plain[at - 1 : at] and "," in clause):
            continue
        of_whom = _TOLD_OF if found[0].startswith("的") else _ASKED_OF
        if not of_whom.search(clause[told.end() :]):
            yield at, end


def _surnames(plain: str) -> Iterator[tuple[int, int]]:
    for found in _SURNAMED.finditer(plain):
        end = surname_at(plain, found.end() + 1)
        if end:
            called = re.compile(
                r"[,\s]?(?:单)?名字?叫?[\u4e00-\u9fff]{1,2}(?![\u4e00-\u9fff])"
            ).match(plain, end)
            yield found.end(), called.end() if called else end
    for found in _NICK.finditer(plain):
        at = found.end()
        familiar = plain[at] in "小老阿大"
        end = surname_at(plain, at + familiar)
        if not end or plain[at:end] in _THINGS:
            continue
        titled = TITLES.match(plain, end) if "我" != found[0] != "本人" else None
        family = re.compile(
            r"家的?[大小二三四]?(?:媳妇|儿子|女儿|孙子|闺女|老婆|当家的)?(?![\u4e00-\u9fff])"
        ).match(plain, end)
        if titled and not is_han(plain[titled.end() : titled.end() + 1] or " "):
            yield at, titled.end()
        elif family and found[0][-1] == "是" and (familiar or plain[family.end() - 1] != "的"):
            yield at, family.end()
        elif familiar and len(found[0]) > 1 and not is_han(plain[end : end + 1] or " "):
            yield at, end


def _with_sex(plain: str) -> Iterator[tuple[int, int]]:
    """ "张三，男，45岁": how people introduce themselves on paper, unless they accuse somebody."""
    for found in _BY_SEX.finditer(plain):
        for start in (found.start() - 3, found.start() - 2, found.start() - 4):
            if start >= 0 and name_at(plain, start) == found.start():
                about = plain[max(0, start - 10) : start] + plain[found.end() : found.end() + 16]
                alone = start == 0 or not is_han(plain[start - 1]) or plain[start - 1] in "叫是系人"
                if alone and not _ACCUSED.search(about):
                    yield start, found.start()
                break


_FOREIGN = re.compile(
    r"(?:我叫|我的名字[叫是]|本人叫?|我是|姓名:?|反映人:?|"
    r"联系人:?)\s?([\u4e00-\u9fff]{1,8}(?:[·•.][\u4e00-\u9fff]{1,8}){1,2})"
    r"|(?:我叫|我的名字[叫是]|姓名:)([\u4e00-\u9fff]{2,5})(?=,\s?(?:家住|今年|男|女|住在?|是|"
    r"来自|系|现年|\d))"
)


def _foreign(plain: str) -> Iterator[tuple[int, int]]:
    """Names that no list of surnames knows."""
    for found in _FOREIGN.finditer(plain):
        if not NEVER_GIVEN.intersection(found[1] or found[2]):
            yield found.span(1 if found[1] else 2)


_VOW = re.compile(
    r"实名|保证|口述|说话|说句|讲话|讲句|活了|一辈子|一生|作证|担保|负责|愿意?|敢于?|以党性|"
    r"郑重|在此|"
    r"对天|[系乃是]"
)


def _vowed(plain: str) -> Iterator[tuple[int, int]]:
    """ "我李国强实名举报", "本人李国强系龙潭村人"."""
    for found in _VOW.finditer(plain):
        before = plain[max(0, found.start() - 6) : found.start()]
        told = re.search(r"本人" if len(found[0]) == 1 else r"本人|我", before)
        if told:
            start = found.start() - len(before) + told.end()
            if name_at(plain, start, _VOW) == found.start():
                yield start, found.start()


_DATE = re.compile(
    r"[(\s]{0,3}(?:(?:19|20|"
    r"二[零〇])[\d〇零一二三四五六七八九]{2}\s?[年./\-]\s?[\d〇零一二三四五六七八九十]{1,3}\s?[月./\-]?"
    r"\s?[\d〇零一二三四五六七八九十]{0,3}\s?[日号]?|"
    r"[\d一二三四五六七八九十]{1,2}月[\d一二三四五六七八九十]{1,3}[日号])[)\s]{0,3}"
)
_SIGNER = re.compile(
    r"村民|党员|群众|业主|居民|职工|教师|老师|学生|住户|干部|退休|军人|用户|公民|市民|读者|"
    r"农民|代表|家长|户主|人|敬礼|谢谢|"
    r"[组村社队县市镇乡局所站校院厂区部]|[\s:—\-(,]"
)
_SIGNED_LINK = re.compile(
    r"敬上|叩|拜上|呈|谨上|上书|敬启|亲笔|手书|字$|上$|书$|启$|(?:联系)?电话|手机"
)
_SAID = re.compile(
    r"查|处|的是|请|找|给|对|让|叫|被|希望|(?:反映|举报|投诉)(?!人|者|群众|村民)|因为|由于|说|"
    r"想|要|不"
)
_AFTER_SIGNATURE = re.compile(
    r"(?:敬上|叩首|叩|拜上|拜托|呈上|谨上|上书|敬启|亲笔|手书|字|呈|上|书|敬呈|泣书|启|"
    r"\(?签[名字]\)?|\(?按?(?:手印|指印)\)?|[\s\-—。.!,:()~]|"
    r"(?:联系)?(?:电话|手机|tel)|[\d*]{3,})*$",
    re.I,
)  # fmt: skip


def _signed(plain: str) -> Iterator[tuple[int, int]]:
    """A name alone at the end, on a line of its own or behind the last full stop."""
    tail_from = max(0, len(plain) - 160)
    lines = [
        found.span() for found in re.finditer(r"[^\n]+", plain[tail_from:]) if found[0].strip()
    ]
    for place, (start, end) in enumerate(lines[-5:]):
        line = plain[tail_from + start : tail_from + end]
        alone = len(lines) > 1 and (start > 0 or tail_from == 0) and (place or len(lines) > 5)
        if alone:
            yield from _signature(line, tail_from + start)
        if place >= len(lines[-5:]) - 2:
            for stop in re.finditer(
                r"[。!?;~…](?=.{2,40}$)|(?:敬礼|谢谢|感谢|为盼|为感)[!,。\s]{0,2}|\s{2,}|—{1,2}|--",
                line,
            ):
                yield from _signature(line[stop.end() :], tail_from + start + stop.end())


def _signature(line: str, offset: int) -> Iterator[tuple[int, int]]:
    dated = _DATE.search(line)
    if dated and dated.start() <= 1:
        offset, line = offset + dated.end(), line[dated.end() :]
    elif dated:
        line = line[: dated.start()]
    if len(line) > 44:
        return
    for at in (0, *(found.end() for found in _SIGNER.finditer(line[:24]))):
        end = name_at(line, at, _SIGNED_LINK)
        while end:
            more = _NAME_AND_NAME.match(line, end)
            again = name_at(line, more.end(), _SIGNED_LINK) if more else 0
            if not again:
                break
            end = again
        if end and _AFTER_SIGNATURE.match(line, end) and not _SAID.search(line[:at]):
            yield offset + at, offset + end
            return
