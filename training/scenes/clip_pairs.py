"""Pairs of clips in colour, 720p and 1080p of one scene: a camera over photographs.

For networks that take whole frames of RGB, where no film of both sizes is at hand. `--pairs` of
`training.train` reads them as it reads films.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from training.data.photos import UNREADABLE, DataError
from training.data.video_codec import write_clip
from training.loop.checkpoint import whole
from training.scenes.motion import canvas, draw_density, draw_path, look

ROWS = 1080  # of the large clip, which is 16:9
FRAMES = 24
RATE = 12  # x264's constant rate factor of both: little is lost
GROUP = 6  # frames from one key frame to the next: training reads single frames


def large_enough(paths: list[Path]) -> list[Path]:
    """The photographs of at least 1920x1080."""
    found = []
    for path in paths:
        try:
            with Image.open(path) as image:
                if image.width >= ROWS * 16 // 9 and image.height >= ROWS and image.mode != "L":
                    found.append(path)
        except UNREADABLE as error:
            raise DataError(f"{path}: unreadable ({error})") from error
    return found


def write_clips(folder: Path, count: int, *, paths: list[Path], seed: int, scale: Fraction) -> None:
    """``count`` scenes, each over a photograph of its own; those that are there are left alone.

    Raises:
        DataError: there are fewer photographs of 1920x1080 than scenes, or one cannot be read; the
            scale makes no whole size.
    """
    fitting, columns = large_enough(paths), ROWS * 16 // 9
    if len(fitting) < count:
        raise DataError(
            f"{len(fitting)} of {len(paths)} pictures are photographs of {columns}x{ROWS} or more; "
            f"expected one for each of {count} clips: give fewer --clips, or more photographs"
        )
    small = (columns / scale, ROWS / scale)
    if small[0] % 2 or small[1] % 2:
        raise DataError(
            f"scale is {scale}; expected one with even sizes below {columns}x{ROWS}, as 3/2"
        )
    order = np.random.default_rng(seed).permutation(len(fitting))[:count]
    for number, chosen in enumerate(tqdm(order, unit="clip")):
        names = [folder / f"{number:03d}_{height}p.mp4" for height in (int(small[1]), ROWS)]
        if all(name.exists() for name in names):
            continue
        frames = film(fitting[chosen], np.random.default_rng([seed, number]))
        size = (int(small[0]), int(small[1]))
        reduced = [frame.resize(size, Image.Resampling.BICUBIC) for frame in frames]
        for name, images in zip(names, (reduced, frames), strict=True):
            part = name.with_name(f"{name.stem}.part.mp4")
            with whole(name, part):
                write_clip(part, images, rate=RATE, group=GROUP)


def film(photograph: Path, rng: np.random.Generator) -> list[Image.Image]:
    """``FRAMES`` RGB images of 1920x1080 of a camera that moves over a photograph."""
    try:
        with Image.open(photograph) as image:
            picture = np.asarray(image.convert("RGB"))
    except UNREADABLE as error:
        raise DataError(f"{photograph}: unreadable ({error})") from error
    size = (ROWS, ROWS * 16 // 9)
    path, density = draw_path(rng, FRAMES), draw_density(rng, picture[..., 0], size)
    corner = rng.random(2)
    planes = [canvas(picture[..., index], path, size, density, corner) for index in range(3)]
    seen, kept = Image.merge("RGB", [plane for plane, _ in planes]), planes[0][1]
    return [Image.fromarray(look(seen, kept, path, frame, size)) for frame in range(FRAMES)]
