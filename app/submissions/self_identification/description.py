"""What only one person of a place can say: an address, a post of one's own, kin; pure.

The rare word is looked for first, then the first person in the clause before it: a village
secretary of whom somebody complains gives nobody away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.submissions.self_identification.folded_text import Folded
from app.submissions.self_identification.kinds import Kind, Span
from app.submissions.self_identification.surnames import LINK, name_at, surname_at

_CLAUSE = re.compile(r"[。!?;\n]")
_COMMA = re.compile(r"[。!?;\n,]")
_I = r"(?:我|本人|俺|咱|鄙人)"


def find(folded: Folded) -> Iterator[Span]:
    """Addresses, posts and kin of the speaker."""
    plain = folded.plain
    yield from (Span(*place, Kind.ADDRESS) for place in _addresses(plain))
    yield from (Span(*place, Kind.POST) for place in _posts(plain))
    yield from (Span(*place, Kind.POST) for place in _only_ones(plain))
    yield from (Span(*place, Kind.KIN) for place in _kin(plain))


# --- addresses ----------------------------------------------------------------------------------

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
    rf"|(?<={_STREET_END})(?:附|第|的)?{_N}(?:[\-之]{_N})?\s?号(?:附{_N}号?|院|之{_N})?"
    r"(?![楼线路窗电桥公车井杆矿厂台口泵灯机地坑文仓库门店铺站码])"
    rf"|(?<=[牌牌号码是为:\s])(?<=..){_N}号?(?=[,。\s]|$)"
    r"|(?<![0-9])[0-9]{3,4}(?:室|号房)"
)
_HOME = re.compile(
    rf"{_I}(?:们?家|家里|老家)?(?:的?(?:房子|住址|地址|家庭住址|门牌号?码?|房号|房间|宿舍|"
    rf"屋))?(?:现在?|就|目前|一直|是|租)?(?:居?住在?|在|是|租)?"
    r"|(?<![\u4e00-\u9fff])(?:家住|现?住在?|家在)|(?:家庭|现|联系|通讯|通信|常住|居住|户籍|"
    r"我的|本人)(?:住?地?址|住地)|住址|家门牌号?码?"
    r"|(?:^|(?<=[\n,;。\s]))(?:地址|住)[:\s]{1,2}"
)
_ELSEWHERE = re.compile(
    r"对面|旁边|附近|离|门口|门前|前面|后面|边上|到|去|找|经过|路过|建议|希望|反映|看到|发现|"
    r"投诉|办|政务|大厅|窗口|楼道|电梯"
)
_BARE = re.compile(rf"{_I}(?:是)?")
_DWELLER = re.compile(r"的?(?:业主|住户|居民|租户|家|屋|户)")
_NUMBERED = re.compile(rf"{_N}号?")
_BY_NAME = re.compile(r"门牌|房号|址")
_STREET = re.compile(_PLACE + "$")
_AT_MY_HOME = re.compile(
    r"(?:我|俺|我们)家(?:的)?(?:楼上|楼下|隔壁|对门|对面|旁边)(?:是|的|"
    r"住的)?([0-9]{3,4})(?![0-9年元块路])"
)


def _addresses(plain: str) -> Iterator[tuple[int, int]]:
    for found in _AT_MY_HOME.finditer(plain):
        yield found.span(1)
    homes = [*_HOME.finditer(plain)]
    for place, home in enumerate(homes):
        following = homes[place + 1].start() if place + 1 < len(homes) else len(plain)
        stop = min(following, home.end() + 50)
        cut = _CLAUSE.search(plain, home.end(), stop)
        for door in _DOOR.finditer(plain, home.end(), cut.start() if cut else stop):
            if _is_home(
                home[0], plain[home.end() : door.start()], door[0], plain[door.end() :][:5]
            ):
                yield home.end(), door.end()
                break


def _is_home(home: str, gap: str, door: str, behind: str) -> bool:
    """Whether this door is the speaker's, and not what lies opposite their home."""
    bare = _BARE.fullmatch(home)
    if bare and not _DWELLER.match(behind):
        return False
    if _NUMBERED.fullmatch(door) and not _BY_NAME.search(home + gap) and not _STREET.search(gap):
        return False
    return not _ELSEWHERE.search(gap) and gap.count(",") <= (0 if bare else 1)


# --- posts --------------------------------------------------------------------------------------

