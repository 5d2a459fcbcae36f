"""A job from an animated picture to another: each picture as a still, with its transparency."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from edge_sr.errors import MediaError, UsageError
from edge_sr.media.animation.read import Animation
from edge_sr.media.animation.write import ANIMATED, AnimationWriter
from edge_sr.media.codec.unfinished import partial_path
from edge_sr.media.stills.formats import is_animation
from edge_sr.pipeline.job import JobSpec, Output, Progress, Result
from edge_sr.pipeline.pictures.images import Models
from edge_sr.pipeline.signals import SignalStop
from edge_sr.pipeline.stats import Stats
from edge_sr.types import Size

logger = logging.getLogger(__name__)


def is_redrawn(spec: JobSpec, path: Path) -> bool:
    """Whether a job makes an animated picture of another, and nothing else."""
    if spec.output is None or Path(spec.output).suffix.lower() not in ANIMATED:
        return False
    screens = spec.show or spec.serve is not None or spec.virtual_camera is not None
    return not screens and is_animation(path)


def run_animation(
    spec: JobSpec,
    path: Path,
    *,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Result:
    """Upscale an animated GIF, PNG or WebP to another, with its times, transparency and repeats.

    Args:
        progress: called after each picture.
        stop: set it to end early: the file then gets the name of a part.

    Raises:
        UsageError: --resume.
        EdgeSRError: it cannot be read, run or written.
    """
    if spec.resume:
        raise UsageError("--resume goes on with a video; an animation is made in one go")
    output, stats = Path(spec.output or ""), Stats()
    if output.exists() and output.samefile(path):
        raise MediaError(f"{output}: is the input itself; choose another output")
    with Animation(path) as source, Models(spec) as models:
        durations = source.durations()[: spec.max_frames]
        writer = AnimationWriter(
            output,
            force=spec.force,
            plays=source.plays,
            last_ms=durations[-1],
            hides=source.hides,
        )
        report = Progress(str(path), "frame", len(durations), False, stats)
        size = Size(0, 0)
        try:
            for picture, _ in zip(source, durations, strict=False):
                stats.read += 1
                pixels = models.enlarge(picture.pixels, path)
                size = Size.of_shape(pixels.shape)
                writer.write(pixels, Fraction(picture.start_ms, 1000))
                stats.written += 1
                if progress:
                    progress(report)
                if stop is not None and stop.is_set():
                    break
            if source.damaged and spec.strict:
                raise MediaError(f"{path}: is cut off; without --strict it is read up to there")
            complete = stats.written == len(durations)
            final = output if complete else partial_path(output)
            writer.finish(final)
        finally:
            writer.abort()
        notices = (f"{path}: is cut off; it was read up to there",) if source.damaged else ()
    for line in notices:
        logger.info("%s", line)
    seconds = sum(durations[: stats.written]) / 1000
    figures = f"({stats.written} pictures at {stats.fps:.2f} fps)"
    return Result(
        read=stats.read,
        written=stats.written,
        dropped=0,
        seconds=stats.elapsed_s,
        outputs=(Output(final, f"{final}: {size}, {seconds:.2f} s {figures}"),),
        notices=notices,
        interrupted=stop.signal if isinstance(stop, SignalStop) else None,
    )
