"""Reading and writing still image files, 8 or 16 bits per channel."""

from __future__ import annotations

import importlib
import logging
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError, MissingDependencyError
from edge_sr.media.codec.containers import reason
from edge_sr.media.libraries import load_pillow
from edge_sr.media.sinks.output import check_output, commit, discard, part_path
from edge_sr.media.stills.deep import FORMATS as DEEP_FORMATS
from edge_sr.media.stills.deep import read_deep, resize_deep, to_8_bits, write_deep
from edge_sr.media.stills.formats import (
    FORMATS,
    PACKAGES,
    WRITTEN,
    ImageFormat,
    is_animation,
    is_image,
    sniff_image,
)
from edge_sr.media.stills.picture import (
    check_kind,
    parse_dpi,
    parse_exif,
    to_array,
    to_pillow,
    to_srgb,
)

logger = logging.getLogger(__name__)
Image = NDArray[Any]  # uint8, or uint16 of 16 bits per channel
NAMED = 5  # files of a folder that are named when they are left out


@dataclass(frozen=True)
class ImageFile:
    """A picture and what else its file said."""

    pixels: Image  # (H, W) grey, (H, W, 2) grey + alpha, (H, W, 3) RGB, (H, W, 4) RGBA; or uint16
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None  # without orientation: the pixels are upright


def list_images(folder: Path, *, name_others: bool = True) -> list[Path]:
    """The images of a folder, not of its subfolders, with 2.png before 10.png.

    Args:
        name_others: log the names of files that are no images.

    Raises:
        MediaError: the folder cannot be read, or holds no image.
    """
    try:
        found = [p for p in folder.iterdir() if not p.name.startswith(".") and not p.is_dir()]
    except OSError as error:
        raise MediaError(f"{folder}: cannot be listed ({error.strerror})") from error
    images = sorted(
        (path for path in found if is_image(path) and not is_animation(path)), key=natural_order
    )
    if not images:
        raise MediaError(f"{folder}: holds no image; expected files ending in {', '.join(FORMATS)}")
    others = sorted(path.name for path in found if path not in images)
    if others and name_others:
        more = f" and {len(others) - NAMED} others" if len(others) > NAMED else ""
        names = ", ".join(others[:NAMED])
        logger.info("%s: not among the images: %s%s", folder, names, more)
    return images


def read_image(path: str | os.PathLike[str], *, stream: BinaryIO | None = None) -> ImageFile:
    """Read one image, turned as its Exif orientation says; grey stays grey, alpha stays alpha.

    Palettes and bilevel images become RGB(A) and grey, CMYK becomes RGB through its profile. Grey
    of 16 bits is uint16, and so are colours of PNG, TIFF and PPM. The array is yours to keep.

    Args:
        stream: what is read instead of the file; then the path is its name.

    Raises:
        MediaError: the file cannot be read, or is of a kind that has to be converted first: 32
            bits per channel, an animation.
        MissingDependencyError: Pillow, or what it needs for this format, is not installed.
    """
    pil, path = load_pillow(), Path(path)
    if path.is_dir():
        raise MediaError(f"{path}: is a folder; expected an image")
    own = FORMATS.get(path.suffix.lower()) or FORMATS.get(sniff_image(path) or "")
    if own is not None and own.plugin:
        _load_plugin(path, own)
    formats = tuple({f.name for f in FORMATS.values() if not f.plugin or f is own})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata and large images
            with pil.Image.open(stream or path, formats=formats) as image:
                deep = read_deep(path, image, stream=stream)
                check_kind(path, image, deep=deep is not None)
                info = dict(image.info)
                exif = parse_exif(image)  # of TIFF, before its pixels are read
                image.load()
                exif = exif or parse_exif(image)  # of PNG, after
                if deep is not None:
                    profile, dpi = image.info.get("icc_profile"), image.info.get("dpi")
                    return ImageFile(deep, profile, parse_dpi(dpi), exif)
                upright = pil.ImageOps.exif_transpose(image)
                profile = info.get("icc_profile")
                if upright.mode == "CMYK":
                    upright, profile = to_srgb(upright, profile), None
                pixels = to_array(upright)
    except MediaError:
        raise
    except FileNotFoundError as error:
        raise MediaError(f"{path}: no such file") from error
    except pil.UnidentifiedImageError as error:
        raise MediaError(f"{path}: not an image that can be read") from error
    except Exception as error:  # what Pillow's parsers raise on damage is open-ended
        raise MediaError(f"{path}: cannot be read ({reason(error)})") from error
    return ImageFile(pixels, profile, parse_dpi(info.get("dpi")), exif)


