"""The blank form: laid out once for all branches alike, and of none of them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from app import db
from app.clock import Clock
from app.organisation.models import Unit
from app.sealing import front as fronts
from tests.factories import BoxInHand, make_box, make_group
from tests.submissions.conftest import Speaker, lying


@pytest.fixture
def other(app: Flask, box: BoxInHand) -> BoxInHand:
    """Another branch, whose name has to be escaped, and a group that watches both."""
    clock: Clock = app.extensions["clock"]
    assert box.keys
    with app.app_context(), db.transaction() as session:
        made = make_box(session, "shiqiao", clock)
        session.get_one(Unit, made.unit_id).name = "石桥<b>&支部"
        make_group(session, "jiandu", clock)
    return made


def layouts(app: Flask) -> str:
    return repr(app.extensions.get("layouts", {}))


def test_a_form_that_was_laid_out_for_one_branch_names_the_other_alone(
    app: Flask, speaker: Speaker, other: BoxInHand
) -> None:
    first, second = speaker.get("/box/longtan").html, speaker.get(f"/box/{other.slug}").html
    assert "longtan支部" in first
    assert "longtan" not in second
    assert "石桥&lt;b&gt;&amp;支部" in second
    assert "jiandu监督组" in second
    assert len(app.extensions["layouts"]) == 1


def test_what_is_kept_of_a_form_is_of_no_branch_and_of_no_request(
    app: Flask, speaker: Speaker, other: BoxInHand
) -> None:
    for query in ("", "?lang=en", "?view=large", "?lang=zh-Hant&view=large&q=somebody"):
        assert speaker.get(f"/box/longtan{query}").form("/box/longtan").fields["ticket"]
    kept = layouts(app)
    assert len(app.extensions["layouts"]) == 4
    for own in ("longtan", "jiandu", other.slug, "somebody"):
        assert own not in kept


def test_each_blank_form_has_a_ticket_of_its_own_that_is_good(
    app: Flask, speaker: Speaker, other: BoxInHand
) -> None:
    forms = [
        speaker.get(f"/box/{slug}").form(f"/box/{slug}") for slug in ("longtan", other.slug) * 2
    ]
    assert len({form.fields["ticket"] for form in forms}) == 4
    for number, form in enumerate(forms):
        assert speaker.send(form, opinion=f"第{number}件").marked("data-receipt-code")
    assert lying(app) == 4


def test_a_group_far_above_a_branch_is_found_and_one_that_nobody_keeps_is_not(
    app: Flask, box: BoxInHand
) -> None:
    clock: Clock = app.extensions["clock"]
    with app.app_context(), db.transaction() as session:
        branch = session.get_one(Unit, box.unit_id)
        for number in range(3):  # a tree deeper than a county's
            between = Unit(slug=f"deep-{number}", name="中间", kind="unit", parent=branch.parent)
            session.add(between)
            branch.parent = between
        session.flush()
        group = make_group(session, "jiandu", clock)
        found = fronts.front(session.connection(), box.slug).group
        assert found is not None
        assert found.box_id == group.box_id
        session.execute(sa.text("UPDATE box_key SET retired_on = created_on"))
        closed = fronts.front(session.connection(), box.slug)
        assert closed.group is None
        assert not closed.kept


def test_what_is_kept_of_a_receipt_is_nobodys(
    app: Flask, speaker: Speaker, other: BoxInHand
) -> None:
    def dropped(slug: str) -> tuple[str, str, str]:
        page = speaker.send(speaker.get(f"/box/{slug}").form(f"/box/{slug}"), opinion=f"{slug}的路")
        (code,), (promise,) = page.marked("data-receipt-code"), page.marked("data-promise")
        return code, promise, page.html

    first, again, second = dropped("longtan"), dropped("longtan"), dropped(other.slug)
    assert len({first[0], again[0], second[0]}) == 3
    assert "longtan支部" in first[2]
    assert "longtan" not in second[2]
    assert "石桥&lt;b&gt;&amp;支部" in second[2]
    assert first[0] not in again[2] + second[2]
    kept = layouts(app)
    assert len(app.extensions["layouts"]) == 2  # of the form and of the receipt
    for code, promise, _ in (first, again, second):
        assert code not in kept
        assert promise not in kept
    for own in ("longtan", other.slug, "石桥", "的路"):
        assert own not in kept
