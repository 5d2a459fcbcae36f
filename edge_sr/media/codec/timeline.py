"""One clock for all streams of a file, and timestamps that always increase."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

JUMP_S = 1  # a step back of more than this is a cut in the stream, not a small disorder
BACK_S = Fraction(1, 10)  # the same for containers whose clock may start again
FORWARD_S = 10  # a step forward of more than this is a cut, in such containers
WRAP_S = 20 * 3600  # the same in all others
# after the end of sound at a cut: times of 1/1000 s, as Matroska's, then do not overlap
PAUSE_S = Fraction(1, 500)


@dataclass
class _Epoch:
    """A part of a file whose clock runs on without a cut."""

    offset: Fraction  # seconds from the file's time to ours
    newest: Fraction  # the newest time that was read in it, by the file's clock


@dataclass
class _Track:
    """What is known of one stream."""

    epoch: int = 0
    last: Fraction | None = None  # by the file's clock
    end: Fraction | None = None  # by ours
    shift: Fraction = Fraction(0)  # seconds that it alone is moved by; see `Timeline.offset`


@dataclass(frozen=True)
class Following:
    """A packet that is yet to be placed."""

    stream: int
    at: Fraction  # decoding time by the file's clock, seconds
    duration: Fraction  # seconds; 0 if unknown
    even: bool  # as for `Timeline.offset`


def _nothing() -> Iterable[Following]:
    return ()


class Timeline:
    """Moves the times of packets so that all streams share one clock without cuts.

    A recording that was joined from others, or whose clock was set or wrapped around, goes on where
    it was; all streams are moved by the same amount. A stream that pauses while others go on is no
    cut.
    """

    def __init__(
        self,
        start: Fraction,
        *,
        restarts: bool,
        ahead: Callable[[], Iterable[Following]] = _nothing,
    ) -> None:
        """Begin.

        Args:
            start: the earliest time in the file, seconds. It is moved to zero where it is before
                zero, or where it means nothing.
            restarts: whether clocks of this container may start again (FFmpeg's TS_DISCONT): they
                start at any time, a recording of television hours after zero.
            ahead: gives the steady packets that follow, asked at a cut: the streams of a part end
                and begin at times of their own, and none may overlap.
        """
        self._restarts, self._ahead = restarts, ahead
        # seconds that the times of the first part are moved by
        self.moved = -start if restarts else max(Fraction(0), -start)
        self._epochs = [_Epoch(self.moved, start)]
        self._tracks: dict[int, _Track] = {}

    def offset(
        self,
        stream: int,
        at: Fraction,
        duration: Fraction,
        tick: Fraction,
        *,
        steady: bool,
        even: bool = False,
    ) -> tuple[Fraction, bool]:
        """What to add to the times of a packet, and whether it is the first one after a cut.

        Args:
            stream: any number that stands for the stream.
            at: decoding time of the packet, seconds.
            duration: of the packet, seconds; 0 if unknown.
            tick: the stream's time base, seconds.
            steady: whether packets follow each other closely, as those of audio and video do.
            even: whether the distance between its packets is kept across a cut: then it is moved
                by up to half of it, so that a constant frame rate stays one.
        """
        if not steady:
            epoch = min(reversed(self._epochs), key=lambda found: abs(at - found.newest))
            return max(epoch.offset, -at), False
        track = self._tracks.setdefault(stream, _Track(self._nearest(at)))
        cut = track.last is not None and self._is_cut(track, at - track.last, at)
        if cut:
            track.epoch = self._next_epoch(Following(stream, at, duration, even), tick)
        epoch = self._epochs[track.epoch]
        epoch.newest = track.last = at
        if cut:
            track.shift = _to_grid(track.end, at + epoch.offset, duration, tick, even=even)
        offset = epoch.offset + track.shift
        track.end = at + duration + offset
        return offset, cut

    def _nearest(self, at: Fraction) -> int:
        distances = [abs(at - epoch.newest) for epoch in self._epochs]
        return len(distances) - 1 - distances[::-1].index(min(distances))

    def _is_cut(self, track: _Track, step: Fraction, at: Fraction) -> bool:
        if step < -(BACK_S if self._restarts else JUMP_S):
            return True
        if step <= (FORWARD_S if self._restarts else WRAP_S):
            return False
        others = (other for other in self._tracks.values() if other is not track)
        return not any(
            other.epoch == track.epoch
            and other.last is not None
            and abs(at - other.last) <= FORWARD_S
            for other in others
        )

    def _next_epoch(self, first: Following, tick: Fraction) -> int:
        """The part that another stream has reached already, or a new one."""
        for number in range(self._tracks[first.stream].epoch + 1, len(self._epochs)):
            if abs(first.at - self._epochs[number].newest) <= FORWARD_S:
                return number
        moved = self._moved(first)
        self._epochs.append(_Epoch(math.ceil(moved / tick) * tick, first.at))
        return len(self._epochs) - 1

    def _moved(self, first: Following) -> Fraction:
        """How far a new part is shifted, so that its streams do not overlap the part before it."""
        over = {n: track.end for n, track in self._tracks.items() if track.end is not None}
        last = {n: track.last for n, track in self._tracks.items() if track.last is not None}
        begin = {first.stream: first}
        for packet in self._ahead():
            if packet.stream in begin or packet.stream not in last:
                continue
            track = self._tracks[packet.stream]
            if self._is_cut(track, packet.at - last[packet.stream], packet.at):
                begin[packet.stream] = packet
                if len(begin) == len(last):
                    break
            else:
                last[packet.stream] = packet.at
                shift = self._epochs[track.epoch].offset + track.shift
                over[packet.stream] = packet.at + packet.duration + shift
        moved = []
        for stream, end in over.items():
            found = begin.get(stream)
            pause = 0 if found is None or found.even else PAUSE_S
            moved.append(end + pause - (found or first).at)
        return max(moved)


def _to_grid(
    end: Fraction | None, at: Fraction, step: Fraction, tick: Fraction, *, even: bool
) -> Fraction:
    """What brings a time to the nearest whole number of steps after an end, seconds."""
    if not even or end is None or step <= 0:
        return Fraction(0)
    steps = (at - end) / step
    return round((max(0, round(steps)) - steps) * step / tick) * tick


class Timestamps:
    """Timestamps of frames: good ones pass untouched, the others are repaired and counted.

    * missing: one frame duration after the frame before; 0 for the first
    * not after the frame before: one tick after it
    * more than a second before the frame before (a stream that was cut together): this frame and
      all that follow are moved to go on one frame duration after it
    """

    def __init__(self, time_base: Fraction, frame_rate: Fraction | None) -> None:
        self.repaired = 0
        self.jumped = False  # whether the newest timestamp follows a cut in the stream
        self._time_base = time_base
        self._step = max(1, round(1 / ((frame_rate or Fraction(25)) * time_base)))
        self._last: int | None = None
        self._shift = 0

    def next(self, pts: int | None, duration: int | None = None) -> int:
        """The timestamp to use for a frame that claims ``pts``, in units of the time base."""
        step = duration or self._step
        self.jumped = False
        if pts is None:
            self.repaired += 1
            used = 0 if self._last is None else self._last + step
        else:
            used = pts + self._shift
            if self._last is not None and used <= self._last:
                self.repaired += 1
                used = self._after(pts, used, step)
        self._last = used
        return used

    def _after(self, pts: int, used: int, step: int) -> int:
        assert self._last is not None  # noqa: S101
        if (self._last - used) * self._time_base <= JUMP_S:
            return self._last + 1
        self._shift = self._last + step - pts
        self.jumped = True
        return self._last + step


class BestEffort:
    """The time of a decoded frame, from its presentation and its decoding time.

    The same choice as FFmpeg's ``best_effort_timestamp``: presentation times, unless they have gone
    back more often than decoding times. AVI stores decoding times alone; of B-frames in it, frames
    come in display order at the decoding times, from the first frame on.
    """

    def __init__(self, *, decoding_times: bool) -> None:
        """Begin.

        Args:
            decoding_times: whether the container has no presentation times.
        """
        self._decoding_times = decoding_times
        self._ahead: int | None = None  # how far decoding times are ahead, where they are used
        self._step = 1  # between the last two of them
        self._bad_pts = self._bad_dts = 0
        self._last_pts: int | None = None
        self._last_dts: int | None = None

    def choose(self, pts: int | None, dts: int | None) -> int | None:
        """The time of the next frame in display order, from its own two; None if it has none."""
        if self._decoding_times:
            return self._from_decoding(pts, dts)
        if dts is not None:
            self._bad_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        elif pts is not None:
            self._last_dts = pts
        if pts is not None:
            self._bad_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        elif dts is not None:
            self._last_pts = dts
        good = pts is not None and (self._bad_pts <= self._bad_dts or dts is None)
        return pts if good else dts

    def _from_decoding(self, pts: int | None, dts: int | None) -> int | None:
        if dts is None and (self._ahead is None or self._last_pts is None):
            return pts
        if dts is None:  # the decoder's last frames
            dts = (self._last_dts or 0) + self._step
        if self._ahead is None:
            self._ahead = 0 if pts is None else dts - pts
        if self._last_dts is not None:
            self._step = max(1, dts - self._last_dts)
        self._last_dts, self._last_pts = dts, dts - self._ahead
        return self._last_pts
