"""Between animations and films: an animation as a source of frames, and as a sink of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from edge_sr.errors import MediaError
from edge_sr.media.animation.read import Animation, Picture
from edge_sr.media.animation.write import GIF, AnimationWriter
from edge_sr.media.codec.demuxer import Demuxer
from edge_sr.media.codec.unfinished import partial_path
from edge_sr.media.color import rgb_to_yuv, yuv_to_rgb
from edge_sr.media.frame import Color, Frame, StreamInfo
from edge_sr.media.planes import reduce_frame
from edge_sr.media.protocols import SinkBase, SourceBase

MILLISECOND = Fraction(1, 1000)
CLOSEST = Fraction(2, 100)  # seconds between pictures of a GIF: browsers slow faster ones down


class AnimationSource(SourceBase):
    """The pictures of an animated GIF, PNG or WebP as frames; what is transparent becomes black."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            MediaError: it cannot be read.
            MissingDependencyError: Pillow is not installed.
        """
        self._animation = Animation(path)
        self._transparent = False
        durations = self._animation.durations()
        size = self._animation.size
        self._color = Color(Color().effective_matrix(size.height), full_range=False)
        self.info = StreamInfo(
            name=str(path),
            width=size.width,
            height=size.height,
            time_base=MILLISECOND,
            frame_rate=Fraction(1000 * len(durations), sum(durations)),
            frames=len(durations),
            live=False,
        )

    @property
    def notices(self) -> Sequence[str]:
        """What was not kept."""
        found = []
        if self._transparent:
            found.append(
                f"{self.info.name}: transparency became black; .gif, .apng and .webp hold it"
            )
        if self._animation.damaged:
            found.append(f"{self.info.name}: is cut off; it was read up to there")
        return found

    def __iter__(self) -> Iterator[Frame]:
        """Frames of 8-bit 4:2:0.

        A film shows its last frame as long as the others, so a longer one comes twice.
        """
        picture = frame = None
        for picture in self._animation:
            planes = rgb_to_yuv(self._solid(picture), self._color)
            frame = Frame(planes, picture.start_ms, MILLISECOND, self._color)
            yield frame
        if picture is not None and frame is not None and self.info.frame_rate:
            again = picture.start_ms + picture.duration_ms - round(1000 / self.info.frame_rate)
            if again > picture.start_ms + 1:
                yield replace(frame, pts=again)

    def close(self) -> None:
        """Close the file."""
        self._animation.close()

    def _solid(self, picture: Picture) -> np.ndarray:
        alpha = picture.pixels[..., 3:]
        if alpha.min() == 255:
            return np.ascontiguousarray(picture.pixels[..., :3])
        self._transparent = True
        seen = picture.pixels[..., :3].astype(np.uint16) * alpha
        return np.asarray((seen + 127) // 255, np.uint8)


class AnimationSink(SinkBase):
    """Writes frames as an animation, which is shown without end."""

    def __init__(
        self,
        path: Path,
        *,
        source: StreamInfo,
        beside: Demuxer | None = None,
        force: bool = False,
        last_ms: int | None = None,
    ) -> None:
        """Check the output.

        Args:
            beside: the streams of the input that an animation cannot hold; they are named.
            last_ms: how long the last picture is shown; None: a frame of the source.

        Raises:
            MediaError: it cannot be written there.
        """
        rate = source.frame_rate or Fraction(25)
        last = max(1, round(1000 / rate)) if last_ms is None else last_ms
        self._writer = AnimationWriter(path, force=force, last_ms=last)
        self._source = source
        self._height = source.height
        self._start: Fraction | None = None
        self._next = Fraction(0)  # when the next picture may be shown
        self._dropped = 0
        self._size = ""
        self._over = False
        self._lost = [f"{stream.type} stream {stream.index}" for stream in _others(beside)]

    @property
    def notices(self) -> Sequence[str]:
        """What was left out."""
        path, found = self._writer.path, []
        if self._lost:
            found.append(f"{path}: left out, an animation has one stream: {', '.join(self._lost)}")
        if self._dropped:
            found.append(
                f"{path}: {self._dropped} frames left out; a GIF has at most 50 frames a second"
            )
        return found

    def write(self, frame: Frame) -> None:
        """Write one frame, unless a GIF cannot show it so soon after the last one.

        Raises:
            MediaError: it cannot be written.
        """
        at = frame.pts * frame.time_base
        self._start = at if self._start is None else self._start
        at -= self._start
        tick = self._writer.format.tick
        closest = CLOSEST if self._writer.format is GIF else tick
        shown = round(at / tick) * tick
        if shown < self._next:
            self._dropped += 1
            return
        self._next = shown + closest
        self._size = str(frame.size)
        self._writer.write(yuv_to_rgb(reduce_frame(frame), height=self._height), shown)

    def finish(self, *, complete: bool = True) -> str:
        """Give the file its name.

        Raises:
            MediaError: it cannot be finished, or no frame came.
        """
        if self._over:
            return ""
        if not self._writer.frames:
            raise MediaError(f"{self._writer.path}: not written; no frame came")
        final = self._writer.path if complete else partial_path(self._writer.path)
        self._over = True
        self._writer.finish(final)
        return f"{final}: {self._size}, {self._writer.frames} pictures"

    def abort(self) -> str:
        """Remove what was written so far."""
        if self._over:
            return ""
        self._over = True
        self._writer.abort()
        return f"{self._writer.path}: not written" if self._writer.frames else ""


def _others(beside: Demuxer | None) -> list[Any]:
    return [] if beside is None else beside.others
