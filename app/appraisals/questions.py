"""The nine questions (九看) of a self-appraisal: a template, which a branch may change."""

from __future__ import annotations

from app.errors import N_, Invalid

# Our own wording: circulated lists differ from county to county. Each begins with what to look at.
NINE = (
    N_("看信念：入党时说过的话，这一年哪些做到了，哪些淡了？"),
    N_("看学习：学了什么，用在了哪件事上？"),
    N_("看宗旨：为群众办成了哪几件实在事？哪件该办，还没有办？"),
    N_("看本职：自己的工作里，最拿得出手的是什么，最不满意的是什么？"),
    N_("看担当：遇到难事、得罪人的事，是上前了，还是躲开了？"),
    N_("看作风：说话办事，有没有应付、推拖、耍态度、讲排场？"),
    N_("看纪律：组织生活、请示报告、交党费，有没有缺过、拖过？"),
    N_("看廉洁：公和私分清了没有？自己和家里人，有没有沾过光？"),
    N_("看改进：上次说要改的，改了没有？下一步改什么，什么时候改好？"),
)
MOST, LONGEST = 12, 200


def stored(typed: str) -> str:
    """What an occasion keeps of the questions typed, one a line; empty for the template as it is.

    Raises Invalid (field `questions`).
    """
    lines = [" ".join(line.split()) for line in typed.splitlines() if line.strip()]
    if len(lines) > MOST or any(len(line) > LONGEST for line in lines):
        raise Invalid(
            N_("问题最多 %(most)d 条，每条最多 %(longest)d 个字。没有存下，您写的都还在。"),
            field="questions",
            most=MOST,
            longest=LONGEST,
        )
    return "" if tuple(lines) == NINE else "\n".join(lines)


def asked(kept: str) -> tuple[str, ...]:
    """The questions of an occasion; the template's are catalogue keys."""
    return tuple(kept.splitlines()) or NINE
