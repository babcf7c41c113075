"""Files as nobody should send them, each with what must come of it; no file of anybody is used."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import pillow_heif
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from pypdf import PdfReader, PdfWriter
from pypdf.actions import JavaScript
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    PdfObject,
)

CANARY = "canarymeta73"  # stands wherever a file can carry something beside its picture
MIB = 1024 * 1024


@dataclass(frozen=True)
class Hostile:
    """A file and whether its picture may be taken; `bomb`: made to take time or memory."""

    name: str
    content: bytes
    taken: bool
    bomb: bool = False


def every() -> list[Hostile]:
    """All of them."""
    return [*carriers(), *strange(), *bombs(), *foreign(), *damaged()]


def image(size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A picture that is not of one colour."""
    return Image.effect_mandelbrot(size, (-2, -1.2, 1, 1.2), 60).convert("RGB")


def encoded(picture: Image.Image, kind: str, **more: object) -> bytes:
    """A picture as a file."""
    out = io.BytesIO()
    picture.save(out, kind, **more)
    return out.getvalue()


def exif() -> bytes:
    """Where, when, by whom, with which camera; and a thumbnail of what was cut away."""
    told = Image.Exif()
    told[0x010E] = told[0x013B] = told[0x010F] = told[0x0110] = CANARY
    told[0x9C9B] = CANARY.encode("utf-16-le")
    told[0x0112] = 6
    told.get_ifd(0x8769).update({0x9003: "2026:11:23 09:14:00", 0x927C: CANARY.encode()})
    told.get_ifd(0x8825).update(
        {1: "N", 2: (25.0, 1.0, 7.0), 3: "E", 4: (102.0, 44.0, 9.0), 29: CANARY}
    )
    return told.tobytes()


def xmp() -> bytes:
    """XMP as phones and editors write it."""
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf'
        f'-syntax-ns#"><rdf:Description dc:creator="{CANARY}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


def profile() -> bytes:
    """A colour profile whose end names somebody."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return made + CANARY.encode()


def segment(jpeg: bytes, marker: int, content: bytes) -> bytes:
    """A JPEG with one more segment at its beginning."""
    head = bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2)
    return jpeg[:2] + head + content + jpeg[2:]


def chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG chunk."""
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def with_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with one more chunk before its pixels."""
    return png[:33] + chunk(kind, content) + png[33:]


def raw_png(size: tuple[int, int], depth: int, colour: int, pixels: bytes) -> bytes:
    """A PNG put together by hand."""
    head = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def archive(**files: str) -> bytes:
    """A ZIP."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, text in files.items():
            made.writestr(name.replace("__", "/"), text)
    return out.getvalue()


def pdf(pages: int = 1, size: tuple[float, float] = (595, 842)) -> PdfWriter:
    """A PDF of empty pages."""
    made = PdfWriter()
    for _ in range(pages):
        made.add_blank_page(*size)
    return made


def written(made: PdfWriter) -> bytes:
    """A PDF as bytes."""
    out = io.BytesIO()
    made.write(out)
    return out.getvalue()


# --- pictures that carry something, to be taken without it --------------------------------------


def carriers() -> Iterator[Hostile]:
    """Each holds the canary somewhere beside its picture."""
    plain = encoded(image(), "JPEG")
    zipped = archive(**{"secret.txt": CANARY})
    yield Hostile("exif-gps.jpg", encoded(image(), "JPEG", exif=exif()), True)
    yield Hostile("xmp.jpg", encoded(image(), "JPEG", xmp=xmp()), True)
    yield Hostile("comment.jpg", encoded(image(), "JPEG", comment=CANARY), True)
    yield Hostile("icc.jpg", encoded(image(), "JPEG", icc_profile=profile()), True)
    yield Hostile("iptc.jpg", segment(plain, 0xED, b"Photoshop 3.0\0" + CANARY.encode()), True)
    yield Hostile("app15.jpg", segment(plain, 0xEF, CANARY.encode() * 9), True)
    yield Hostile(
        "broken-exif.jpg", segment(plain, 0xE1, b"Exif\0\0MM\0*\xff" + CANARY.encode()), True
    )
    yield Hostile("zip-behind.jpg", plain + zipped, True)
    yield Hostile("page-behind.jpg", plain + f"<script>{CANARY}</script>".encode(), True)
    yield Hostile("pdf-behind.jpg", plain + b"%PDF-1.7\n" + CANARY.encode(), True)
    yield Hostile("mpf.jpg", several(), True)
    words = PngInfo()
    words.add_text("Author", CANARY)
    words.add_text("Comment", CANARY, zip=True)
    words.add_itxt("XML:com.adobe.xmp", xmp().decode())
    yield Hostile("words.png", encoded(image(), "PNG", pnginfo=words), True)
    yield Hostile("exif-icc.png", encoded(image(), "PNG", exif=exif(), icc_profile=profile()), True)
    drawn = encoded(image(), "PNG")
    yield Hostile("private-chunk.png", with_chunk(drawn, b"caNb", CANARY.encode()), True)
    yield Hostile("tagged.png", with_chunk(drawn, b"tEXt", b"Author\0" + CANARY.encode()), True)
    yield Hostile("behind.png", drawn + CANARY.encode() * 100, True)
    yield Hostile(
        "exif.webp", encoded(image(), "WEBP", exif=exif(), xmp=xmp(), icc_profile=profile()), True
    )
    yield Hostile("exif.heic", heic(exif=exif(), xmp=xmp()), True)
    yield Hostile("name-of-another.png", encoded(image(), "JPEG", exif=exif()), True)
    yield Hostile("script.pdf", scripted(), True)


