"""Looking through sources of frames: what each frame is like, and where scenes change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.network.frame_io import Image
from edge_sr.media.color import yuv_to_rgb
from edge_sr.media.frame import Frame
from edge_sr.media.sources.file import VideoFile

THUMB = (18, 32)  # rows, columns of the small picture that frames are compared by
CUT = 18.0  # mean change of the small picture, grey levels, that begins a new scene


@dataclass(frozen=True)
class Look:
    """What is remembered of a frame while choosing."""

    source: str
    place: int  # counted from 0 within the source
    time_s: float
    scene: int
    thumb: NDArray[np.float32]  # (18, 32), 0..255
    exposure: float  # mean grey level
    motion: float  # mean change of the small picture since the frame looked at before, grey levels
    detail: float  # mean step between neighbouring pixels, grey levels


def look_through(
    frames: Iterable[tuple[int, float, NDArray[np.uint8]]], source: str, first_scene: int
) -> list[Look]:
    """Look at (place, seconds, luma (H, W)) one after the other; pictures are not kept."""
    looks: list[Look] = []
    for place, time_s, luma in frames:
        thumb = small(luma)
        motion, scene = 0.0, first_scene
        if looks:
            motion = float(np.mean(np.abs(thumb - looks[-1].thumb)))
            scene = looks[-1].scene + (motion > CUT)
        sparse = luma[::4].astype(np.int16)
        detail = float(np.mean(np.abs(np.diff(sparse, axis=1))))
        looks.append(Look(source, place, time_s, scene, thumb, float(thumb.mean()), motion, detail))
    return looks


def small(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 (H, W) -> float32 (18, 32), 0..255: means of blocks, of every second pixel."""
    rows, columns = (
        np.linspace(0, side, count + 1).astype(int)[:-1]
        for side, count in zip(luma[::2, ::2].shape, THUMB, strict=True)
    )
    half = luma[::2, ::2].astype(np.float32)
    sums = np.add.reduceat(np.add.reduceat(half, rows, axis=0), columns, axis=1)
    heights = np.diff(np.append(rows, half.shape[0]))
    widths = np.diff(np.append(columns, half.shape[1]))
    return np.asarray(sums / np.outer(heights, widths), np.float32)


def video_frames(path: Path, *, step: int = 1) -> Iterator[tuple[int, float, Frame]]:
    """(place, seconds, frame) of every ``step``-th frame of a video.

    Raises:
        MediaError: it cannot be read.
    """
    with VideoFile(path) as source:
        bar: Any = tqdm(
            source, total=source.info.frames, unit="frame", desc=path.name, disable=None
        )
        for place, frame in enumerate(bar):
            if place % step == 0:
                yield place, float(frame.pts * frame.time_base), frame


def to_image(frame: Frame, channels: int) -> Image:
    """A video frame as uint8 (H, W, 1) luma or (H, W, 3) RGB; yours to keep."""
    return frame.y[..., None].copy() if channels == 1 else yuv_to_rgb(frame)


def read_video(path: Path, channels: int, *, count: int) -> Iterator[Image]:
    """Up to ``count`` frames of a video, uint8 (H, W, channels), evenly spread.

    Raises:
        MediaError: it cannot be read.
    """
    with VideoFile(path) as source:
        total = source.info.frames or count
    step = max(1, total // count)
    for taken, (_, _, frame) in enumerate(video_frames(path, step=step)):
        if taken == count:
            return
        yield to_image(frame, channels)
