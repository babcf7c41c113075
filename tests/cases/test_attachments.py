"""Attachments go the way of the words: read, referred, appealed with, removed."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from flask import Flask

from app import cli, db
from app.cases import enclosed, expiry, merging, record, referral, removal
from app.cases.models import Case, RemovalGround
from app.cases.workflow import Move
from app.clock import Clock, shift_months
from app.errors import Forbidden, NotFound
from app.organisation import service as organisation
from app.sealing.models import AttachmentPiece, LyingPiece
from app.submissions.service import Receipt
from config import Config
from tests.cases.conftest import Scene
from tests.cases.test_desk import make_keeper
from tests.factories import BoxInHand, case_of, drop, picture

ONE, TWO = picture(b"one"), picture(b"two", 700_000)


def enclose(scene: Scene, text: str = "见照片") -> tuple[Receipt, str]:
    """An opinion with two pictures, opened: its receipt and its case."""
    return scene.opened(text, files=((ONE,), (TWO,)))


def look(scene: Scene, box: BoxInHand, case_id: str, number: int = 0) -> bytes:
    """A picture of a case, as somebody at this box's desk sees it."""
    shown = scene.page(box, case_id).attachments
    assert shown
    with scene.writing() as session:
        leaf = shown[number].leaves[0]
        return enclosed.picture_at_desk(session, box.desk(), case_id, leaf.id)


def count(scene: Scene, model: type[LyingPiece] | type[AttachmentPiece]) -> int:
    with scene.writing() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_the_keeper_sees_the_pictures_and_no_other_branch_does(scene: Scene) -> None:
    _receipt, case_id = enclose(scene)
    assert look(scene, scene.here, case_id) == ONE.jpeg
    assert look(scene, scene.here, case_id, 1) == TWO.jpeg
    shown = scene.page(scene.here, case_id).attachments or ()
    with scene.writing() as session:
        for other in (scene.there, scene.group):
            with pytest.raises(Forbidden):
                enclosed.picture_at_desk(session, other.desk(), case_id, shown[0].leaves[0].id)
        with pytest.raises(NotFound):
            enclosed.picture_at_desk(session, scene.here.desk(), case_id, "0" * 32)


def test_a_picture_of_another_case_is_not_found_under_this_one(scene: Scene) -> None:
    _one, first = enclose(scene)
    _two, second = enclose(scene, "另一件")
    shown = scene.page(scene.here, first).attachments or ()
    with scene.writing() as session, pytest.raises(NotFound):
        enclosed.picture_at_desk(session, scene.here.desk(), second, shown[0].leaves[0].id)


def test_referred_the_pictures_go_with_their_key(scene: Scene) -> None:
    _receipt, case_id = enclose(scene)
    with scene.writing() as session:
        case = scene.case(session, case_id)
        to = organisation.branches_of_boxes(session, [scene.there.box_id])[scene.there.box_id]
        today = scene.clock.today()
        referral.refer(session, scene.here.desk(), case, to, "归那边管。", "collective", today)
    assert look(scene, scene.there, case_id) == ONE.jpeg
    with pytest.raises(Forbidden):
        scene.page(scene.here, case_id)


def test_an_appeal_lets_the_group_see_the_pictures(scene: Scene) -> None:
    receipt, case_id = enclose(scene)
    scene.answer(case_id)
    scene.act(receipt, "appeal", "照片上看得清清楚楚")
    scene.open_boxes()
    assert look(scene, scene.group, case_id, 1) == TWO.jpeg


def test_merged_cases_keep_each_its_own_pictures(scene: Scene) -> None:
    _one, first = enclose(scene)
    _two, second = scene.opened("同一件事", files=((TWO,),))
    with scene.writing() as session:
        case, into = scene.case(session, second), scene.case(session, first)
        merging.merge(session, scene.here.desk(), case, into, scene.clock.today())
    assert len(scene.page(scene.here, first).attachments or ()) == 2
    assert look(scene, scene.here, second) == TWO.jpeg


@pytest.mark.parametrize("burnt", [False, True])
def test_a_removal_destroys_the_pictures_though_no_office_holds_a_key(
    scene: Scene, burnt: bool
) -> None:
    receipt, case_id = enclose(scene)
    _other, kept = enclose(scene, "留着的")
    if burnt:
        scene.burn(receipt)
    today, secret = scene.clock.today(), scene.secret
    before = count(scene, AttachmentPiece)
    with scene.writing() as session:
        removal.ask(session, "office-1", case_id, RemovalGround.THIRD_PERSON, today)
        removal.remove(session, "office-2", case_id, today, secret)
    assert count(scene, AttachmentPiece) == before // 2
    assert scene.page(scene.here, case_id).attachments == ()
    assert look(scene, scene.here, kept, 1) == TWO.jpeg


