"""Numbers and handles that lead to a person: telephones, cards, plates, addresses of mail; pure.

Every pattern is bounded and every neighbourhood that is looked at has a fixed width, so that the
time grows with the length of the text and with nothing else.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.submissions.self_identification.folded_text import Folded
from app.submissions.self_identification.kinds import Kind, Span

_BETWEEN = r"\s.\-‐‑‒–—―−~·•・*_/(),、|"
_RUN = re.compile(rf"\d(?:[{_BETWEEN}]{{0,4}}\d){{6,}}")
_CHECK_X = re.compile(r"[\s*-]?[xX×✕]")
_GROUP = re.compile(r"\d+")
_LISTED = re.compile(r"[,、/]")
_AREAS = frozenset({
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37",
    "41", "42", "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64",
    "65", "71", "81", "82", "83",
})  # fmt: skip
_DIALLED = re.compile(
    r"(?:电话|手机|座机|固话|号码|联系|拨打?|致电|打|tel|phone)[^\d。;!?]{0,6}$", re.I
)
_IDENTITY = re.compile(r"(?:身份证|身份号|证件|(?<![可产])证号|ID)[^\d。;!?]{0,10}$|本人$", re.I)
_ACCOUNT = re.compile(
    r"(?:银行卡|卡号|[账帐][号户]|存折|折子|一卡通|[工资打低保我的]卡|卡[上里]|"
    r"社保卡)[^\d。;!?]{0,10}$"
)
_NO_PHONE = re.compile(
    r"(?:订单|单号|编号|流水|工单|合同|文号|表|案号|户号|运单|快递|发票|型号|序列|条码|受理|"
    r"凭证|票|"
    r"备案|许可证|登记|注册|信用代码|税号|[元¥$])[号码编为是:\s]{0,5}$"
)
_AMOUNT = re.compile(r"\s?(?:元|吨|万|亿|斤|平|立方|度|米|公里|块|人|户|票)")
_DATE = re.compile(r"(?:19|20)\d\d[01]\d[0-3]\d")

# Whose number it is: the nearer word decides, and without one it is the speaker's.
_OURS = re.compile(
    r"我|本人|俺|咱|自己|家里|家庭|(?:反映|反应|举报|投诉|来信|写信|联系|申请|信访|求助|"
    r"留言)人|业主|村民|住户"
)
_THEIRS = re.compile(
    r"物业|客服|公司|局|所(?!以|有|反|说|谓|住|在)|站(?!在)|办(?!理|事|法|好|完|成)|中心|医院|"
    r"学校|幼儿园|"
    r"政府|大厅|窗口|热线|值班|投诉|举报|监督|服务|咨询|报修|维修|银行|法院|委员会|村委|社区|"
    r"单位|经理|老板|"
    r"主任|书记|村长|支书|校长|院长|镇长|开发商|施工|工地|包工头|承包人|中介|商家|店|司机|骗子|"
    r"卖|催收|收购|"
    r"诈骗|骚扰|推销|"
    r"陌生|对方|他|她|房东|导游|卖家|快递|公布|公示|墙|牌子|公开|股|科|厂|师傅|售后|机构|厅|"
    r"酒店|宾馆|网吧|官方|公众号|"
    r"(?<!我)(?<!我的)(?<!本人)信箱"
)
_CALL_BACK = re.compile(r"打(?!来|过来)|回|找|给|联系(?!电话|方式|人)|[,;:]")
_TROUBLED = re.compile(
    r"[^。!?\n]{0,10}(?:骚扰|诈骗|推销|打来|(?:没|无)人接|打不通|无人接听|空号|是骗子|占线|"
    r"也不接|不接)"
)


def find(folded: Folded) -> Iterator[Span]:
    """Every number or handle that leads to the speaker."""
    yield from _runs(folded)
    yield from _tails(folded)
    yield from _plates(folded)
    yield from _mail(folded)
    yield from _handles(folded)
    yield from _documents(folded)


def _theirs(plain: str, start: int) -> bool:
    """Whether what begins here is somebody else's: an office's, a trickster's."""
    window = re.split(r"[。;!?,\n]", plain[max(0, start - 18) : start])[-1]
    others = list(_THEIRS.finditer(window))
    if not others or _CALL_BACK.search(window, others[-1].end()):
        return False
    own = [found.end() for found in _OURS.finditer(window)]
    return not own or own[-1] < others[-1].end()


@dataclass(frozen=True)
class _Cues:
    """What the words before a run say of its first number."""

    dialled: bool = False
    identity: bool = False
    account: bool = False
    counted: bool = False


