"""Encoding in chunks, each by a fresh encoder: what comes out of one depends on no other.

So a job that was killed goes on after its last whole chunk and gives the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from edge_sr.media.codec.encoder import FALLBACK_RATE, EncoderPlan

CHUNK = 250  # frames; as many as x264 leaves between key frames anyway
TAIL = 2  # frames that wait, in case they are the last


class ChunkedEncoder:
    """Frames in, packets of one stream out, in rising decoding order.

    The last two frames are coded in the order of display. FFmpeg may let an mp4 that was written
    in fragments end with its last packet: that has to be the last frame.
    """

    def __init__(self, av: Any, stream: Any, plan: EncoderPlan, *, chunk: int | None) -> None:
        """Begin with the stream's own encoder.

        Args:
            chunk: frames that one encoder takes; None for all of them.
        """
        self._av, self._stream, self._plan, self._chunk = av, stream, plan, chunk
        self._context = stream.codec_context
        self._waiting: deque[Any] = deque()
        self._taken = 0
        self._last_dts: int | None = None
        self._ticks = max(1, round(1 / (plan.rate or FALLBACK_RATE) / plan.time_base))

    def begin_after(self, dts: int) -> None:
        """Let the first packet be decoded after `dts`, in the plan's time base.

        It is the time of the last packet of an earlier job. Of frames that lie unevenly in time the
        encoder's own first times may be before it.
        """
        self._last_dts = dts

    def encode(self, picture: Any) -> Iterator[Any]:
        """Take one frame; packets that are ready."""
        self._waiting.append(picture)
        if len(self._waiting) > TAIL:
            if self._taken == self._chunk:
                yield from self._stamped(self._context.encode(None))
                self._context, self._taken = self._plan.fresh(self._av), 0
            yield from self._take(self._waiting.popleft())

    def finish(self, *, last: bool = True) -> Iterator[Any]:
        """The packets of the last frames, which are never a chunk of their own.

        Args:
            last: False where the film goes on elsewhere: nothing is done for its end.
        """
        while self._waiting:
            picture = self._waiting.popleft()
            if self._taken and last:
                picture.pict_type = self._av.video.frame.PictureType.P
            yield from self._take(picture)
        yield from self._stamped(self._context.encode(None))

    def _take(self, picture: Any) -> Iterator[Any]:
        self._taken += 1
        yield from self._stamped(self._context.encode(picture))

    def _stamped(self, packets: Iterable[Any]) -> Iterator[Any]:
        """Packets of our stream. A chunk whose first frames lie far apart begins before its time:
        its decoding times are moved behind the last one; presentation times never change."""
        for packet in packets:
            packet.stream = self._stream
            if self._last_dts is None and self._taken <= TAIL:
                packet.dts = packet.pts  # of one frame alone, x265 leaves it unset
            if self._last_dts is not None and packet.dts <= self._last_dts:
                packet.dts = self._last_dts + 1
            self._last_dts = packet.dts
            packet.duration = packet.duration or self._ticks
            yield packet
