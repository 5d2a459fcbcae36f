"""Pictures that have no truth, and what a network's self-ensemble makes of them, to learn from.

``python -m training.teach --model edge-unet-l-x2 --data PHOTOS --output FOLDER``, then ``python -m
training.train --taught FOLDER`` with a recipe that has ``taught``. A truth shows details that no
network can know, and of few photographs a network learns some of them by heart. With these
pictures it was never shown one: they are photographs at their own size, and small copies of them,
most of them turned by some angle, grey of other mixtures of colours.
"""

from __future__ import annotations

import argparse
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow is chatty when it is imported

import numpy as np
from PIL import Image
from tqdm import tqdm

from edge_sr import Upscaler
from edge_sr.cli.common import exit_codes, make_parser
from training.data.extracted import MANIFEST, write_manifest, write_pair
from training.data.pairs import Pair, modcrop
from training.data.photos import UNREADABLE, DataError, find_images, need_some
from training.data.sampler import LUMA, grey, mixture
from training.data.source import report
from training.models.self_ensemble import SelfEnsemble

SMALL = 1024  # longest side of a photograph that is sharp to the pixel, as CID22's are
LEAST = 16  # rows and columns of a picture that is worth it
MULTIPLE = 4  # of the sides, so that every network and scale makes whole pixels of them
SALT = 7

EXAMPLES = """\
example:
  python -m training.teach --model edge-unet-l-x2 --data photos/ --output taught/
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m training.teach",
        "Write inputs without a truth and what a network's self-ensemble makes of them.",
        examples=EXAMPLES,
    )
    parser.add_argument("--model", required=True, help="the teacher: a shipped model or FILE.onnx")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of photos")
    parser.add_argument("--output", type=Path, required=True, help="a new folder")
    return parser


def inputs(photo: Image.Image, name: str, *, channels: int) -> Iterator[np.ndarray]:
    """Pictures made of a photograph, uint8 (H, W, 1 or 3); they depend on it and its name alone.

    One that is small: itself, and a turned copy at 0.45 to 0.6 of its size. Another: three copies
    at 0.25 to 0.5, two of them turned by up to 45 degrees. Half of the copies are luma, half
    another mixture of colours; of RGB all are as they are.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()) + SALT)
    rgb = photo.convert("RGB")
    small = max(rgb.size) <= SMALL

    def finish(picture: Image.Image, parts: np.ndarray) -> np.ndarray:
        pixels = np.asarray(picture)
        return pixels if channels == 3 else grey(pixels, parts).astype(np.uint8)

    if small:
        yield finish(rgb, LUMA)
    for index in range(1 if small else 3):
        factor = rng.uniform(0.45, 0.6) if small else rng.uniform(0.25, 0.5)
        parts = mixture(rng, 0.5)
        if index % 2:
            size = [int(side * factor * rng.uniform(0.85, 1)) for side in rgb.size]
            copy = rgb.resize((max(1, size[0]), max(1, size[1])), Image.Resampling.BICUBIC)
        else:
            copy = _turned(rgb, rng.uniform(-45, 45), factor)
        yield finish(copy, parts)


def _turned(rgb: Image.Image, degrees: float, factor: float) -> Image.Image:
    """The largest square that lies inside the turned picture around its middle, made smaller."""
    width, height = rgb.size
    angle = np.radians(degrees)
    side = int(min(width, height) / (abs(np.cos(angle)) + abs(np.sin(angle))))
    left, top = (width - side) // 2, (height - side) // 2
    square = rgb.rotate(degrees, Image.Resampling.BICUBIC)
    square = square.crop((left, top, left + side, top + side))
    size = max(1, int(side * factor))
    return square.resize((size, size), Image.Resampling.BICUBIC)


def teach(
    run: Callable[[np.ndarray], np.ndarray], paths: list[Path], channels: int, to: Path
) -> tuple[list[dict[str, object]], list[str]]:
    """Write all pairs; returns their lines of the manifest, and one for each photo left out.

    Args:
        run: uint8 (1, H, W, C) -> uint8 (1, H*scale, W*scale, C).

    Raises:
        DataError: no photograph is usable.
        OSError: the folder cannot be written.
    """
    lines: list[dict[str, object]] = []
    left_out: list[str] = []
    for path in tqdm(paths, desc="teaching", unit="photo"):
        try:
            with Image.open(path) as photo:
                found = list(inputs(photo, path.stem, channels=channels))
        except UNREADABLE as error:
            left_out.append(f"{path}: unreadable ({error})")
            continue
        for index, picture in enumerate(found):
            low = modcrop(picture, MULTIPLE)
            if min(low.shape[:2]) >= LEAST:
                pair = Pair(f"{path.stem}@{index}", run(low[None])[0], low)
                lines.append(write_pair(to, f"{len(lines):06d}", pair))
    return need_some(lines, left_out)


@exit_codes("teaching")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when all pictures are written, 1 when they are not."""
    args = build_parser().parse_args(argv)
    paths = find_images(args.data)
    with Upscaler.open(args.model, precision="fp32", backend="onnxruntime") as teacher:
        card = teacher.sidecar
        if card.width is not None:
            raise DataError(f"{args.model}: takes {card.width}x{card.height}; expected any size")
        try:
            args.output.mkdir(parents=True, exist_ok=True)
            if any(args.output.iterdir()):
                raise DataError(f"{args.output}: is not empty; choose another --output")
            run = SelfEnsemble(teacher.backend).infer
            lines, left_out = teach(run, paths, card.channels, args.output)
            of = {"teacher": card.name, "teacher_sha256": card.sha256}
            write_manifest(args.output, card.ratio, card.channels, lines, **of)
        except OSError as error:
            raise DataError(f"{args.output}: cannot be written ({error.strerror})") from error
    report(left_out)
    used = len(paths) - len(left_out)
    print(f"{args.output / MANIFEST}: {len(lines)} pairs of {used} photographs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
