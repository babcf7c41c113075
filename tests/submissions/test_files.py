"""Files at the form: taken as pictures, found again by the receipt, refused without a loss."""

from __future__ import annotations

import hashlib
import io
import json
import re

import pytest
import sqlalchemy as sa
from flask import Flask
from PIL import Image

from app import crypto, db
from app.pictures import cleaning
from app.sealing.models import AttachmentPiece, LyingPiece
from app.transparency import verifier
from config import Config
from tests.inspecting_client import elements, find
from tests.pictures import hostile
from tests.pictures.hostile import CANARY, encoded, image
from tests.submissions.conftest import Speaker, lying, open_now
from tests.visitor import Page

PHOTO = encoded(image(), "JPEG", exif=hostile.exif(), xmp=hostile.xmp(), comment=CANARY)
PAPER = hostile.scripted()


def pieces(app: Flask) -> tuple[int, int]:
    """How many pieces lie in the boxes, and how many came out."""
    with app.app_context(), db.reading() as session:
        lying_ones, opened = (
            session.scalar(sa.select(sa.func.count()).select_from(model)) or 0
            for model in (LyingPiece, AttachmentPiece)
        )
    return lying_ones, opened


def drop(speaker: Speaker, *files: tuple[str, bytes], **fields: str) -> Page:
    form = speaker.get("/box/longtan").form("/box/longtan")
    return speaker.send_with(form, *files, **{"opinion": "桥栏杆断了，见照片。", **fields})


def code_of(page: Page) -> str:
    assert page.status == 200, page.alert()
    return page.marked("data-receipt-code")[0]


def test_pictures_come_along_and_only_their_pixels(app: Flask, speaker: Speaker) -> None:
    page = drop(speaker, ("IMG_张三.jpg", PHOTO), ("申请.pdf", PAPER))
    assert "附了 3 张图" in page.html
    assert "张三" not in page.html
    for look in ("lying", "waiting"):
        thread = speaker.thread(code_of(page))
        assert thread.value_of("data-state") == look
        names = [e.text for e in elements(thread.tree, "button") if e.get("name") == "picture"]
        assert names == ["第 1 个文件", "第 2 个文件，第 1 页", "第 2 个文件，第 2 页"]
        for number, size in enumerate(((240, 320), (1653, 2339), (1653, 2339))):
            answer = speaker.picture(thread, number)
            assert answer.mimetype == "image/jpeg"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert CANARY.encode() not in answer.data
            assert Image.open(io.BytesIO(answer.data)).size == size
        open_now(app)


def test_the_file_names_and_what_was_sent_stand_nowhere(
    app: Flask, config: Config, speaker: Speaker
) -> None:
    drop(speaker, ("IMG_canaryname44.jpg", PHOTO))
    open_now(app)
    with app.app_context(), db.engine().connect() as connection:
        tables = sa.inspect(connection).get_table_names()
        rows = [
            repr(tuple(row))
            for t in tables
            for row in connection.execute(sa.text(f'SELECT * FROM "{t}"'))
        ]
    held = "".join(rows)
    assert "canaryname44" not in held
    assert CANARY not in held
    on_disk = b"".join(p.read_bytes() for p in config.data_dir.rglob("*") if p.is_file())
    assert b"canaryname44" not in on_disk
    assert CANARY.encode() not in on_disk


def test_a_double_click_with_files_drops_once_and_another_file_is_another_drop(
    app: Flask, speaker: Speaker
) -> None:
    form = speaker.get("/box/longtan").form("/box/longtan")
    one, two, other = (
        speaker.send_with(form, ("a.jpg", content), opinion="见照片。")
        for content in (PHOTO, PHOTO, encoded(image((90, 80)), "PNG"))
    )
    assert code_of(one) == code_of(two) != code_of(other)
    assert one.marked("data-promise") == two.marked("data-promise")
    assert lying(app) == 2
    assert pieces(app) == (2, 0)


