"""Reading, upscaling and writing side by side, joined by short queues."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Sequence

from edge_sr.media.frame import Frame
from edge_sr.media.protocols import Sink, Source
from edge_sr.pipeline.queues import End, Link
from edge_sr.pipeline.shot import Shot, ShotSink
from edge_sr.pipeline.stats import Stats as Stats
from edge_sr.session.ahead import Ahead, OneByOne, run_ahead

QUEUE = 3  # frames that may wait between two stages of a file job
JOIN_S = 2.0  # how long stopped stages, and a source that lets go, are waited for


def run_pipeline(
    source: Source,
    upscale: Callable[[Frame], Frame] | Ahead,
    sinks: Sequence[Sink],
    *,
    max_frames: int | None = None,
    newest_wins: bool | None = None,
    stop: threading.Event | None = None,
    stats: Stats | None = None,
    on_frame: Callable[[Stats], None] | None = None,
    on_idle: Callable[[], None] | None = None,
    release: Callable[[], None] | None = None,
) -> Stats:
    """Run frames from the source through ``upscale`` into every sink, in order.

    Reading and upscaling have a thread each; the sinks run in the caller's, where windows and
    signals live. A live source drops its older frames when upscaling is slower; a file loses none.
    The sinks are neither finished nor aborted here: the caller knows what the end means.

    Args:
        upscale: a function, or what takes several frames at once.
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
        upscale,
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
    upscale: Callable[[Frame], Frame] | Ahead,
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

    raw: Link[tuple[Frame, float]] = Link(halted, size=1 if live else QUEUE, newest_wins=live)
    done: Link[Shot] = Link(halted, size=1 if live else QUEUE, newest_wins=False)

    def read() -> None:
        for frame in source:
            raw.put((frame, frame.taken_s or time.perf_counter()))
            stats.read += 1
            if halted() or (not live and stats.read == read_limit):
                return

    def infer() -> None:
        ahead = upscale if isinstance(upscale, Ahead) else OneByOne(upscale)
        for shot in run_ahead(raw.items(), ahead, lambda: len(raw)):
            stats.infer_s += shot.infer_s
            stats.infer.add(shot.infer_s)
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


def _stage(
    name: str, work: Callable[[], None], output: Link[Shot] | Link[tuple[Frame, float]]
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
