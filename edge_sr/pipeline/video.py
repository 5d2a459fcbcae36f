"""A job on a video, a camera or a stream: source, model, sinks, and a clean end."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edge_sr.backend.protocol import SIDES
from edge_sr.errors import MediaError, UsageError
from edge_sr.live.compare import View
from edge_sr.live.control import RunControl
from edge_sr.live.notify import Notifier
from edge_sr.live.recorder import Recorder
from edge_sr.media.address import Address, Kind, parse_address
from edge_sr.media.protocols import Source
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.open import Paced, open_source
from edge_sr.pipeline.job import JobSpec, Output, Progress, Result
from edge_sr.pipeline.open_model import open_other, open_upscaler, takes_depth
from edge_sr.pipeline.outputs import Placed, output_sinks, screen_sinks
from edge_sr.pipeline.pipeline import run_pipeline
from edge_sr.pipeline.resume import Skipping, begin, check_resume
from edge_sr.pipeline.shot import AnySink
from edge_sr.pipeline.signals import SignalStop
from edge_sr.pipeline.stats import Stats
from edge_sr.session.model_switch import ModelSwitch
from edge_sr.session.still import AUTO, EXACT
from edge_sr.upscaler import Upscaler
from edge_sr.zoo.flavour import choose, fit_input

logger = logging.getLogger(__name__)


def run_video(
    spec: JobSpec,
    *,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Result:
    """Do the job; as `run_job`.

    Raises:
        EdgeSRError: anything that cannot be read, run or written.
    """
    with contextlib.ExitStack() as stack:
        address = _address(spec)
        source = stack.enter_context(_open(spec, address))
        info = source.info
        if min(info.size) < SIDES.start:
            found = f"{info.name}: its pictures are {info.width}x{info.height}"
            raise MediaError(f"{found}; films need at least {SIDES.start} pixels a side")
        model, why = choose(spec.model, spec.flavour, lambda: fit_input(address))
        spec = replace(spec, model=model, flavour=None)
        if why:
            logger.info("%s", why)
        check_resume(spec, source)
        placed = output_sinks(spec, source)
        for item in placed:
            stack.callback(item.sink.abort)  # where the run does not even begin
        upscaler, size = open_upscaler(spec, info.size, bits=info.format.bits, measured=True)
        kept = 0
        writer = placed[0].sink if placed else None
        if isinstance(writer, VideoWriter) and not info.live and spec.input != "-":
            kept = begin(spec, writer, upscaler, size)
            source = Skipping(source, kept) if kept else source

        def opener(name: str) -> Upscaler:
            return open_other(spec, name, info.size, upscaler)

        still = spec.still or (AUTO if info.live else EXACT)
        deadline_s = spec.deadline_ms / 1000 if spec.deadline_ms else None
        calm = spec.calm or ("auto" if info.live else "off")
        switch = ModelSwitch(
            upscaler,
            size,
            opener,
            deadline_s=deadline_s,
            calm=calm,
            still=still,
            strength=spec.strength,
        )
        stack.enter_context(switch)
        recorder = Recorder(Path(spec.save_to), source=info)
        view = View(mode=spec.compare or "after", overlay=spec.overlay)
        control = RunControl(
            source=source,
            size=size,
            switch=switch,
            recorder=recorder,
            folder=Path(spec.save_to),
            view=view,
        )
        screens = screen_sinks(spec, stack, control, info.name, anything=bool(placed))
        wanted = [*placed, *map(Placed, screens)]
        return _Run(spec, source, control, wanted, kept).run(progress, stop or threading.Event())


class _Run:
    """The pipeline of a job that is set up, and the end of every sink."""

    def __init__(
        self, spec: JobSpec, source: Source, control: RunControl, placed: list[Placed], kept: int
    ) -> None:
        self._spec, self._source, self._control, self._placed = spec, source, control, placed
        self._wanted = [item.sink for item in placed]
        self._kept = kept  # frames that an earlier job has made
        self._notifier = Notifier()
        self._shown: set[str] = set()
        self._unwanted = False  # every window was closed

    def run(self, progress: Callable[[Progress], None] | None, stop: threading.Event) -> Result:
        """Run it; every sink is finished or aborted at the end."""
        sinks: list[AnySink] = [*self._wanted, self._control, self._control.recorder]
        info = self._source.info
        listening = stop.listening() if isinstance(stop, SignalStop) else contextlib.nullcontext()
        if self._kept:
            logger.info("%d frames are there from before; going on after them", self._kept)
        try:
            with listening:
                stats = self._run_pipeline(sinks, progress, stop)
                self._notifier.stopping()
                # a signal from here on finds a job that is done: its files are finished
                interrupted = stop.signal if isinstance(stop, SignalStop) else None
                stopped = stop.is_set() and not self._unwanted
                outputs: list[Output] = []
                if stats.written:
                    # a recording of a live source has no other end than a stop
                    outputs = self._finish(stats, complete=info.live or not stopped)
                elif not stopped:
                    raise MediaError(f"{info.name}: no frame came out of it")
            return self._result(stats, outputs, interrupted)
        finally:
            for sink in sinks:
                sink.abort()

    def _finish(self, stats: Stats, *, complete: bool) -> list[Output]:
        """Finish every sink; those that kept something, with the figures of the run."""
        dropped = f", {stats.dropped} dropped" if stats.dropped else ""
        figures = f"({stats.written} frames at {stats.fps:.2f} fps{dropped})"
        outputs = []
        for item in self._placed:
            if summary := item.sink.finish(complete=complete):
                path = item.finished(complete=complete)
                outputs.append(Output(path, f"{summary} {figures}"))
        recordings = self._control.recorder.finish()
        return [*outputs, *([Output(None, recordings)] if recordings else [])]

    def _run_pipeline(
        self,
        sinks: list[AnySink],
        progress: Callable[[Progress], None] | None,
        stop: threading.Event,
    ) -> Stats:
        spec, info, control = self._spec, self._source.info, self._control
        counts = [count for count in (info.frames, spec.max_frames) if count is not None]
        total = min(counts) if counts else None
        report = Progress(info.name, "frame", total, info.live, control.stats, self._kept)

        def on_frame(stats: Stats) -> None:
            if stats.written == 1:
                self._notifier.ready()
            if progress:
                progress(report)
            self._notifier.alive(stats)
            self._look_after(stop)

        def on_idle() -> None:
            self._notifier.alive(control.stats)
            for sink in self._wanted:
                sink.idle()
            self._look_after(stop)

        return run_pipeline(
            self._source,
            control.switch,
            sinks,
            max_frames=spec.max_frames and spec.max_frames - self._kept,
            newest_wins={"newest": True, "none": False}.get(spec.drop_policy),
            stop=stop,
            stats=control.stats,
            on_frame=on_frame,
            on_idle=on_idle,
            release=self._source.close if info.live else None,
        )

    def _look_after(self, stop: threading.Event) -> None:
        """Log new messages of the sinks; stop when none of them wants more frames."""
        for sink in self._wanted:
            if sink.message and sink.message not in self._shown:
                self._shown.add(sink.message)
                logger.info("%s", sink.message)
        closed = [sink.closed for sink in self._wanted]
        if all(closed) or (self._source.info.live and any(closed)):
            self._unwanted = True
            stop.set()

    def _result(self, stats: Stats, outputs: list[Output], interrupted: int | None) -> Result:
        notices = [*self._source.notices, *self._control.switch.notices]
        for sink in (*self._wanted, self._control.recorder):
            notices += sink.notices
        for line in notices:
            logger.info("%s", line)
        return Result(
            read=stats.read,
            written=stats.written,
            dropped=stats.dropped,
            seconds=stats.elapsed_s,
            outputs=tuple(outputs),
            notices=tuple(notices),
            kept=self._kept,
            interrupted=interrupted,
        )


def _address(spec: JobSpec) -> Address:
    text = spec.camera if spec.camera is not None else spec.input
    if text is None:
        raise UsageError("nothing to read: give --input PATH or --camera ID")
    return parse_address(text, camera=spec.camera is not None)


def _open(spec: JobSpec, address: Address) -> Source:
    if not spec.outputs and address.kind is Kind.PATTERN and "live=" not in address.text:
        text = address.text + ("&live=1" if "?" in address.text else "?live=1")
        address = replace(address, text=text)  # to look at: at its own pace
    source = open_source(
        address,
        size=spec.camera_size,
        fps=spec.camera_fps,
        pixels=spec.camera_format,
        max_reconnect=spec.max_reconnect,
        rate=spec.fps,
        strict=spec.strict,
        keep_depth=spec.bits == "keep" and takes_depth(spec),
    )
    # a server takes what a camera gives
    paced = spec.drop_policy == "newest" or spec.publish or spec.rtsp is not None
    if paced and not source.info.live:
        return Paced(source)
    return source