def _cues(plain: str, start: int) -> _Cues:
    before = plain[max(0, start - 16) : start]
    return _Cues(
        dialled=bool(_DIALLED.search(before)),
        identity=bool(_IDENTITY.search(before)),
        account=bool(_ACCOUNT.search(before)),
        counted=bool(_NO_PHONE.search(before)),
    )


@dataclass(frozen=True)
class _Run:
    """Digits with little between them; numbers begin and end where its groups do."""

    digits: str
    begins: dict[int, int]  # digits before a group: its place in the text
    ends: dict[int, int]  # digits up to a group's end: that place
    order: dict[int, int]  # digits before a group or up to its end: which group
    x: re.Match[str] | None


def _runs(folded: Folded) -> Iterator[Span]:
    for found in _RUN.finditer(folded.digits):
        groups = [group.span() for group in _GROUP.finditer(folded.digits, *found.span())]
        begins, ends, order, total = {}, {}, {0: 0}, 0
        for place, (start, end) in enumerate(groups):
            begins[total] = start
            total += end - start
            ends[total] = end
            order[total] = place + 1
        digits = "".join(folded.digits[start:end] for start, end in groups)
        run = _Run(digits, begins, ends, order, _CHECK_X.match(folded.plain, found.end()))
        yield from _numbers(folded.plain, run)


def _numbers(plain: str, run: _Run) -> Iterator[Span]:
    cues = _cues(plain, run.begins[0])
    shapes = {*_first(run, cues), *_anywhere(run, cues)}
    done = 0
    for start, end, kind in sorted(shapes, key=_by_place):
        if start < done:
            continue
        place, stop = run.begins[start], run.ends[end]
        groups = run.order[end] - run.order[start]
        if kind is Kind.IDENTITY or (cues.identity and start == 0 and end > 13):
            whole = end == len(run.digits) and run.x is not None
            yield Span(place, run.x.end() if run.x and whole else stop, Kind.IDENTITY)
        elif _is_counted(plain, place, stop, groups, end - start, cues) or (
            kind is Kind.PHONE and (_theirs(plain, place) or _TROUBLED.match(plain, stop))
        ):
            continue
        else:
            yield Span(place, stop, kind)
        done = end


def _by_place(shape: tuple[int, int, Kind]) -> tuple[int, int, bool]:
    start, end, kind = shape
    return start, -end, kind is not Kind.IDENTITY


def _is_counted(plain: str, place: int, stop: int, groups: int, length: int, cues: _Cues) -> bool:
    """An amount, a meter, or several numbers one after the other."""
    if cues.counted or _AMOUNT.match(plain, stop):
        return True
    return (
        not cues.dialled and 1 < groups <= length // 2 and bool(_LISTED.search(plain, place, stop))
    )


def _first(run: _Run, cues: _Cues) -> Iterator[tuple[int, int, Kind]]:
    """What only the words before tell from any other number."""
    for length in (7, 8, 14, 15, 16, 17, 18, 19):
        if length not in run.ends:
            continue
        if cues.identity and length >= 14:
            yield 0, length, Kind.IDENTITY
        elif cues.account and length >= 16:
            yield 0, length, Kind.BANK_CARD
        elif (
            cues.dialled
            and length < 9
            and run.order[length] <= 3
            and (run.digits[0] in "2345678" and not _DATE.fullmatch(run.digits[:length]))
        ):
            yield 0, length, Kind.PHONE


def _anywhere(run: _Run, cues: _Cues) -> Iterator[tuple[int, int, Kind]]:
    """What is a telephone, a card or an identity card wherever it stands."""
    for pattern, most, kind in _SHAPES:
        for found in pattern.finditer(run.digits):
            start, end = found.span(1)
            if start not in run.begins or end not in run.ends:
                continue
            number, groups = found[1], run.order[end] - run.order[start]
            if groups > most and not (cues.dialled and start == 0):
                continue
            if kind is Kind.PHONE:
                if most < 99 or (cues.dialled and start == 0) or _is_written_so(run, start, end):
                    yield start, end, kind
            elif _proves_itself(number, end == len(run.digits) and bool(run.x), cues):
                yield start, end, kind


def _is_written_so(run: _Run, start: int, end: int) -> bool:
    """Whether somebody would part a mobile number like that: "1380 1200 800" are amounts."""
    cuts = [n for n in range(1, 11) if end - 11 + n in run.begins and end - 11 + n > start]
    return tuple(cuts) in _CUTS or len(cuts) == 10


