"""The desk's menu: its pages, grouped by what people do there."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.errors import N_


@dataclass(frozen=True)
class Entry:
    """A page of the menu: its words, its endpoint; who sees it is the endpoint's access rule.

    `rooms` are further blueprints whose pages belong to it; `front`: it also stands in the row
    that is always in sight.
    """

    words: str
    endpoint: str
    rooms: frozenset[str] = field(default_factory=frozenset)
    front: bool = False

    def holds(self, endpoint: str) -> bool:
        """Whether a page belongs to this entry, by the room that answers it."""
        room = endpoint.partition(".")[0]
        return room == self.endpoint.partition(".")[0] or room in self.rooms


@dataclass(frozen=True)
class Group:
    """Pages that serve one purpose."""

    words: str
    entries: tuple[Entry, ...]


def _rooms(*names: str) -> frozenset[str]:
    return frozenset(names)


MENU = (
    Group(
        N_("每天的事"),
        (
            Entry(N_("办件"), "cases.queue", front=True),
            Entry(N_("常用语"), "worklist.phrase_list"),
            Entry(N_("代为录入"), "intake.index", _rooms("intake_sheets")),
            Entry(N_("先例"), "precedents.index"),
        ),
    ),
    Group(
        N_("督促"),
        (
            Entry(N_("进度"), "board.board", front=True),
            Entry(N_("活动"), "campaign_setup.index", _rooms("campaigns")),
            Entry(N_("回头看"), "look_back.index"),
            Entry(N_("联系点"), "contacts.index"),
        ),
    ),
    Group(
        N_("民主评议"),
        (
            Entry(N_("评议"), "rounds.index", _rooms("papers", "slips", "urns"), front=True),
            Entry(N_("评议意见"), "appraisals.index", _rooms("appraisal")),
        ),
    ),
    Group(
        N_("公开"),
        (
            Entry(N_("通报"), "bulletin_desk.index", front=True),
            Entry(N_("依法移除"), "removals.index"),
        ),
    ),
    Group(
        N_("单位和人"),
        (
            Entry(N_("单位"), "units.index", front=True),
            Entry(N_("同事与钥匙"), "roster.staff"),
            Entry(N_("找回钥匙"), "recovery.recovery"),
            Entry(N_("操作记录"), "audit.audit"),
        ),
    ),
    Group(
        N_("您自己"),
        (
            Entry(N_("第一天"), "help.welcome"),
            Entry(N_("通知"), "notifications.index"),
            Entry(N_("我的账号"), "account.account"),
            Entry(N_("界面一览"), "help.components"),
        ),
    ),
)


def entry_of(endpoint: str) -> Entry | None:
    """The entry that a page belongs to: its own, else that of its room."""
    entries = [entry for group in MENU for entry in group.entries]
    own = (entry for entry in entries if entry.endpoint == endpoint)
    return next(own, None) or next((e for e in entries if e.holds(endpoint)), None)
