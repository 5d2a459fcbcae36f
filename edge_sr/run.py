"""One `edge-sr run`: from options to frames, with a progress bar and a clean end."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import FrameType

from .errors import MediaError, UsageError
from .live.pipeline import Stats, run_pipeline
from .progress import frame_progress
from .target import Target, output_size
from .upscaler import Upscaler
from .video.frame import Frame, Sink, Source


@dataclass(frozen=True, kw_only=True)
class Job:
    """What `edge-sr run` was asked for."""

    input: str | None = None
    camera: str | None = None
    output: str | None = None
    show: bool = False
    model: str = "edge-unet-s"
    scale: Fraction | None = None
    target: Target | None = None
    precision: str = "fp32"
    backend: str = "auto"
    threads: int | None = None
    tile: int | None = None  # side in input pixels; 0: never; None: frames above 4 megapixels
    max_frames: int | None = None
    camera_size: tuple[int, int] = (1280, 720)  # columns, rows asked of the camera
    camera_fps: int = 30
    crf: int = 18
    preset: str = "veryfast"
    force: bool = False


def run_job(job: Job) -> int:
    """Do the job. Returns the exit code: 0, or 130/143 when a signal ended it early.

    Raises:
        UsageError: options that do not go together.
        EdgeSRError: anything that cannot be read, run or written.
    """
    from .video.images import is_image

    if job.input is not None and not job.input.startswith("test://"):
        path = Path(job.input)
        if path.is_dir() or is_image(path):
            from .stills import run_stills

            return run_stills(job, path)
    if job.output is None and not job.show and job.camera is None:
        raise UsageError("nowhere to put the result: give --output FILE, --show, or both")
    return _run_video(job)


def open_upscaler(job: Job, width: int, height: int) -> tuple[Upscaler, tuple[int, int]]:
    """The model for an input of this size, and the (columns, rows) of the result.

    Says on stderr what was chosen.
    """
    wanted = output_size(width, height, scale=job.scale, target=job.target)
    ratio = Fraction(2)
    if wanted is not None:
        ratio = max(Fraction(wanted[0], width), Fraction(wanted[1], height))
    upscaler = Upscaler.open(
        job.model,
        scale=ratio,
        precision=job.precision,
        size=(width, height),
        backend=job.backend,
        threads=job.threads,
        tile=job.tile,
    )
    native = upscaler.sidecar.output_size(width, height)
    size = wanted or native
    backend = upscaler.backend
    note(
        f"{upscaler.sidecar.name} ({backend.precision}) on {backend.name}, {backend.device}: "
        f"{width}x{height} -> {size[0]}x{size[1]}"
    )
    if upscaler.why:
        note(upscaler.why)
    if size[0] > native[0] or size[1] > native[1]:
        note(
            f"beyond the model's x{float(upscaler.sidecar.ratio):g}: the rest of the way is bicubic"
        )
    if size[0] * height != size[1] * width and abs(size[0] * height / size[1] / width - 1) > 0.01:
        note(f"the target {size[0]}x{size[1]} has another shape than the input: it is stretched")
    return upscaler, size


def note(text: str) -> None:
    """Words for the person at the keyboard, on stderr."""
    print(text, file=sys.stderr)


def _run_video(job: Job) -> int:
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(_open_source(job))
        info = source.info
        sinks = _open_sinks(job, source)
        upscaler, size = open_upscaler(job, info.width, info.height)
        stack.enter_context(upscaler)

        def upscale(frame: Frame) -> Frame:
            result = upscaler.upscale_frame(frame)
            if result.y.shape != (size[1], size[0]):
                from .video.chroma import resize_frame

                result = resize_frame(result, *size)
            return result

        stop = threading.Event()
        try:
            with _signals(stop) as caught, frame_progress(info, job.max_frames) as show:

                def on_frame(stats: Stats) -> None:
                    show(stats)
                    closed = [getattr(sink, "closed", False) for sink in sinks]
                    if all(closed) or (info.live and any(closed)):
                        stop.set()  # the window was closed, and nothing else wants the frames

                stats = run_pipeline(
                    source, upscale, sinks, max_frames=job.max_frames, stop=stop, on_frame=on_frame
                )
            if stats.written:
                complete = info.live or not caught  # a recording ends when it is told to
                lines = [sink.finish(complete=complete) for sink in sinks]
                _report(stats, lines, [source, *sinks])
            elif not caught:
                raise MediaError(f"{info.name}: no frame came out of it")
        finally:
            for sink in sinks:
                sink.abort()
        return 128 + caught[0] if caught else 0


def _open_source(job: Job) -> Source:
    if job.camera is not None:
        from .video.camera import Camera

        width, height = job.camera_size
        return Camera(job.camera, width=width, height=height, fps=job.camera_fps)
    if job.input is None:
        raise UsageError("nothing to read: give --input PATH or --camera ID")
    if job.input.startswith("test://"):
        from .video.pattern import Pattern

        return Pattern.from_url(job.input)
    from .video.file import VideoFile

    return VideoFile(Path(job.input))


def _open_sinks(job: Job, source: Source) -> list[Sink]:
    sinks: list[Sink] = []
    if job.output == "null":
        from .video.null import NullSink

        sinks.append(NullSink())
    elif job.output is not None:
        from .video.writer import VideoWriter

        plain_file = job.camera is None and not (job.input or "").startswith("test://")
        sinks.append(
            VideoWriter(
                Path(job.output),
                source=source.info,
                copy_from=Path(job.input or "") if plain_file else None,
                force=job.force,
                crf=job.crf,
                preset=job.preset,
            )
        )
    if job.show or not sinks:  # a camera with nothing said is for looking at
        from .video.window import WindowSink

        sinks.append(WindowSink(title=f"edge-sr: {source.info.name}"))
    return sinks


@contextlib.contextmanager
def _signals(stop: threading.Event) -> Iterator[list[int]]:
    """SIGINT and SIGTERM end the run early; a second one ends the process at once."""
    caught: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        caught.append(number)
        if len(caught) > 1:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield caught  # only the main thread may set handlers; the caller has its own way to stop
        return
    before = {name: signal.signal(name, on_signal) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _report(stats: Stats, finished: list[str], parts: list[Source | Sink]) -> None:
    """What came out, on stdout; what to know about it, on stderr."""
    for part in parts:
        for line in getattr(part, "notices", []):
            note(line)
    dropped = f", {stats.dropped} dropped" if stats.dropped else ""
    for line in filter(None, finished):
        print(f"{line} ({stats.written} frames at {stats.fps:.2f} fps{dropped})")
