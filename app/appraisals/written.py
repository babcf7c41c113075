"""The committee's written appraisal of a member: drafted sealed, read by another, finished."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy.orm import Session

from app.appraisals import gathered, record
from app.appraisals.models import Appraisal, TextKind
from app.appraisals.record import Words
from app.appraisals.workflow import Move, next_state
from app.cases.queue import Unlocked
from app.errors import N_, Forbidden, Invalid
from app.organisation import service as organisation

PARTS = ("achievements", "problems", "direction")
MAX_PART, MAX_CITE = 2500, 250
MOST_CITED = 8


@dataclass(frozen=True)
class Citation:
    """An opinion in the committee's words; the case's id never leaves the committee."""

    case_id: str
    words: str


@dataclass(frozen=True)
class Written:
    """What the committee writes: achievements, problems, direction, opinions in its own words."""

    achievements: str = ""
    problems: str = ""
    direction: str = ""
    cited: Sequence[Citation] = ()

    @property
    def parts(self) -> Mapping[str, str]:
        """The three parts by name."""
        return {part: getattr(self, part) for part in PARTS}

    @classmethod
    def of(cls, words: Words | None) -> Written:
        """From an opened text; empty where there is none."""
        if words is None:
            return cls()
        cited = words.content["cited"]
        listed = cited if isinstance(cited, list) else []
        parts = {part: str(words.content[part]) for part in PARTS}
        return cls(**parts, cited=tuple(Citation(**one) for one in listed))


def current(session: Session, desk: Unlocked, appraisal: Appraisal) -> Written:
    """What is written now, where the keys open it."""
    found = record.texts(session, appraisal.id, (TextKind.WRITTEN,))
    return Written.of(record.newest(record.opened(session, desk, found), TextKind.WRITTEN))


def draft(
    session: Session, desk: Unlocked, appraisal: Appraisal, text: Written, today: dt.date
) -> None:
    """Keep the appraisal as a draft, sealed to the branch's key alone.

    Raises Conflict, Invalid (the field at fault): nothing written, or a speaker's own words.
    """
    next_state(appraisal.state, Move.DRAFT)
    if not any(words.strip() for words in text.parts.values()):
        raise Invalid(N_("还是空的，没有存下。请先写一点，再存草稿。"), field="achievements")
    box_id = record.occasion_of(session, appraisal).box_id
    cited = [(one.case_id, one.words) for one in text.cited]
    gathered.require_own_words(session, desk, box_id, text.parts, cited)
    record.replace(session, appraisal, (TextKind.WRITTEN,))
    record.put(session, appraisal, TextKind.WRITTEN, asdict(text), today)
    record.move(appraisal, Move.DRAFT)
    appraisal.written_by, appraisal.written_on = desk.staff_id, today
    session.flush()


def needs_second_eyes(session: Session, desk: Unlocked, appraisal: Appraisal) -> bool:
    """Whether this person drafted last and the branch's policy asks for somebody else to finish."""
    box_id = record.occasion_of(session, appraisal).box_id
    branch = organisation.branches_of_boxes(session, [box_id])[box_id]
    return branch.second_eyes and appraisal.written_by == desk.staff_id


def finish(session: Session, desk: Unlocked, appraisal: Appraisal, today: dt.date) -> None:
    """Call the draft finished: all three parts are there, a second person where policy asks.

    Raises Conflict, Forbidden, Invalid (the field of a missing part).
    """
    next_state(appraisal.state, Move.FINISH)
    if needs_second_eyes(session, desk, appraisal):
        raise Forbidden(N_("这个支部要两个人把关：草稿是您写的，请另一位保管人看过再定稿。"))
    text = current(session, desk, appraisal)
    for part, words in text.parts.items():
        if not words.strip():
            raise Invalid(N_("成绩、问题、方向三样都要写。还缺一样，没有定稿。"), field=part)
    record.move(appraisal, Move.FINISH)
    appraisal.finished_on = today
    session.flush()


def send_back(session: Session, appraisal: Appraisal) -> None:
    """Take a finished one back to be rewritten, before it was delivered. Raises Conflict."""
    record.move(appraisal, Move.RETURN)
    session.flush()


def revise(session: Session, appraisal: Appraisal) -> None:
    """Write anew after delivery, for what the member said; what was delivered stays on record."""
    record.move(appraisal, Move.REVISE)
    session.flush()
