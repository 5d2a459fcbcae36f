"""How large the activations of a network become on calibration frames, and where to clip them.

``python -m calibration.ranges --model FILE.onnx --frames FOLDER --output ranges.json``
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from calibration.frames.frames import FrameSet, open_frames
from calibration.quantize.cpu import results
from calibration.quantize.ends import LEVELS, Image
from calibration.quantize.histogram import Histogram
from calibration.quantize.judge import split
from calibration.quantize.network import Network, load_network
from calibration.quantize.placement import image_tensors, quantisable
from calibration.quantize.range_file import Ranges, save_ranges
from calibration.quantize.session import open_session, run, run_each
from calibration.quantize.thresholds import thresholds
from edge_sr.backend.onnxruntime.backend import usable_cores
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import BackendError, ModelFileError

MEMORY_BYTES = 384 * 2**20  # that the tensors of all runs may take; larger frames are cut
EXAMPLES = """\
example:
  python -m calibration.ranges --model x2.onnx --frames frames/ --output ranges.json
"""


def measure_ranges(network: Network, frames: FrameSet) -> Ranges:
    """One pass over the frames; memory does not grow with their number.

    Raises:
        BackendError: an activation is NaN or infinite.
        FrameError, MediaError: the frames do not fit, or none can be read.
    """
    names = list(dict.fromkeys([*quantisable(network.model), *results(network.model).values()]))
    if not names:
        raise ModelFileError(f"{network.path}: has no convolution with constant weights")
    session = open_session(network.model, taps=[n for n in names if n != network.ends.input])
    histograms = {name: Histogram() for name in names}
    most = _most_pixels(network, names)
    pieces: deque[tuple[str, float]] = deque()  # of what runs: the frame, the part of it
    count = 0

    def batches() -> Iterator[np.ndarray]:
        nonlocal count
        for file, image in tqdm(
            frames.read(network.ends), total=len(frames), unit="frame", disable=None
        ):
            count += 1
            for piece in _pieces(image, most):
                pieces.append((file, piece.size / image.size))
                yield network.ends.feed(piece)

    for batch, found in run_each(session, batches()):
        file, weight = pieces.popleft()
        taps = iter(found[1:])
        for name in names:
            value = batch if name == network.ends.input else next(taps)
            if not histograms[name].add(value, weight=weight):
                raise BackendError(
                    f"{network.path}: tensor {name} is NaN or infinite on {file}; "
                    "repair the network before quantising it"
                )
    _see_black_and_white(network, histograms)
    return Ranges(
        network.path.name,
        network.sha256,
        frames.sha256,
        count,
        frames.skipped,
        frames.is_default,
        {name: _clips(histogram) for name, histogram in histograms.items()},
    )


def _most_pixels(network: Network, names: Sequence[str]) -> int | None:
    """Input pixels whose tensors together fit MEMORY_BYTES; None for a network of one size."""
    if network.ends.size:
        return None
    taps = [name for name in names if name != network.ends.input]
    probe = np.zeros((64, 64, network.ends.channels), np.uint8)
    found = run(open_session(network.model, taps=taps), network.ends.feed(probe))
    pixel_bytes = sum(value.nbytes for value in found) / 64**2
    return max(64**2, int(MEMORY_BYTES / usable_cores() / pixel_bytes))


def _pieces(image: Image, most: int | None) -> list[Image]:
    """The frame cut into as few equal tiles as hold ``most`` pixels each, sides a multiple of 8.

    A tile's own border is padded by the network where the frame goes on, which touches a few
    pixels of thousands.
    """
    rows, columns = image.shape[:2]
    if most is None or rows * columns <= most:
        return [image]
    side = max(8, int(most**0.5) // 8 * 8)
    down, across = (
        max(8, math.ceil(length / math.ceil(length / side) / 8) * 8) for length in (rows, columns)
    )
    return [
        np.ascontiguousarray(image[top : top + down, left : left + across])
        for top in range(0, rows, down)
        for left in range(0, columns, across)
    ]


def _clips(histogram: Histogram) -> dict[str, float]:
    return {name: float(f"{clip:.6g}") for name, clip in thresholds(histogram).items()}


def _see_black_and_white(network: Network, histograms: dict[str, Histogram]) -> None:
    """Whatever the frames showed, the image itself may reach from black to white."""
    names = [name for name in histograms if name in image_tensors(network.model)]
    taps = [name for name in names if name != network.ends.input]
    session = open_session(network.model, taps=taps)
    for grey in (0, 255):
        shape = (*(network.ends.size or (32, 32)), network.ends.channels)
        batch = network.ends.feed(np.full(shape, grey, np.uint8))
        found = dict(zip(taps, run(session, batch)[1:], strict=True)) | {network.ends.input: batch}
        for name in names:
            histograms[name].widen(found[name])


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m calibration.ranges",
        "Measure the ranges of a network's activations over calibration frames.",
        examples=EXAMPLES,
    )
    parser.add_argument("--model", type=Path, required=True, help="a float32 .onnx file")
    parser.add_argument("--frames", type=Path, help="a folder of frames (default: our own set)")
    parser.add_argument("--output", type=Path, required=True, help="the .json file to write")
    parser.add_argument("--range", choices=("auto", *LEVELS), default="auto")
    parser.add_argument("--force", action="store_true", help="replace an existing output")
    return parser


@exit_codes("ranges")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the ranges were written, 1 when not; wrong usage exits with 2."""
    args = build_parser().parse_args(argv)
    if args.output.exists() and not args.force:
        raise ModelFileError(f"{args.output}: exists; use --force to replace it")
    network = load_network(args.model, value_range=args.range)
    ranges = measure_ranges(network, split(open_frames(args.frames).guarded(network.ends))[0])
    save_ranges(args.output, ranges, force=args.force)
    left_out = f", {len(ranges.skipped)} left out" if ranges.skipped else ""
    print(f"{args.output}: {len(ranges.tensors)} tensors over {ranges.frames} frames{left_out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