def several() -> bytes:
    """Two pictures in one JPEG (MPF), the second with a comment."""
    out = io.BytesIO()
    second = Image.open(io.BytesIO(encoded(image((64, 64)), "JPEG", comment=CANARY)))
    image().save(out, "MPO", save_all=True, append_images=[second], exif=exif())
    return out.getvalue() + CANARY.encode()


def heic(**more: object) -> bytes:
    """As iPhones take them."""
    pillow_heif.register_heif_opener()
    return encoded(image(), "HEIF", **more)


def scripted() -> bytes:
    """A PDF with a script, a file inside, a title, an author, and the history of its making."""
    made = pdf(2)
    made.add_open_action(JavaScript(f"app.alert('{CANARY}')"))
    made.add_attachment("secret.txt", CANARY.encode())
    made.add_metadata({"/Author": CANARY, "/Title": CANARY, "/Producer": CANARY})
    made.add_outline_item(title=CANARY, page_number=0)
    return written(made)


# --- strange but honest -------------------------------------------------------------------------


def strange() -> Iterator[Hostile]:
    """Pictures that not every program opens; they are taken."""
    frames = [image((80, 60)), Image.new("RGB", (80, 60), "red")]
    yield Hostile(
        "moving.png", encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]), True
    )
    yield Hostile(
        "moving.webp", encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]), True
    )
    yield Hostile("cmyk.jpg", encoded(image().convert("CMYK"), "JPEG"), True)
    yield Hostile("grey.jpg", encoded(image().convert("L"), "JPEG"), True)
    yield Hostile("grey16.png", encoded(Image.new("I;16", (90, 60), 40_000), "PNG"), True)
    deep = zlib.compress((b"\0" + b"\x80\0\x40\0\x20\0" * 40) * 30)
    yield Hostile("deep16.png", raw_png((40, 30), 16, 2, deep), True)
    yield Hostile("palette.png", encoded(image().convert("P"), "PNG", transparency=3), True)
    yield Hostile("clear.png", encoded(Image.new("RGBA", (90, 60), (200, 0, 0, 0)), "PNG"), True)
    yield Hostile("one-pixel.png", encoded(Image.new("1", (1, 1)), "PNG"), True)
    yield Hostile("thread-thin.png", encoded(Image.new("L", (60_000, 1), 90), "PNG"), True)
    yield Hostile("wall.pdf", written(pdf(1, (14_400, 14_400))), True)
    yield Hostile("twenty.pdf", written(pdf(20)), True)


# --- made to take time or memory ----------------------------------------------------------------


