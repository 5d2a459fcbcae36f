"""Still image formats: their endings, and what each can hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ImageFormat:
    """One format of image files."""

    name: str  # Pillow's
    writes: bool = True  # whether results can be written to it
    alpha: bool = True
    icc: bool = True  # colour profiles
    exif: bool = True
    dpi: float = 0  # the largest resolution that it holds, pixels per inch; 0 for none
    quality: bool = False  # whether it is lossy, with a quality from 1 to 100
    plugin: str = ""  # the package that Pillow needs for it


METRIC = 50_000_000  # of formats that count pixels per metre in 32 bits
JPEG = ImageFormat("JPEG", alpha=False, dpi=65535, quality=True)
TIFF = ImageFormat("TIFF", dpi=METRIC)
JPEG_2000 = ImageFormat("JPEG2000", exif=False, icc=False)
PNM = ImageFormat("PPM", alpha=False, icc=False, exif=False)
DIB = ImageFormat("DIB", writes=False)
SGI = ImageFormat("SGI", writes=False)
HEIF = ImageFormat("HEIF", writes=False, plugin="pillow_heif")
FORMATS = {
    ".png": ImageFormat("PNG", dpi=METRIC),
    ".apng": ImageFormat("PNG", writes=False),
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".webp": ImageFormat("WEBP", quality=True),
    ".bmp": ImageFormat("BMP", alpha=False, icc=False, exif=False, dpi=METRIC),
    ".tif": TIFF,
    ".tiff": TIFF,
    ".jfif": JPEG,
    ".jpe": JPEG,
    ".mpo": ImageFormat("JPEG", writes=False),
    ".avif": ImageFormat("AVIF", quality=True),
    ".gif": ImageFormat("GIF", icc=False, exif=False),
    ".jp2": JPEG_2000,
    ".j2k": JPEG_2000,
    ".j2c": JPEG_2000,
    ".jpx": JPEG_2000,
    ".ppm": PNM,
    ".pgm": PNM,
    ".pnm": PNM,
    ".pbm": ImageFormat("PPM", writes=False),
    ".tga": ImageFormat("TGA", icc=False, exif=False),
    ".dds": ImageFormat("DDS", writes=False),
    ".dib": DIB,
    ".icns": ImageFormat("ICNS", writes=False),
    ".ico": ImageFormat("ICO", writes=False),
    ".pcx": ImageFormat("PCX", writes=False),
    ".psd": ImageFormat("PSD", writes=False),
    ".qoi": ImageFormat("QOI", writes=False),
    ".sgi": SGI,
    ".bw": SGI,
    ".heic": HEIF,
    ".heif": HEIF,
    ".jxl": ImageFormat("JXL", writes=False, plugin="pillow_jxl"),
}
WRITTEN = tuple(ending for ending, found in FORMATS.items() if found.writes)
PACKAGES = {"pillow_heif": "pillow-heif", "pillow_jxl": "pillow-jxl-plugin"}  # as pip calls them


def is_image(path: str | os.PathLike[str]) -> bool:
    """Whether a name ends like an image that can be read."""
    return Path(path).suffix.lower() in FORMATS


SIGNATURES = (  # at the start of a file, or after the size of its first box
    (b"\x89PNG\r\n", ".png"), (b"GIF87a", ".gif"), (b"GIF89a", ".gif"),
    (b"II*\0", ".tif"), (b"MM\0*", ".tif"), (b"8BPS\0\x01", ".psd"),
    (b"ftypavif", ".avif"), (b"ftypheic", ".heic"), (b"ftypheix", ".heic"), (b"ftypmif1", ".heic"),
    (b"jP  \r\n\x87\n", ".jp2"), (b"\xff\x4f\xff\x51", ".j2k"), (b"JXL \r\n\x87\n", ".jxl"),
)  # fmt: skip


def sniff_image(path: Path) -> str | None:
    """The ending that a still image lacks, by what the file begins with; None: something else.

    A JPEG after a JPEG is film (MJPEG), unless the first says that it has others (MPO). The raw
    photographs of cameras begin like a TIFF and have endings of their own. Pipes are not looked at.
    """
    try:
        if not path.is_file() or is_animation(path):
            return None
        with path.open("rb") as file:
            head = file.read(1 << 16)
            if head.startswith(b"\xff\xd8\xff"):
                several = b"\xff\xd9\xff\xd8" in head + file.read() and b"MPF\0" not in head
                return None if several else ".jpg"
    except (OSError, ValueError):
        return None
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return ".webp"
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return ".bmp"
    for start, ending in SIGNATURES:
        if start in (head[: len(start)], head[4 : 4 + len(start)]):
            raw = ending == ".tif" and path.suffix.strip(".0123456789")
            return None if raw else ending
    return None


def is_animation(path: Path) -> bool:
    """Whether a GIF, PNG or WebP file holds several pictures. Pipes are not looked at."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(1 << 16)
            if head.startswith(b"\x89PNG"):
                return b"acTL" in head.partition(b"IDAT")[0]
            if head.startswith(b"RIFF") and head[8:16] == b"WEBPVP8X":
                return bool(head[20] & 2)
            if head.startswith((b"GIF87a", b"GIF89a")):
                return _gif_pictures(head + file.read()) > 1
    except (OSError, ValueError, IndexError):  # no file, or a GIF that is cut off
        return False
    return False


def _gif_pictures(data: bytes) -> int:
    """The pictures in a GIF; counting ends with the second."""
    position, count = 13 + _gif_palette(data[10]), 0
    while count < 2 and data[position] in (0x21, 0x2C):  # an extension, or a picture
        if data[position] == 0x2C:
            count += 1
            position += 11 + _gif_palette(data[position + 9])
        else:
            position += 2
        while size := data[position]:
            position += 1 + size
        position += 1
    return count


def _gif_palette(flags: int) -> int:
    """The bytes of the palette that these flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
