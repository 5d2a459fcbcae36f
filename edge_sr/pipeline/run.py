"""One `edge-sr run`: what was asked for, and which way it goes."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from edge_sr.errors import UsageError
from edge_sr.pipeline.target import Target, output_size
from edge_sr.upscaler import Upscaler


@dataclass(frozen=True, kw_only=True)
class Job:
    """What `edge-sr run` was asked for."""

    input: str | None = field(default=None, repr=False)  # may hold a password
    camera: str | None = field(default=None, repr=False)
    output: str | None = None
    show: bool = False
    model: str = "edge-unet-s"
    scale: Fraction | None = None
    target: Target | None = None
    precision: str | None = None  # fp16 with TensorRT, fp32 else
    backend: str = "auto"
    threads: int | None = None
    slots: int = 2  # frames in flight on a GPU
    tile: int | None = None  # side in input pixels; 0: never; None: frames above 4 megapixels
    max_frames: int | None = None
    camera_size: tuple[int, int] = (1280, 720)  # columns, rows asked of the camera
    camera_fps: int = 30
    camera_format: str = "MJPG"  # or YUYV, NV12
    crf: int = 18
    preset: str = "veryfast"
    codec: str = "h264"
    force: bool = False
    resume: bool = False  # go on with a file job that was killed
    serve: tuple[str, int] | None = None  # address and port of the browser page
    virtual_camera: str | None = None  # device; "" for the first one that is free
    compare: str | None = None  # "split", "side" or "diff": what screens show
    overlay: bool = True  # figures in the window
    drop_policy: str = "auto"  # "newest" drops frames, "none" loses none
    deadline_ms: float | None = None  # step down to smaller models when a frame takes longer
    max_reconnect: int | None = None  # attempts in a row; None for no limit
    save_to: str = "."  # folder of snapshots and recordings


def run_job(job: Job) -> int:
    """Do the job. Returns the exit code: 0, or 130/143 when a signal ended it early.

    Raises:
        UsageError: options that do not go together.
        EdgeSRError: anything that cannot be read, run or written.
    """
    from edge_sr.media.stills.files import is_image
    from edge_sr.pipeline.job import run_video

    screen = job.show or job.serve is not None
    if job.input is not None and not _is_stream(job.input):
        path = Path(job.input)
        if path.is_dir() or is_image(path):
            from edge_sr.pipeline.stills import run_stills

            return run_stills(job, path)
    if job.compare and not screen and job.camera is None:
        raise UsageError("--compare is for looking at: add --show or --serve PORT")
    if not (job.output or screen or job.virtual_camera is not None or job.camera is not None):
        raise UsageError("nowhere to put the result: give --output FILE, --show, --serve or both")
    return run_video(job)


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
        slots=job.slots,
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


def _is_stream(address: str) -> bool:
    """Whether an input is something else than a path."""
    return address == "-" or "://" in address or address.startswith("env:")


def note(text: str) -> None:
    """Words for the person at the keyboard, on stderr."""
    print(text, file=sys.stderr)
