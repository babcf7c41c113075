"""Typed text as a searcher wants it, each character with its place in the original; pure.

Full-width digits, zero-width characters and traditional characters are no disguise here.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_HIDDEN = ("Cf", "Me", "Mn")
_SIMPLIFIED = str.maketrans(
    "電話聯繫係張劉陳楊趙黃吳孫馬羅鄭謝韓馮許鄧蕭葉蔣蘇呂盧鍾譚陸範龍賀顧龔萬錢嚴賴湯喬閻齊歐"
    "關證號樓棟單車門戶莊灣衛長員書記會計隊廠總經業黨鎮鄉縣區國圖機銀帳賬註冊師醫護務財個們"
    "愛媽爺孃嬸舉報應實請見聽說當擔職獨僅導師園學組軍職務醫師衝嶺廣場東華寧遼瀏陝貴雲藏"
    "魯贛閩貳參兩塊牌綫線飛劍強偉麗軍蘭鳳濤鵬寶玉興榮貴傑樹勝義維處裏這誰還為諸裡",
    "电话联系系张刘陈杨赵黄吴孙马罗郑谢韩冯许邓萧叶蒋苏吕卢钟谭陆范龙贺顾龚万钱严赖汤乔阎齐欧"
    "关证号楼栋单车门户庄湾卫长员书记会计队厂总经业党镇乡县区国图机银账账注册师医护务财个们"
    "爱妈爷娘婶举报应实请见听说当担职独仅导师园学组军职务医师冲岭广场东华宁辽浏陕贵云藏"
    "鲁赣闽贰叁两块牌线线飞剑强伟丽军兰凤涛鹏宝玉兴荣贵杰树胜义维处里这谁还为诸里",
)
_LETTER_O = re.compile(r"(?<![A-Za-z0-9])\d[\doO-]{6,18}(?![A-Za-z0-9])")
_NUMERALS = str.maketrans(
    "〇零○洞一二三四五六七八九壹贰叁肆伍陆柒捌玖幺两", "0000" + "123456789" * 2 + "12"
)


_FOLDABLE = re.compile(r"[^\u4e00-\u9fff -~\n、。]")
# One ligature can stand for eighteen letters, none of them of use to us.
_LONGEST_FORM = 4


def _folded(character: str) -> str:
    form = unicodedata.normalize("NFKC", character)
    if len(form) > _LONGEST_FORM:
        return character
    return "".join(piece for piece in form if unicodedata.category(piece) not in _HIDDEN)


@dataclass(frozen=True)
class Folded:
    """`plain[i]` was made from the original's character `at[i]`; `digits` is as long as `plain`."""

    plain: str
    digits: str
    at: tuple[int, ...]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """A stretch of `plain` (not empty) as a stretch of the original."""
        return self.at[start], self.at[end - 1] + 1


def fold(text: str) -> Folded:
    """Compatibility forms, hidden characters and traditional characters undone."""
    made: list[str] = []
    at: list[int] = []
    known: dict[str, str] = {}  # of this call alone: a cache would outlive the speaker's request
    done = 0
    for found in _FOLDABLE.finditer(text):
        place = found.start()
        made.append(text[done:place])
        at.extend(range(done, place))
        done = found.end()
        if (piece := known.get(found[0])) is None:
            piece = known[found[0]] = _folded(found[0])
        made.append(piece)
        at.extend([place] * len(piece))
    made.append(text[done:])
    at.extend(range(done, len(text)))
    plain = "".join(made).translate(_SIMPLIFIED)
    digits = _LETTER_O.sub(_zeros, plain.translate(_NUMERALS))
    return Folded(plain, digits, tuple(at))


def _zeros(found: re.Match[str]) -> str:
    token = found[0]
    return token if sum(c in "oO" for c in token) > 6 else token.replace("o", "0").replace("O", "0")
