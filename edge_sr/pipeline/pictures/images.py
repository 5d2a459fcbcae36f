"""A job on one image or on a folder of images."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from edge_sr.closing import Closing
from edge_sr.errors import EdgeSRError, FrameError, MediaError, UsageError
from edge_sr.media.address import is_media
from edge_sr.media.codec.unfinished import clear, same_job, write_ticket
from edge_sr.media.stills.deep import to_8_bits
from edge_sr.media.stills.files import (
    check_image_output,
    list_images,
    read_image,
    resize_image,
    writable_name,
    write_image,
)
from edge_sr.pipeline.job import JobSpec, Output, Progress, Result
from edge_sr.pipeline.open_model import open_upscaler, takes_depth
from edge_sr.pipeline.stats import Stats
from edge_sr.types import Size
from edge_sr.upscaler import Image, Upscaler
from edge_sr.zoo.flavour import choose, fit_image

logger = logging.getLogger(__name__)

LARGEST_PIPE = 1 << 30  # bytes of an image

# fields that two jobs must share for the images of the first to be kept by the second
SAME = ("bits", "model", "precision", "scale", "target", "backend", "threads", "tile")


def run_images(
    spec: JobSpec,
    path: Path,
    *,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Result:
    """Upscale one image to a file, or every image of a folder to a folder.

    In a folder, an image that cannot be read is logged and left out; `Result.failed` counts them.

    Args:
        progress: called after each image of a folder.
        stop: set it to end a folder after the present image.

    Raises:
        UsageError: no output, or a window was asked for.
        EdgeSRError: the image, or the output folder, cannot be read or written.
    """
    if spec.more_outputs or spec.publish:
        raise UsageError("images go to one --output; several, and --publish, are for video")
    if spec.output is None or spec.show:
        raise UsageError("images go to a file: give --output FILE, or a folder for a folder")
    if spec.resume and (not path.is_dir() or spec.output == "null"):
        raise UsageError("--resume goes on with a video or a folder of images")
    started = time.perf_counter()
    if path.is_dir():
        return _run_folder(spec, path, Path(spec.output), progress, stop)
    with Models(spec) as models:
        output = models.upscale(path, Path(spec.output))
    return Result(
        read=1, written=1, dropped=0, seconds=time.perf_counter() - started, outputs=(output,)
    )


def _run_folder(
    spec: JobSpec,
    folder: Path,
    output: Path,
    progress: Callable[[Progress], None] | None,
    stop: threading.Event | None,
) -> Result:
    if is_media(output) and not output.is_dir():
        raise UsageError(f"{output}: {folder} is a folder; its images go to a folder, not a file")
    images = list_images(folder)[: spec.max_frames]
    if output.resolve() == folder.resolve():
        raise UsageError(f"{output}: is the input folder; choose another --output")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{output}: cannot be used as a folder ({error.strerror})") from error
    name_subfolders(folder)
    values = spec.to_dict()
    facts = {"input": str(folder.absolute())} | {name: str(values[name]) for name in SAME}
    if spec.flavour is not None:
        facts["model"] += f" {spec.flavour}"
    resumed = spec.resume and same_job(output, facts)
    if spec.output != "null":
        write_ticket(output, facts)
    stats, notices, kept = Stats(), [], 0
    with Models(spec) as models:
        for image in images:
            if stop is not None and stop.is_set():
                break
            place = writable_name(output / image.relative_to(folder))
            stats.read += 1
            try:
                if resumed and place.exists():  # an image appears whole or not at all
                    kept += 1
                else:
                    models.upscale(image, place)
                    stats.written += 1
            except UsageError:
                raise
            except EdgeSRError as error:
                notices.append(f"left out: {error}")
                logger.info("%s", notices[-1])
            if progress:
                progress(
                    Progress(str(folder), "image", len(images), False, stats, kept + len(notices))
                )
    complete = stats.read == len(images)
    if complete:
        clear(output)
    done = stats.written + kept
    return Result(
        read=stats.read,
        written=stats.written,
        dropped=0,
        seconds=stats.elapsed_s,
        outputs=(Output(output, f"{output}: {done} of {len(images)} images"),),
        notices=tuple(notices),
        kept=kept,
        failed=len(notices),
    )


def name_subfolders(folder: Path) -> None:
    """Log how many folders inside a folder are not read."""
    inside = sum(member.is_dir() for member in folder.iterdir() if not member.name.startswith("."))
    if inside:
        what = "1 folder inside it is" if inside == 1 else f"{inside} folders inside it are"
        logger.info("%s: %s left out; name what is wanted of it as an input", folder, what)


def _read_pipe(path: Path) -> BinaryIO | None:
    """What comes out of a pipe, which can be read but once; None for a file."""
    if path.is_file() or path.is_dir() or not path.exists():
        return None
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_PIPE + 1)
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > LARGEST_PIPE:
        raise MediaError(f"{path}: more than {LARGEST_PIPE >> 20} MB came; save it to a file first")
    return io.BytesIO(data)


class Models(Closing):
    """The models of a job, one for each flavour and size of image that came."""

    def __init__(self, spec: JobSpec) -> None:
        self._spec = spec
        self._opened: dict[tuple[str, Size, int], tuple[Upscaler, Size]] = {}

    def upscale(self, source: Path, output: Path) -> Output:
        """Upscale one file; each model stays open for the next."""
        null = self._spec.output == "null"
        if not null:
            check_image_output(output, force=self._spec.force, source=source)
        stream = _read_pipe(source)
        image = read_image(source, stream=stream)
        pixels = self.enlarge(image.pixels, source, stream=stream)
        wanted = Size.of_shape(pixels.shape)
        if null:
            return Output(None, f"{source}: {wanted}, not written")
        write_image(output, pixels, like=image, force=self._spec.force)
        return Output(output, f"{output}: {wanted}")

    def enlarge(self, pixels: Image, source: Path, *, stream: BinaryIO | None = None) -> Image:
        """An image, uint8 (H, W[, 2 to 4]), at the size that was asked for.

        uint16 stays so where the model can, or becomes uint8, which is logged.

        Args:
            source: the file it comes from; the model may depend on it.
            stream: what was read instead of that file.

        Raises:
            FrameError: a size that the model does not take.
        """
        size, spec = Size.of_shape(pixels.shape), self._spec
        model, why = choose(spec.model, spec.flavour, lambda: fit_image(source, stream=stream))
        spec = replace(spec, model=model)
        if pixels.dtype == np.uint16 and not (spec.bits == "keep" and takes_depth(spec)):
            why_not = "--bits 8" if spec.bits == "8" else f"{model} takes no more"
            logger.info("%s: 16 bits per channel become 8 (%s)", source, why_not)
            pixels = to_8_bits(pixels)
        key = (model, size, 8 * pixels.itemsize)
        if key not in self._opened:
            if why:
                logger.info("%s", why)
            self._opened[key] = open_upscaler(spec, size, bits=key[2])
        upscaler, wanted = self._opened[key]
        try:
            made = upscaler.upscale(pixels, strength=spec.strength)
        except FrameError as error:
            raise FrameError(f"{source}: {error}") from error
        return made if Size.of_shape(made.shape) == wanted else resize_image(made, *wanted)

    def close(self) -> None:
        """Free the models."""
        for upscaler, _ in self._opened.values():
            upscaler.close()