def _proves_itself(number: str, x: bool, cues: _Cues) -> bool:
    if len(number) == 15:
        return not cues.counted and number[:2] in _AREAS and _is_date("19" + number[6:12])
    if len(number) == 17 and x and checks_out(number + "X"):
        return True
    return (len(number) == 18 and checks_out(number)) or _is_card(number)


_CUTS = frozenset(
    [
        (),
        (3,),
        (7,),
        (5,),
        (6,),
        (3, 7),
        (3, 6),
        (3, 8),
        (3, 5, 7, 9),
        (3, 7, 9),
        (3, 5, 7),
        (3, 9),
        (1, 3, 7),
        (1, 3),
        (1, 7),
        (3, 4),
        (3, 10),
    ]
)
_SHAPES = (
    (re.compile(r"(?=((?:0086|86|0|17951|12593)?1[3-9]\d{9}))"), 99, Kind.PHONE),
    (re.compile(r"(?=((?:0086|86)?0(?:10|2\d|[3-9]\d\d)[2-8]\d{6}))"), 3, Kind.PHONE),
    (re.compile(r"(?=((?:0086|86)?0(?:10|2\d|[3-9]\d\d)[2-8]\d{7}))"), 3, Kind.PHONE),
    (re.compile(r"(?=([1-8]\d{5}(?:19|20)\d\d[01]\d[0-3]\d{4}))"), 99, Kind.IDENTITY),
    (re.compile(r"(?=([1-8]\d{5}(?:19|20)\d\d[01]\d[0-3]\d{5}))"), 99, Kind.IDENTITY),
    (re.compile(r"(?=([1-8]\d{5}\d\d[01]\d[0-3]\d{4}))"), 4, Kind.IDENTITY),
    *(
        (re.compile(rf"(?=((?:6[02]|[3459]\d)\d{{{length - 2}}}))"), 6, Kind.BANK_CARD)
        for length in (16, 17, 18, 19)
    ),
)


def checks_out(number: str) -> bool:
    """Whether an identity card's number has its check digit (GB 11643), area and birthday."""
    if number[:2] not in _AREAS or number[6:8] not in ("19", "20") or not _is_date(number[6:14]):
        return False
    weighted = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(number[:17]))
    return number[17] == "10X98765432"[weighted % 11]


def _is_date(digits: str) -> bool:
    try:
        return dt.date.fromisoformat(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}").year > 1900
    except ValueError:
        return False


def _is_card(number: str) -> bool:
    odd = [int(digit) for digit in number[-1::-2]]
    even = [sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2]]
    return (sum(odd) + sum(even)) % 10 == 0


_TAIL = re.compile(
    r"(?:手机|电话|号码|银行卡|身份证|证件)[^\d。\n]{0,6}(?:尾号|[后末][46]位|尾数)"
    r"[是为:\s数]{0,3}(\d{3,6}[xX]?)"
)


def _tails(folded: Folded) -> Iterator[Span]:
    for found in _TAIL.finditer(folded.digits):
        if not _theirs(folded.plain, found.start()):
            yield Span(*found.span(1), Kind.PHONE if found[0][0] in "手电号" else Kind.IDENTITY)


_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]\s?[A-HJ-Za-hj-z][\s·.\-•]{0,2}"
    r"(?:[A-HJ-NP-Za-hj-np-z0-9]{6}|[A-HJ-NP-Za-hj-np-z0-9]{5}|[A-Za-z0-9]{4}[挂学警])"
    r"(?![A-Za-z0-9])"
)
_OUR_CAR = re.compile(
    r"(?:我|本人|俺)(?:的|家的?|们家的?|自己的?)?(?:那?辆|那?台)?.{0,4}(?:车|牌)|我(?:开|驾驶|"
    r"骑)|本人(?:开|驾驶)|车主|爱车|私家车|自家|自己的"
)
_THEIR_CAR = re.compile(
    r"乱停|违停|超载|货车|渣土|大车|占|堵|面包车|皮卡|的士|出租|公交|校车|公车|公务|洒水|"
    r"[该此那这]辆|[该此]车|"
    r"有辆|有台|[一两几]辆|[一两几]台|肇事|逃逸|司机|车队|老板|大巴|班车|客车|挂车|罐车|领导|"
    r"僵尸车|别人|邻居|撞了我|"
    r"他|她|超速|闯红灯|鸣笛|商户|私用|挡|垃圾|倾倒|偷|黑车|长期停|停在|油罐|拉"
)


