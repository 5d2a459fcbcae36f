"""Random frames of a clip, by number: an index of times once, then a seek for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from training.data.photos import DataError

SEEKS = 3  # a clip may begin its groups of frames later than it says: then one group earlier


@dataclass(frozen=True)
class Clip:
    """What is known of a clip without decoding it."""

    path: Path
    width: int  # pixels
    height: int
    ticks: np.ndarray  # int64, presentation times of all frames in order
    time_base: Fraction  # seconds a tick

    @property
    def seconds(self) -> np.ndarray:
        """float64, times of all frames after the first one's."""
        return np.asarray((self.ticks - self.ticks[0]) * float(self.time_base))

    @property
    def interval(self) -> float:
        """Seconds from one frame to the next, median."""
        return float(np.median(np.diff(self.seconds))) if len(self.ticks) > 1 else 1.0


def open_clip(path: Path) -> Clip:
    """Read the index of a clip's first video stream.

    Raises:
        DataError: it cannot be read, or holds no video.
    """
    with _opened(path) as (container, stream):
        ticks = sorted(
            int(packet.pts) for packet in container.demux(stream) if packet.pts is not None
        )
        if not ticks:
            raise DataError(f"{path}: holds no frame with a time; expected a video")
        width, height = stream.codec_context.width, stream.codec_context.height
        return Clip(path, width, height, np.array(ticks), Fraction(stream.time_base))


def read_frames(clip: Clip, first: int, count: int = 1, *, channels: int = 1) -> list[np.ndarray]:
    """``count`` frames from number ``first`` on: uint8 (H, W, 1) luma as coded, or (H, W, 3) RGB.

    Opens the file again: any number of threads may read at once.

    Raises:
        DataError: a frame cannot be decoded.
    """
    target = int(clip.ticks[first])
    with _opened(clip.path) as (container, stream):
        stream.thread_type = "AUTO"
        for attempt in range(SEEKS):
            back = int(attempt * 10 / clip.time_base)
            container.seek(max(target - back, int(clip.ticks[0])), stream=stream, backward=True)
            found = _from(container.decode(stream), target, count, channels)
            if found:
                return found
    raise DataError(f"{clip.path}: frame {first} cannot be decoded; encode the clip again")


def _from(frames: Iterator[Any], target: int, count: int, channels: int) -> list[np.ndarray]:
    """``count`` frames from the one at ``target`` on; none where decoding begins behind it."""
    found: list[np.ndarray] = []
    for frame in frames:
        if frame.pts is None or frame.pts < target:
            continue
        if not found and frame.pts != target:
            return []
        found.append(_pixels(frame, channels))
        if len(found) == count:
            break
    return found


def _pixels(frame: Any, channels: int) -> np.ndarray:
    if channels == 3:
        return np.asarray(frame.to_ndarray(format="rgb24"))
    planes = np.asarray(frame.to_ndarray(format="yuv420p"))
    return planes[: frame.height, :, None]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DataError(f"{path}: holds no video; expected a clip")
            yield container, container.streams.video[0]
    except (av.error.FFmpegError, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
