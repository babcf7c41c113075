"""What a message says: of one shape for each kind, numbers and links alone; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.errors import N_


@dataclass(frozen=True)
class Letter:
    """A message in words: a subject line, and paragraphs whose named parts are filled in."""

    subject: str
    lines: tuple[str, ...]


# Padded numbers keep every digest of a unit at one size, an empty day's too (threat: its length
# on the wire tells that something came).
LETTERS: Mapping[str, Letter] = {
    "digest": Letter(
        N_("言路：%(unit)s %(day)s的办件"),
        (
            N_("等着受理：%(waiting)4d 件"),
            N_("正在办：　%(working)4d 件"),
            N_("已经逾期：%(overdue)4d 件"),
            N_("请到工作台办理：%(link)s"),
        ),
    ),
    "overdue_remind": Letter(
        N_("言路：有事过了期，还没有办"),
        (
            N_("办件：　　%(cases)4d 件"),
            N_("规定动作：%(actions)4d 项"),
            N_("补课：　　%(tasks)4d 件"),
            N_("申诉：　　%(recourses)4d 件"),
            N_("请到工作台办理：%(link)s"),
        ),
    ),
    "overdue_group": Letter(
        N_("言路：有 %(branches)d 个支部的事提醒过了，还没有办"),
        (
            N_("办件：　　%(cases)4d 件"),
            N_("规定动作：%(actions)4d 项"),
            N_("补课：　　%(tasks)4d 件"),
            N_("申诉：　　%(recourses)4d 件"),
            N_("是哪些支部，请看工作台：%(link)s"),
        ),
    ),
    "overdue_leader": Letter(
        N_("言路：您联系的支部里，有 %(branches)d 个的事一直没有办"),
        (
            N_("办件：　　%(cases)4d 件"),
            N_("规定动作：%(actions)4d 项"),
            N_("补课：　　%(tasks)4d 件"),
            N_("申诉：　　%(recourses)4d 件"),
            N_("支部和监督组都提醒过了。明细可以问监督组，工作台在：%(link)s"),
        ),
    ),
    "test": Letter(
        N_("言路：试发一封"),
        (N_("收到这一封，说明“%(name)s”这条通知渠道是通的。"),),
    ),
    "confirm": Letter(
        N_("言路：请确认订阅"),
        (
            N_("有人用这个邮箱订阅了%(county)s的通报。是您本人，请点开下面的地址确认："),
            N_("%(link)s"),
            N_("不是您，不用理会：不确认就不会再发。"),
        ),
    ),
    "bulletin": Letter(
        N_("言路：%(county)s有新的通报"),
        (
            N_("%(title)s"),
            N_("全文：%(link)s"),
            N_("不想再收，点这里退订：%(unsubscribe)s"),
        ),
    ),
}


def written(kind: str, values: Mapping[str, str | int]) -> tuple[str, str]:
    """Subject and text of a message; raises KeyError for a kind, or a part of it, that is missing.

    An older version's rows may wait still, or a newer one's after a step back.
    """
    letter = LETTERS[kind]
    return letter.subject % values, "\n".join(line % values for line in letter.lines) + "\n"