def bombs() -> Iterator[Hostile]:
    """Little to send, much to open."""
    yield Hostile("square.png", encoded(Image.new("1", (30_000, 30_000)), "PNG"), False, True)
    claimed = raw_png((60_000, 60_000), 8, 6, zlib.compress(bytes(1000)))
    yield Hostile("claimed.png", claimed, False, True)
    drawn = encoded(image(), "PNG")
    flood = with_chunk(drawn, b"zTXt", b"Author\0\0" + zlib.compress(bytes(50 * MIB), 1))
    yield Hostile("flood-of-words.png", flood, False, True)
    plain = bytearray(encoded(image(), "JPEG"))
    at = plain.index(b"\xff\xc0")
    plain[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    yield Hostile("claimed.jpg", bytes(plain), False, True)
    yield Hostile("matryoshka.pdf", matryoshka(), False, True)
    yield Hostile("wallpaper.pdf", wallpaper(), True, True)  # a white page


def matryoshka() -> bytes:
    """Drawings of drawings of drawings: ten of each in the next, ten times."""
    made = pdf()
    page = made.pages[0]
    inner = DecodedStreamObject()
    inner.set_data(b"0 0 m 400 700 l 100 200 300 400 500 600 c S\n" * 20)
    for depth in range(10):
        form = inner if depth == 0 else DecodedStreamObject()
        form.update({
            NameObject("/Type"): NameObject("/XObject"),
            NameObject("/Subtype"): NameObject("/Form"), NameObject("/BBox"): page.mediabox,
        })  # fmt: skip
        if depth:
            form.set_data(b"/F Do\n" * 10)
            form[NameObject("/Resources")] = _resources(inner)
        inner = made._add_object(form)  # type: ignore[assignment]
    page[NameObject("/Resources")] = _resources(inner)
    paint = DecodedStreamObject()
    paint.set_data(b"/F Do\n" * 10)
    page[NameObject("/Contents")] = made._add_object(paint)
    return written(made)


def _resources(form: PdfObject) -> DictionaryObject:

    drawings = DictionaryObject({NameObject("/F"): form})
    return DictionaryObject({NameObject("/XObject"): drawings})


def wallpaper() -> bytes:
    """A page with a picture of 40,000 by 40,000 in three colours."""
    made = pdf()
    page = made.pages[0]
    picture = DecodedStreamObject()
    picture.set_data(zlib.compress(zlib.compress(bytes(100 * MIB), 1), 9))
    picture.update({
        NameObject("/Type"): NameObject("/XObject"), NameObject("/Subtype"): NameObject("/Image"),
        NameObject("/Width"): NumberObject(40_000), NameObject("/Height"): NumberObject(40_000),
        NameObject("/BitsPerComponent"): NumberObject(8),
        NameObject("/ColorSpace"): NameObject("/DeviceRGB"),
        NameObject("/Filter"): _twice(),
    })  # fmt: skip
    page[NameObject("/Resources")] = _resources(made._add_object(picture))
    paint = DecodedStreamObject()
    paint.set_data(b"q 595 0 0 842 0 0 cm /F Do Q")
    page[NameObject("/Contents")] = made._add_object(paint)
    return written(made)


def _twice() -> ArrayObject:

    return ArrayObject([NameObject("/FlateDecode"), NameObject("/FlateDecode")])


# --- other things -------------------------------------------------------------------------------


def foreign() -> Iterator[Hostile]:
    """What is no photograph and no PDF."""
    word = {"[Content_Types].xml": "<Types/>", "word__document.xml": CANARY}
    sheet = {"[Content_Types].xml": "<Types/>", "xl__workbook.xml": CANARY}
    yield Hostile("report.docx", archive(**word), False)
    yield Hostile("table.xlsx", archive(**sheet), False)
    yield Hostile("report.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), False)
    yield Hostile("report.rtf", b"{\\rtf1 " + CANARY.encode() + b"}", False)
    yield Hostile("a.zip", archive(**{"a.txt": CANARY}), False)
    yield Hostile("a.rar", b"Rar!\x1a\x07\x01\x00" + bytes(100), False)
    yield Hostile("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(100), False)
    yield Hostile("a.gz", b"\x1f\x8b\x08" + bytes(100), False)
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg"><script>{CANARY}</script></svg>'.encode()
    yield Hostile("a.svg", drawing, False)
    yield Hostile("marked.svg", b"\xef\xbb\xbf<?xml version='1.0'?>" + drawing, False)
    yield Hostile("drawing-as.jpg", drawing, False)
    yield Hostile("a.html", f"<!doctype html><script>{CANARY}</script>".encode(), False)
    yield Hostile("a.txt", (CANARY * 40).encode(), False)
    yield Hostile("a.exe", b"MZ" + bytes(400), False)
    yield Hostile("a.gif", encoded(image(), "GIF"), False)
    yield Hostile("gif-as.jpg", encoded(image(), "GIF"), False)
    yield Hostile("a.tiff", encoded(image(), "TIFF", tiffinfo=_tiff()), False)
    yield Hostile("a.bmp", encoded(image(), "BMP"), False)
    yield Hostile("a.mp4", bytes(3) + b"\x20ftypisom" + bytes(400), False)
    yield Hostile("noise.webp", random.Random(1).randbytes(100_000), False)
    yield Hostile("empty.jpg", b"", False)


def _tiff() -> ImageFileDirectory_v2:
    told = ImageFileDirectory_v2()
    told[0x013B] = CANARY
    return told


def damaged() -> Iterator[Hostile]:
    """Cut off, locked, broken."""
    for name, whole in (
        ("cut.jpg", encoded(image(), "JPEG")),
        ("cut.png", encoded(image(), "PNG")),
        ("cut.webp", encoded(image(), "WEBP")),
        ("cut.heic", heic()),
        ("cut.pdf", written(pdf())),
    ):
        yield Hostile(name, whole[: len(whole) // 3], False)
    yield Hostile("head.jpg", b"\xff\xd8\xff\xe0" + bytes(60), False)
    yield Hostile("head.png", b"\x89PNG\r\n\x1a\n" + bytes(60), False)
    yield Hostile("head.pdf", b"%PDF-1.7\n" + bytes(60), False)
    yield Hostile("no-page.pdf", written(pdf(0)), False)
    yield Hostile("one-too-many.pdf", written(pdf(21)), False)
    locked = PdfWriter(PdfReader(io.BytesIO(written(pdf()))))
    locked.encrypt("only-i-know", algorithm="RC4-128")
    yield Hostile("locked.pdf", written(locked), False)
