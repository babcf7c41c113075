"""The speaker's own door: an address with a number, told in the first person; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.submissions.self_identification.clauses import CLAUSE, FIRST_PERSON
from app.submissions.self_identification.folded_text import Folded
from app.submissions.self_identification.kinds import Kind, Span

_N = r"[0-9一二三四五六七八九十百零〇]{1,5}"
_STREET_END = (
    "[村组路街巷弄里庄湾屯寨队道区苑园院城坊社冲坪岭塘排段寓府邸庭居阁舍郡镇湖台桥"
    "楼店沟坡洼墩岗河营堡铺胡同]"
)
_PLACE = rf"(?:{_STREET_END}|门牌号?码?[是为:]?)"
_DOOR = re.compile(
    rf"{_N}\s?(?:号楼|栋|幢|座|楼|#楼|#)[\s,\-]?{_N}\s?(?:单元|门|梯|楼|"
    rf"层)[\s,\-]?(?:{_N}\s?(?:室|号|户|房)?)?"
    rf"|{_N}\s?(?:号楼|栋|幢|座|楼|#楼|#|单元)[\s,\-]?(?:{_N}\s?(?:室|户|房|号房?)|"
    rf"[0-9]{{3,4}}(?![0-9年元]))"
    r"|(?<![0-9\-])[0-9]{1,3}[\-之][0-9]{1,2}[\-之][0-9]{3,4}(?![0-9\-])"
    r"|(?<![0-9\-.])[0-9]{1,2}-[0-9]{3,4}(?![0-9\-.])"
    rf"|(?<={_STREET_END})(?:附|第|的|内|里)?{_N}(?:[\-之]{_N})?\s?号(?:附{_N}号?|院|之{_N})?"
    r"(?![楼线路窗电桥公车井杆矿厂台口泵灯机地坑文仓库门店铺站码])"
    rf"|(?<=[牌牌号码是为:\s])(?<=..){_N}号?(?=[,。\s]|$)"
    r"|(?<![0-9])[0-9]{3,4}(?:室|号房)"
)
_HOME = re.compile(
    rf"{FIRST_PERSON}们?(?:屋里|屋场|屋门|寨子)(?:就|是)?(?:住在?|在)"
    rf"|{FIRST_PERSON}(?:们?家|家里|老家)?(?:的?(?:房子|住址|地址|家庭住址|门牌号?码?|房号|"
    rf"房间|宿舍|"
    rf"屋))?(?:现在?|就|目前|一直|是|租)?(?:居?住[在于]?|在|是|租)?"
    r"|(?<![\u4e00-\u9fff])(?:家住|现?住在?|家在)|(?:家庭|现|联系|通讯|通信|常住|居住|户籍|"
    r"我的|本人)(?:住?地?址|住地)|住址|家门牌号?码?"
    r"|(?:^|(?<=[\n,;。\s]))(?:地址|住)[:\s]{1,2}"
)
_ELSEWHERE = re.compile(
    r"离|到|去|找|经过|路过|建议|希望|反映|看到|发现|"
    r"投诉|办|政务|大厅|窗口|楼道|电梯"
)
_BESIDE = re.compile(r"对面|旁边|附近|门口|门前|前面|后面|边上")
_DWELLS = re.compile(r"[住在址地]$")
_BARE = re.compile(rf"{FIRST_PERSON}(?:是)?")
_DWELLER = re.compile(r"的?(?:业主|住户|居民|租户|家|屋|户)|的(?![\u4e00-\u9fff])")
_NUMBERED = re.compile(rf"{_N}号?")
_BY_NAME = re.compile(r"门牌|房号|址")
_STREET = re.compile(_PLACE + "$")
_WITHIN = re.compile(r"[\u4e00-\u9fff\s\-]{0,12}")
_AT_MY_HOME = re.compile(
    r"(?:我|俺|我们)家(?:的)?(?:楼上|楼下|隔壁|对门|对面|旁边)(?:是|的|"
    r"住的)?([0-9]{3,4})(?![0-9年元块路])"
)


def find(folded: Folded) -> Iterator[Span]:
    """Every door that the speaker calls theirs."""
    for start, end in _addresses(folded.plain):
        yield Span(start, end, Kind.ADDRESS)


def _addresses(plain: str) -> Iterator[tuple[int, int]]:
    for found in _AT_MY_HOME.finditer(plain):
        yield found.span(1)
    homes = [*_HOME.finditer(plain)]
    for place, home in enumerate(homes):
        following = homes[place + 1].start() if place + 1 < len(homes) else len(plain)
        stop = min(following, home.end() + 50)
        cut = CLAUSE.search(plain, home.end(), stop)
        doors = [*_DOOR.finditer(plain, home.end(), cut.start() if cut else stop)]
        for first, door in enumerate(doors):
            if _is_home(
                home[0], plain[home.end() : door.start()], door[0], plain[door.end() :][:5]
            ):
                yield home.end(), _innermost(plain, doors[first:])
                break


def _innermost(plain: str, doors: list[re.Match[str]]) -> int:
    """Where an address ends that names a door within a door: "老街6号宿舍3栋301"."""
    end = doors[0].end()
    for door in doors[1:]:
        if not _WITHIN.fullmatch(plain, end, door.start()):
            break
        end = door.end()
    return end


def _is_home(home: str, gap: str, door: str, behind: str) -> bool:
    """Whether this door is the speaker's, and not what lies opposite their home."""
    bare = _BARE.fullmatch(home)
    if bare and not _DWELLER.match(behind):
        return False
    if _NUMBERED.fullmatch(door) and not _BY_NAME.search(home + gap) and not _STREET.search(gap):
        return False
    if _BESIDE.search(gap) and not _DWELLS.search(home.strip(" :")):
        return False
    return not _ELSEWHERE.search(gap) and gap.count(",") <= (0 if bare else 1)
