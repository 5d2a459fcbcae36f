"""`edge-sr run` on an image or a folder of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import EdgeSRError, MediaError, UsageError
from edge_sr.progress import item_progress
from edge_sr.upscaler import Upscaler

if TYPE_CHECKING:
    from edge_sr.pipeline.run import Job


def run_stills(job: Job, path: Path) -> int:
    """Upscale one image to a file, or every image of a folder to a folder.

    In a folder, an image that cannot be read is named and left out; the exit code is then 1.

    Raises:
        UsageError: no output, or a window was asked for.
        EdgeSRError: the image, or every image, cannot be read or written.
    """
    if job.output is None or job.show:
        raise UsageError("images go to a file: give --output FILE, or a folder for a folder")
    if job.resume and (not path.is_dir() or job.output == "null"):
        raise UsageError("--resume goes on with a video or a folder of images")
    if not path.is_dir():
        print(_upscale_file(job, {}, path, Path(job.output)))
        return 0
    return _run_folder(job, path, Path(job.output))


def _run_folder(job: Job, folder: Path, output: Path) -> int:
    from edge_sr.media.codec.unfinished import clear, same_job, write_ticket
    from edge_sr.media.stills.files import list_images
    from edge_sr.pipeline.run import note

    images = list_images(folder)
    if output.resolve() == folder.resolve():
        raise UsageError(f"{output}: is the input folder; choose another --output")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{output}: cannot be used as a folder ({error.strerror})") from error
    opened: dict[tuple[int, int], tuple[Upscaler, tuple[int, int]]] = {}
    failed = 0
    images = images[: job.max_frames]
    names = ("model", "precision", "scale", "target", "backend", "threads", "tile")
    facts = {"input": str(folder.absolute())} | {n: str(getattr(job, n)) for n in names}
    going_on = job.resume and same_job(output, facts)
    if job.output != "null":
        write_ticket(output, facts)
    for image in item_progress(images, total=len(images), unit="image"):
        try:
            place = output / image.relative_to(folder)
            if not (going_on and place.exists()):  # an image appears whole or not at all
                _upscale_file(job, opened, image, place)
        except UsageError:
            raise
        except EdgeSRError as error:
            note(f"left out: {error}")
            failed += 1
    clear(output)
    print(f"{output}: {len(images) - failed} of {len(images)} images")
    return 1 if failed else 0


def _upscale_file(
    job: Job,
    opened: dict[tuple[int, int], tuple[Upscaler, tuple[int, int]]],
    source: Path,
    output: Path,
) -> str:
    """Upscale one file; ``opened`` keeps the model of each image size between calls."""
    from edge_sr.media.stills.files import check_image_output, read_image, write_image
    from edge_sr.pipeline.run import open_upscaler

    if job.output != "null":
        check_image_output(output, force=job.force)
    image = read_image(source)
    height, width = image.pixels.shape[:2]
    if (width, height) not in opened:
        opened[width, height] = open_upscaler(job, width, height)
    upscaler, size = opened[width, height]
    pixels = _fit(upscaler.upscale(image.pixels), size)
    if job.output == "null":
        return f"{source}: {size[0]}x{size[1]}, not written"
    write_image(output, pixels, like=image, force=job.force)
    return f"{output}: {size[0]}x{size[1]}"


def _fit(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize to a target that is not the model's native scale (Pillow, bicubic, antialiased)."""
    if image.shape[1::-1] == size:
        return image
    from edge_sr.media.stills.files import resize_image

    return resize_image(image, *size)