_ALONE = (
    r"(?:[副正]?(?:总?支?部?书记|主任|村长|镇长|乡长|县长|区长|局长|所长|站长|股长|处长|院长|"
    r"校长|园长|厂长|馆长|总经理|董事长|理事长|"
    r"主席|会长|秘书长|社长|场长|大队长|庭长|检察长|行长|台长)|支书|会计|出纳|妇女主任|"
    r"妇联主任|民兵连长|护士长|[村居]?小组长|组长|楼长|村主任|组织委员|"
    r"宣传委员|纪检委员|统战委员|青年委员|生活委员|党务专干|报账员|文书|村医|人大代表|政协委员|"
    r"族长|监委会主任|大学生村官|村官)"
)
_WITH_PLACE = (
    r"(?:[科队班排连厅组]长|网格员|护林员|护河员|水管员|保洁员|清洁工|门卫|保安队长|电工|"
    r"邮递员|兽医|经理|店主|老板|负责人|法人代?表?|法定代表人|"
    r"承包人|班主任|委员|支委|党委委员|驻村干部|专干|管理员|档案员|炊事员|厨师|图书管理员|校医|"
    r"收费员|播音员|司机|秘书|教导员|指导员|干事|内勤|文员)"
)
_POST = re.compile(rf"{_ALONE}|{_WITH_PLACE}")
_HOLDS = re.compile(
    rf"{_I}(?:的职务|的岗位|现在?|目前|一直|曾经?|以前|原来?|退休前|过去|就|也|便|今年|刚|,){{0,3}}"
    r"(?:(是|系|任|担任|当|做|兼任|兼|作为|身为|干|乃)|(在)|)"
)
_OTHERS = re.compile(
    r"[给找听被向跟和与对问让叫请替把想说去来看认觉要求希望建议感谢见得知发现不没找骂拉他她你您们怕恨有等告]|反映|举报|投诉|同意|支持|拥护|到了"
)
_US = re.compile(r"[我咱俺]们")
_NO_ONE = re.compile(r"^[是为]?一[名个位]|之一|^[名个位]|普通|等")
_BEHIND_POST = re.compile(
    r"[^\u4e00-\u9fffA-Za-z]|$|一职|职务|职位|岗位|多年|期间|时|的时候|已|这|兼|和|同志|"
    r"的?(?:职|工作)|有?[一二三四五六七八九十几多半]|了[\d一二三四五六七八九十几多]|,"
)
_SCOPE = re.compile(r"[村组站所局院校镇乡县社部班科厂司队区楼场店室办段库路巷园格]")


def _posts(plain: str) -> Iterator[tuple[int, int]]:
    for post in _POST.finditer(plain):
        if not _BEHIND_POST.match(plain, post.end()) and not name_at(plain, post.end(), LINK):
            continue
        begins = max(0, post.start() - 26)
        clause = _CLAUSE.split(plain[begins : post.start()])[-1]
        told = list(_HOLDS.finditer(clause))
        own = next((t for t in told if _is_own(clause[t.end() :], t, post[0])), None)
        if own:
            yield post.start() - len(clause) + own.end(), post.end()
        elif _speaks_as(plain, clause, post.end()):
            yield post.start(), post.end()


def _is_own(gap: str, told: re.Match[str], post: str) -> bool:
    verb, at = told.groups()
    gap = _US.sub("", gap)
    if at:
        return bool(re.search(r"(?:当|任|做|担任|干|是)(?:了|过)?[^,]{0,10}$", gap)) and (
            not re.search(r"[给找听被向跟对问让请说见]", re.split(r"[当任做干]", gap)[0])
        )
    if verb in ("当", "任", "担任", "做", "兼任", "兼", "干"):
        return not re.search(r"[给找听被向跟对问让请说,]", gap) and len(gap) < 18
    if _OTHERS.search(gap) or gap.count(",") > (verb is None and gap.startswith(",")):
        return False
    if verb is None and not (len(gap) > 1 and _SCOPE.search(gap) and told[0].startswith("本人")):
        return False
    if re.fullmatch(_ALONE, post):
        return "之一" not in gap
    return bool(_SCOPE.search(gap)) and not _NO_ONE.search(gap)


def _speaks_as(plain: str, clause: str, end: int) -> bool:
    """ "身为龙潭村会计，我……"."""
    told = re.search(r"(?:作为|身为)([^,]{0,16})$", clause)
    return bool(
        told and re.match(rf",\s?{_I}(?!们)", plain[end : end + 4]) and not _OTHERS.search(told[1])
    )


