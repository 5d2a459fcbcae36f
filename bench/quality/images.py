"""Ground-truth pictures: reading them, and the set that is there without asking."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from edge_sr.errors import EdgeSRError, MediaError, MissingDependencyError
from edge_sr.model.sidecar import sha256_of

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"))
# photographs inside the scikit-image wheel: portrait, cat, cup, workshop, rocket, cameraman (grey)
DEFAULT = "skimage.data"
DEFAULT_FILES = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "motorcycle_left.png",
    "rocket.jpg",
    "camera.png",
)

GREYS = ("luma", "rgb")  # what a grey file is taken for

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Pictures that were read, and a line for each that could not be used."""

    name: str  # the folder's, or "scikit-image"
    sha256: str  # over the names and bytes of the files that were read
    pictures: tuple[tuple[str, Pixels], ...]  # (name, uint8 (H, W, 3) RGB or (H, W) grey)
    left_out: tuple[str, ...]


def default_files() -> list[Path]:
    """The default pictures, from an installed package; nothing is fetched.

    Raises:
        MissingDependencyError: the package is not installed, or no longer carries them.
    """
    found = importlib.util.find_spec("skimage")
    folder = Path(found.origin).parent / "data" if found and found.origin else None
    files = [folder / name for name in DEFAULT_FILES] if folder else []
    if not files or not all(path.is_file() for path in files):
        raise MissingDependencyError(
            "the default pictures are scikit-image's, which is not installed (or no longer carries "
            "them): pip install 'edge-sr[bench]', or give --images DIR"
        )
    return files


def list_images(folder: Path) -> list[Path]:
    """The pictures of a folder, by name.

    Raises:
        MediaError: no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise MediaError(f"{folder}: no such folder; --images takes a folder of HR pictures")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        kinds = ", ".join(sorted(SUFFIXES))
        raise MediaError(f"{folder}: holds no picture ({kinds})")
    return files


def read_set(name: str, files: Iterable[Path], *, grey: str = GREYS[0]) -> ImageSet:
    """Read pictures; those that cannot be used are left out, with a line each.

    Args:
        grey: "luma" takes a grey file's pixels for its luma, 0..255. "rgb" takes them for three
            equal channels, whose luma spans 16..235: the errors shrink with it, by 1.3 dB, and so
            do published figures of most RGB networks.

    Raises:
        MediaError: not one can be used.
    """
    digest = hashlib.sha256()
    pictures, left_out = [], []
    for path in files:
        try:
            picture = read_picture(path)
            if grey == "rgb" and picture.ndim == 2:
                picture = np.repeat(picture[..., None], 3, axis=2)
            pictures.append((path.name, picture))
            digest.update(f"{path.name} {sha256_of(path)}\n".encode())
        except EdgeSRError as error:
            left_out.append(str(error))
    if not pictures:
        raise MediaError(f"{name}: no picture can be used; the first: {left_out[0]}")
    return ImageSet(
        name=name, sha256=digest.hexdigest(), pictures=tuple(pictures), left_out=tuple(left_out)
    )


def read_picture(path: Path) -> Pixels:
    """uint8 (H, W, 3) RGB, or (H, W) from a file of grey pixels.

    Raises:
        MediaError: unreadable, of more than 8 bits, or with transparency.
    """
    try:
        with Image.open(path) as image:
            deep = image.mode.startswith(("I", "F")) or _png_depth(path) == 16
            if deep:
                raise MediaError(f"{path}: has 16 bits or more; convert it to 8 bits a channel")
            clear = image.mode in ("RGBA", "LA", "PA", "La", "RGBa")
            if clear or "transparency" in image.info:
                raise MediaError(f"{path}: has transparency; save it without an alpha channel")
            grey = image.mode in ("L", "1")
            return np.asarray(image.convert("L" if grey else "RGB"))
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError) as error:
        raise MediaError(f"{path}: is not a picture that can be read ({error})") from error


def _png_depth(path: Path) -> int | None:
    """Bits a channel of a PNG, which Pillow cuts to 8 without a word; None for other files."""
    with path.open("rb") as file:
        head = file.read(25)
    return head[24] if head.startswith(b"\x89PNG") and len(head) == 25 else None
