"""Sets up the demo county: the tree by the import that every county uses, accounts, boxes, life."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from app import db
from app.cases.queue import Unlocked
from app.clock import Clock
from app.crypto import stretch_password
from app.demo import appraised, campaign, results, rounds
from app.demo.life import Life, Spot
from app.demo.places import SMALL, Place, people, places
from app.evaluations.urn import Hands
from app.organisation import importing, tree
from app.organisation.models import Unit, UnitKind
from app.organisation.sheet_rows import MemberRow, UnitRow
from app.organisation.sheets import Book
from app.staff import keepers
from app.staff.models import PersonalKey, Role, RoleAssignment, Staff
from config import DEMO_ACCOUNTS, Config

PHONE = "0000-5551234"
DEMO_SLIPS = "demo-slips.txt"
SMALL_ROLL = 60
SMALL_LIFE = 3
# Boxes nobody keeps: closed, with a telephone number. One of every so many, and this one.
UNKEPT = 23
LAST_UNKEPT = "jiaoyuju-lituixiu"
# Who keeps the boxes of which sorts of places; the first account keeps the small county's too.
KEEPERS = {
    "county-keeper": ("乡镇",),
    "office-keeper": ("机关", "学校"),
    "service-keeper": ("医院", "国企", "两新"),
}


SUPERVISORS = ("demo-supervisor", "demo-supervisor-2")
GROUPS = 15
ORDINALS = (
    "一", "二", "三", "四", "五", "六", "七", "八", "九", "十",
    "十一", "十二", "十三", "十四", "十五",
)  # fmt: skip


def _row(slug: str, name: str, parent: str, kind: UnitKind, group: str = "") -> UnitRow:
    return UnitRow(1, slug, name, parent, kind, PHONE, group, second_eyes=False)


@dataclass(frozen=True)
class Account:
    """A demo account, as `demo-accounts.json` lists it."""

    username: str
    password: str
    totp_secret: str
    role: str
    unit: str


def make_county(
    config: Config,
    clock: Clock,
    *,
    small: bool = False,
    progress: Callable[[str], None] = lambda _step: None,
) -> bool:
    """Set up the demo county in an instance without units; False where there are some.

    `small`: a handful of units and opinions in place of 91 units and six weeks of life.
    """
    with db.transaction() as session:
        if session.scalar(sa.select(Unit.id).limit(1)) is not None:
            return False
        maker = _Maker(session, config, clock, progress)
        maker.make(list(SMALL) if small else places(), small)
        # Before the commit: a file without a county is written anew at the next start, a county
        # without its file could never be signed in to.
        _write_accounts(config, maker.accounts)
        _write(config, DEMO_SLIPS, "\n".join([*maker.slips, ""]))
    return True


class _Maker:
    def __init__(
        self, session: Session, config: Config, clock: Clock, progress: Callable[[str], None]
    ) -> None:
        self.session = session
        self.config = config
        self.clock = clock
        self.progress = progress
        self.accounts: list[Account] = []
        self.units: dict[str, Unit] = {}
        self.spots: dict[str, list[Spot]] = {}
        self.slips: list[str] = []
        self.kept: dict[str, list[Unit]] = {}

    def make(self, found: Sequence[Place], small: bool) -> None:
        """The tree and the roll, the accounts, the boxes, six weeks of opinions."""
        branches = [slug for place in found for slug, _ in place.branches]
        self.progress(f"demo county: {len(found)} units, {len(branches)} branches")
        self._tree(list(found), small)
        self._people(found)
        self.progress("demo county: opinions and answers of six weeks")
        life = Life(self.session, self.config, self.clock)
        life.live(self.spots, SMALL_LIFE if small else None)
        office = [key.staff_id for key in self.office]
        if not small:
            life.go_on(self.groups, office)
            self._history()
        county_id = self.units["county"].id
        results.tell(self.session, self.spots, office, county_id, self.clock.today())
        self._rounds()
        self.progress("demo county: a campaign that runs")
        campaign.run(self.session, self.kept, self.watchers[0].staff_id, self.clock)
        demo = self._unlocked(self.demo_keepers[0], [self.units["demo"]])
        (box_id,) = demo.box_ids
        appraised.appraise(self.session, demo, box_id, self.clock, self.config.secrets)

    def _rounds(self) -> None:
        """A round whose result hangs out, and one to vote in."""
        today, village = self.clock.today(), next(iter(self.spots.values()))[0]
        office = tuple(self._hands(key) for key in (*self.office, self.watchers[0]))
        lead = rounds.actor_of(self.session, office[0].staff_id)
        crew = rounds.Crew(lead, office)
        rounds.hold_published(self.session, village.unit_id, crew, today)
        keepers_ = tuple(self._hands(key) for key in (*self.demo_keepers, self.watchers[0]))
        lead = rounds.actor_of(self.session, keepers_[0].staff_id)
        crew = rounds.Crew(lead, keepers_)
        self.slips = rounds.hold_open(self.session, self.units["demo"].id, crew, today)

    def _tree(self, found: list[Place], small: bool) -> None:
        rows = [_row("county", self.config.county_name, "", UnitKind.COUNTY)]
        groups = [f"jiandu-{number}" for number in range(1, (1 if small else GROUPS) + 1)]
        for number, slug in enumerate(groups):
            name = f"第{ORDINALS[number]}监督组"
            reviewer = groups[(number + 1) % len(groups)] if len(groups) > 1 else ""
            rows.append(_row(slug, name, "county", UnitKind.GROUP, reviewer))
        for number, place in enumerate(found):
            group = groups[number % len(groups)]
            rows.append(_row(place.slug, place.name, "county", UnitKind.UNIT, group))
            rows += [_row(slug, name, place.slug, UnitKind.BRANCH) for slug, name in place.branches]
        roll = people(found, SMALL_ROLL) if small else people(found)
        members = [MemberRow(1, person.number, person.name, person.branch) for person in roll]
        book = Book(units=tuple(rows), members=tuple(members))
        importing.bring_in(self.session, book, self.clock.today())
        found_units = self.session.scalars(sa.select(Unit).options(joinedload(Unit.box)))
        self.units = {unit.slug: unit for unit in found_units}

    def _people(self, found: Sequence[Place]) -> None:
        self.progress("demo county: accounts and boxes")
        demo = self.units["demo"]
        self.demo_keepers = [self._staff(f"demo-keeper-{n}", Role.KEEPER, [demo]) for n in (1, 2)]
        self._box(demo, self.demo_keepers)
        self.kept[self.demo_keepers[0].staff_id] = [demo]
        branches = [(place, slug) for place in found for slug, _ in place.branches]
        kept = [
            (place, slug)
            for number, (place, slug) in enumerate(branches, start=1)
            if slug not in ("demo", LAST_UNKEPT) and number % UNKEPT
        ]
        small = {place.slug for place in SMALL}
        for number, (username, sorts) in enumerate(KEEPERS.items()):
            own = [
                (place, self.units[slug])
                for place, slug in kept
                if (number == 0 if place.slug in small else place.sort in sorts)
            ]
            if own:
                self._keep(username, own)
        groups = [unit for unit in self.units.values() if unit.kind is UnitKind.GROUP]
        pair = [self._staff(name, Role.SUPERVISOR, groups) for name in SUPERVISORS]
        for unit in groups:
            self._box(unit, pair)
        self.watchers = pair
        self.groups = self._unlocked(pair[0], groups)
        county = [self.units["county"]]
        self.office = [self._staff(f"demo-office{n}", Role.OFFICE, county) for n in ("", "-2")]
        self._staff("demo-operator", Role.OPERATOR, county)

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
        self.session.add_all(
            RoleAssignment(staff_id=staff.id, role=role, unit_id=unit.id) for unit in units
        )
        self.accounts.append(Account(username, password, totp_secret, role, units[0].slug))
        return keepers.personal_key_of(self.session, staff.id)

    def _box(self, unit: Unit, holders: list[PersonalKey]) -> None:
        if unit.box is None:
            raise RuntimeError(f"{unit.slug} has no box")
        keepers.new_box_key(self.session, unit.box.id, holders, self.clock.today())

    def _keep(self, username: str, own: list[tuple[Place, Unit]]) -> None:
        units = [unit for _, unit in own]
        key = self._staff(username, Role.KEEPER, units)
        for unit in units:
            self._box(unit, [key])
        desk = self._unlocked(key, units)
        self.kept[key.staff_id] = units
        for place, unit in own:
            if unit.box is not None:
                spot = Spot(unit.box.id, unit.id, unit.slug, desk)
                self.spots.setdefault(place.sort, []).append(spot)

    def _hands(self, key: PersonalKey) -> Hands:
        """A person with their personal key, unlocked by the password that was just made."""
        staff = self.session.get_one(Staff, key.staff_id)
        account = next(a for a in self.accounts if a.username == staff.username)
        pepper = self.config.secrets.pepper
        master = stretch_password(account.password, pepper, staff.password_salt)
        private_key = keepers.open_private_key(master, key.sealed_private_key)
        return Hands(staff.id, key.id, private_key)

    def _unlocked(self, key: PersonalKey, kept: list[Unit]) -> Unlocked:
        hands = self._hands(key)
        keys = keepers.unlock_boxes(self.session, key.id, hands.private_key)
        boxes = frozenset(unit.box.id for unit in kept if unit.box)
        return Unlocked(hands.staff_id, boxes, keys)

    def _history(self) -> None:
        """A branch that was merged, one that was closed, one that was renamed."""
        today = self.clock.today()
        villages = [u for u in self.units.values() if u.name.endswith("村支部")]
        townsfolk = {v.parent_id: v for v in villages}
        merged, renamed = list(townsfolk.values())[-2:]
        into = next(v for v in villages if v.parent_id == merged.parent_id and v is not merged)
        tree.merge(self.session, merged, into, today)
        tree.rename(self.session, renamed, f"新{renamed.name}", PHONE, today)
        firms = [u for u in self.units.values() if u.name.endswith("行业第三支部")]
        tree.close(self.session, firms[-1], today)


def _write_accounts(config: Config, accounts: list[Account]) -> None:
    listed = [asdict(account) for account in accounts]
    _write(config, DEMO_ACCOUNTS, json.dumps(listed, ensure_ascii=False, indent=1))


def _write(config: Config, name: str, text: str) -> None:
    handle, aside = tempfile.mkstemp(dir=config.data_dir)  # mode 0600 from the start
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(aside, config.data_dir / name)


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
        f"  a ballot   {address}/slip, with a slip of {DEMO_SLIPS}",
        "",
        "  demo accounts (also in demo-accounts.json; one-time codes: any TOTP app, or",
        "  .venv/bin/python -c 'import pyotp,sys; print(pyotp.TOTP(sys.argv[1]).now())' SECRET)",
    ]
    lines += [
        f"  {a.role:<10} {a.username:<16} {a.password}  {a.totp_secret}  {a.unit}" for a in accounts
    ]
    return "\n".join([*lines, "", ""])