_PLACES = (
    r"(?:全[村组镇乡县局所科院校站队厂班楼屋湾社]|村里|村上|我们村|本村|全组|组里|我们组|"
    r"单位里?|我们单位|局里|镇上|全镇|全乡|全县|科室里?|科里|学校里?|全校|支部里?|整栋楼?|全楼|"
    r"这栋楼?|"
    r"小区里?|班上|全班|站里|所里|院里|全院|队里|厂里|全厂|社区里?|楼里|部门里?|办公室里?|"
    r"公司里?|窗口|湾里|庄里|屯里|寨子?里)"
)
_ONLY_ME = re.compile(
    rf"(?:{_PLACES}|村|组)[^,。!?\n]{{0,4}}(?:就|只有|仅有?|只剩|就只有|独独|除了|"
    rf"唯独){{1,2}}(?:有|剩)?{_I}(?:们?家)?(?:这?一?(?:个|人|户|家|名)|是|还|没|家|会|懂)"
)
_ONLY = re.compile(r"唯一|独一无二|独一个|仅有的?一[个名位户]")
_ORDINARY = re.compile(
    r"唯一的?(?:儿|女儿|孩|子女|劳动|收入|经济|办法|希望|出路|一条|要求|诉求|通道|公交|途径|"
    r"愿望|水源|生活|依靠|选择|住房|房产|路|桥|的?路|的?通|幼儿园|学校|医院|"
    r"方式|可以|能|标准|依据|理由|原因|公园|超市|菜|火车|加油|停车)"
)
_WHERE = re.compile(
    r"村|组|单位|镇|局|社区|支部|学?校|院|科|小区|班|县|厂|队|乡|楼|所|站|公司|部门|办公室|"
    r"窗口|这里|本地|湾|庄|屯"
)


_I_AM_IT = re.compile(rf"{_I}(?:们?家)?[^给对向跟请]{{0,4}}(?:是|就是|作为|为|系|成了|当)")
_IT_IS_ME = re.compile(rf"是{_I}")


def _only_ones(plain: str) -> Iterator[tuple[int, int]]:
    """What there is once: "村里唯一的会计", "全村就我一户"."""
    for found in _ONLY_ME.finditer(plain):
        yield found.span()
    for found in _ONLY.finditer(plain):
        back = _COMMA.split(plain[max(0, found.start() - 24) : found.start()])[-1]
        ahead = _COMMA.split(plain[found.end() : found.end() + 14])[0]
        told = _I_AM_IT.search(back)
        mine = _IT_IS_ME.search(ahead)
        if not (told or mine) or _ORDINARY.match(plain, found.start()):
            continue
        if _WHERE.search(back + ahead) and not re.search(r"家[里中]|全家", back):
            start = found.start() - (len(back) - told.end() if told else 0)
            yield start, found.end() + len(ahead)


# --- kin ----------------------------------------------------------------------------------------

