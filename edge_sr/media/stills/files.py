"""Still image files: PNG, JPEG, WebP, BMP and TIFF, 8 bits per channel."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError
from edge_sr.media.libraries import load_pillow
from edge_sr.media.sinks.output import check_output, commit, discard, part_path
from edge_sr.media.stills.picture import check_kind, parse_dpi, to_array, to_pillow

Image = NDArray[np.uint8]
FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
OPAQUE = ("JPEG", "BMP")  # formats without transparency


@dataclass(frozen=True)
class ImageFile:
    """A picture and what else its file said."""

    pixels: Image  # (H, W) grey, (H, W, 2) grey + alpha, (H, W, 3) RGB, (H, W, 4) RGBA
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None


def is_image(path: str | os.PathLike[str]) -> bool:
    """Whether a name ends like an image that can be read."""
    return Path(path).suffix.lower() in FORMATS


def list_images(folder: Path) -> list[Path]:
    """The images of a folder, not of its subfolders, with 2.png before 10.png.

    Raises:
        MediaError: the folder cannot be read, or holds no image.
    """
    try:
        found = [p for p in folder.iterdir() if is_image(p) and not p.name.startswith(".")]
    except OSError as error:
        raise MediaError(f"{folder}: cannot be listed ({error.strerror})") from error
    if not found:
        raise MediaError(f"{folder}: holds no image; expected files ending in {', '.join(FORMATS)}")
    return sorted(found, key=_natural)


def read_image(path: str | os.PathLike[str]) -> ImageFile:
    """Read one image, turned as its EXIF orientation says; grey stays grey, alpha stays alpha.

    Palettes and bilevel images become RGB(A) and grey. The array is yours to keep.

    Raises:
        MediaError: the file cannot be read, or is of a kind that has to be converted first: more
            than 8 bits per channel, CMYK, an animation.
        MissingDependencyError: Pillow is not installed.
    """
    pil, path = load_pillow(), Path(path)
    if path.is_dir():
        raise MediaError(f"{path}: is a folder; expected an image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata and large images
            with pil.Image.open(path, formats=tuple(set(FORMATS.values()))) as image:
                check_kind(path, image)
                info = dict(image.info)
                image.load()
                pixels = to_array(pil.ImageOps.exif_transpose(image))
    except MediaError:
        raise
    except FileNotFoundError as error:
        raise MediaError(f"{path}: no such file") from error
    except pil.UnidentifiedImageError as error:
        raise MediaError(f"{path}: not an image that can be read") from error
    except Exception as error:  # what Pillow's parsers raise on damage is open-ended
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise MediaError(f"{path}: cannot be read ({text})") from error
    return ImageFile(pixels, info.get("icc_profile"), parse_dpi(info.get("dpi")))


def check_image_output(path: str | os.PathLike[str], *, force: bool) -> None:
    """Refuse an output that cannot or should not be written, before any work is done.

    Raises:
        MediaError: says what is in the way, and what to do.
    """
    path = Path(path)
    if not is_image(path):
        found = path.suffix or "no ending"
        raise MediaError(f"{path}: found {found}; images are written to {', '.join(FORMATS)}")
    check_output(path, force=force)


def write_image(
    path: str | os.PathLike[str],
    pixels: Image,
    *,
    like: ImageFile | None = None,
    force: bool = False,
    quality: int = 95,
) -> None:
    """Write uint8 (H, W), (H, W, 2), (H, W, 3) or (H, W, 4); the ending of `path` says the format.

    The file appears whole or not at all.

    Args:
        like: the image it was made from: its ICC profile and resolution are written too.
        quality: of JPEG and WebP, 1 to 100.

    Raises:
        FrameError: another dtype or shape.
        MediaError: it cannot be written, exists without `force`, or is transparent in a format
            that cannot be.
    """
    path = Path(path)
    check_image_output(path, force=force)
    kind = FORMATS[path.suffix.lower()]
    picture = to_pillow(pixels)
    if kind in OPAQUE and picture.mode in ("LA", "RGBA"):
        raise MediaError(f"{path}: {kind} cannot hold transparency; write a .png")
    if kind == "WEBP" and picture.mode == "LA":
        picture = picture.convert("RGBA")
    options: dict[str, Any] = {"quality": quality} if kind in ("JPEG", "WEBP") else {}
    if kind == "JPEG" and quality >= 90:
        options["subsampling"] = 0
    if like and like.icc_profile and kind != "BMP":
        options["icc_profile"] = like.icc_profile
    if like and like.dpi and kind != "WEBP":
        options["dpi"] = like.dpi
    try:
        picture.save(part_path(path), format=kind, **options)
    except (OSError, ValueError) as error:
        discard(path)
        text = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: cannot be written ({text})") from error
    commit(path)


def resize_image(pixels: Image, width: int, height: int) -> Image:
    """Resize (bicubic, antialiased); colour under transparency does not bleed. Yours to keep.

    Raises:
        FrameError: not uint8 (H, W[, 2 to 4]).
        MissingDependencyError: Pillow is not installed.
    """
    resample = load_pillow().Image.Resampling.BICUBIC
    return np.array(to_pillow(pixels).resize((width, height), resample), np.uint8)


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [(int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in parts]
