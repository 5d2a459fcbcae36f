"""Run one job: a video, a camera or a stream, an image, or a folder of images."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from fractions import Fraction
from os import PathLike, fspath
from pathlib import Path

from edge_sr.errors import UsageError
from edge_sr.media.address import Address, Kind, is_media, parse_address
from edge_sr.media.animation.write import FROM_FILMS
from edge_sr.media.stills.formats import WRITTEN
from edge_sr.pipeline.job import JobSpec, Progress, Result
from edge_sr.pipeline.open_model import with_model_file
from edge_sr.pipeline.pictures.animations import is_redrawn, run_animation
from edge_sr.pipeline.pictures.images import run_images
from edge_sr.pipeline.target import parse_target
from edge_sr.pipeline.video import run_video


def run_job(
    spec: JobSpec,
    *,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Result:
    """Do a job and return what came of it. Prints nothing; messages go to the "edge_sr" logger.

    Args:
        progress: called after each frame or image, from this thread.
        stop: set it, from any thread, to end the job early: a file then gets the name of a part.
            A `SignalStop` is set by SIGINT and SIGTERM while the job reads and writes frames.

    Raises:
        UsageError: fields that do not go together.
        EdgeSRError: anything that cannot be read, run or written.
    """
    spec = with_model_file(spec)
    address = parse_address(spec.input) if spec.input is not None else None
    if address is not None and address.kind in (Kind.FOLDER, Kind.IMAGE):
        return run_images(spec, address.path, progress=progress, stop=stop)
    if address is not None and _is_unnamed_image(spec, address):
        stdin = address.kind is Kind.STDIN
        path = Path("/dev/stdin") if stdin else address.path
        return run_images(spec, path, progress=progress, stop=stop)
    if address is not None and address.kind is Kind.FILE and is_redrawn(spec, address.path):
        return run_animation(spec, address.path, progress=progress, stop=stop)
    screen = spec.show or spec.serve is not None
    camera = spec.camera is not None or (address is not None and address.live)
    if spec.compare and not (screen or camera or spec.outputs):
        raise UsageError("--compare is for looking at: add --show, --serve PORT or --output FILE")
    if not (spec.goes_somewhere or screen or camera):
        raise UsageError("nowhere to put the result: give --output FILE, --show, --serve or both")
    return run_video(spec, progress=progress, stop=stop)


def _is_unnamed_image(spec: JobSpec, address: Address) -> bool:
    """Whether an input whose name does not say what it is becomes an image that no film becomes."""
    ending = Path(spec.output or "").suffix.lower()
    if len(spec.outputs) != 1 or ending not in WRITTEN or ending in FROM_FILMS:
        return False
    unnamed = address.kind is Kind.FILE and not is_media(address.path)
    return unnamed or address.kind is Kind.STDIN


def upscale_file(
    input: str | PathLike[str],  # noqa: A002 - the name that the command line has
    output: str | PathLike[str],
    *,
    model: str = "auto",
    flavour: str | None = None,
    scale: Fraction | float | None = None,
    target: str | None = None,
    precision: str | None = None,
    backend: str = "auto",
    threads: int | None = None,
    tile: int | None = None,
    max_frames: int | None = None,
    codec: str = "h264",
    crf: int = 18,
    preset: str = "veryfast",
    force: bool = False,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Result:
    """Upscale a video, an image or a folder of images into a file or folder, as ``edge-sr run``.

    Args:
        input: a path, or whatever else ``edge-sr run`` reads.
        output: a .mp4, .m4v, .mov, .mkv or .webm file for video, or a .gif, .apng or .webp; an
            image file for an image, a folder for a folder; "null" upscales and writes nothing.
        model: a shipped model or family, or an .onnx or .engine file; "auto" for the default
            family in the flavour that fits the input.
        flavour: of a family: "plain" for clean pictures, "live" for compressed or noisy ones, or
            "auto" for the one that fits.
        scale: output side / input side, above 1; None for the model's own, 2 in a family.
        target: the size instead: "1080p", "4k" or "1920x1080".
        precision, backend, threads, tile: as for `Upscaler.open`.
        max_frames: stop after so many frames or images.
        codec: "h264" or "h265" for the device's encoder where there is one.
        crf: quality of a video, 0 (lossless) to 51.
        preset: speed of the encoder, "ultrafast" to "veryslow".
        force: replace an existing output.
        resume: continue a job that was stopped.
        progress: called after each frame or image, from this thread.
        stop: set it, from any thread, to end the job early.

    Raises:
        UsageError: options that do not go together.
        EdgeSRError: anything that cannot be read, run or written.
    """
    if scale is not None and target is not None:
        raise UsageError("scale and target were both given; one of them decides the size")
    ratio = None if scale is None else Fraction(scale).limit_denominator(1000)
    if ratio is not None and ratio <= 1:
        raise UsageError(f"scale is {float(ratio):g}; expected a number above 1")
    try:
        wanted = None if target is None else parse_target(target)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"target is {error}") from error
    spec = JobSpec(
        input=fspath(input),
        output=fspath(output),
        model=model,
        flavour=flavour,
        scale=ratio,
        target=wanted,
        precision=precision,
        backend=backend,
        threads=threads,
        tile=tile,
        max_frames=max_frames,
        codec=codec,
        crf=crf,
        preset=preset,
        force=force,
        resume=resume,
    )
    return run_job(spec, progress=progress, stop=stop)
