"""Pictures of 16 bits per channel, which Pillow reads in grey only; written as PNG and TIFF."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import FrameError
from edge_sr.media.libraries import load_cv2, load_pillow

logger = logging.getLogger(__name__)
Image = NDArray[np.uint16]
FORMATS = ("PNG", "TIFF")  # Pillow's names of those that are written with 16 bits
PACKED = ("BGR;16", "RGB;16")  # 5, 6 and 5 bits in 16
WHITE = 65535
TURNS = {  # Exif's orientation -> transpose first, flip columns, flip rows
    2: (False, True, False), 3: (False, True, True), 4: (False, False, True),
    5: (True, False, False), 6: (True, True, False), 7: (True, True, True), 8: (True, False, True),
}  # fmt: skip
ORIENTATION = 0x0112
PNG_HEAD = 33  # bytes of signature and IHDR
INCH = 0.0254  # metres
# tags of TIFF
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
OFFSET, CHANNELS, ROWS, COUNT, X_DPI, Y_DPI, UNIT, ALPHA, PROFILE = (
    273, 277, 278, 279, 282, 283, 296, 338, 34675,
)  # fmt: skip
DEFLATE, GREY, RGB, PER_INCH, STRAIGHT = 8, 1, 2, 2, 2


def read_deep(path: Path, image: Any, *, stream: BinaryIO | None = None) -> Image | None:
    """The pixels of an opened Pillow image of 16 bits per channel, upright; None of other depths.

    uint16 (H, W) grey, (H, W, 2) grey and alpha, (H, W, 3) RGB or (H, W, 4) RGBA; yours to keep.
    None too, with a line in the log, where 16 bits of colour can only be read as 8.

    Args:
        stream: what the image was opened from, where that is not the file.
    """
    raw = [tile[3] if isinstance(tile[3], tuple) else (tile[3],) for tile in image.tile]
    names = [str(item[0]) for item in raw if item]
    deep = [name for name in names if ";16" in name and name not in PACKED]
    if image.mode.startswith("I;16") or (image.mode == "I" and deep):
        pixels = np.array(image).astype(np.uint16)
    else:
        if image.format == "PPM" and raw and raw[0][-1] == WHITE:
            deep = [f"{image.mode};16"]
        if not deep:
            return None
        found = _read_colours(stream or path, deep[0])
        if found is None:
            logger.info("%s: 16 bits per channel are read as 8 (%s)", path, deep[0])
            return None
        pixels = found
    transpose, flip_x, flip_y = TURNS.get(image.getexif().get(ORIENTATION, 1), (False,) * 3)
    if transpose:
        pixels = pixels.swapaxes(0, 1)
    step = (slice(None, None, -1 if flip_y else 1), slice(None, None, -1 if flip_x else 1))
    return np.ascontiguousarray(pixels[step])


def _read_colours(source: Path | BinaryIO, raw: str) -> Image | None:
    """By OpenCV; None where it gives something else than 16 bits of that kind."""
    order = {"LA": [0, 3], "RGB": [2, 1, 0], "RGBX": [2, 1, 0], "RGBA": [2, 1, 0, 3]}
    if raw.partition(";")[0] not in order:
        return None
    cv2 = load_cv2()
    if isinstance(source, Path):
        data = source.read_bytes()
    else:
        source.seek(0)
        data = source.read()
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    wanted = order[raw.partition(";")[0]]
    if found is None or found.dtype != np.uint16 or np.atleast_3d(found).shape[2] <= max(wanted):
        return None
    pixels: Image = found[..., wanted]
    return pixels


def write_deep(path: Path, pixels: Image, name: str, about: dict[str, Any]) -> None:
    """Write uint16 (H, W), (H, W, 2), (H, W, 3) or (H, W, 4) as PNG or TIFF.

    Grey with alpha is written as RGBA: OpenCV writes no such PNG, and Pillow reads no such TIFF.

    Args:
        name: of FORMATS.
        about: ``icc_profile``, ``exif`` and ``dpi`` where there are any, as for Pillow.
    """
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    path.write_bytes(_png(pixels, about) if name == "PNG" else _tiff(pixels, about))


def to_8_bits(pixels: Image) -> NDArray[np.uint8]:
    """The nearest level of 8 bits; white stays white."""
    return np.asarray((pixels.astype(np.uint32) + 128) // 257, np.uint8)


def resize_deep(pixels: Image, width: int, height: int) -> Image:
    """Resize (bicubic, antialiased); colour under transparency does not bleed. Yours to keep."""
    parts = np.atleast_3d(pixels).astype(np.float32)
    channels = parts.shape[2]
    alpha = np.maximum(parts[..., -1:], 1e-3) / WHITE if channels in (2, 4) else None
    if alpha is not None:
        parts[..., :-1] *= alpha
    pil = load_pillow().Image
    resized = [
        pil.fromarray(np.ascontiguousarray(parts[..., index])).resize(
            (width, height), pil.Resampling.BICUBIC
        )
        for index in range(channels)
    ]
    found = np.dstack([np.asarray(part) for part in resized])
    if alpha is not None:
        found[..., :-1] /= np.maximum(found[..., -1:], 1) / WHITE
    result: Image = np.clip(np.rint(found), 0, WHITE).astype(np.uint16)
    return result if pixels.ndim == 3 else result[..., 0]


def _png(pixels: Image, about: dict[str, Any]) -> bytes:
    """OpenCV's file, with what it does not write behind the header."""
    cv2 = load_cv2()
    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(pixels.shape[2] if pixels.ndim == 3 else 1)
    done, data = cv2.imencode(".png", pixels if order is None else pixels[..., order])
    if not done:
        raise FrameError(f"OpenCV cannot write uint16 {pixels.shape} as PNG")
    chunks = b""
    if "icc_profile" in about:
        chunks += _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(about["icc_profile"]))
    if "dpi" in about:
        steps = (round(value / INCH) for value in about["dpi"])
        chunks += _chunk(b"pHYs", struct.pack(">IIB", *steps, 1))
    if "exif" in about:
        chunks += _chunk(b"eXIf", about["exif"].removeprefix(b"Exif\0\0"))
    whole = bytes(data)
    return whole[:PNG_HEAD] + chunks + whole[PNG_HEAD:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def _tiff(pixels: Image, about: dict[str, Any]) -> bytes:
    """One strip, deflated; Pillow writes the directory."""
    pil = load_pillow()
    data = zlib.compress(np.ascontiguousarray(pixels, "<u2").tobytes())
    tags = pil.TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    exif = pil.Image.Exif()
    exif.load(about.get("exif", b""))
    for tag in exif:
        tags[tag] = exif.get_ifd(tag) if tag in pil.TiffTags.TAGS_V2_GROUPS else exif[tag]
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    colour = RGB if channels > 2 else GREY
    tags.update({WIDTH: width, HEIGHT: height, BITS: (16,) * channels, COMPRESSION: DEFLATE})
    tags.update(
        {PHOTOMETRIC: colour, OFFSET: 0, CHANNELS: channels, ROWS: height, COUNT: len(data)}
    )
    if channels == 4:
        tags[ALPHA] = STRAIGHT
    if "icc_profile" in about:
        tags[PROFILE] = about["icc_profile"]
    if "dpi" in about:
        tags.update({X_DPI: about["dpi"][0], Y_DPI: about["dpi"][1], UNIT: PER_INCH})
    file = io.BytesIO()
    tags.save(file)  # which moves the strip's offset behind itself
    return file.getvalue() + data
