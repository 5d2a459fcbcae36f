"""A moving test picture that needs no file and no camera: ``test://1280x720@30?frames=100``."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from fractions import Fraction
from urllib.parse import parse_qsl

import numpy as np

from edge_sr.errors import UsageError
from edge_sr.media.frame import Color, Frame, Plane, StreamInfo
from edge_sr.media.protocols import SourceBase

PERIOD = 256  # columns after which the picture repeats
STEP = 4  # columns it moves per frame
EXAMPLE = "test://1280x720@30?frames=100&live=1"
URL = re.compile(r"test://(?:(\d+)x(\d+))?(?:@(\d+(?:\.\d+)?|\d+/\d+))?(?:\?(.*))?", re.ASCII)


class Pattern(SourceBase):
    """Stripes, ramps, a checkerboard and colour, moving left; the same on every machine.

    Frames are views into one picture, so making them costs next to nothing. Can be iterated again.
    """

    def __init__(
        self,
        width: int = 1280,
        height: int = 720,
        fps: Fraction | int = Fraction(30),
        *,
        frames: int | None = None,
        live: bool = False,
    ) -> None:
        """Draw the picture.

        Args:
            frames: how many there are; None for no end.
            live: hand them out at `fps`, as a camera would, instead of as fast as they are taken.

        Raises:
            UsageError: a size, rate or count that makes no sense.
        """
        if not (2 <= width <= 8192 and 2 <= height <= 8192):
            raise UsageError(f"test picture is {width}x{height}; expected 2x2 to 8192x8192")
        if fps <= 0 or (frames is not None and frames < 1):
            raise UsageError(f"test picture has {fps} fps, {frames} frames; expected more than 0")
        matrix = Color().effective_matrix(height)
        self._color = Color(matrix, matrix, matrix, full_range=False, chroma_location=1)
        self._y, self._u, self._v = _draw(width + PERIOD, height)
        self.info = StreamInfo(
            name="test picture",
            width=width,
            height=height,
            time_base=1 / Fraction(fps),
            frame_rate=Fraction(fps),
            frames=frames,
            live=live,
        )

    @classmethod
    def from_url(cls, url: str) -> Pattern:
        """From ``test://WIDTHxHEIGHT@FPS?frames=N&live=1``; every part has a default.

        Raises:
            UsageError: the URL has another form.
        """
        match = URL.fullmatch(url)
        options = dict(parse_qsl(match[4] or "", keep_blank_values=True)) if match else {}
        wrong = set(options) - {"frames", "live"}
        number = options.get("frames", "1")
        if not match or wrong or not (number.isascii() and number.isdigit()):
            raise UsageError(f"{url}: not understood; expected a form like {EXAMPLE}")
        try:
            fps = Fraction(match[3] or 30)
        except ZeroDivisionError:
            raise UsageError(f"{url}: the frame rate divides by 0") from None
        return cls(
            int(match[1] or 1280),
            int(match[2] or 720),
            fps,
            frames=int(number) if "frames" in options else None,
            live=options.get("live", "0") not in ("0", ""),
        )

    def __iter__(self) -> Iterator[Frame]:
        """Frames with read-only planes and the number of the frame as time."""
        info, start, number = self.info, time.perf_counter(), 0
        while info.frames is None or number < info.frames:
            if info.live:
                time.sleep(max(0.0, start + float(number * info.time_base) - time.perf_counter()))
            left = number * STEP % PERIOD
            half = (info.width + 1) // 2
            y = self._y[:, left : left + info.width]
            u, v = (plane[:, left // 2 : left // 2 + half] for plane in (self._u, self._v))
            yield Frame((y, u, v), number, info.time_base, self._color)
            number += 1

    def close(self) -> None:
        """Nothing to give back."""


def _draw(width: int, height: int) -> tuple[Plane, Plane, Plane]:
    """One wide picture, limited range, that repeats every PERIOD columns."""
    x, y = np.arange(width) % PERIOD, np.arange(height)[:, None]
    waves = 126 + 50 * np.sin(x * x / 120.0) * np.cos(y / 9.0)  # ever finer stripes
    checks = 80 * ((x // 8 + y // 8) % 2) + 60
    ramp = 16 + 219 * (x / (PERIOD - 1))
    luma = np.choose((y * 3 // height) + 0 * x, [waves, checks, ramp + 0 * y])
    columns, rows = (np.arange((width + 1) // 2) % (PERIOD // 2)), np.arange((height + 1) // 2)
    u = 128 + 80 * np.sin(2 * np.pi * columns / (PERIOD // 2)) + 0 * rows[:, None]
    v = 128 + 80 * np.cos(2 * np.pi * rows[:, None] / max(1, rows.size)) + 0 * columns
    planes = tuple(np.clip(np.rint(plane), 16, 235).astype(np.uint8) for plane in (luma, u, v))
    for plane in planes:
        plane.flags.writeable = False
    return planes[0], planes[1], planes[2]
