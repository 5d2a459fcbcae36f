"""The folder of collected frames: PNGs, manifest.json, contact-sheet.png; whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from calibration.frames.charts import contact_sheet
from calibration.frames.frames import MANIFEST, detailed_crop, read_pixels, total_digest
from calibration.frames.scenes import Look
from calibration.network.frame_io import Image
from edge_sr.errors import FrameError, MediaError
from edge_sr.files import whole_folder
from edge_sr.media.stills.files import write_image
from edge_sr.model.sidecar import sha256_of

SCHEMA = 1
SHEET = "contact-sheet.png"


@dataclass(frozen=True)
class Kept:
    """One collected frame, as the manifest describes it."""

    file: str
    source: str
    time_s: float
    scene: int
    width: int
    height: int
    exposure: float  # mean grey level
    motion: float  # mean change of a small picture, grey levels
    sha256: str


def check_folder(output: Path, *, force: bool) -> None:
    """Refuse a folder that is in use, before any work is done.

    Raises:
        MediaError: it exists without ``force``, or is no collection of frames.
    """
    if not output.exists():
        return
    if not force:
        raise MediaError(f"{output}: exists; use --force to replace it")
    if not (output / MANIFEST).is_file():
        raise MediaError(f"{output}: holds no {MANIFEST}, so it is not replaced; choose another")


def write_folder(
    output: Path,
    frames: Iterable[tuple[Look, Image]],
    *,
    channels: int,
    size: tuple[int, int] | None,
    seed: int,
    skipped: Sequence[str],
    force: bool,
) -> list[Kept]:
    """Write frames as they come; uint8 (H, W, C) each.

    Raises:
        FrameError: a frame is smaller than ``size``.
        MediaError: the folder cannot be written.
    """
    with whole_folder(output, error=MediaError) as part:
        kept = [
            _write(part, place, look, image, size) for place, (look, image) in enumerate(frames)
        ]
        _finish(part, kept, channels, seed, skipped)
        check_folder(output, force=force)
    return kept


def _write(part: Path, place: int, look: Look, image: Image, size: tuple[int, int] | None) -> Kept:
    if size is not None:
        if image.shape[0] < size[0] or image.shape[1] < size[1]:
            raise FrameError(
                f"{look.source}: frame is {image.shape[1]}x{image.shape[0]}; "
                f"{size[1]}x{size[0]} wanted: use material at least as large"
            )
        image = detailed_crop(image, *size, seed=place)
    path = part / f"{place + 1:05}.png"
    write_image(path, image[..., 0] if image.shape[2] == 1 else image)
    figures = (round(look.exposure, 2), round(look.motion, 2))
    return Kept(
        path.name, look.source, round(look.time_s, 4), look.scene, image.shape[1], image.shape[0],
        *figures, sha256_of(path),
    )  # fmt: skip


def _finish(part: Path, kept: list[Kept], channels: int, seed: int, skipped: Sequence[str]) -> None:
    paths = [part / item.file for item in kept]
    manifest = {
        "schema": SCHEMA,
        "color": "luma" if channels == 1 else "rgb",
        "seed": seed,
        "sha256": total_digest(paths),
        "skipped": list(skipped),
        "frames": [asdict(item) for item in kept],
    }
    (part / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    captions = [
        f"{item.file[:-4]} {item.time_s:.2f}s scene {item.scene} {Path(item.source).stem[:12]}"
        for item in kept
    ]
    contact_sheet(part / SHEET, [read_pixels(path) for path in paths], captions)
