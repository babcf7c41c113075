"""Develops one uploaded file anew from its pixels: a program of its own, run by `cleaning`.

Whatever a file carries beside its picture (where, when and with what it was taken, comments,
profiles, thumbnails, scripts, another file behind its end) is left behind, because the picture that
comes out is a new one into which pixels were copied. The file comes in on stdin; out come, for
each picture, width, height and length in four bytes each, then the JPEG. A file that can't be
developed ends with 1 and one word on stderr. It imports nothing of the application, and its limits
hold for what it decodes: hostile files are expected here.
"""

from __future__ import annotations

import io
import math
import resource
import struct
import sys
import warnings
from collections.abc import Iterator

import pillow_heif
import pypdfium2
from PIL import Image, ImageOps, UnidentifiedImageError

MEMORY = 512 * 1024 * 1024
SECONDS = 8
MOST_PIXELS = 64_000_000
MOST_PAGES = 20
MOST_BYTES = 2 * 1024 * 1024
STEP = 4096  # lengths tell nothing finer to those who watch the line
# How many pixels, how good a JPEG: small writing outlives a low quality better than fewer pixels.
PIXELS = (
    5_000_000, 3_500_000, 2_500_000, 1_600_000, 1_100_000, 800_000, 600_000, 300_000, 100_000,
)  # fmt: skip
QUALITIES = (82, 66, 48, 36)
# A rung with more pixels than this for each byte has never held a page of words.
PIXELS_PER_BYTE = 11
DOTS_PER_POINT = 200 / 72
# What an EXIF block that was put together badly may raise while it is read.
_BAD_EXIF = (
    SyntaxError, ValueError, TypeError, KeyError, IndexError, OSError, OverflowError, struct.error,
    ZeroDivisionError,
)  # fmt: skip


class Refused(Exception):
    """A word for the reason."""


def shut_in() -> None:
    """No more memory, time, files or threads than a picture needs."""
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        resource.setrlimit(kind, (most, most))


def pictures(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The pictures of a file, each with its width and height. Raises Refused."""
    if content[:1024].lstrip().startswith(b"%PDF-"):
        yield from pages(content)
        return
    yield fit(opened(content), MOST_BYTES)


def opened(content: bytes) -> Image.Image:
    """The picture as it is to be looked at, no larger than will be kept: pixels alone."""
    pillow_heif.options.DECODE_THREADS = 1
    pillow_heif.options.THUMBNAILS = False
    pillow_heif.register_heif_opener()
    try:
        image = Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP", "HEIF"))
    except UnidentifiedImageError:
        raise Refused("unknown") from None
    if image.width * image.height > MOST_PIXELS:
        raise Refused("pixels")
    size = smaller(image.size, PIXELS[0])
    image.draft("RGB", size)  # a JPEG is decoded no larger than it will be needed
    image.load()
    carried = image.info
    plain = in_full_colour(image)
    if plain.size != size:
        plain = plain.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    flat = on_paper(plain)
    flat.info = {name: carried[name] for name in ("exif", "xmp") if name in carried}
    return turned(flat)


def smaller(size: tuple[int, int], pixels: float) -> tuple[int, int]:
    """The same shape with at most so many pixels."""
    share = min(1.0, math.sqrt(pixels / (size[0] * size[1])))
    return max(1, int(size[0] * share)), max(1, int(size[1] * share))


def in_full_colour(image: Image.Image) -> Image.Image:
    """Eight bits a colour, transparency kept: what can be made smaller without a loss."""
    if image.mode.startswith("I"):  # sixteen bits of grey
        return image.point(lambda value: value / 256).convert("L")
    if image.mode in ("RGB", "L", "RGBA", "LA") and "transparency" not in image.info:
        return image
    return image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")


def on_paper(image: Image.Image) -> Image.Image:
    """White where it was transparent: what shows is what was seen."""
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB")
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return paper


def turned(image: Image.Image) -> Image.Image:
    """Upright, as the camera's note says; a note that can't be read turns nothing."""
    try:
        return ImageOps.exif_transpose(image)
    except _BAD_EXIF:
        return image


def fit(image: Image.Image, most: int) -> tuple[int, int, bytes]:
    """A new JPEG of at most so many bytes, as large and as good as that allows."""
    for pixels in PIXELS:
        if pixels > most * PIXELS_PER_BYTE and pixels > PIXELS[-1]:
            continue
        size = smaller(image.size, pixels)
        new = Image.new("RGB", size)
        new.paste(image if image.size == size else image.resize(size, Image.Resampling.LANCZOS))
        for quality in QUALITIES:
            out = io.BytesIO()
            new.save(out, "JPEG", quality=quality, optimize=True)
            if len(made := padded(out.getvalue())) <= most:
                return *size, made
    raise Refused("pixels")


def padded(jpeg: bytes) -> bytes:
    """To the next step, by fill bytes, which may stand before any marker."""
    return jpeg[:-2] + b"\xff" * (-len(jpeg) % STEP) + jpeg[-2:]


def pages(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The pages of a PDF as pictures; together no more bytes than one picture may have."""
    try:
        paper = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        raise Refused("locked" if "password" in str(error).lower() else "broken") from None
    if len(paper) > MOST_PAGES:
        raise Refused("pages")
    if not len(paper):
        raise Refused("broken")
    paper.init_forms()
    left = MOST_BYTES
    for number in range(len(paper)):
        most = left // (len(paper) - number)
        page = paper[number]
        width, height = (max(side, 1.0) for side in page.get_size())
        pixels = min(PIXELS[0], most * PIXELS_PER_BYTE)
        scale = min(DOTS_PER_POINT, math.sqrt(pixels / (width * height)))
        drawn = page.render(scale=max(scale, 1 / min(width, height)))
        if drawn.width * drawn.height > MOST_PIXELS:
            raise Refused("pixels")
        made = fit(drawn.to_pil().convert("RGB"), most)
        left -= len(made[2])
        yield made


def main() -> int:
    """One file in, its pictures out."""
    content = sys.stdin.buffer.read()
    shut_in()
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        made = list(pictures(content))
    except Refused as reason:
        return refuse(str(reason))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        return refuse("pixels")
    except Exception:  # noqa: BLE001 (a decoder's fault is the file's: it is refused, never shown)
        return refuse("broken")
    for width, height, jpeg in made:
        sys.stdout.buffer.write(struct.pack(">III", width, height, len(jpeg)) + jpeg)
    return 0


def refuse(word: str) -> int:
    """Say why."""
    sys.stderr.write(word)
    return 1


if __name__ == "__main__":
    sys.exit(main())
