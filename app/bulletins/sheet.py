"""A bulletin on paper: what its page says, in an embedded Chinese font."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

from app.bulletins.models import BulletinState, PromiseRating
from app.bulletins.promises import Standing
from app.bulletins.published import ShownBulletin, ShownPromise
from app.errors import N_
from app.sheets.flow import Flow
from app.text import plain_lines

STANDINGS = {
    Standing.OPEN: N_("还没到期"),
    Standing.OVERDUE: N_("到期了，还没做好"),
    Standing.DONE: N_("说是做好了，等监督组看"),
    Standing.KEPT: N_("做好了，监督组看过"),
}

RATINGS = {
    PromiseRating.SATISFIED: N_("满意"),
    PromiseRating.BASICALLY: N_("基本满意"),
    PromiseRating.DISSATISFIED: N_("不满意"),
}


def bulletin_sheet(
    shown: ShownBulletin,
    headings: Mapping[str, str],
    county: str,
    address: str,
    say: Callable[..., str],
    day: Callable[[dt.date | None], str],
) -> bytes:
    """The sheet; `say` translates a sentence, `day` says a date."""
    flow = Flow(sealed=True)
    flow.line(county, 10, centred=True, grey=True)
    flow.line(shown.title, 18, centred=True)
    flow.line(f"{shown.unit_name}　{day(shown.published_on)}", 10.5, centred=True, grey=True)
    flow.rule()
    if shown.state is BulletinState.WITHDRAWN:
        flow.line(say(N_("这份通报已于%(day)s撤下。"), day=day(shown.withdrawn_on)), 13)
        flow.line(say(N_("原因：%(reason)s"), reason=shown.withdrawn_because), 11.5)
    for number, (part, text) in enumerate(shown.parts):
        flow.heading(f"{'一二三'[number]}、{say(headings[part])}")
        for line in plain_lines(text):
            flow.line(line, 11.5)
    if shown.promises:
        flow.heading(say(N_("承诺的整改")))
        for number, promise in enumerate(shown.promises, start=1):
            flow.line(f"{number}. {promise.words}", 11.5)
            flow.line(_standing(promise, say, day), 10, grey=True)
    flow.rule()
    flow.line(say(N_("网上的这一份：%(address)s"), address=address), 9, grey=True)
    return flow.bytes()


def _standing(
    promise: ShownPromise, say: Callable[..., str], day: Callable[[dt.date | None], str]
) -> str:
    said = [promise.owner] if promise.owner else []
    said += [say(N_("%(day)s以前"), day=day(promise.due_on)), say(STANDINGS[promise.standing])]
    if promise.evidence:
        said.append(promise.evidence)
    if promise.rating:
        said.append(say(N_("监督组复评：")) + say(RATINGS[promise.rating]))
    return "　".join(said)