def test_the_saved_file_covers_the_pictures_and_verifies(app: Flask, speaker: Speaker) -> None:
    code = code_of(drop(speaker, ("a.jpg", PHOTO), ("b.pdf", PAPER)))
    open_now(app)
    thread = speaker.thread(code)
    pictures = [speaker.picture(thread, number).data for number in range(3)]
    page = speaker.send(thread.form("/receipt/file"))
    saved = verifier.read_receipt(page.html)
    one = hashlib.sha256(pictures[0]).hexdigest()
    assert saved["attachments"] == [one, hashlib.sha256(pictures[1] + pictures[2]).hexdigest()]
    hashes = [bytes.fromhex(digest) for digest in saved["attachments"]]
    committed = crypto.commitment(bytes.fromhex(saved["nonce"]), saved["text"], hashes)
    assert committed.hex() == saved["commitment"]
    assert committed.hex() in saved["promise"]
    key = verifier.read_key(saved["key"])
    assert verifier.ed25519_verify(
        key.public, verifier.read_promise(saved["promise"]).signed.encode(),
        verifier.read_promise(saved["promise"]).signature,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([("报告.docx", hostile.archive(a="b"))], "不是照片，也不是 PDF"),
        ([("a.jpg", PHOTO), ("b.svg", b"<svg/>")], "第 2 个文件不是照片"),
        ([("a.jpg", b"")], "是空的"),
        ([("a.jpg", PHOTO)] * 6, "最多附 5 个文件"),
        ([("a.jpg", PHOTO + bytes(6 * 1024 * 1024)), ("b.jpg", bytes(5 * 1024 * 1024))], "10 MB"),
    ],
)
def test_refused_files_keep_the_words_and_say_that_files_must_be_chosen_again(
    app: Flask, speaker: Speaker, files: list[tuple[str, bytes]], sentence: str
) -> None:
    page = drop(speaker, *files, opinion="第一行\n第二行", aspect="conduct")
    assert page.status == 422
    assert sentence in page.alert()
    assert "请在下面重新选一次" in page.html
    form = page.form("/box/longtan")
    assert form.fields["opinion"].strip() == "第一行\n第二行"
    assert form.fields["aspect"] == "conduct"
    assert lying(app) == 0
    again = speaker.send_with(form, ("a.jpg", PHOTO))
    assert again.marked("data-receipt-code")


def test_a_form_of_more_than_twelve_megabytes_gets_a_kind_413(speaker: Speaker) -> None:
    page = drop(speaker, ("a.jpg", bytes(13 * 1024 * 1024)))
    assert page.status == 413
    assert "什么都没有存下" in page.html


def test_a_form_without_a_chosen_file_is_as_before(app: Flask, speaker: Speaker) -> None:
    form = speaker.get("/box/longtan").form("/box/longtan")
    page = speaker.send_with(form, ("", b""), opinion="没有附照片。")
    assert page.marked("data-receipt-code")
    assert pieces(app) == (0, 0)
    assert not speaker.thread(code_of(page)).has_form("/receipt/picture")


def test_words_in_a_form_with_files_arrive_to_the_letter(speaker: Speaker) -> None:
    words = "第一行\n\n  缩进，“引号”，emoji 🙂，零宽\u200b。"
    code = code_of(drop(speaker, ("a.jpg", PHOTO), opinion=words))
    assert speaker.thread(code).marked("data-message", "speaker") == [words]


def test_the_warning_lets_files_be_chosen_again_at_once(app: Flask, speaker: Speaker) -> None:
    page = drop(speaker, ("a.jpg", PHOTO), opinion="我叫李建国，住龙潭村 12 号。")
    assert find(page.tree, "data-self-identification")
    assert "请在这里重新选一次" in page.html
    assert lying(app) == 0
    done = speaker.send_with(page.form("/box/longtan"), ("a.jpg", PHOTO), decision="mask")
    assert "附了 1 张图" in done.html


def test_one_receipt_never_opens_anothers_picture(app: Flask, speaker: Speaker) -> None:
    mine, theirs = (
        code_of(drop(speaker, ("a.jpg", encoded(image((90, 60 + n)), "PNG")))) for n in range(2)
    )
    for _ in range(2):
        page = speaker.thread(theirs)
        (wanted,) = [e.get("value") for e in find(page.tree, "name", "picture")]
        form = speaker.thread(mine).form("/receipt/picture")
        fields = {**form.fields, "picture": str(wanted)}
        answer = app.test_client().post("/receipt/picture", data=fields)
        assert answer.status_code == 404
        forged = app.test_client().post("/receipt/picture", data={"ticket": "x", "picture": wanted})
        assert forged.status_code == 422
        open_now(app)


