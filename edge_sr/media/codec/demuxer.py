"""Reading a container file: packets of all its streams, in order, on one clock."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from edge_sr.closing import Closing
from edge_sr.errors import MediaError
from edge_sr.media.codec.containers import is_cover, open_input, reason
from edge_sr.media.codec.timeline import Following, Timeline
from edge_sr.media.libraries import load_av

STEADY = ("audio", "video")
LONGEST_GAP_S = 10  # how far apart in time packets of one place in a file may be
LONGEST_LOOK = 512  # packets after a cut of the clock, until each stream has one


class Demuxer(Closing):
    """A container file, read once: the video packets for a decoder, the others for a copier.

    Packets of the other streams wait until they are asked for, or are dropped where nobody wants
    them. Any thread may read.
    """

    def __init__(
        self, path: Path, *, stream: BinaryIO | None = None, rate: Fraction | None = None
    ) -> None:
        """Open the file.

        Args:
            stream: what is read instead of it; then the path is its name.
            rate: frames per second of a raw stream.

        Raises:
            MediaError: it cannot be read, or has no video.
        """
        self.path = path
        self._av = load_av()
        self._lock = threading.Lock()
        try:
            self.container = open_input(path, stream=stream, rate=rate)
        except (self._av.FFmpegError, OSError, ValueError) as error:
            why = reason(error)
            raise MediaError(f"{path}: not a video file that can be read ({why})") from error
        try:
            self.video = self._find_video()
        except BaseException:
            self.container.close()
            raise
        self.driven = False  # whether a decoder reads the video packets
        self.cuts: deque[int] = deque()  # video times, in its time base, at which the clock was cut
        self.video_end = Fraction(-1)  # seconds: the latest video packet that was read
        self.ended = False
        self.wanted = False  # whether the other streams are copied somewhere
        self._keep = True
        # of each other stream: packets with their times, and the newest time, seconds
        self._waiting: dict[int, deque[tuple[Fraction, Any]]] = {
            s.index: deque() for s in self.others
        }
        self._newest: dict[int, Fraction] = {}
        self._covers = {s.index for s in self.others if s.type == "video" and is_cover(s)}
        self._steady = {s.index for s in self.container.streams if s.type in STEADY} - self._covers
        self._ticks = {s.index: Fraction(s.time_base) for s in self.container.streams}
        self._packets = self.container.demux()
        self._held: deque[Any] = deque()  # packets that were looked at, and come next
        self._timeline = Timeline(self._start(), restarts=self._restarts(), ahead=self._look_ahead)
        self.start_offset = self._timeline.moved  # seconds

    @property
    def others(self) -> list[Any]:
        """The `av` streams beside the video."""
        return [stream for stream in self.container.streams if stream is not self.video]

    def seek(self, at: int) -> None:
        """Begin reading at the key frame at or before a time of the video, in its time base.

        Only before anything was read.

        Raises:
            MediaError: the file cannot be read there.
        """
        moved = round(self.start_offset / self._ticks[self.video.index])
        try:
            self.container.seek(at - moved, backward=True, stream=self.video)
        except self._av.FFmpegError as error:
            raise MediaError(f"{self.path}: cannot be read from {at} ({reason(error)})") from error

    def read(self) -> Any | None:
        """The next packet of any stream that holds data; None at the end.

        Raises:
            MediaError: the file cannot be read on.
        """
        with self._lock:
            try:
                while (packet := self._next()) is not None:
                    if packet.size and self._place(packet):
                        return packet
            except self._av.FFmpegError as error:
                raise MediaError(f"{self.path}: cannot be read on ({reason(error)})") from error
            self.ended = True
            return None

    def video_packets(self) -> Iterator[Any]:
        """The packets of the video; those of the others wait."""
        self.driven = True
        while (packet := self.read()) is not None:
            if packet.stream_index == self.video.index:
                yield packet

    def drop_others(self) -> None:
        """Nobody wants the other streams."""
        self._keep = False
        for queue in self._waiting.values():
            queue.clear()

    def take(self, until: Fraction | None = None) -> Iterator[Any]:
        """The waiting packets of the other streams up to a time in seconds; None for all."""
        while heads := [(queue[0][0], index) for index, queue in self._waiting.items() if queue]:
            at, index = min(heads)
            if until is not None and at >= until:
                return
            yield self._waiting[index].popleft()[1]

    def first(self, index: int, before: Fraction | None = None) -> Any | None:
        """The first waiting packet of one of the other streams, if it is before a time."""
        queue = self._waiting[index]
        if not queue or (before is not None and queue[0][0] >= before):
            return None
        return queue[0][1]

    @property
    def front(self) -> Fraction:
        """The latest time that was read of any stream, seconds."""
        return max([self.video_end, *self._newest.values()])

    def read_all(self, seconds: Fraction) -> None:
        """Read on until nothing before a time can be missing: at most `LONGEST_GAP_S` beyond it."""
        steady = [s.index for s in self.others if s.type == "audio"]
        while not self.ended and self.front <= seconds + LONGEST_GAP_S:
            late = all(self._newest.get(index, Fraction(-1)) >= seconds for index in steady)
            if late and self.video_end >= seconds:
                return
            self.read()

    def read_until(self, seconds: Fraction) -> None:
        """Read on to the first packet of any stream that is not before a time."""
        while not self.ended and self.front < seconds:
            self.read()

    def close(self) -> None:
        """Give the file back; safe to call twice."""
        if not self._lock.acquire(blocking=False):
            return  # another thread still reads: the system takes the file back
        try:
            self._packets.close()
            self.container.close()
        finally:
            self._lock.release()

    def _find_video(self) -> Any:
        for stream in self.container.streams.video:
            if stream.codec_context is not None and not is_cover(stream):
                return stream
        if any(not is_cover(stream) for stream in self.container.streams.video):
            raise MediaError(f"{self.path}: its video is of a kind that FFmpeg has no decoder for")
        kinds = sorted({stream.type for stream in self.container.streams})
        found = ", ".join(kinds).replace("video", "a cover picture") or "no stream at all"
        raise MediaError(f"{self.path}: has no video stream (found: {found})")

    def _restarts(self) -> bool:
        return bool(self.container.format.flags & self._av.format.Flags.ts_discont.value)

    def _start(self) -> Fraction:
        """When the first stream begins, seconds.

        0 where only the audio is a little before zero: an audio encoder's delay stands there in
        mp4, and is meant to.
        """
        starts = {
            stream.type: Fraction(stream.start_time * stream.time_base)
            for stream in self.container.streams
            if stream.type in STEADY and stream.start_time is not None and not is_cover(stream)
        }
        early = min(starts.values(), default=Fraction(0))
        delay = starts.get("video", 0) >= 0 and Fraction(-1, 5) < early < 0
        return Fraction(0) if delay and not self._restarts() else early

    def _next(self) -> Any | None:
        return self._held.popleft() if self._held else self._read_packet()

    def _read_packet(self) -> Any | None:
        try:
            return next(self._packets, None)
        except IndexError:  # PyAV, at the end of a file whose damage looked like another stream
            return None

    def _look_ahead(self) -> Iterator[Following]:
        """The next packets of audio and video; they are read again afterwards."""
        for number in range(LONGEST_LOOK):
            if number == len(self._held):
                packet = self._read_packet()
                if packet is None:
                    return
                self._held.append(packet)
            packet = self._held[number]
            index, at = packet.stream_index, packet.dts if packet.dts is not None else packet.pts
            if at is not None and packet.size and index in self._steady:
                tick = self._ticks[index]
                length = (packet.duration or 0) * tick
                yield Following(index, at * tick, length, index == self.video.index)

    def _place(self, packet: Any) -> bool:
        """Put a packet on our clock, and note where its stream is. False: it has no use."""
        index, dts, pts = packet.stream_index, packet.dts, packet.pts
        at = dts if dts is not None else pts
        mine = bool(index == self.video.index)
        if at is None and index in self._covers:
            at = packet.pts = packet.dts = dts = pts = 0
        if at is None:
            return mine
        tick = self._ticks[index]
        due = at * tick
        length = (packet.duration or 0) * tick
        steady = index in self._steady
        add, cut = self._timeline.offset(index, due, length, tick, steady=steady, even=mine)
        if add:
            ticks = round(add / tick)
            due += add
            dts = packet.dts = None if dts is None else dts + ticks
            pts = packet.pts = None if pts is None else pts + ticks
        shown = pts if pts is not None else dts
        if mine:
            if cut:
                self.cuts.append(shown)
            if not packet.is_discard:
                self.video_end = max(self.video_end, shown * tick)
        else:
            self._newest[index] = due
            if self._keep:
                self._waiting[index].append((due, packet))
        return True
