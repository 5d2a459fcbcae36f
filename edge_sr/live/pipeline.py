"""Reading, upscaling and writing side by side, joined by short queues."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ..video.frame import Frame, Sink, Source

QUEUE = 3  # frames that may wait between two stages of a file job
POLL_S = 0.1  # how soon a waiting stage notices that it should stop
JOIN_S = 2.0  # how long stopped stages are waited for


@dataclass
class Stats:
    """What a run did; filled while it runs. Seconds are wall time."""

    read: int = 0
    written: int = 0
    dropped: int = 0  # live frames replaced by newer ones before they were upscaled
    infer_s: float = 0.0  # spent in upscaling, summed over the frames
    started: float = field(default_factory=time.perf_counter)
    finished: float | None = None

    @property
    def elapsed_s(self) -> float:
        return (self.finished or time.perf_counter()) - self.started

    @property
    def fps(self) -> float:
        """Frames written per second of wall time, 0 before the first."""
        return self.written / self.elapsed_s if self.elapsed_s > 0 else 0.0


class _End:
    """Stands in a queue for "no more frames", with the error that ended them, if one did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Link:
    """A bounded queue between two stages that gives up when the run stops."""

    def __init__(self, halted: Callable[[], bool], *, newest_wins: bool) -> None:
        self.newest_wins = newest_wins
        self.dropped = 0
        self._halted = halted
        self._queue: queue.Queue[Frame | _End] = queue.Queue(1 if newest_wins else QUEUE)

    def put(self, item: Frame | _End) -> None:
        """Wait for room, or, live, take the place of the frame that waits; the end does not."""
        replaces = self.newest_wins and isinstance(item, Frame)
        while not self._halted():
            try:
                return self._queue.put(item, timeout=0 if replaces else POLL_S)
            except queue.Full:
                if replaces:
                    self._drop_oldest()

    def _drop_oldest(self) -> None:
        try:
            self._queue.get_nowait()
            self.dropped += 1
        except queue.Empty:
            return  # the consumer was faster

    def __iter__(self) -> Iterator[Frame]:
        """Frames until the end; raises what ended them. Ends silently when the run stops."""
        while True:
            try:
                item = self._queue.get(timeout=POLL_S)
            except queue.Empty:
                if self._halted():
                    return
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item


def run_pipeline(
    source: Source,
    upscale: Callable[[Frame], Frame],
    sinks: Sequence[Sink],
    *,
    max_frames: int | None = None,
    stop: threading.Event | None = None,
    on_frame: Callable[[Stats], None] | None = None,
) -> Stats:
    """Run frames from the source through ``upscale`` into every sink, in order.

    Reading and upscaling have a thread each; the sinks run in the caller's, where windows and
    signals live. A live source drops its older frames when upscaling is slower; a file loses none.
    The sinks are neither finished nor aborted here: the caller knows what the end means.

    Args:
        max_frames: stop after writing so many.
        stop: set it, from a signal handler or another thread, to end the run early.
        on_frame: called after each frame was written, from the caller's thread.

    Raises:
        EdgeSRError: whatever the source, the model or a sink raised; nothing is swallowed.
    """
    stop = stop or threading.Event()
    stats = Stats()
    over = threading.Event()  # this run's own: set at its end, so that `stop` stays the caller's

    def halted() -> bool:
        return stop.is_set() or over.is_set()

    raw = _Link(halted, newest_wins=source.info.live)
    done = _Link(halted, newest_wins=False)

    def read() -> None:
        for frame in source:
            raw.put(frame)
            stats.read += 1
            if halted() or (not source.info.live and stats.read == max_frames):
                return

    def infer() -> None:
        for frame in raw:
            begun = time.perf_counter()
            result = upscale(frame)
            stats.infer_s += time.perf_counter() - begun
            done.put(result)

    threads = [_stage("read", read, raw), _stage("infer", infer, done)]
    try:
        for frame in done:
            for sink in sinks:
                sink.write(frame)
            stats.written += 1
            stats.dropped = raw.dropped
            if on_frame:
                on_frame(stats)
            if stats.written == max_frames or stop.is_set():
                break
    finally:
        stats.finished = time.perf_counter()
        over.set()
        for thread in threads:
            thread.join(JOIN_S)
    return stats


def _stage(name: str, work: Callable[[], None], output: _Link) -> threading.Thread:
    """Start a thread that ends its output queue when it returns, with the error if it raised."""

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            output.put(_End(error))
        else:
            output.put(_End())

    thread = threading.Thread(target=run, name=f"edge-sr {name}", daemon=True)
    thread.start()
    return thread
