"""Clips to judge networks for streams by: real ones, and a camera over held-out photographs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from training.data.photos import DataError, find_images
from training.data.video_codec import code_clip
from training.data.video_file import open_clip, read_frames
from training.scenes.motion import moving
from training.scenes.pool import Album, read_album

FRAMES = 24  # of a clip that are coded
MEASURED = (6, 12, 18, 23)  # numbers of those that are measured: B-frames and P-frames
TOGETHER = tuple(range(8, 16))  # instead, where motion counts: for VMAF
SIZE = (448, 704)  # rows and columns of the truth over photographs
SEED = 77


@dataclass(frozen=True)
class ProxyClip:
    """``frames``: uint8 (H, W) luma, sides multiples of 4; the truth."""

    name: str
    frames: list[np.ndarray]


def real_clips(folder: Path) -> list[ProxyClip]:
    """``FRAMES`` frames of every MP4 file, from a third of its length on.

    Raises:
        DataError: there is none, or one cannot be decoded or is too short.
    """
    paths = sorted(folder.glob("*.mp4"))
    if not paths:
        raise DataError(f"{folder}: holds no .mp4; expected clips")
    found = []
    for path in paths:
        clip = open_clip(path)
        first = max(0, min(len(clip.ticks) // 3, len(clip.ticks) - FRAMES))
        frames = read_frames(clip, first, FRAMES)
        if len(frames) < FRAMES:
            raise DataError(f"{path}: has {len(frames)} frames; expected at least {FRAMES}")
        rows, columns = (side - side % 4 for side in frames[0].shape[:2])
        found.append(ProxyClip(path.stem, [frame[:rows, :columns, 0] for frame in frames]))
    return found


def photo_clips(folders: list[Path], names: frozenset[str], count: int) -> list[ProxyClip]:
    """``count`` moving crops of the photographs called ``names``, always the same ones.

    Raises:
        DataError: none of them is there, or one cannot be read.
    """
    paths = [path for path in find_images(folders) if path.stem in names]
    if not paths:
        raise DataError(f"{folders[0]}: holds none of the {len(names)} held-out pictures")
    album = read_album(paths)
    clips = []
    for index in range(count):
        rng = np.random.default_rng([SEED, index])
        frames = moving(rng, partial(_draw, album, rng), size=SIZE, frames=FRAMES)
        clips.append(ProxyClip(f"photographs-{index}", frames))
    return clips


def _draw(album: Album, rng: np.random.Generator) -> np.ndarray:
    return album.draw(rng)[1]


def coded_lows(
    lows: list[np.ndarray], rate: int | None, chosen: tuple[int, ...] = MEASURED
) -> list[np.ndarray]:
    """The ``chosen`` ones of uint8 (h, w) frames, through x264 medium; untouched where None."""
    coded = lows if rate is None else code_clip(lows, rate)
    return [coded[index] for index in chosen]
