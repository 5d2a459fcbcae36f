"""Before and after as two PNG files."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from edge_sr.errors import MediaError
from edge_sr.media.chroma import resize_frame
from edge_sr.media.color import yuv_to_rgb
from edge_sr.media.frame import Frame
from edge_sr.media.planes import reduce_frame
from edge_sr.media.stills.files import write_image
from edge_sr.pipeline.shot import Shot


def save_snapshot(shot: Shot, folder: Path) -> list[Path]:
    """Write ``edge-sr-TIME-before.png`` (bicubic) and ``-after.png``; returns their paths.

    Raises:
        MediaError: the folder cannot be written.
    """
    make_folder(folder)
    stem = free_stem(folder, ("-before.png", "-after.png"))
    rows, columns = shot.after.y.shape
    pictures = {"before": resize_frame(shot.before, columns, rows), "after": shot.after}
    paths: list[Path] = []
    for name, frame in pictures.items():
        path = folder / f"{stem}-{name}.png"
        write_image(path, _rgb(frame))
        paths.append(path)
    return paths


def make_folder(folder: Path) -> None:
    """Make the folder of snapshots and recordings, unless it is there.

    Raises:
        MediaError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{folder}: cannot be made ({error.strerror})") from error


def free_stem(folder: Path, endings: tuple[str, ...]) -> str:
    """A name with the time in it that no file has yet, also not one of the same second."""
    stem = base = f"edge-sr-{time.strftime('%Y%m%d-%H%M%S')}"
    count = 1
    while any((folder / f"{stem}{ending}").exists() for ending in endings):
        count += 1
        stem = f"{base}-{count}"
    return stem


def _rgb(frame: Frame) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.ascontiguousarray(yuv_to_rgb(reduce_frame(frame)))