_RELATIONS = (
    "爱人", "老公", "丈夫", "老婆", "妻子", "媳妇", "媳妇儿", "儿子", "女儿", "闺女", "儿媳",
    "儿媳妇", "女婿", "父亲", "母亲", "爸", "爸爸", "妈", "妈妈", "老爸", "老妈", "爹", "娘",
    "老父亲", "老母亲", "哥", "哥哥", "弟", "弟弟", "姐", "姐姐", "妹", "妹妹", "公公", "婆婆",
    "岳父", "岳母", "孙子", "孙女", "外孙", "外孙女", "侄子", "侄女", "侄儿", "外甥", "外甥女",
    "舅", "舅舅", "叔", "叔叔", "伯", "伯伯", "姑", "姑姑", "姨", "姨妈", "男人", "当家的",
    "爷爷", "奶奶", "外公", "外婆", "家属", "对象", "老伴", "老伴儿", "老头", "老头子", "嫂",
    "嫂子", "姐夫", "妹夫", "弟媳", "弟妹", "亲家", "丈人", "丈母娘", "小孩", "孩子", "娃",
    "亲戚", "堂哥", "堂弟", "堂姐", "堂妹", "表哥", "表弟", "表姐", "表妹", "遗孀", "遗属",
    "后人", "养子", "养女", "未婚妻", "未婚夫", "男朋友", "女朋友", "家那口子", "那口子",
)  # fmt: skip
_RELATION = f"(?:{'|'.join(sorted(_RELATIONS, key=len, reverse=True))})"
_MY_KIN = re.compile(
    rf"{_I}(?:的|家里?的?|们家的?)?(?:大|小|二|三|四|亲|堂|表|老|前|养)?({_RELATION})|(?:孩子|"
    rf"娃)(?:他|她|的)?(爸爸?|妈妈?|爹|娘)"
)
_WORKS = re.compile(
    r"(?:现在?|目前|以前|原来?|退休前|一直|就|也|曾)?在([^,。]{1,18}?)(?:上班|工作|任职|任教|"
    r"教书|值班|供职|当[^,]{1,8}|任[^,]{1,8}|做[^,]{1,8}|管[^,]{1,6}|开[^,]{0,4}店)"
)
_NOWHERE = re.compile(
    r"外|广东|深圳|浙江|北京|上海|广州|(?:厂里?|工厂|公司|学校|医院|单位|工地上?|超市|饭店|"
    r"本地|附近|城里|县城|市里|家里?|部队|哪里|这里|那里|那边|这边|机关|企业|事业单位|政府)$|"
    r"一家|某"
)
_OFFICE = re.compile(
    r"局|所|院|站|校|小学|中学|[一二三四五六七八九]中|厂|公司|银行|政府|委|办|中心|村部|社区|"
    r"信用社|队|店|监狱|林场|农场|矿|学|幼儿园|室|税|财政|邮|电|镇|乡|村"
)
_OCCUPATION = re.compile(
    r"老师|教师|医生|护士|民警|警察|职工|干部|员工|工作人员|公务员|司机|法官|检察官|辅警|协警|"
    r"工程师|校医|裁缝|理发师|木匠|药剂师|保安"
)
_OFFICER = (
    r"(?:书记|主任|村长|支书|会计|组长|所长|站长|校长|局长|院长|镇长|乡长|队长|股长|科长|老板|"
    r"厂长|经理)"
)
_OFFICER_MINE = re.compile(rf"{_OFFICER}(?:就)?是(?:我|俺|本人)(?:的|家的?)?.{{0,3}}?{_RELATION}")
_OF_SOMEBODY = re.compile(
    rf"{_I}(?:就)?(?:是|系)(?:已故)?(?:的)?([^,。!?;\n]{{1,16}}?)的?{_RELATION}"
)


_KIN_HOLDS = re.compile(
    rf"(?:现在?|目前|以前|原来?|退休前|就|也|曾)?(?:是|当|任|担任|在)(?!.*(?:不是|"
    rf"没))[^,]{{0,16}}?({_POST.pattern})(?![\u4e00-\u9fff])"
)
_WHOSE = re.compile(rf"的|家|{_RELATION}")


def _kin(plain: str) -> Iterator[tuple[int, int]]:
    for found in _OFFICER_MINE.finditer(plain):
        yield found.span()
    for found in _MY_KIN.finditer(plain):
        rest = _COMMA.split(plain[found.end() : found.end() + 26])[0]
        told = _tells_of_kin(plain, found.end(), rest)
        if told:
            yield found.start(), found.end() + told
    for found in _OF_SOMEBODY.finditer(plain):
        whose, at = found[1], found.start(1)
        named = name_at(plain, at, _WHOSE) or _familiar(plain, at)
        dead = re.search(r"死者|伤者|受害[者人]|被害人|遇难者|逝者", whose)
        officer = re.search(rf"{_OFFICER}(?:家)?$", whose) and not _OTHERS.search(whose)
        if (
            named
            or dead
            or officer
            or (re.search(r"[老小]\S家$", whose) and surname_at(whose, len(whose) - 2))
        ):
            yield at, found.end()


def _familiar(plain: str, at: int) -> int:
    end = surname_at(plain, at + 1) if plain[at : at + 1] in ("老", "小") else 0
    return end if end and plain[end : end + 1] in ("的", "家") else 0


def _tells_of_kin(plain: str, at: int, rest: str) -> int:
    """How much of the clause behind "我爱人" tells who it is; 0 when it tells nothing."""
    named = re.match(r"[,:]?(?:就)?(?:名叫|名字叫|叫做?|是|姓)?[:]?", rest)
    skipped = named.end() if named else 0
    end = name_at(plain, at + skipped, LINK)
    if end and (skipped or not rest.startswith(("在",))):
        return end - at
    if rest.startswith("姓") and surname_at(rest, 1):
        return 2
    works = _WORKS.match(rest)
    if works and _OFFICE.search(works[1]) and not _NOWHERE.search(works[1]):
        return works.end()
    holds = _KIN_HOLDS.match(rest)
    if holds and not _OTHERS.search(rest[1 : holds.start(1)]):
        return holds.end()
    job = _OCCUPATION.search(rest)
    if job and re.match(r"(?:就)?是(?!一)", rest) and _OFFICE.search(rest[: job.start()]):
        return job.end()
    return 0
