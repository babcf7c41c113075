"""The sheet of contact points: which leader answers for which branch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sqlalchemy.orm import Session

from app.errors import N_
from app.organisation import contacts
from app.organisation.models import Unit, UnitKind
from app.organisation.sheet_rows import ContactRow
from app.organisation.sheets import Book, Fault


def faults(book: Book, kinds: Mapping[str, UnitKind], closed: Collection[str]) -> Iterator[Fault]:
    """What is wrong with the sheet: no such branch, or one that stands there twice."""
    letter = book.letter("contacts", "branch")
    seen: dict[str, ContactRow] = {}
    for row in book.contacts:
        if kinds.get(row.branch) is not UnitKind.BRANCH or row.branch in closed:
            message = N_("没有这个支部：%(branch)s。这一列填支部的短名。")
            yield Fault("contacts", row.row, letter, message, (("branch", row.branch[:64]),))
        elif row.branch in seen:
            message = N_("支部和第 %(row)d 行重复了。")
            yield Fault("contacts", row.row, letter, message, (("row", seen[row.branch].row),))
        seen.setdefault(row.branch, row)


def bring_in(
    session: Session, book: Book, units: Mapping[str, Unit]
) -> tuple[int, tuple[tuple[str, str], ...]]:
    """Let the leaders answer for their branches; how many changed, and the addresses to be kept."""
    changed, addresses = 0, {}
    for row in book.contacts:
        leader = contacts.named(session, row.leader, row.post)
        changed += contacts.assign(session, units[row.branch], leader)
        if row.email:
            addresses[leader.id] = row.email
    return changed, tuple(addresses.items())
