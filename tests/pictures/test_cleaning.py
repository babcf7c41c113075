"""What strangers send is developed anew from its pixels, or refused with a sentence."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from app.errors import Invalid, TooMany
from app.pictures import cleaning
from app.pictures.cleaning import Developed
from tests.pictures import hostile
from tests.pictures.hostile import CANARY, Hostile, encoded, image

EVERY = hostile.every()
MOST = 2 * 1024 * 1024

# Develops what comes in and tells what it took, from a process so small that its own size says
# nothing of the child's.
WATCHED = """
import json, resource, subprocess, sys
made = subprocess.run([sys.executable, "-I", "-B", sys.argv[1]], stdin=0, capture_output=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([made.returncode, used.ru_maxrss * 1024, used.ru_utime + used.ru_stime]))
"""


def one(content: bytes) -> Developed:
    (file,) = cleaning.develop([content])
    return file


def opened(file: Developed, number: int = 0) -> Image.Image:
    return Image.open(io.BytesIO(file[number].jpeg), formats=("JPEG",))


def brightness(picture: Image.Image, x: int, y: int) -> int:
    return picture.convert("L").tobytes()[y * picture.width + x]


def segments(jpeg: bytes) -> Iterator[int]:
    """The markers of a JPEG up to its scan."""
    at = 2
    while jpeg[at + 1] != 0xDA:
        yield jpeg[at + 1]
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")


@pytest.mark.parametrize("file", EVERY, ids=lambda file: file.name)
def test_a_hostile_file_gives_clean_pictures_or_a_kind_sentence(file: Hostile) -> None:
    began = time.monotonic()
    if not file.taken:
        with pytest.raises(Invalid, match="没有投进去") as refusal:
            one(file.content)
        assert (refusal.value.field, refusal.value.values) == ("files", {"number": 1})
    else:
        made = one(file.content)
        assert sum(len(picture.jpeg) for picture in made) <= MOST
        for picture in made:
            assert CANARY.encode() not in picture.jpeg
            assert CANARY.encode("utf-16-le") not in picture.jpeg
            # JFIF, tables, frame: no EXIF, no profile, no comment, no second picture.
            assert set(segments(picture.jpeg)) <= {0xE0, 0xDB, 0xC0, 0xC4}
            assert picture.jpeg.endswith(b"\xff\xd9")
            assert len(picture.jpeg) % 4096 == 0
            again = Image.open(io.BytesIO(picture.jpeg), formats=("JPEG",))
            again.load()
            assert again.size == (picture.width, picture.height)
    assert time.monotonic() - began < 10


def test_there_are_thirty_of_them_and_each_place_for_metadata_is_tried() -> None:
    assert len(EVERY) >= 60
    assert len({file.name for file in EVERY}) == len(EVERY)
    carrying = [file for file in EVERY if file.taken and CANARY.encode() in file.content]
    assert len(carrying) >= 15


@pytest.mark.parametrize("file", [file for file in EVERY if file.bomb], ids=lambda file: file.name)
def test_a_bomb_is_stopped_within_ten_seconds_and_512_mb(file: Hostile) -> None:
    run = subprocess.run(
        [sys.executable, "-I", "-c", WATCHED, str(cleaning.DARKROOM)],
        input=file.content, capture_output=True, timeout=10, check=True,
    )  # fmt: skip
    _status, memory, seconds = json.loads(run.stdout)
    assert memory < 512 * 1024 * 1024
    assert seconds < 9


def test_a_file_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "SECONDS", 0.01)
    with pytest.raises(Invalid, match="处理得太久"):
        one(encoded(image(), "JPEG"))


def test_the_end_that_limits_put_to_a_process_is_told_as_too_long_or_broken() -> None:
    assert cleaning._reason(-9, b"") == "slow"
    assert cleaning._reason(-24, b"") == "slow"
    assert cleaning._reason(-11, b"pages") == "broken"
    assert cleaning._reason(1, b"libpng warning\nlocked") == "locked"
    assert cleaning._reason(1, b"<script>") == "broken"


def test_when_no_turn_comes_the_speaker_is_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cleaning, "_PATIENCE", 0.01)
    taken = [cleaning._TURNS.acquire() for _ in range(2)]
    try:
        with pytest.raises(TooMany):
            one(encoded(image(), "JPEG"))
    finally:
        for _ in taken:
            cleaning._TURNS.release()
    assert one(encoded(image((8, 8)), "JPEG"))


def test_the_same_file_gives_the_same_bytes() -> None:
    for content in (encoded(image(), "JPEG", exif=hostile.exif()), hostile.written(hostile.pdf(2))):
        assert one(content) == one(content)


def test_a_picture_stands_upright_as_the_camera_noted() -> None:
    upright = Image.new("RGB", (40, 20), "white")
    upright.paste("black", (0, 0, 20, 20))
    made = opened(one(encoded(upright, "JPEG", exif=hostile.exif(), quality=95)))
    assert made.size == (20, 40)
    assert brightness(made, 10, 5) < 40
    assert brightness(made, 10, 35) > 215


def test_what_lay_under_transparency_is_white() -> None:
    hidden = Image.new("RGBA", (64, 64), (250, 0, 0, 0))
    made = opened(one(encoded(hidden, "PNG")))
    assert made.getpixel((32, 32)) == (255, 255, 255)


def test_sixteen_bits_of_grey_keep_their_brightness() -> None:
    made = opened(one(encoded(Image.new("I;16", (64, 64), 128 * 256), "PNG")))
    assert abs(brightness(made, 32, 32) - 128) <= 2


def test_a_photograph_of_a_phone_comes_out_within_two_megabytes() -> None:
    noisy = Image.effect_noise((4000, 3000), 90).convert("RGB")
    content = encoded(noisy, "JPEG", quality=80)
    assert len(content) > 3 * MOST
    (picture,) = one(content)
    assert len(picture.jpeg) <= MOST
    assert picture.width * picture.height > 4_000_000


def test_a_long_screenshot_stays_legible() -> None:
    (picture,) = one(encoded(Image.new("RGB", (1080, 20_000), "white"), "PNG"))
    assert picture.width > 500


def test_the_pages_of_a_pdf_become_pictures_in_their_order() -> None:
    made = hostile.pdf(3)
    for number, page in enumerate(made.pages):
        page.mediabox.right = 200 + 100 * number
    widths = [picture.width for picture in one(hostile.written(made))]
    assert widths == pytest.approx([555, 833, 1111], abs=2)


def test_a_form_of_more_than_five_files_or_ten_megabytes_is_refused_before_any_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cleaning, "DARKROOM", Path("/nowhere"))
    with pytest.raises(Invalid) as many:
        cleaning.develop([b"\xff\xd8\xff"] * 6)
    assert many.value.values == {"limit": 5, "count": 6}
    with pytest.raises(Invalid, match="10 MB"):
        cleaning.develop([b"\xff\xd8\xff" + bytes(6 * 1024 * 1024)] * 2)


def test_the_process_that_opens_files_gets_no_setting_and_writes_no_file() -> None:
    probe = (
        f"import runpy; runpy.run_path({str(cleaning.DARKROOM)!r})['shut_in']()\n"
        "import os\nprint(sorted(os.environ))\n"
        "try:\n open('/tmp/yanlu-probe', 'wb', buffering=0).write(b'x' * 9)\n"
        "except OSError:\n print('refused')"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-B", "-c", probe],
        env=cleaning._ENVIRONMENT, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "DATA" not in run.stdout
    assert run.stdout.splitlines()[-1:] == ["refused"]
