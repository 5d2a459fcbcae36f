"""Reading, upscaling and writing side by side, joined by short queues."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_sr.media.frame import Frame
from edge_sr.media.protocols import Source
from edge_sr.pipeline.queues import End, FrameQueue
from edge_sr.pipeline.shot import AnySink, Shot, ShotSink
from edge_sr.pipeline.stats import Stats
from edge_sr.session.base import Session

QUEUE = 3  # frames that may wait between two stages of a file job
CUT_STEP = 13  # every 13th row and column: 5,544 samples of 1280x720, in step with no codec block
CUT_BINS = 16
CUT_SHARE = 0.4  # share of the samples that must have changed their bin
JOIN_S = 2.0  # how long stopped stages, and a source that lets go, are waited for


def run_pipeline(
    source: Source,
    session: Session,
    sinks: Sequence[AnySink],
    *,
    max_frames: int | None = None,
    newest_wins: bool | None = None,
    stop: threading.Event | None = None,
    stats: Stats | None = None,
    on_frame: Callable[[Stats], None] | None = None,
    on_idle: Callable[[], None] | None = None,
    release: Callable[[], None] | None = None,
) -> Stats:
    """Run frames from the source through a session into every sink, in order.

    Reading and upscaling have a thread each; the sinks run in the caller's, where windows and
    signals live. A live source drops its older frames when upscaling is slower; a file loses none.
    The sinks are neither finished nor aborted here: the caller knows what the end means.

    Args:
        session: stays the caller's; it is reset where frames do not follow on each other.
        max_frames: stop after writing so many.
        newest_wins: drop older frames, or lose none; None for what fits the source.
        stop: set it, from a signal handler or another thread, to end the run early.
        stats: filled while the run goes on, and returned; others may read it meanwhile.
        on_frame: called after each frame was written, from the caller's thread.
        on_idle: called from the caller's thread, about ten times a second, while no frame comes.
        release: called first at the end: frees a reader that waits for a camera or a stream.

    Raises:
        EdgeSRError: whatever the source, the model or a sink raised; nothing is swallowed.
    """
    stop = stop or threading.Event()
    stats = stats or Stats()
    found = shots(
        source,
        session,
        stats,
        newest_wins=newest_wins,
        read_limit=max_frames,
        stop=stop,
        on_idle=on_idle,
        release=release,
    )
    with contextlib.closing(found):
        try:
            for shot in found:
                for sink in sinks:
                    if isinstance(sink, ShotSink):
                        sink.show(shot)
                    else:
                        sink.write(shot.after)
                stats.written += 1
                now = time.perf_counter()
                stats.age.add(now - shot.taken_s)
                stats.times.add(now)
                if on_frame:
                    on_frame(stats)
                if stats.written == max_frames or stop.is_set():
                    break
        finally:
            stats.finished = time.perf_counter()
    return stats


def shots(
    source: Source,
    session: Session,
    stats: Stats,
    *,
    newest_wins: bool | None = None,
    read_limit: int | None = None,
    stop: threading.Event | None = None,
    on_idle: Callable[[], None] | None = None,
    release: Callable[[], None] | None = None,
) -> Generator[Shot, None, None]:
    """Frames before and after, as they are ready; ends the stages when it is closed.

    Where the newest frame wins, upscaling begins with the frame that is newest when the consumer
    has taken the last one: a slow consumer gets fresh frames, and none is upscaled for nothing.

    Args:
        read_limit: where no frame is dropped, do not read more than so many.
    """
    live = source.info.live if newest_wins is None else newest_wins
    over = threading.Event()  # this run's own: set at its end, so that `stop` stays the caller's

    def halted() -> bool:
        return over.is_set() or (stop is not None and stop.is_set())

    raw: FrameQueue[Taken] = FrameQueue(halted, size=1 if live else QUEUE, newest_wins=live)
    done: FrameQueue[Shot] = FrameQueue(halted, size=1 if live else QUEUE, newest_wins=False)

    def read() -> None:
        for number, frame in enumerate(source):
            raw.put(Taken(number, frame, frame.taken_s or time.perf_counter()))
            stats.read += 1
            if halted() or (not live and stats.read == read_limit):
                return

    def infer() -> None:
        for shot in upscale(raw.items(), session, lambda: len(raw)):
            stats.infer_s += shot.infer_s
            stats.infer.add(shot.infer_s)
            stats.computed.add(shot.computed)
            done.put(shot)
            if live and not done.wait_room():
                return

    threads = [_stage("read", read, raw), _stage("infer", infer, done)]
    try:
        for shot in done.items(on_idle):
            stats.dropped = raw.dropped
            stats.depth = len(raw) + len(done)
            stats.depth_max = max(stats.depth_max, stats.depth)
            yield shot
    finally:
        over.set()
        deadline = time.monotonic() + JOIN_S
        if release:
            release()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


class Taken(NamedTuple):
    """A frame that was read."""

    number: int  # how many were read before it; a gap means that frames were dropped
    frame: Frame
    at_s: float  # when it was captured, on the clock of time.perf_counter


def upscale(items: Iterator[Taken], session: Session, waiting: Callable[[], int]) -> Iterator[Shot]:
    """Upscale frames in order; resets the session at cuts, and skips where frames were dropped.

    A frame is taken only when it can be begun, so that it is the newest. It is begun early only
    where it waits already: else the oldest in flight is waited for, so that no result lies ready
    without being handed on. If ``items`` end with an error, what is in flight comes first.

    Args:
        waiting: how many items there are to come at once.
    """
    flight: deque[Taken] = deque()
    cuts, expected = CutDetector(), 0
    ended: BaseException | None = None
    while True:
        try:
            item = next(items, None)
        except Exception as error:  # noqa: BLE001 - raised again, after the frames before it
            item, ended = None, error
        if item is not None:
            resized = bool(flight) and item.frame.size != flight[-1].frame.size
            while flight and (resized or len(flight) >= session.depth):
                yield _collect(session, flight)
            if cuts.is_cut(item.frame):
                session.reset()
            elif item.number != expected:
                session.skip()
            expected = item.number + 1
            session.submit(item.frame)
            flight.append(item)
        while flight and (item is None or len(flight) >= session.depth or not waiting()):
            yield _collect(session, flight)
        if ended is not None:
            raise ended
        if item is None:
            return


def _collect(session: Session, flight: deque[Taken]) -> Shot:
    """The oldest frame in flight, done."""
    result = session.collect()
    _, frame, at_s = flight.popleft()
    return Shot(frame, result, at_s, session.frame_s, session.computed)


class CutDetector:
    """Compares each frame with the one before. Motion does not look like a cut, a flash does."""

    def __init__(self) -> None:
        self._before: NDArray[np.float64] | None = None

    def is_cut(self, frame: Frame) -> bool:
        """Whether the frame begins another scene; False for the first one."""
        samples = frame.y[::CUT_STEP, ::CUT_STEP] >> (frame.format.bits - 4)
        counts = np.bincount(samples.ravel(), minlength=CUT_BINS) / samples.size
        before, self._before = self._before, counts
        return before is not None and float(np.abs(counts - before).sum()) / 2 > CUT_SHARE


def _stage(
    name: str, work: Callable[[], None], output: FrameQueue[Shot] | FrameQueue[Taken]
) -> threading.Thread:
    """Start a thread that ends its output queue when it returns, with the error if it raised."""

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            output.put(End(error))
        else:
            output.put(End())

    thread = threading.Thread(target=run, name=f"edge-sr {name}", daemon=True)
    thread.start()
    return thread
