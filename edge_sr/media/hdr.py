"""What an HDR film says about its mastering: read from frames, written by encoders."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from edge_sr.media.side_data import side_data

CHROMATICITY, LUMINANCE = 50_000, 10_000  # units of HEVC's message: 1/50000, and 1/10000 cd/m2
MASTERING, LIGHT = "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"  # PyAV's names
RATIONALS, FLAGS = 10, 2  # of FFmpeg's AVMasteringDisplayMetadata
ZERO = Fraction(0)


@dataclass(frozen=True)
class Mastering:
    """SMPTE ST 2086: the display that a film was mastered on. x and y are of CIE 1931."""

    red: tuple[Fraction, Fraction]
    green: tuple[Fraction, Fraction]
    blue: tuple[Fraction, Fraction]
    white: tuple[Fraction, Fraction]
    darkest: Fraction  # cd/m2
    brightest: Fraction  # cd/m2


@dataclass(frozen=True)
class Hdr:
    """Static HDR metadata; None and (0, 0) where a film has none."""

    mastering: Mastering | None = None
    light: tuple[int, int] = (0, 0)  # brightest pixel, and brightest frame on average, cd/m2

    @property
    def names(self) -> list[str]:
        """What there is, in words."""
        mastering = ["HDR mastering data"] if self.mastering else []
        return mastering + (["HDR light levels"] if any(self.light) else [])

    def x265_options(self) -> list[str]:
        """As ``x265-params``, without the colons between them."""
        found = []
        if self.mastering:
            found.append(f"master-display={_display(self.mastering, CHROMATICITY, LUMINANCE)}")
        if any(self.light):
            found.append(f"max-cll={self.light[0]},{self.light[1]}")
        return found

    def svt_options(self) -> list[str]:
        """As ``svtav1-params``, without the colons between them."""
        found = []
        if self.mastering:
            found.append(f"mastering-display={_display(self.mastering, None, None)}")
        if any(self.light):
            found.append(f"content-light={self.light[0]},{self.light[1]}")
        return found


def frame_hdr(frame: Any) -> Hdr | None:
    """The static HDR metadata of a PyAV frame; None if it has none."""
    found = side_data(frame)
    mastering = _mastering(found.get(MASTERING, b""))
    light = struct.unpack("=2I", found[LIGHT][:8]) if len(found.get(LIGHT, b"")) >= 8 else (0, 0)
    return Hdr(mastering, (light[0], light[1])) if mastering or any(light) else None


def _mastering(data: bytes) -> Mastering | None:
    """FFmpeg's structure: ten rationals (red, green, blue, white, luminances) and two flags."""
    if len(data) < 8 * RATIONALS + 4 * FLAGS:
        return None
    numbers = struct.unpack_from(f"={2 * RATIONALS + FLAGS}i", data)
    values = [
        Fraction(top, bottom) if bottom else ZERO
        for top, bottom in zip(numbers[:20:2], numbers[1:20:2], strict=True)
    ]
    if not all(numbers[2 * RATIONALS :]):  # a part of it alone is no metadata that encoders take
        return None
    red, green, blue, white = ((values[at], values[at + 1]) for at in range(0, 8, 2))
    return Mastering(red, green, blue, white, values[8], values[9])


def _display(found: Mastering, point: int | None, light: int | None) -> str:
    """``G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)``, in units of a part, or as decimals."""

    def pair(values: tuple[Fraction, Fraction], unit: int | None) -> str:
        return ",".join(f"{float(v):.6g}" if unit is None else str(round(v * unit)) for v in values)

    points = {"G": found.green, "B": found.blue, "R": found.red, "WP": found.white}
    text = "".join(f"{name}({pair(at, point)})" for name, at in points.items())
    return f"{text}L({pair((found.brightest, found.darkest), light)})"
