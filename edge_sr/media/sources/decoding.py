"""Decoding the video of a film to its very last picture, whatever is damaged in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from edge_sr.media.libraries import load_av

LONGEST_TAIL = 1000  # packets that are kept for the end: at most the last two groups of pictures
LARGEST_TAIL = 64 << 20  # and bytes of them
LONGEST_DELAY = 64  # packets that a decoder takes before it gives a picture


class Decoding:
    """The pictures of a video stream in display order; what cannot be decoded is counted.

    At the end PyAV gives up at the first error of what the decoder still holds, often without a
    word. So the last packets are kept, and where pictures are missing they are decoded again, by
    a decoder that holds nothing back for its threads; the pictures that were not shown come then.
    """

    def __init__(self, stream: Any) -> None:
        """Take an `av` stream that nothing was decoded of yet."""
        self._av = load_av()
        self._stream = stream
        self._flag = self._av.codec.context.Flags.copy_opaque  # packets number their pictures
        stream.thread_type = "AUTO"
        stream.codec_context.flags |= self._flag
        self._tail: deque[Any] = deque()
        self._keys: deque[int] = deque()  # numbers of the key frames in it
        self._bytes = 0
        self._sent: deque[tuple[int, int | None]] = deque(maxlen=LONGEST_DELAY)  # with their pts
        self._shown: deque[int] = deque(maxlen=2 * LONGEST_TAIL)
        self._latest: int | None = None  # pts of what was shown
        self.damaged = 0  # packets that could not be decoded, and pictures decoded with errors
        self.cut_short = False  # whether the last pictures are lost

    def pictures(self, packets: Iterable[Any]) -> Generator[Any, None, None]:
        """The `av` frames of all packets."""
        for number, packet in enumerate(packets):
            packet.opaque = (number,)  # an object of its own: PyAV finds it by its address
            self._sent.append((number, packet.pts))
            self._keep(packet)
            yield from self._count(self._decode(self._stream.codec_context, packet))
        failed = self.damaged
        yield from self._count(self._decode(self._stream.codec_context, None))
        self.cut_short = self.damaged > failed
        missing = self._missing()
        if missing and self._tail:
            self.damaged = failed
            yield from self._count(self._again())
        elif missing and not self.cut_short:
            self.damaged, self.cut_short = self.damaged + len(missing), True

    def _missing(self) -> set[int]:
        """Packets whose pictures should have come after the last one.

        One that comes before it was damaged, or is never shown: VP8 and VP9 have such pictures.
        """
        latest, shown = self._latest, set(self._shown)
        return {
            number
            for number, pts in self._sent
            if number not in shown and (pts is None or latest is None or pts > latest)
        }

    def _keep(self, packet: Any) -> None:
        """Keep a packet, from the last key frame but one on."""
        if packet.is_keyframe:
            self._keys.append(_number(packet))
        if not self._keys:
            return
        self._tail.append(packet)
        self._bytes += packet.size
        if len(self._keys) > 2:
            self._forget(self._keys[1])
        if len(self._tail) > LONGEST_TAIL or self._bytes > LARGEST_TAIL:
            last = self._keys[-1] if self._keys else _number(packet)
            # of one long group nothing is kept: it cannot be decoded again
            self._forget(last if last > _number(self._tail[0]) else _number(packet) + 1)

    def _forget(self, begin: int) -> None:
        """Let go of the packets before a number."""
        while self._tail and _number(self._tail[0]) < begin:
            self._bytes -= self._tail.popleft().size
        while self._keys and self._keys[0] < begin:
            self._keys.popleft()

    def _count(self, frames: Iterable[Any]) -> Iterator[Any]:
        for frame in frames:
            self.damaged += bool(frame.is_corrupt)
            if frame.opaque is not None:
                self._shown.append(_number(frame))
            if frame.pts is not None:
                self._latest = frame.pts if self._latest is None else max(frame.pts, self._latest)
            yield frame

    def _decode(self, context: Any, packet: Any) -> list[Any]:
        """The pictures that a packet completes; with None, those that the decoder still holds."""
        try:
            return list(context.decode(packet))
        except (self._av.FFmpegError, ValueError):
            self.damaged += 1
            return []

    def _again(self) -> Iterator[Any]:
        """The pictures of the kept packets that come after the last one that was shown."""
        last = self._shown[-1] if self._shown else None
        known = self._stream.codec_context
        context = self._av.CodecContext.create(known.name, "r")
        if known.extradata is not None:  # VP8 and VP9 have none
            context.extradata = known.extradata
        context.width, context.height = known.width, known.height
        if known.pix_fmt is not None:  # no picture was read
            context.pix_fmt = known.pix_fmt
        context.codec_tag = known.codec_tag
        context.thread_type, context.flags = "SLICE", context.flags | self._flag
        counted, found = self.damaged, False
        for packet in [*self._tail, None]:
            for frame in self._decode(context, packet):
                if found:
                    self.cut_short = False
                    yield frame
                elif frame.opaque is not None and _number(frame) == last:
                    found = True
                    self.damaged = counted  # those before it were counted
        if not found:
            self.damaged = counted + self.cut_short


def _number(item: Any) -> int:
    """Of a packet, or of the picture that came of it."""
    (number,) = item.opaque
    return int(number)
