"""What one browser wants to see: a part of the picture, a size, a way of comparing, a codec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_sr.errors import UsageError
from edge_sr.live.compare import GAIN, Region

MODES = ("after", "before", "pair", "diff")  # the browser makes split and side from a pair
CODECS = ("jpeg", "h264", "mp4")  # h264: access units, for WebCodecs; mp4: fragments, for MSE
GAINS = (1, 64)
SIDES = (2, 4096)  # pixels of a picture that is sent


@dataclass(frozen=True)
class View:
    """Equal views share one encoder."""

    mode: str
    region: Region  # of the upscaled picture
    width: int  # of the picture that is sent; its height follows
    codec: str
    gain: int = GAIN  # of a difference
    frozen: int | None = None  # the number of a frame that is kept; None for the newest

    @classmethod
    def parse(cls, wanted: dict[str, Any]) -> View:
        """From a browser's message.

        Raises:
            UsageError: a value is missing or makes no sense.
        """
        mode, codec = wanted.get("mode"), wanted.get("codec")
        if mode not in MODES or codec not in CODECS:
            raise UsageError(f"view: expected a mode of {', '.join(MODES)}, a codec of {CODECS}")
        region, frozen = wanted.get("region"), wanted.get("frozen")
        if not isinstance(region, list) or len(region) != 4:
            raise UsageError("view: expected a region of left, top, width and height")
        left, top, columns, rows = (_number(value) for value in region)
        return cls(
            mode=mode,
            region=Region(max(0, left), max(0, top), *(_within(side) for side in (columns, rows))),
            width=_within(_number(wanted.get("width"))),
            codec="jpeg" if frozen is not None else codec,  # one picture, and no blur
            gain=min(max(_number(wanted.get("gain", GAIN)), GAINS[0]), GAINS[1]),
            frozen=None if frozen is None else _number(frozen),
        )


def _within(side: int) -> int:
    return min(max(side, SIDES[0]), SIDES[1])


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        raise UsageError(f"view: {value!r} where a number was expected")
    return int(value)
