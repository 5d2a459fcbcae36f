"""Between Pillow's images and numpy arrays."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import FrameError, MediaError
from edge_sr.media.libraries import load_pillow

Image = NDArray[np.uint8]
# of the pictures of an MPO, cameras' JPEG, the first is the photograph; of a PSD, all its layers
FIRST_COUNTS = ("MPO", "PSD")
MODES = {0: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # channels, 0 for a 2-D array
PHOTO, PLACE = 0x8769, 0x8825  # the parts of Exif for the exposure and for GPS
SIDES = (0xA002, 0xA003)
# tags of TIFF that say how the pixels are stored, orientation and resolution among them
STRUCTURE = {
    *range(0x00FE, 0x0108), 0x0111, 0x0112, *range(0x0115, 0x011D), 0x0128, 0x013D,
    *range(0x0140, 0x0146), 0x014A, *range(0x0152, 0x015C), *range(0x0200, 0x0215),
    0x02BC, 0x83BB, 0x8649, PHOTO, 0x8773, PLACE,
}  # fmt: skip


def check_kind(path: Path, image: Any, *, deep: bool) -> None:
    """Refuse an opened Pillow image that cannot be upscaled faithfully.

    Args:
        deep: its pixels were read with 16 bits per channel.

    Raises:
        MediaError: 32 bits per channel, Lab or HSV, several pictures.
    """
    if image.mode in ("I", "F") and not deep:
        raise MediaError(
            f"{path}: 32 bits per channel; edge-sr works on 8 and 16: convert it first"
        )
    if image.mode in ("LAB", "HSV"):
        raise MediaError(f"{path}: is {image.mode}; edge-sr works on RGB: convert it first")
    if image.format not in FIRST_COUNTS and getattr(image, "n_frames", 1) > 1:
        raise MediaError(f"{path}: holds {image.n_frames} pictures; expected one")


def to_array(image: Any) -> Image:
    """A Pillow image as (H, W) grey, (H, W, 2) grey + alpha, (H, W, 3) RGB or (H, W, 4) RGBA."""
    if "transparency" in image.info:  # one colour, or palette entries, that are transparent
        rgba = np.array(image.convert("RGBA"), np.uint8)
        return np.ascontiguousarray(rgba[..., [0, 3]]) if image.mode in ("L", "1") else rgba
    if image.mode not in MODES.values():
        alpha = image.mode in ("PA", "La", "RGBa")
        grey = {"1": "L", "La": "LA"}
        image = image.convert(grey.get(image.mode, "RGBA" if alpha else "RGB"))
    return np.array(image, np.uint8)


def to_pillow(pixels: Image) -> Any:
    """The other way round.

    Raises:
        FrameError: not uint8 of one of these shapes.
        MissingDependencyError: Pillow is not installed.
    """
    channels = pixels.shape[2] if pixels.ndim == 3 else 0
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or channels not in MODES:
        found = f"{pixels.dtype} {pixels.shape}"
        raise FrameError(f"image is {found}; expected uint8 (H, W) or (H, W, 2 to 4)")
    return load_pillow().Image.fromarray(np.ascontiguousarray(pixels))


def to_srgb(image: Any, profile: bytes | None) -> Any:
    """A Pillow image in sRGB, converted from its colour profile where there is a usable one."""
    cms = load_pillow().ImageCms
    target = "L" if image.mode in ("L", "LA") else "RGB"
    if profile:
        try:
            alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
            solid = image.convert(image.mode.removesuffix("A")) if alpha else image
            made = cms.profileToProfile(
                solid,
                cms.ImageCmsProfile(io.BytesIO(profile)),
                cms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (cms.PyCMSError, OSError, ValueError):
            return image.convert(target) if image.mode == "CMYK" else image
        if alpha:
            made.putalpha(alpha)
        return made
    return image.convert(target) if image.mode == "CMYK" else image


def parse_dpi(found: Any) -> tuple[float, float] | None:
    """Horizontal and vertical resolution as Pillow reports it, None if it makes no sense.

    Of a TIFF without one, Pillow reports 1 by 1.
    """
    try:
        x, y = (float(value) for value in found)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return (x, y) if min(x, y) > 0 and (x, y) != (1, 1) and math.isfinite(x + y) else None


def parse_exif(image: Any) -> bytes | None:
    """Date, place, camera and the rest of a Pillow image's Exif, upright; None if there is none.

    The thumbnail is left out, and so are the sides in pixels: they are those of the small picture.
    """
    try:
        tags = image.getexif()
        kept = load_pillow().Image.Exif()
        kept.update({tag: tags[tag] for tag in tags if tag not in STRUCTURE})
        photo = {k: v for k, v in tags.get_ifd(PHOTO).items() if k not in SIDES}
        for tag, values in ((PHOTO, photo), (PLACE, dict(tags.get_ifd(PLACE)))):
            if values:
                kept.get_ifd(tag).update(values)
        return bytes(kept.tobytes()) if len(kept) or photo else None
    except Exception:  # noqa: BLE001 - what Pillow's parser raises on damage is open-ended
        return None
