"""The demo county: invented units, accounts for every role, a few answered opinions."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass

import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import db
from app.cases import opening, service
from app.cases.models import Case
from app.cases.queue import Unlocked
from app.clock import Clock
from app.crypto import stretch_password
from app.organisation import service as organisation
from app.organisation.models import Unit, UnitKind
from app.sealing import service as sealing
from app.staff import keepers
from app.staff.models import PersonalKey, Role, Staff
from app.submissions import service as submissions
from app.submissions.models import SpeakerGroup
from app.submissions.service import About, Aspect, Opinion, Pen, Publish
from app.submissions.ticket import new_ticket
from config import DEMO_ACCOUNTS, Config

UNITS = {
    ("hejiaping", "何家坪镇"): [
        ("hejiaping-jiguan", "何家坪镇机关支部"),
        ("hejiaping-longtan", "龙潭村支部"),
        ("hejiaping-shiqiao", "石桥村支部"),
    ],
    ("weishengju", "县卫生健康局"): [
        ("weishengju-jiguan", "卫生健康局机关支部"),
        ("xianyiyuan-hulibu", "县人民医院护理支部"),
    ],
    ("jiaoyuju", "县教育局"): [
        ("yizhong", "县第一中学支部"),
        ("jiaoyuju-lituixiu", "教育局离退休支部"),
    ],
}

ANSWERED = [
    (
        "hejiaping-longtan",
        "村口到小学那一段路灯坏了快两个月，孩子放学天已经黑了，走路不放心。",
        "有群众反映村口至小学路段的路灯坏了近两个月，学生放学走夜路不安全。",
        "您说的情况属实。六盏坏灯已经在**上周五**换好，村里同时定了每月一次的夜间巡查。\n\n"
        "以后再有灯不亮，打村委会的值班电话就行。",
    ),
    (
        "weishengju-jiguan",
        "办慢病卡要跑三个窗口，每次都要复印身份证，能不能一个窗口办完？",
        "有群众反映办理慢性病卡手续多、要跑三个窗口。",
        "谢谢您提得这么具体。从下月起，三个窗口合成一个：\n\n- 只交一次材料；\n"
        "- 复印件由窗口代印，不收钱；\n- 七十岁以上的老人可以由家属代办。",
    ),
    (
        "yizhong",
        "食堂的晚饭到高三下晚自习时已经凉了，希望能留一个热菜的窗口。",
        "有意见反映食堂晚餐到高三学生下晚自习时已经凉了。",
        "已经办到了：二号窗口每晚开到十点，饭菜保温，价钱不变。欢迎继续提意见。",
    ),
]


@dataclass(frozen=True)
class Account:
    """A demo account, as `demo-accounts.json` lists it."""

    username: str
    password: str
    totp_secret: str
    role: str
    unit: str


def make_county(config: Config, clock: Clock) -> bool:
    """Set up the demo county in an instance without units; False where there are some."""
    with db.transaction() as session:
        if session.scalar(sa.select(Unit.id).limit(1)) is not None:
            return False
        maker = _Maker(session, config, clock)
        maker.make()
        # Before the commit: a file without a county is written anew at the next start, a county
        # without its file could never be signed in to.
        _write_accounts(config, maker.accounts)
    return True


class _Maker:
    def __init__(self, session: Session, config: Config, clock: Clock) -> None:
        self.session = session
        self.config = config
        self.clock = clock
        self.accounts: list[Account] = []
        self.units: dict[str, Unit] = {}

    def make(self) -> None:
        """The tree, the accounts, and a few opinions that went the whole road."""
        county = self._unit("county", self.config.county_name, UnitKind.COUNTY, None)
        office = self._unit("demo-office", "演示单位", UnitKind.UNIT, county)
        branch = self._unit("demo", "演示支部", UnitKind.BRANCH, office)
        self._box(branch, [self._staff(f"demo-keeper-{n}", Role.KEEPER, [branch]) for n in (1, 2)])
        branches = []
        for (slug, name), below in UNITS.items():
            unit = self._unit(slug, name, UnitKind.UNIT, county)
            branches += [self._unit(s, n, UnitKind.BRANCH, unit) for s, n in below]
        kept, closed = branches[:-1], branches[-1]
        keeper = self._staff("county-keeper", Role.KEEPER, kept)
        for unit in kept:
            self._box(unit, [keeper])
        organisation.add_box(self.session, closed)  # nobody keeps it: it shows as closed
        self._staff("demo-supervisor", Role.SUPERVISOR, [county])
        self._staff("demo-office", Role.OFFICE, [county])
        self._staff("demo-operator", Role.OPERATOR, [county])
        self._answer_some(self._unlocked(keeper, kept))

    def _unit(self, slug: str, name: str, kind: UnitKind, parent: Unit | None) -> Unit:
        unit = organisation.add_unit(
            self.session, slug=slug, name=name, kind=kind, parent=parent, phone="0000-5551234"
        )
        self.units[slug] = unit
        return unit

    def _staff(self, username: str, role: Role, units: list[Unit]) -> PersonalKey:
        password, totp_secret = secrets.token_urlsafe(12), pyotp.random_base32()
        staff = keepers.create_staff(
            self.session,
            username=username,
            password=password,
            totp_secret=totp_secret,
            pepper=self.config.secrets.pepper,
            now=self.clock.now(),
        )
        for unit in units:
            keepers.assign(self.session, staff, role, unit.id)
        self.accounts.append(Account(username, password, totp_secret, role, units[0].slug))
        return keepers.personal_key_of(self.session, staff.id)

    def _box(self, unit: Unit, holders: list[PersonalKey]) -> None:
        box = organisation.add_box(self.session, unit)
        keepers.new_box_key(self.session, box.id, holders, self.clock.today())

    def _unlocked(self, key: PersonalKey, kept: list[Unit]) -> Unlocked:
        staff = self.session.get_one(Staff, key.staff_id)
        account = next(a for a in self.accounts if a.username == staff.username)
        pepper = self.config.secrets.pepper
        master = stretch_password(account.password, pepper, staff.password_salt)
        private_key = keepers.open_private_key(master, key.sealed_private_key)
        keys = keepers.unlock_boxes(self.session, key.id, private_key)
        return Unlocked(staff.id, frozenset(unit.box.id for unit in kept if unit.box), keys)

    def _answer_some(self, desk: Unlocked) -> None:
        pen = Pen(self.config.secrets, self.config.origin, self.clock.today())
        key = sealing.opening_key(self.session)
        answers = {}
        for slug, words, summary, answer in ANSWERED:
            unit = self.units[slug]
            if unit.box is None:
                raise RuntimeError(f"{slug} has no box")
            ticket = new_ticket(slug, key.id, self.clock.now())
            opinion = Opinion(
                unit.box.id,
                unit.id,
                words,
                SpeakerGroup.UNSAID,
                Aspect.WORK,
                About.COLLECTIVE,
                Publish.SUMMARY,
            )
            receipt = submissions.drop(self.session, pen, ticket, opinion)
            answers[receipt.keys.lookup_id] = (summary, answer)
        opening.open_boxes(self.session, self.config, self.clock.local(), now=True)
        today = self.clock.today()
        for case in self.session.scalars(sa.select(Case).order_by(Case.id)):
            summary, answer = answers[case.lookup_id or b""]
            service.accept(self.session, case, today)
            service.draft(self.session, desk, case, answer, summary, today)
            service.approve(self.session, desk, case, today)


def _write_accounts(config: Config, accounts: list[Account]) -> None:
    path = config.data_dir / DEMO_ACCOUNTS
    handle, aside = tempfile.mkstemp(dir=config.data_dir)  # mode 0600 from the start
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump([asdict(account) for account in accounts], file, ensure_ascii=False, indent=1)
    os.replace(aside, path)


def introduction(config: Config, address: str) -> str:
    """What `make run` prints of the demo: addresses and accounts; empty for a real instance."""
    path = config.data_dir / DEMO_ACCOUNTS
    if not path.exists():
        return ""
    accounts = [Account(**entry) for entry in json.loads(path.read_text("utf-8"))]
    lines = [
        "",
        f"  home       {address}/",
        f"  a box      {address}/box/demo",
        f"  the desk   {address}/desk/sign-in",
        "",
        "  demo accounts (also in demo-accounts.json; one-time codes: any TOTP app, or",
        "  .venv/bin/python -c 'import pyotp,sys; print(pyotp.TOTP(sys.argv[1]).now())' SECRET)",
    ]
    lines += [
        f"  {a.role:<10} {a.username:<16} {a.password}  {a.totp_secret}  {a.unit}" for a in accounts
    ]
    return "\n".join([*lines, "", ""])
