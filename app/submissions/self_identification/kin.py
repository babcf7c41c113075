"""Kin of the speaker who can be told by a name, a post or what befell them; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from app.submissions.self_identification.clauses import COMMA, FIRST_PERSON
from app.submissions.self_identification.folded_text import Folded
from app.submissions.self_identification.kinds import Kind, Span
from app.submissions.self_identification.posts import OTHERS, POST
from app.submissions.self_identification.surnames import LINK, name_at, surname_at

_RELATIONS = Path(__file__).with_name("kin_words.txt").read_text("utf-8").split()
# The first character is looked at before a hundred words are tried.
_RELATION = (
    f"(?=[{''.join(sorted({word[0] for word in _RELATIONS}))}])"
    f"(?:{'|'.join(sorted(_RELATIONS, key=len, reverse=True))})"
)
_MY_KIN = re.compile(
    rf"{FIRST_PERSON}(?:的|家里?的?|们家的?|屋里?的?)?(?:大|小|幺|满|二|三|四|五|亲|堂|表|老|"
    rf"前|养)?({_RELATION})|(?:孩子|"
    rf"娃)(?:他|她|的)?(爸爸?|妈妈?|爹|娘)"
)
_WORKS = re.compile(
    r"(?:现在?|目前|以前|原来?|退休前|一直|就|也|曾)?在([^,。]{1,18}?)(?:上班|工作|任职|任教|"
    r"教书|值班|供职|当[^,]{1,8}|任[^,]{1,8}|做[^,]{1,8}|管[^,]{1,6}|开[^,]{0,4}[店车]|打杂|"
    r"煮饭|做事|挂职|写材料)"
)
_NOWHERE = re.compile(
    r"外|广东|深圳|浙江|北京|上海|广州|(?:厂里?|工厂|公司|学校|医院|单位|工地上?|超市|饭店|"
    r"本地|附近|城里|县城|市里|家里?|部队|哪里|这里|那里|那边|这边|机关|企业|事业单位|"
    r"(?<![县镇乡市区])政府)$|"
    r"一家|某"
)
_OFFICE = re.compile(
    r"局|所|院|站|校|小学|中学|[一二三四五六七八九]中|厂|公司|银行|政府|委|办|中心|村部|社区|"
    r"信用社|队|店|监狱|林场|农场|矿|学|幼儿园|室|税|财政|邮|电|镇|乡|村|[妇残文侨工商]联|工会|"
    r"部|馆|场|处|庭|库|协|人大"
)
_OCCUPATION = re.compile(
    r"老师|教师|医生|护士|民警|警察|职工|干部|员工|工作人员|公务员|司机|法官|检察官|辅警|协警|"
    r"接生婆|铁匠|石匠|兽医|电工|护林员|网格员|炊事员|清洁工|"
    r"工程师|校医|裁缝|理发师|木匠|药剂师|保安"
)
_OFFICER = (
    r"(?:书记|主任|村长|支书|会计|组长|所长|站长|校长|局长|院长|镇长|乡长|队长|股长|科长|老板|"
    r"厂长|经理)"
)
_OFFICER_MINE = re.compile(
    rf"{_OFFICER}(?:(?:就)?是(?:我|俺|本人)(?:的|家的?)?.{{0,3}}?{_RELATION}|"
    rf"的?{_RELATION}(?:就)?是(?:我|俺|本人)(?![的们家]))"
)
_OF_SOMEBODY = re.compile(
    rf"{FIRST_PERSON}(?:就)?(?:是|系)(?:已故)?(?:的)?([^,。!?;\n]{{1,16}}?)的?{_RELATION}"
)


_KIN_HOLDS = re.compile(
    rf"(?:现在?|目前|以前|原来?|退休前|就|也|曾)?(?:是|当|任|担任|在)(?!.*(?:不是|"
    rf"没))[^,]{{0,16}}?({POST.pattern})(?![\u4e00-\u9fff])"
)
_SITS = re.compile(
    r"(?:现在?|目前|以前|原来?|一直|就|也|都)?在[^,]{0,10}?(?:局|派出所|供电所|财政所|司法所|"
    r"纪委|政法委|法院|检察院|"
    r"公安|税务|信用社|政府|[^,]{2}[所站队社委办]|办公室|村委会?|居委会?|党委|组织部|宣传部|"
    r"统战部|交警队|城管队?)里?(?![\u4e00-\u9fff])"
)
_NAMED_BY_ROLE = re.compile(
    r"(?:就)?是[^,]{0,10}?(?:烈士|老兵|战士|英雄|党员|劳模|职工|干部|军人|教师|老师|医生|书记|主任|"
    r"村长|会计|师傅|村民)"
)
_WHOSE = re.compile(rf"的|家|{_RELATION}")


def find(folded: Folded) -> Iterator[Span]:
    """Everybody by whom the speaker would be known."""
    for start, end in _kin(folded.plain):
        yield Span(start, end, Kind.KIN)


def _kin(plain: str) -> Iterator[tuple[int, int]]:
    for found in _OFFICER_MINE.finditer(plain):
        yield found.span()
    for found in _MY_KIN.finditer(plain):
        rest = COMMA.split(plain[found.end() : found.end() + 26])[0]
        told = _tells_of_kin(plain, found.end(), rest)
        if told:
            yield found.start(), found.end() + told
    for found in _OF_SOMEBODY.finditer(plain):
        whose, at = found[1], found.start(1)
        named = name_at(plain, at, _WHOSE) or _familiar(plain, at)
        dead = re.search(
            r"死者|伤者|受害[者人]|被害|遇难|逝者|[淹摔撞压电烧打]死|过世|去世|牺牲|烈士", whose
        )
        officer = re.search(rf"{_OFFICER}(?:家)?$", whose) and not OTHERS.search(
            whose.replace("被", "")
        )
        if (
            named
            or dead
            or officer
            or ((old := re.search(r"[老小](\S)家?$", whose)) and surname_at(old[1], 0))
        ):
            yield at, found.end()


def _familiar(plain: str, at: int) -> int:
    end = surname_at(plain, at + 1) if plain[at : at + 1] in ("老", "小") else 0
    return end if end and plain[end : end + 1] in ("的", "家") else 0


_LIVES_ON = re.compile(r"[去前今昨上因被得生死病从到还都已曾当做为常每]")


def _three(plain: str, at: int) -> int:
    """ "我丈夫刘长庚去年……": behind kin a whole name needs no full stop."""
    end = name_at(plain, at, _LIVES_ON)
    return end if end == at + 3 else 0


def _tells_of_kin(plain: str, at: int, rest: str) -> int:
    """How much of the clause behind "我爱人" tells who it is; 0 when it tells nothing."""
    named = re.match(r"[,:]?(?:就)?(?:名叫|名字叫|叫做?|是|姓)?[:]?", rest)
    skipped = named.end() if named else 0
    end = name_at(plain, at + skipped, LINK) or _three(plain, at + skipped)
    if end and (skipped or not rest.startswith(("在",))):
        return end - at
    if rest.startswith("姓") and surname_at(rest, 1):
        return 2
    if sits := _SITS.match(rest):
        return sits.end()
    works = _WORKS.match(rest)
    if works and _OFFICE.search(works[1]) and not _NOWHERE.search(works[1]):
        return works.end()
    holds = _KIN_HOLDS.match(rest)
    if holds and not OTHERS.search(rest[1 : holds.start(1)].replace("你们", "")):
        return holds.end()
    if led := _NAMED_BY_ROLE.match(rest):
        end = name_at(plain, at + led.end(), LINK)
        if end:
            return end - at
    job = _OCCUPATION.search(rest)
    if job and re.match(r"(?:就)?[是系](?!一)", rest) and _OFFICE.search(rest[: job.start()]):
        return job.end()
    return 0