_AN_OFFICES = re.compile(r"[\u4e00-\u9fff]{2}车$")
_SOME_CAR = re.compile(r"的[\u4e00-\u9fff]{0,5}(?:车|司机)")


def _plates(folded: Folded) -> Iterator[Span]:
    for found in _PLATE.finditer(folded.plain):
        before = re.split(r"[。!?\n]", folded.plain[max(0, found.start() - 24) : found.start()])[-1]
        after = re.split(r"[。!?\n]", folded.plain[found.end() : found.end() + 20])[0]
        if not any(c.isdigit() for c in found[0]):
            continue
        if _OUR_CAR.search(before) or not (
            _THEIR_CAR.search(before + after)
            or _SOME_CAR.match(after)
            or _AN_OFFICES.search(before)
        ):
            yield Span(*found.span(), Kind.PLATE)


_MAIL = re.compile(
    r"(?<![A-Za-z0-9._+-])[A-Za-z0-9][A-Za-z0-9._+-]{0,63}\s{0,2}(?:@|\(at\)|\[at\]|艾特|#)\s{0,2}"
    r"[A-Za-z0-9-]{1,40}(?:\s?(?:\.|点)\s?(?:[A-Za-z0-9-]{1,20}\.)?(?:com|cn|net|org|edu|gov|"
    r"hk|tw|io|me|cc))"
    r"(?:\.cn)?(?![A-Za-z0-9])",
    re.I,
)


def _mail(folded: Folded) -> Iterator[Span]:
    for found in _MAIL.finditer(folded.plain):
        official = ".gov" in found[0].lower() or _theirs(folded.plain, found.start())
        if not official:
            yield Span(*found.span(), Kind.EMAIL)


_CALLED_HANDLE = re.compile(
    r"(?:微信|威信|薇信|徽信|微X|V信|(?<![A-Za-z])(?:wechat|weixin|vx|wx|v)|企鹅号?|加[V薇微]|"
    r"扣扣|球球|(?<![A-Za-z])qq|支付宝|"
    r"抖音|快手|微博|钉钉|小红书)(?!群|公众|支付|小程序|转账)(?:邮箱)?(号码|号|ID|账号)?"
    r"([是为叫:\s\-=()+]{0,4})([A-Za-z][A-Za-z0-9_\-]{4,19}|\d{5,12})(?![A-Za-z0-9@])",
    re.I,
)
_ADDED = re.compile(
    r"(?:加|搜)[我个\s:]{0,3}(?=\S{0,19}\d)([A-Za-z][A-Za-z0-9_\-]{5,19})(?![A-Za-z0-9@])"
)
_NICKNAME = re.compile(
    r"(?:我|本人|俺)(?:在[^\s,。;]{0,4}(?:群里?|网上|论坛|贴吧))?的?(?:微信|抖音|快手|"
    r"QQ)?(?:(?<=[信音手Q])[名号]|网名|群名|"
    r"昵称)[叫是为:]{1,2}\s?([^\s,。;!?*]{2,12})", re.I
)  # fmt: skip


def _handles(folded: Folded) -> Iterator[Span]:
    for found in _CALLED_HANDLE.finditer(folded.plain):
        named, joint, handle = found.groups()
        one_letter = found[0][0] in "vV" and found[0][1:2] not in "xX信"
        known = bool(named or re.search(r"[:=]", joint)) or not handle.isalpha()
        if one_letter and not (joint and known):
            continue
        if known and not _theirs(folded.plain, found.start()):
            yield Span(*found.span(3), Kind.ACCOUNT)
    for found in _ADDED.finditer(folded.plain):
        if not _theirs(folded.plain, found.start()):
            yield Span(*found.span(1), Kind.ACCOUNT)
    for found in _NICKNAME.finditer(folded.plain):
        yield Span(*found.span(1), Kind.ACCOUNT)


_DOCUMENT = re.compile(
    r"(?:护照|军官证|残疾人?证|士兵证|通行证|社保卡?|医保卡?|学生证|低保证|党员证|退休证|"
    r"准考证)(?:号码?|编号)"
    r"[是为:\s]{0,3}([A-Za-z]{0,3}\d{4,20})"
    r"|(?:我|本人)的?(?:工号|学号|学籍号|警号|员工号|户号|病历号|住院号|考号|"
    r"档案号)[是为:\s]{0,3}([A-Za-z]{0,3}\d{3,20})"
)


def _documents(folded: Folded) -> Iterator[Span]:
    for found in _DOCUMENT.finditer(folded.plain):
        yield Span(*found.span(1 if found[1] else 2), Kind.IDENTITY)
