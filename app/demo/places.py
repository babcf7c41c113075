"""The demo county's places and people, invented and always the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pypinyin import lazy_pinyin

MEMBERS = 3226
LEAST_MEMBERS = 3


@dataclass(frozen=True)
class Place:
    """A unit with its branches, each (slug, name); `sort` tells what life is like there."""

    slug: str
    name: str
    sort: str
    branches: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Person:
    """A member as the roll has them; `branch` is a slug."""

    number: str
    name: str
    branch: str


# The small county: what tests walk through, and the first units of the whole one.
SMALL = (
    Place("demo-office", "演示单位", "机关", (("demo", "演示支部"),)),
    Place(
        "hejiaping", "何家坪镇", "乡镇",
        (
            ("hejiaping-jiguan", "何家坪镇机关支部"),
            ("hejiaping-longtan", "龙潭村支部"),
            ("hejiaping-shiqiao", "石桥村支部"),
        ),
    ),
    Place(
        "weishengju", "县卫生健康局", "机关",
        (("weishengju-jiguan", "卫生健康局机关支部"), ("xianyiyuan-hulibu", "县人民医院护理支部")),
    ),
    Place(
        "jiaoyuju", "县教育局", "学校",
        (("yizhong", "县第一中学支部"), ("jiaoyuju-lituixiu", "教育局离退休支部")),
    ),
)  # fmt: skip
# What the lines of `places.txt` list, and what life is like there.
_SORTS = {
    "乡镇": "乡镇", "局": "机关", "办": "机关", "学校": "学校", "医院": "医院", "国企": "国企",
    "两新": "两新",
}  # fmt: skip
_WHOLE = ("县委", "县政府")
# The parts that a place has branches for, and how many at least.
_PARTS = {
    "机关": (("机关", "离退休", "窗口服务", "下属单位"), 2),
    "学校": (("第一", "第二", "行政后勤", "退休教师", "年级组"), 2),
    "医院": (("内科", "外科", "护理", "门诊", "后勤"), 3),
    "国企": (("机关", "生产", "营业所", "退休职工"), 2),
    "两新": (("第一", "第二", "第三", "第四"), 1),
}
_SURNAMES = (
    "王李张刘陈杨黄赵周吴徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕"
    "丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严"
)
_GIVEN = (
    "德兴国建文明志家永春秀桂玉兰芳英华丽军勇强军伟杰磊涛斌鹏宇浩然思远嘉欣雨桐子涵梓萱一诺红梅淑珍"
    "凤霞翠莲福贵有才长根水生大山来喜开先光荣正廷世昌庆丰小满立秋"
)


def places() -> list[Place]:
    """The whole county: 91 units and about 400 branches."""
    taken = {slug for place in SMALL for slug in (place.slug, *(s for s, _ in place.branches))}
    found = [*SMALL]
    names = _names()
    for heading, sort in _SORTS.items():
        for number, name in enumerate(names[heading]):
            slug = _free(taken, _spelt(_plain(name)))
            branches = tuple(
                (_free(taken, f"{slug}-{_spelt(part)}"), branch)
                for part, branch in _branches(names, sort, name, number)
            )
            found.append(Place(slug, name, sort, branches))
    return found


def _spelt(words: str) -> str:
    return "".join(lazy_pinyin(words))


def _plain(name: str) -> str:
    return name.removeprefix("县").removesuffix("镇").removesuffix("街道").removesuffix("乡")


def _free(taken: set[str], slug: str) -> str:
    number, fresh = 2, slug
    while fresh in taken:
        fresh, number = f"{slug}-{number}", number + 1
    taken.add(fresh)
    return fresh


def _names() -> dict[str, list[str]]:
    """The lists of `places.txt`, by the first word of each line."""
    lines = Path(__file__).with_name("places.txt").read_text("utf-8").splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines}


def _branches(
    names: dict[str, list[str]], sort: str, name: str, number: int
) -> list[tuple[str, str]]:
    """(what tells it apart, name) of each branch of a place."""
    if sort == "乡镇":
        return _town(names, name, number)
    parts, least = _PARTS[sort]
    short = name if name.startswith(_WHOLE) else name.removeprefix("县")
    return [(part, f"{short}{part}支部") for part in parts[: least + number % 3]]


def _town(names: dict[str, list[str]], name: str, number: int) -> list[tuple[str, str]]:
    kind, most, stride = ("社区", 6, 3) if name.endswith("街道") else ("村", 9 + number % 5, 7)
    pool = names[kind]
    chosen = [pool[(number * stride + n) % len(pool)] + kind for n in range(most)]
    own = [(part, f"{name}{part}支部") for part in ("机关", "离退休")]
    return [own[0], *((place.removesuffix(kind), f"{place}支部") for place in chosen), own[1]]


def people(found: list[Place], most: int = MEMBERS) -> Iterator[Person]:
    """The roll: every branch has a few, some many; the demo branch a good two dozen."""
    dice = random.Random(91)  # noqa: S311 (a county that is the same each time, no secret)
    slugs = [slug for place in found for slug, _ in place.branches]
    sizes = dict.fromkeys(slugs, LEAST_MEMBERS)
    sizes["demo"] = 24
    weights = [dice.choice((1, 2, 3, 5, 8)) for _ in slugs]
    for slug in dice.choices(slugs, weights, k=max(most - sum(sizes.values()), 0)):
        sizes[slug] += 1
    number = 0
    for slug in slugs:
        for _ in range(sizes[slug]):
            number += 1
            given = "".join(dice.choices(_GIVEN, k=dice.choice((1, 2, 2, 2))))
            yield Person(f"D{number:05d}", dice.choice(_SURNAMES) + given, slug)