def test_withdrawn_from_the_box_pictures_leave_rows_of_the_same_size_and_no_picture(
    app: Flask, speaker: Speaker
) -> None:
    code = code_of(drop(speaker, ("a.jpg", PHOTO)))
    with app.app_context(), db.reading() as session:
        before = {row.pool_id: row.wrapped for row in session.scalars(sa.select(LyingPiece))}
    speaker.send(speaker.thread(code).form("/receipt/withdraw"), confirm="yes")
    with app.app_context(), db.reading() as session:
        after = {row.pool_id: row.wrapped for row in session.scalars(sa.select(LyingPiece))}
    assert before.keys() == after.keys()
    assert all(len(after[place]) == len(before[place]) == 262_144 for place in before)
    assert all(after[place] != before[place] for place in before)
    open_now(app)
    assert pieces(app) == (0, 0)


@pytest.mark.parametrize("when", ["lying", "opened"])
def test_a_burnt_receipt_opens_no_picture_and_the_desk_still_does(
    app: Flask, speaker: Speaker, when: str
) -> None:
    code = code_of(drop(speaker, ("a.jpg", PHOTO)))
    if when == "opened":
        open_now(app)
    thread = speaker.thread(code)
    speaker.send(thread.form("/receipt/burn"), confirm="yes")
    assert speaker.picture(thread).status_code == 404
    open_now(app)
    assert pieces(app) == (0, 1)
    assert speaker.picture(thread).status_code == 404


def test_withdrawn_after_the_opening_pictures_are_destroyed(app: Flask, speaker: Speaker) -> None:
    code = code_of(drop(speaker, ("a.jpg", PHOTO)))
    open_now(app)
    thread = speaker.thread(code)
    assert pieces(app) == (0, 1)
    speaker.send(thread.form("/receipt/withdraw"), confirm="yes")
    assert pieces(app) == (0, 0)
    assert speaker.picture(thread).status_code == 404


def test_a_stale_form_with_files_is_shown_again_with_the_words(
    app: Flask, speaker: Speaker
) -> None:
    form = speaker.get("/box/longtan").form("/box/longtan")
    open_now(app)
    page = speaker.send_with(form, ("a.jpg", PHOTO), opinion="见照片。")
    assert page.status == 422
    assert "请在下面重新选一次" in page.html
    assert speaker.send_with(page.form("/box/longtan"), ("a.jpg", PHOTO)).status == 200


def test_when_no_turn_comes_the_words_are_kept(
    app: Flask, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "_PATIENCE", 0.01)
    taken = [cleaning._TURNS.acquire() for _ in range(2)]
    page = drop(speaker, ("a.jpg", PHOTO))
    for _ in taken:
        cleaning._TURNS.release()
    assert page.status == 429
    assert page.form("/box/longtan").fields["opinion"].strip() == "桥栏杆断了，见照片。"
    assert lying(app) == 0


def test_pages_with_files_speak_the_languages_of_the_page(speaker: Speaker) -> None:
    for lang in ("zh-Hant", "en"):
        form = speaker.get(f"/box/longtan?lang={lang}").form("/box/longtan")
        assert f"lang={lang}" in form.action
        refused = speaker.send_with(form, ("a.txt", b"<html>"), opinion="。")
        assert refused.status == 422
        page = speaker.send_with(form, ("a.jpg", PHOTO), opinion="。")
        code = code_of(page)
        ask = speaker.get(f"/receipt?lang={lang}").form("/receipt")
        assert speaker.send(ask, code=code).has_form("/receipt/picture")


def test_the_thread_tells_when_a_piece_was_taken_away(app: Flask, speaker: Speaker) -> None:
    code = code_of(drop(speaker, ("a.jpg", PHOTO)))
    open_now(app)
    with app.app_context(), db.transaction() as session:
        session.execute(sa.delete(AttachmentPiece))
    page = speaker.thread(code)
    assert "附的照片打不开了" in page.html
    assert page.value_of("data-logged") in ("pending", "included")
    assert speaker.send(page.form("/receipt/file")).status == 409


def test_the_saved_file_is_the_published_format(speaker: Speaker) -> None:
    page = drop(speaker, ("a.jpg", PHOTO))
    saved = speaker.send(page.form("/receipt/file")).html
    found = re.search(r'<script type="application/json">(.*?)</script>', saved, re.S)
    assert found
    assert len(json.loads(found[1])["attachments"]) == 1
