"""What a line of each sheet of a county holds: cells to rows, faults named by column; pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import N_
from app.organisation.models import UnitKind

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
USERNAME = re.compile(r"[\w.\-]{2,64}")
KINDS = {
    "county": UnitKind.COUNTY, "县": UnitKind.COUNTY,
    "unit": UnitKind.UNIT, "单位": UnitKind.UNIT,
    "branch": UnitKind.BRANCH, "支部": UnitKind.BRANCH,
    "group": UnitKind.GROUP, "监督组": UnitKind.GROUP,
}  # fmt: skip
ROLES = {
    "keeper": "keeper", "保管人": "keeper",
    "supervisor": "supervisor", "监督员": "supervisor",
    "office": "office", "县办": "office",
    "operator": "operator", "管理员": "operator",
}  # fmt: skip
YES = {"yes": True, "是": True, "1": True, "no": False, "否": False, "0": False, "": False}


@dataclass(frozen=True)
class UnitRow:
    """One line of the tree; `second_eyes` is None where the file doesn't tell."""

    row: int
    slug: str
    name: str
    parent: str
    kind: UnitKind
    phone: str
    group: str
    second_eyes: bool | None


@dataclass(frozen=True)
class MemberRow:
    """One line of the roll; `left`: they are on it no more."""

    row: int
    number: str
    name: str
    branch: str
    left: bool = False


@dataclass(frozen=True)
class StaffRow:
    """Somebody to be invited; an empty unit is the county."""

    row: int
    username: str
    role: str
    unit: str


@dataclass(frozen=True)
class ContactRow:
    """A branch that a leader answers for; `email`: where the leader is told, may be empty."""

    row: int
    leader: str
    post: str
    branch: str
    email: str


def _text(
    values: dict[str, str], column: str, most: int, complain: Callable[..., None], *, least: int = 1
) -> str:
    text = values.get(column, "")
    if len(text) < least:
        complain(column, N_("这一格空着，请填上。"))
    if len(text) > most:
        complain(column, N_("太长了，最多 %(most)d 个字。"), most=most)
    return text


def _yes(values: dict[str, str], column: str, complain: Callable[..., None]) -> bool:
    said = YES.get(values.get(column, "").casefold())
    if said is None:
        complain(column, N_("这一格请填“是”或“否”。"))
    return bool(said)


def unit_row(row: int, values: dict[str, str], complain: Callable[..., None]) -> UnitRow | None:
    """A line of the sheet `units`."""
    slug = values.get("slug", "")
    if not SLUG.fullmatch(slug):
        complain("slug", N_("短名只能用小写字母、数字和中间的短横，最多 64 个。"))
    kind = KINDS.get(values.get("kind", "").casefold())
    if kind is None:
        complain("kind", N_("类别只有 county、unit、branch、group（县、单位、支部、监督组）。"))
    eyes = _yes(values, "second_eyes", complain) if values.get("second_eyes") else None
    name = _text(values, "name", 120, complain)
    phone = _text(values, "phone", 40, complain, least=0)
    if kind is None:
        return None
    return UnitRow(
        row, slug, name, values.get("parent", ""), kind, phone, values.get("group", ""), eyes
    )


def member_row(row: int, values: dict[str, str], complain: Callable[..., None]) -> MemberRow:
    """A line of the sheet `members`."""
    number = _text(values, "number", 32, complain)
    name = _text(values, "name", 60, complain)
    left = _yes(values, "left", complain)
    return MemberRow(row, number, name, _text(values, "branch", 64, complain), left)


def staff_row(row: int, values: dict[str, str], complain: Callable[..., None]) -> StaffRow:
    """A line of the sheet `staff`."""
    username = values.get("username", "")
    if not USERNAME.fullmatch(username):
        complain("username", N_("用户名用 2 到 64 个字：文字、数字、点、横线、下划线。"))
    role = ROLES.get(values.get("role", "").casefold(), "")
    if not role:
        complain("role", N_("角色只有 keeper、supervisor、office、operator。"))
    return StaffRow(row, username, role, values.get("unit", ""))


def contact_row(row: int, values: dict[str, str], complain: Callable[..., None]) -> ContactRow:
    """A line of the sheet `contacts`."""
    leader = _text(values, "leader", 60, complain)
    post = _text(values, "post", 60, complain, least=0)
    email = _text(values, "email", 254, complain, least=0)
    if email and not re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", email):
        complain("email", N_("邮箱地址不完整，请看看有没有 @ 和点。"))
    return ContactRow(row, leader, post, _text(values, "branch", 64, complain), email)