def check_image_output(
    path: str | os.PathLike[str], *, force: bool, source: Path | None = None
) -> None:
    """Refuse an output that cannot or should not be written, before any work is done.

    Args:
        source: the image that is read, which is never replaced.

    Raises:
        MediaError: says what is in the way, and what to do.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITTEN:
        found = path.suffix or "no ending"
        raise MediaError(f"{path}: found {found}; images are written to {', '.join(WRITTEN)}")
    check_output(path, force=force, source=source)


def writable_name(path: Path) -> Path:
    """The name for the result of an image: another ending where its format is not written."""
    kind = FORMATS.get(path.suffix.lower())
    if kind is None or kind.writes:
        return path
    return path.with_suffix(".jpg" if kind.name == "JPEG" else ".png")


def write_image(
    path: str | os.PathLike[str],
    pixels: Image,
    *,
    like: ImageFile | None = None,
    force: bool = False,
    quality: int = 95,
) -> None:
    """Write uint8 (H, W), (H, W, 2), (H, W, 3) or (H, W, 4); the ending of `path` says the format.

    uint16 is written with 16 bits to PNG and TIFF, and with 8, which is logged, to other formats.
    The file appears whole or not at all.

    Args:
        like: the image it was made from: its colour profile, resolution and Exif are written too.
            Where the format cannot hold them, colours are converted to sRGB, and the rest is
            logged.
        quality: of lossy formats, 1 to 100.

    Raises:
        FrameError: another dtype or shape.
        MediaError: it cannot be written, exists without `force`, or is transparent in a format
            that cannot be.
    """
    path = Path(path)
    check_image_output(path, force=force)
    kind = FORMATS[path.suffix.lower()]
    if pixels.dtype == np.uint16 and kind.name in DEEP_FORMATS:
        _write_16_bits(path, pixels, kind, like)
        return
    if pixels.dtype == np.uint16:
        logger.info("%s: 16 bits per channel become 8; PNG and TIFF hold 16", path)
        pixels = to_8_bits(pixels)
    picture = to_pillow(pixels)
    if not kind.alpha and picture.mode in ("LA", "RGBA"):
        raise MediaError(f"{path}: {kind.name} cannot hold transparency; write a .png")
    if kind.name in ("WEBP", "AVIF", "GIF") and picture.mode == "LA":
        picture = picture.convert("RGBA")
    options: dict[str, Any] = {"quality": quality} if kind.quality else {}
    if kind.name == "JPEG" and quality >= 90:
        options["subsampling"] = 0
    try:
        if like is not None:
            options |= _describe(path, kind, like)
            if like.icc_profile and not kind.icc:
                picture = to_srgb(picture, like.icc_profile)
        picture.save(part_path(path), format=kind.name, **options)
    except Exception as error:  # what Pillow's encoders raise is open-ended
        discard(path)
        raise MediaError(f"{path}: cannot be written ({reason(error)})") from error
    commit(path)


def resize_image(pixels: Image, width: int, height: int) -> Image:
    """Resize (bicubic, antialiased); colour under transparency does not bleed. Yours to keep.

    Raises:
        FrameError: neither uint8 nor uint16 (H, W[, 2 to 4]).
        MissingDependencyError: Pillow is not installed.
    """
    if pixels.dtype == np.uint16:
        return resize_deep(pixels, width, height)
    resample = load_pillow().Image.Resampling.BICUBIC
    return np.array(to_pillow(pixels).resize((width, height), resample), np.uint8)


def _write_16_bits(path: Path, pixels: Image, kind: ImageFormat, like: ImageFile | None) -> None:
    try:
        about = _describe(path, kind, like) if like is not None else {}
        write_deep(part_path(path), pixels, kind.name, about)
    except Exception as error:  # what encoders raise is open-ended
        discard(path)
        raise MediaError(f"{path}: cannot be written ({reason(error)})") from error
    commit(path)


def _describe(path: Path, kind: ImageFormat, like: ImageFile) -> dict[str, Any]:
    """What Pillow is to write beside the pixels. What the format cannot hold is logged."""
    found: dict[str, Any] = {}
    if like.icc_profile and kind.icc:
        found["icc_profile"] = like.icc_profile
    if like.exif and kind.exif:
        found["exif"] = like.exif
    elif like.exif:
        logger.info("%s: Exif (date, place, camera) left out; %s cannot hold it", path, kind.name)
    if like.dpi and kind.dpi:
        if min(like.dpi) >= 1 and max(like.dpi) <= kind.dpi:
            found["dpi"] = like.dpi
        else:
            dpi = f"resolution of {like.dpi[0]:g} x {like.dpi[1]:g} dpi"
            logger.info("%s: %s left out; %s cannot hold it", path, dpi, kind.name)
    return found


def _load_plugin(path: Path, kind: ImageFormat) -> None:
    """Load what Pillow needs for a format."""
    try:
        plugin = importlib.import_module(kind.plugin)
    except ImportError as error:
        package = PACKAGES[kind.plugin]
        raise MissingDependencyError(
            f"{path}: {package} is needed for {kind.name}: pip install {package}"
        ) from error
    if kind.plugin == "pillow_heif":
        plugin.register_heif_opener()


def natural_order(path: Path) -> list[tuple[int, str]]:
    """A key that sorts names with 2.png before 10.png."""
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [(int(part), "") if part.isascii() and part.isdigit() else (-1, part) for part in parts]
