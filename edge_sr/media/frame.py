"""The pipeline's frame, and what a source and a sink of frames must offer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]


@dataclass(frozen=True)
class Color:
    """Colour tags as ITU-T H.273 code points (FFmpeg's numbers); 2 is "unspecified"."""

    matrix: int = 2  # 1 BT.709, 5 BT.470BG, 6 SMPTE 170M (both BT.601), 9 BT.2020
    primaries: int = 2
    transfer: int = 2
    full_range: bool | None = None  # None: not tagged
    chroma_location: int = 0  # AVChromaLocation: 0 unspecified, 1 left, 2 centre, 3 top left


@dataclass(frozen=True)
class Frame:
    """One picture, planar YUV 4:2:0, 8 bits.

    ``y`` is uint8 (H, W); ``u`` and ``v`` are uint8 (ceil(H/2), ceil(W/2)). The planes may be
    views of a decoder's memory: read them, never write into them.
    """

    y: Plane
    u: Plane
    v: Plane
    pts: int  # presentation time in units of time_base
    time_base: Fraction  # seconds per unit
    color: Color = Color()
    taken_s: float | None = None  # when it was captured, on the clock of time.perf_counter


@dataclass(frozen=True)
class StreamInfo:
    """What is known of a stream of frames before the first one is read."""

    name: str  # for messages: a path, or "camera 0"; never with credentials
    width: int  # pixels, as the frames come out (after rotation)
    height: int
    time_base: Fraction
    frame_rate: Fraction | None  # average, frames per second; None if unknown
    frames: int | None  # an estimate for progress bars, never a promise
    live: bool  # True: frames come at their own pace and cannot be asked for again
    sample_aspect_ratio: Fraction = Fraction(1)


class Source(Protocol):
    """Where frames come from. Iterating ends at the end of the stream and raises MediaError."""

    @property
    def info(self) -> StreamInfo:
        """What is known before the first frame."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """Give everything back; safe to call twice."""
        ...

    def __enter__(self) -> Source: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Sink(Protocol):
    """Where frames go. Opens itself at the first frame, when the output size is known."""

    def write(self, frame: Frame) -> None:
        """Take one frame; it is not kept after the call returns. Raises MediaError."""
        ...

    def finish(self, *, complete: bool = True) -> str:
        """Close the output so that it can be used. Returns a line that says what it is.

        Args:
            complete: False if frames are missing at the end: what there is then gets another name
                than the one that was asked for.
        """
        ...

    def abort(self) -> str:
        """Stop short: leave nothing at the final name. Returns a line that says what remains.

        Safe to call after finish (it then does nothing and returns "").
        """
        ...
