"""One video job: a source, a model, any number of sinks, and a clean end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sr.errors import MediaError, UsageError
from edge_sr.live.compare import View
from edge_sr.live.control import Desk
from edge_sr.live.notify import Notifier
from edge_sr.live.recorder import Recorder
from edge_sr.media.protocols import Sink, Source
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.open import Paced, is_live_address, open_source
from edge_sr.pipeline.outputs import output_sinks, screen_sinks
from edge_sr.pipeline.pipeline import Stats, run_pipeline
from edge_sr.pipeline.resume import Skipping, begin, check_resume
from edge_sr.pipeline.signals import catch_signals
from edge_sr.progress import frame_progress, say
from edge_sr.session.model_switch import ModelSwitch
from edge_sr.upscaler import Upscaler

if TYPE_CHECKING:
    from edge_sr.pipeline.run import Job


def run_video(job: Job) -> int:
    """Do the job. Returns the exit code: 0, or 130/143 when a signal ended it early.

    Raises:
        EdgeSRError: anything that cannot be read, run or written.
    """
    from edge_sr.pipeline.run import open_upscaler

    with contextlib.ExitStack() as stack:
        source = stack.enter_context(_open(job))
        info = source.info
        check_resume(job, source)
        sinks = output_sinks(job, source)
        for sink in sinks:
            stack.callback(sink.abort)  # where the run does not even begin
        upscaler, size = open_upscaler(job, info.width, info.height)
        kept = 0
        if sinks and isinstance(sinks[0], VideoWriter) and not info.live and job.input != "-":
            kept = begin(job, sinks[0], upscaler, size)
            source = Skipping(source, kept) if kept else source

        def opener(name: str) -> Upscaler:
            return Upscaler.open(
                name,
                size=(info.width, info.height),
                backend=job.backend,
                threads=job.threads,
                slots=job.slots,
                tile=job.tile,
            )

        deadline_s = job.deadline_ms / 1000 if job.deadline_ms else None
        switch = ModelSwitch(upscaler, size, opener, deadline_s=deadline_s, say=say)
        stack.enter_context(switch)
        recorder = Recorder(Path(job.save_to), source=info)
        view = View(mode=job.compare or "after", overlay=job.overlay)
        desk = Desk(
            source=source,
            size=size,
            switch=switch,
            recorder=recorder,
            folder=Path(job.save_to),
            view=view,
        )
        wanted = [*sinks, *screen_sinks(job, stack, desk, info.name, anything=bool(sinks))]
        return _run(job, source, desk, wanted, kept)


def _run(job: Job, source: Source, desk: Desk, wanted: list[Sink], kept: int) -> int:
    """The pipeline, its progress, and the end of every sink; `kept` frames are there already."""
    sinks: list[Sink] = [*wanted, desk, desk.recorder]
    stop, notifier, info = threading.Event(), Notifier(), source.info
    said: set[str] = set()
    try:
        with catch_signals(stop) as caught:
            with frame_progress(info, job.max_frames, kept) as show:

                def on_frame(stats: Stats) -> None:
                    if stats.written == 1:
                        notifier.ready()
                    show(stats)
                    notifier.alive(stats)
                    _look_after(wanted, info.live, stop, said)

                def on_idle() -> None:
                    notifier.alive(desk.stats)
                    for sink in wanted:
                        getattr(sink, "idle", _nothing)()
                    _look_after(wanted, info.live, stop, said)

                stats = run_pipeline(
                    source,
                    desk.switch,
                    sinks,
                    max_frames=job.max_frames and job.max_frames - kept,
                    newest_wins={"newest": True, "none": False}.get(job.drop_policy),
                    stop=stop,
                    stats=desk.stats,
                    on_frame=on_frame,
                    on_idle=on_idle,
                    release=source.close if info.live else None,
                )
            notifier.stopping()
            early = list(caught)  # a signal from here on finds a job that is done: it is finished
            if stats.written:
                complete = info.live or not early  # a recording ends when it is told to
                lines = [sink.finish(complete=complete) for sink in wanted]
                recorded = [sink.finish() for sink in (desk, desk.recorder)]
                _report(job, stats, lines, recorded, [source, desk.switch, *sinks])
            elif not early:
                raise MediaError(f"{info.name}: no frame came out of it")
    finally:
        for sink in sinks:
            sink.abort()
    return 128 + early[0] if early else 0


def _nothing() -> None:
    """What a sink without `idle` does meanwhile."""


def _look_after(sinks: list[Sink], live: bool, stop: threading.Event, said: set[str]) -> None:
    """Pass on what a window says; stop when nobody wants the frames any more."""
    for sink in sinks:
        text = getattr(sink, "said", "")
        if text and text not in said:
            said.add(text)
            say(text)
    closed = [getattr(sink, "closed", False) for sink in sinks]
    if all(closed) or (live and any(closed)):
        stop.set()


def _open(job: Job) -> Source:
    address = job.camera if job.camera is not None else job.input
    if address is None:
        raise UsageError("nothing to read: give --input PATH or --camera ID")
    if job.camera is not None and not (is_live_address(address) or "://" in address):
        address = str(Path(address).absolute())  # a device of another name
    looking = job.output is None
    if looking and address.startswith("test://") and "live=" not in address:
        address += "&live=1" if "?" in address else "?live=1"  # to look at: at its own pace
    if job.camera is not None and not is_live_address(address):
        from edge_sr.media.sources.camera import Camera

        width, height = job.camera_size
        return Camera(address, width=width, height=height, fps=job.camera_fps)
    source = open_source(
        address,
        size=job.camera_size,
        fps=job.camera_fps,
        pixels=job.camera_format,
        max_reconnect=job.max_reconnect,
        say=say,
    )
    if job.drop_policy == "newest" and not source.info.live:
        return Paced(source)
    return source


def _report(
    job: Job, stats: Stats, finished: list[str], recorded: list[str], parts: Sequence[object]
) -> None:
    """What came out, on stdout, unless video went there; what to know about it, on stderr."""
    from edge_sr.pipeline.run import note

    for part in parts:
        for line in getattr(part, "notices", []):
            note(line)
    tell: Callable[[str], None] = note if job.output == "-" else print
    dropped = f", {stats.dropped} dropped" if stats.dropped else ""
    for line in filter(None, finished):
        tell(f"{line} ({stats.written} frames at {stats.fps:.2f} fps{dropped})")
    for line in filter(None, recorded):
        tell(line)
