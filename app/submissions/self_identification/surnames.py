"""Chinese personal names, and the everyday words that begin like one; pure."""

from __future__ import annotations

import re
from pathlib import Path

_SURNAMES = frozenset(
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏窦章云苏潘葛奚范"
    "彭郎鲁韦昌马苗凤方俞任袁柳酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元顾"
    "孟平黄穆萧尹姚邵湛汪祁毛禹狄米贝明臧计伏成戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄"
    "危江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯管卢莫房缪干解应宗丁宣邓郁单杭洪包诸左石"
    "崔吉龚程邢裴陆荣翁荀羊甄曲封储靳焦牧侯班仰秋仲伊宫宁仇栾甘祖武符刘景詹束龙叶幸司黎薄白蒲鄂"
    "索赖卓蔺屠蒙池乔阴闻党翟谭冉边燕冀尚温庄晏柴瞿阎连习艾古易廖耿匡文寇关聂游简饶曾沙丰盖肖付"
    "佘岳帅缑亢况琴楚晋涂揭粟覃植苟牛巴冷佟向阳桂车卜花迟海衡宾寻鹿厉扶麦逄战仉衣禤邸冼郗璩笪谯"
    "郜郇隗蹇钮练羿乌银青申裘昝贲嵇惠糜巫宓戎韶蓟邰胥莘贡劳姬郦雍濮浦茹宦庾暨满阚訾巢蒯荆竺逯桓"
    "旷漆苌井全卿禄岐隆奉戢呙甯辜檀宛於芦丛尧鄢晁桑戈仝谌阙邝谷朴鞠隋栗芮巩兰苑代段敖欧母闫敬辛"
)
_COMPOUND = frozenset({
    "欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "夏侯",
    "端木", "司徒", "长孙", "宇文", "轩辕", "南宫", "独孤", "西门", "东郭", "百里", "呼延",
    "申屠", "澹台", "淳于", "单于", "太史", "钟离", "闻人", "赫连", "拓跋", "鲜于", "司空",
    "司寇", "公冶", "濮阳", "闾丘", "完颜", "纳兰", "叶赫", "那拉", "爱新", "第五",
})  # fmt: skip
NEVER_GIVEN = frozenset(
    "的是了我你他她它们不就也都这那个吗呢吧啊呀什怎谁哪和与或被把给请问说要去过着没很"
    "太最又还只到对于而但所者您咱俺叫姓做某"
)
_NEVER_LAST = frozenset("村镇县省区局院厂店户岁号员么想让来会能可得起以因从其在书先长此人家工学")
# Everyday words that begin like a surname and stand where a name could stand.
_WORDS = frozenset(Path(__file__).with_name("everyday_words.txt").read_text("utf-8").split())
_NAMELIKE = frozenset({
    "高峰", "高原", "白云", "方圆", "成功", "康健", "安康", "平安", "安宁", "田园", "金山",
    "明星", "明明", "方向", "文明", "文静", "和平", "古树", "夏天", "秋天", "林木", "江河",
    "伊人", "花钱",
})  # fmt: skip
_BEGINNINGS = _WORDS - _NAMELIKE
TITLES = re.compile(
    r"(?:老师|教师|医生|大夫|大爷|大妈|大叔|大伯|大姐|大哥|大嫂|大娘|阿姨|师傅|书记|主任|校长|"
    r"会计|工程师|老太|"
    r"奶奶|爷爷|婶|伯|嫂|姐|哥|叔|姨|老汉|老头|主席|所长|局长|院长|站长|组长|队长|科长|股长|"
    r"老板|经理|医师|护士|同志|先生|女士)"
)
LINK = re.compile(
    r"(?:家住|住在?|今年|现年|是|在|系|来自|电话|手机|男|女|同志|身份证|联系|生于|出生|想|要|"
    r"有|向|给|实名|本人|特此|现|于|写|敬上|"
    r"叩|上书|谨上|呈|字$|\d)"
)
STRICT_LINK = re.compile(
    r"(?:家住|住在|今年|现年|同志|电话|手机|身份证|实名|来自|啊|呀|呢|哈|嘛|老[太人汉头师]|"
    r"大[爷妈娘伯叔])"
)


def is_han(character: str) -> bool:
    """Whether this is a Chinese character."""
    return "\u4e00" <= character <= "\u9fff"


def _stops(plain: str, at: int) -> bool:
    return at >= len(plain) or not (is_han(plain[at]) or plain[at].isalpha())


def name_at(
    plain: str, start: int, link: re.Pattern[str] = STRICT_LINK, *, labelled: bool = False
) -> int:
    """Where a name that begins here ends, 0 for none; behind it ends the clause, or `link`.

    `labelled`: nothing but a name can stand there ("姓名："), so everyday words may be one.
    """
    given = surname_at(plain, start)
    if not given:
        return 0
    if plain[given : given + 1] in (" ", "\n") and (split := _split_given(plain, given + 1, link)):
        return split
    for end in (given + 2, given + 1):
        name = plain[start:end]
        if (
            end <= len(plain)
            and all(is_han(c) and c not in NEVER_GIVEN for c in plain[given:end])
            and plain[end - 1] not in _NEVER_LAST
            and (_stops(plain, end) or link.match(plain, end))
            and (labelled or not (name in _WORDS or name[:2] in _BEGINNINGS))
            and not TITLES.fullmatch(plain[given:end])
        ):
            return end
    return 0


def _split_given(plain: str, at: int, link: re.Pattern[str]) -> int:
    """ "王 芳", and behind "我叫" a name that a line break cuts."""
    for end in (at + 2, at + 1) if link is LINK else (at + 1,):
        given = plain[at:end]
        plausible = all(is_han(c) and c not in NEVER_GIVEN for c in given)
        if len(given) == end - at and plausible and _stops(plain, end) and given not in _WORDS:
            return end
    return 0


def surname_at(plain: str, start: int) -> int:
    """Where a surname that stands here ends, 0 for none."""
    if plain[start : start + 2] in _COMPOUND:
        return start + 2
    return start + 1 if plain[start : start + 1] in _SURNAMES else 0
