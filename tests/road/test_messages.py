"""Real messages and real answers, the whole road over HTTP by the contract alone."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.road.conftest import ROOT, Instance
from tests.visitor import Page, Visitor

MESSAGES = ROOT.parent / "shared" / "data" / "messages.csv"


def rows() -> list[dict[str, str]]:
    if not MESSAGES.exists():
        pytest.skip("SKIPPED LOUDLY: shared/data/messages.csv is absent")
    with Path(MESSAGES).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def drop(base: str, text: str) -> str:
    visitor = Visitor(base)
    form = visitor.get("/box/demo").form("/box/demo")
    page = visitor.drop(form, opinion=text)
    assert page.status == 200, page.alert()
    assert visitor.set_cookies == []
    (code,) = page.marked("data-receipt-code")
    return code.strip()


def opened_cases(desk: Visitor, page: Page) -> list[str]:
    found: list[str] = []
    while True:
        found += [e.get("data-case") or "" for e in page.tree.iter() if e.get("data-case")]
        following = [e.get("href") for e in page.tree.iter() if e.get("rel") == "next"]
        if not following or not following[0]:
            return found
        page = desk.get(following[0])


def answer(desk: Visitor, case_id: str, answers: dict[str, str]) -> bool:
    """Accept, draft, approve; whether the desk had the exact words before it."""
    page = desk.get(f"/desk/cases/{case_id}")
    (words,) = page.marked("data-opinion")
    page = desk.send(page.form(f"/{case_id}/accept"))
    assert page.value_of("data-state") == "accepted"
    page = desk.send(
        page.form(f"/{case_id}/draft"), answer=answers[words], summary="群众反映的一件事"
    )
    page = desk.send(page.form(f"/{case_id}/approve"))
    assert page.value_of("data-state") == "answered"
    return words in answers


def squeezed(text: str) -> str:
    """A text without the white space that Markdown and HTML may fold."""
    return "".join(text.split())


@pytest.mark.long
@pytest.mark.xdist_group("road")
def test_all_messages_arrive_word_for_word_at_both_ends(instance: Instance) -> None:
    messages = rows()
    texts = [row["message"].replace("\r\n", "\n") for row in messages]
    answers = {
        text: row["answer"].replace("\r\n", "\n") for text, row in zip(texts, messages, strict=True)
    }
    codes = {text: drop(instance.base, text) for text in texts}
    opened = instance.command("open-boxes", "--now")
    assert opened == f"opened {len(codes)} drops in 1 boxes"
    desk, page = instance.sign_in(instance.account("keeper", "demo"))
    at_desk = sum(answer(desk, case_id, answers) for case_id in opened_cases(desk, page))
    back = 0
    for text, code in codes.items():
        visitor = Visitor(instance.base)
        page = visitor.send(visitor.get("/receipt").form("/receipt"), code=code)
        assert page.value_of("data-state") == "answered"
        words = page.marked("data-message", "speaker")
        replies = page.marked("data-message", "desk")
        back += words == [text] and [squeezed(r) for r in replies] == [squeezed(answers[text])]
    print(f"\nword for word at the desk: {at_desk} of {len(codes)}; by receipt: {back}")
    assert (at_desk, back) == (len(codes), len(codes))
