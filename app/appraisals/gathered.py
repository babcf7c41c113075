"""Opinions gathered about a member: found in the unlocked session, told in the committee's words.

Whoever said "don't publish" is not cited at all; whoever allowed a paraphrase never word for word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import queue, search
from app.cases import service as cases
from app.cases.models import Case, ItemKind, ThreadItem
from app.cases.queue import Unlocked
from app.cases.workflow import State
from app.errors import N_, Invalid
from app.sealing import service as sealing
from app.submissions.service import Publish

MOST = 10
MOST_COMPARED = 2000
# A run of so many characters that stands in an opinion is the speaker's, not the committee's.
RUN, SHORTEST = 12, 4
_DESTROYED = (State.WITHDRAWN, State.REMOVED)


class RawWordsError(Invalid):
    """A speaker's own words stand where only the committee's may."""


@dataclass(frozen=True)
class Gathered:
    """An opinion of the branch's box as the keeper sees it beside the draft."""

    case_id: str
    excerpt: str
    consent: str
    text: str


def _opened(session: Session, desk: Unlocked, query: sa.Select[str]) -> list[Gathered]:
    """The opinions of these cases, each with what its speaker allows; two queries."""
    items = session.scalars(
        sa.select(ThreadItem)
        .where(
            ThreadItem.case_id.in_(query),
            ThreadItem.kind.in_((ItemKind.OPINION, ItemKind.CONSENT)),
        )
        .order_by(ThreadItem.case_id, ThreadItem.position)
    ).all()
    raws = sealing.open_items_at_desk(session, [item.item_id for item in items], desk.keys)
    threads: dict[str, list[tuple[ThreadItem, bytes]]] = {}
    for item in items:
        if item.item_id in raws:
            threads.setdefault(item.case_id, []).append((item, raws[item.item_id]))
    found = []
    for case_id, shown in threads.items():
        content = cases.content_in(shown)
        if content is not None:
            consent = cases.consent_in(shown, content)
            found.append(Gathered(case_id, queue.excerpt(content.text), consent, content.text))
    return found


def _of_box(desk: Unlocked, box_id: str) -> Unlocked:
    return Unlocked(desk.staff_id, desk.box_ids & {box_id}, desk.keys)


def find(
    session: Session, desk: Unlocked, box_id: str, typed: str, cited: Iterable[str] = ()
) -> list[Gathered]:
    """The box's opinions in whose thread the typed words stand, and those cited already."""
    here = _of_box(desk, box_id)
    kept = list(cited)
    ids = [*kept, *(i for i in search.find(session, here, typed)[:MOST] if i not in kept)]
    query = sa.select(Case.id).where(
        Case.id.in_(ids), Case.box_id == box_id, Case.state.not_in(_DESTROYED)
    )
    by_id = {one.case_id: one for one in _opened(session, here, query)}
    return [by_id[case_id] for case_id in ids if case_id in by_id]


def require_own_words(
    session: Session,
    desk: Unlocked,
    box_id: str,
    written: Mapping[str, str],
    cited: Sequence[tuple[str, str]],
) -> None:
    """What the committee wrote is its own: no run of an opinion whose speaker didn't allow that.

    `written` maps a part to its words, `cited` are (case, paraphrase). Every opinion of the box
    that the keys open is compared, the newest 2,000. Raises Invalid (field `cite` or the part's).
    """
    some = queue.newest(box_id, [s for s in State if s not in _DESTROYED], MOST_COMPARED)
    newest = (
        sa.select(Case.id)
        .join(some, some.c.id == Case.id)
        .order_by(*queue.NEWEST_FIRST)
        .limit(MOST_COMPARED)
    )
    opinions = {one.case_id: one for one in _opened(session, _of_box(desk, box_id), newest)}
    for case_id, paraphrase in cited:
        _require_citable(opinions.get(case_id), paraphrase)
    kept = [one.text for one in opinions.values() if one.consent != Publish.WORDS]
    places = [*written.items(), *(("cite", words) for _, words in cited)]
    for field, words in places:
        runs = _runs(words)
        if any(runs & _runs(text) for text in kept):
            raise _raw_words(field)


def _require_citable(one: Gathered | None, paraphrase: str) -> None:
    if one is None:
        raise Invalid(
            N_("有一条意见已经撤回或转走，不能再引用，没有存下。请去掉它，别的都还在。"),
            field="cite",
        )
    if one.consent == Publish.NO:
        raise Invalid(
            N_("来件人说了不要公开的意见，不能引用，换了说法也不行。没有存下，您写的都还在。"),
            field="cite",
        )
    opinion, ours = _letters(one.text), _letters(paraphrase)
    short = SHORTEST <= len(opinion) < RUN and opinion in ours
    if one.consent != Publish.WORDS and short:
        raise _raw_words("cite")


def _runs(text: str) -> set[str]:
    plain = _letters(text)
    return {plain[i : i + RUN] for i in range(len(plain) - RUN + 1)}


def _letters(text: str) -> str:
    normal = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in normal if c.isalnum())


_RAW = {
    "achievements": N_("“成绩”里有一段是来件人的原话，没有得到允许。没有存下，请换成自己的说法。"),
    "problems": N_("“问题”里有一段是来件人的原话，没有得到允许。没有存下，请换成自己的说法。"),
    "direction": N_("“方向”里有一段是来件人的原话，没有得到允许。没有存下，请换成自己的说法。"),
    "cite": N_("引用的意见里有一段是来件人的原话，没有得到允许。没有存下，请换成自己的说法。"),
}


def _raw_words(field: str) -> RawWordsError:
    # Where, not what: an error may reach a log, and the words are the speaker's.
    return RawWordsError(_RAW[field], field=field)
