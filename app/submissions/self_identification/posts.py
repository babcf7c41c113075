"""A post of one's own, and what there is only once: "村里唯一的会计"; pure.

The rare word is looked for first, then the first person in the clause before it: a village
secretary of whom somebody complains gives nobody away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.submissions.self_identification.clauses import CLAUSE, COMMA, FIRST_PERSON
from app.submissions.self_identification.folded_text import Folded
from app.submissions.self_identification.kinds import Kind, Span
from app.submissions.self_identification.surnames import LINK, name_at

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
    r"总工程师|总工|总会计师|营长|连长|书记员|乡村医生|赤脚医生|卫生员|团长|政委|收费员|播音员|"
    r"司机|秘书|教导员|指导员|干事|内勤|文员)"
)
POST = re.compile(rf"{_ALONE}|{_WITH_PLACE}")
_HOLDS = re.compile(
    rf"{FIRST_PERSON}(?:的职务|的岗位|现在?|目前|一直|曾经?|以前|原来?|退休前|过去|就|也|便|"
    rf"今年|刚|,){{0,3}}"
    r"(?:(是|系|任|担任|当|做|兼任|兼|作为|身为|干|乃)|(在)|)"
)
OTHERS = re.compile(
    r"[给找听被向跟和与对问让叫请替把想说去来看认觉见不没骂拉他她你您怕恨有等告]|要求|希望|"
    r"建议|感谢|得知|发现|"
    r"反映|举报|投诉|同意|支持|拥护|到了"
)
_US = re.compile(r"[我咱俺]们")
_NO_ONE = re.compile(r"^[是为]?一[名个位]|之一|^[名个位]|普通|等")
_BEHINDPOST = re.compile(
    r"[^\u4e00-\u9fffA-Za-z]|$|一职|职务|职位|岗位|多年|期间|时|的时候|以来|至今|[之以]?[前后]|"
    r"已|这|兼|和|同志|"
    r"的?(?:职|工作)|[都已]?有?[一二三四五六七八九十几多半]|了[\d一二三四五六七八九十几多]|,"
)
_SCOPE = re.compile(r"[村组站所局院校镇乡县社部班科厂司队区楼场店室办段库路巷园格]")


_ANYWHERE = re.compile(
    r"(?:这个?|那个?|一[个家所])?(?:学校|医院|单位|公司|工厂|厂|小区|社区|商场|超市|酒店|饭店|"
    r"工地|企业)[里上]?的?"
)


def find(folded: Folded) -> Iterator[Span]:
    """Every post that the speaker holds, everything that only the speaker is."""
    for start, end in (*_posts(folded.plain), *_only_ones(folded.plain)):
        yield Span(start, end, Kind.POST)


def _posts(plain: str) -> Iterator[tuple[int, int]]:
    for post in POST.finditer(plain):
        if not _BEHINDPOST.match(plain, post.end()) and not name_at(plain, post.end(), LINK):
            continue
        begins = max(0, post.start() - 26)
        clause = CLAUSE.split(plain[begins : post.start()])[-1]
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
    if OTHERS.search(gap) or gap.count(",") > (verb is None and gap.startswith(",")):
        return False
    if verb is None and not (len(gap) > 1 and _SCOPE.search(gap) and told[0].startswith("本人")):
        return False
    if re.fullmatch(_ALONE, post):
        return "之一" not in gap
    if _ANYWHERE.fullmatch(gap.lstrip("是系在")):
        return False
    return bool(_SCOPE.search(gap)) and not _NO_ONE.search(gap)


def _speaks_as(plain: str, clause: str, end: int) -> bool:
    """ "身为龙潭村会计，我……"."""
    told = re.search(r"(?:作为|身为)([^,]{0,16})$", clause)
    return bool(
        told
        and re.match(rf",\s?{FIRST_PERSON}(?!们)", plain[end : end + 4])
        and not OTHERS.search(told[1])
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
    rf"唯独){{1,2}}(?:有|剩)?{FIRST_PERSON}(?:们?家)?(?:这?一?(?:个|人|户|家|名)|是|还|没|家|会|懂)"
)
_ONLY = re.compile(
    r"唯一|独一无二|独一个|仅有的?一[个名位户]|(?:第|头)一[个名位]|(?:年纪|年龄|岁数|"
    r"工龄|党龄|资历)最[大小老高长]|最后一[个名位户]"
)
_ORDINARY = re.compile(
    r"唯一的?(?:儿|女儿|孩|子女|劳动|收入|经济|办法|希望|出路|一条|要求|诉求|通道|公交|途径|"
    r"愿望|水源|生活|依靠|选择|住房|房产|路|桥|的?路|的?通|幼儿园|学校|医院|"
    r"方式|可以|能|标准|依据|理由|原因|公园|超市|菜|火车|加油|停车)"
)
_WHERE = re.compile(
    r"村|组|单位|镇|局|社区|支部|学校|[小中大]学|校|院|科|小区|班|县|厂|队|乡|楼|所|站|公司|"
    r"部门|办公室|"
    r"窗口|这里|本地|湾|庄|屯"
)


_CHARGE = re.compile(
    rf"{FIRST_PERSON}(?:一直|现在?|以前|"
    rf"曾经?)?在(?:[^,。!?;\n]{{0,8}}[村局所站院校科办厂队社镇乡室会部委]|单位|"
    rf"公司)[里上]?(?:一直|专门)?"
    r"(?:分管|主管|保管|掌管|经管|经手|管|负责)[^,。!?;\n]{0,6}?"
    r"(?:公章|印章|账|财务|钱|现金|档案|票|人事|仓库|名单|低保|民政|党务|采购|食堂|后勤|机要|机房)"
)
_THAT_ONE = re.compile(
    r"(?:我|俺|本人)就是(?:那[个位名]|[^,。!?;\n]{2,20}的那[个位名])(?!意思|样|想法|态度|"
    r"看法)[^,。!?;\n]{0,20}"
)
_I_AM_IT = re.compile(
    rf"{FIRST_PERSON}(?:们?家)?[^给对向跟请]{{0,4}}(?:是|就是|作为|为|系|成了|当)"
)
_IT_IS_ME = re.compile(rf"是{FIRST_PERSON}")


def _only_ones(plain: str) -> Iterator[tuple[int, int]]:
    """What there is once: "村里唯一的会计", "全村就我一户"."""
    for pattern in (_ONLY_ME, _CHARGE, _THAT_ONE):
        for found in pattern.finditer(plain):
            yield found.span()
    for found in _ONLY.finditer(plain):
        back = COMMA.split(plain[max(0, found.start() - 24) : found.start()])[-1]
        ahead = COMMA.split(plain[found.end() : found.end() + 14])[0]
        told = _I_AM_IT.search(back)
        mine = _IT_IS_ME.search(ahead)
        if not (told or mine) or _ORDINARY.match(plain, found.start()):
            continue
        if _WHERE.search(back + ahead) and not re.search(r"家[里中]|全家", back):
            start = found.start() - (len(back) - told.end() if told else 0)
            yield start, found.end() + len(ahead)