def test_at_the_end_of_a_thread_its_pictures_go_with_the_words(scene: Scene) -> None:
    _receipt, case_id = enclose(scene)
    _other, kept = enclose(scene, "还没办完的")
    scene.answer(case_id)
    today = scene.clock.today()
    with scene.writing() as session:
        record.move(session, scene.case(session, case_id), Move.SILENCE, today)
        assert expiry.expire(session, shift_months(today, 24), 24, scene.secret) == 1
    assert count(scene, AttachmentPiece) == 4
    assert look(scene, scene.here, kept, 1) == TWO.jpeg


def test_what_stays_shut_keeps_its_pictures_for_the_next_opening(scene: Scene) -> None:
    with scene.writing() as session:
        receipt = drop(
            session, scene.config, scene.clock, scene.here, "一件不够开箱", ((ONE,), (TWO,))
        )
    scene.open_at_its_hour()  # one is fewer than three
    assert count(scene, LyingPiece) == 4
    assert count(scene, AttachmentPiece) == 0
    assert len(scene.thread(receipt).attachments or ()) == 2
    scene.open_boxes()
    assert (count(scene, LyingPiece), count(scene, AttachmentPiece)) == (0, 4)
    assert len(scene.thread(receipt).attachments or ()) == 2


def test_no_row_of_a_case_tells_whether_it_has_pictures(scene: Scene) -> None:
    _with, first = enclose(scene, "一样长的话")
    _without, second = scene.opened("一样长的话")
    with scene.writing() as session:
        lengths = []
        for case_id in (first, second):
            case = session.get_one(Case, case_id)
            items = record.thread_items(session, case_id)
            sealed = session.execute(
                sa.text("SELECT ciphertext, receipt_wrap FROM sealed_item WHERE id = :id"),
                {"id": items[0].item_id},
            ).one()
            lengths.append((len(case.sealed_locator or b""), *map(len, sealed), len(items)))
        assert lengths[0] == lengths[1]
        ids = {row.hex() for row in session.scalars(sa.select(AttachmentPiece.id))}
        tables = [t for t in sa.inspect(session.connection()).get_table_names()
                  if t != "attachment_piece"]  # fmt: skip
        for table in tables:
            for row in session.execute(sa.text(f'SELECT * FROM "{table}"')):
                for value in row:
                    raw = bytes(value).hex() if isinstance(value, bytes | memoryview) else value
                    assert not any(one in str(raw) for one in ids), table


def test_at_the_desk_a_picture_is_served_in_its_keepers_session_alone(
    app: Flask, config: Config
) -> None:
    keeper, other = make_keeper(app, config, "longtan"), make_keeper(app, config, "shiqiao")
    clock: Clock = app.extensions["clock"]
    with app.app_context():
        with db.transaction() as session:
            receipt = drop(session, config, clock, keeper.box, "见照片", ((ONE,), (TWO,)))
        cli.run_opening(now=True)
        with db.reading() as session:
            case_id = case_of(session, receipt).id
    page = keeper.client.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    addresses = re.findall(r'<img src="(/desk/[^"]+)"', page)
    assert len(addresses) == 2
    assert all(
        re.fullmatch(rf"/desk/cases/{case_id}/pictures/[0-9a-f]{{32}}", a) for a in addresses
    )
    answer = keeper.client.get(addresses[0])
    assert (answer.status_code, answer.data, answer.mimetype) == (200, ONE.jpeg, "image/jpeg")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "picture.jpg" in answer.headers["Content-Disposition"]
    assert other.client.get(addresses[0]).status_code == 403
    assert app.test_client().get(addresses[0]).headers["Location"] == "/desk/sign-in"
    keeper.client.post("/desk/sign-out", data={"csrf_token": hidden(page, "csrf_token")})
    assert keeper.client.get(addresses[0]).status_code == 303


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found
    return found[1]


def test_the_longest_opinion_has_room_for_its_pictures(scene: Scene) -> None:
    words = "🙂" * 5000
    receipt, case_id = scene.opened(words, files=((ONE,), (TWO,)) * 2 + ((ONE,),))
    assert scene.thread(receipt).messages[0].text == words
    assert look(scene, scene.here, case_id, 3) == TWO.jpeg
