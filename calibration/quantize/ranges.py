"""Ranges of activations, and the file that keeps them."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from calibration.frames.frames import FrameSet
from calibration.network.frame_io import Image
from calibration.network.load import Network
from calibration.network.session import open_session, run, run_each
from calibration.quantize.cpu import results
from calibration.quantize.placement import image_tensors, quantisable
from calibration.quantize.thresholds import METHODS, Histogram, thresholds
from edge_sr.backend.cpu import usable_cores
from edge_sr.errors import BackendError, ModelFileError
from edge_sr.files import parse_json, write_whole

SCHEMA = 2
MEMORY_BYTES = 384 * 2**20  # that the tensors of all runs may take; larger frames are cut


@dataclass(frozen=True)
class Ranges:
    """Clips of every tensor that may become int8, and what they were measured with."""

    model: str  # file name
    model_sha256: str
    frames_sha256: str
    frames: int  # counted; corrupt ones left out
    skipped: list[str]
    default_frames: bool  # edge-sr's own set, not the user's scenes
    tensors: dict[str, dict[str, float]]  # name -> method -> magnitude that becomes 127
    schema: int = SCHEMA

    def check(self, network: Network, frames: FrameSet | None = None) -> None:
        """Refuse ranges of another model or other frames.

        Raises:
            ModelFileError: a digest differs.
        """
        if self.model_sha256 != network.sha256:
            raise ModelFileError(
                f"the ranges are of {self.model} ({self.model_sha256[:12]}); {network.path} is "
                f"{network.sha256[:12]}: measure them with python -m calibration.ranges"
            )
        if frames is not None and self.frames_sha256 != frames.sha256:
            raise ModelFileError(
                f"the ranges are of other frames ({self.frames_sha256[:12]}) than "
                f"{frames.folder} ({frames.sha256[:12]}): measure them again"
            )


def save_ranges(path: Path, ranges: Ranges, *, force: bool) -> None:
    """Write JSON, whole or not at all. Raises ModelFileError."""
    if path.exists() and not force:
        raise ModelFileError(f"{path}: exists; use --force to replace it")
    write_whole(path, json.dumps(asdict(ranges), indent=1) + "\n", error=ModelFileError)


def load_ranges(path: Path) -> Ranges:
    """Read what `save_ranges` wrote.

    Raises:
        ModelFileError: missing, damaged, or of another version.
    """
    try:
        found = parse_json(path.read_text())
        ranges = Ranges(**found)
        whole = ranges.schema == SCHEMA and all(
            set(METHODS) == set(clips) for clips in ranges.tensors.values()
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        why = " ".join(str(error).split())[:200]  # it may quote the file
        raise ModelFileError(f"{path}: cannot be read as ranges ({why})") from error
    if not whole:
        raise ModelFileError(f"{path}: is of another version; measure the ranges again")
    return ranges


def measure_ranges(network: Network, frames: FrameSet) -> Ranges:
    """One pass over the frames; memory does not grow with their number.

    Raises:
        BackendError: an activation is NaN or infinite.
        FrameError, MediaError: the frames do not fit, or none can be read.
    """
    names = list(dict.fromkeys([*quantisable(network.model), *results(network.model).values()]))
    if not names:
        raise ModelFileError(f"{network.path}: has no convolution with constant weights")
    session = open_session(network.model, taps=[n for n in names if n != network.io.input])
    histograms = {name: Histogram() for name in names}
    most = _most_pixels(network, names)
    pieces: deque[tuple[str, float]] = deque()  # of what runs: the frame, the part of it
    count = 0

    def batches() -> Iterator[np.ndarray]:
        nonlocal count
        for file, image in tqdm(
            frames.read(network.io), total=len(frames), unit="frame", disable=None
        ):
            count += 1
            for piece in _pieces(image, most):
                pieces.append((file, piece.size / image.size))
                yield network.io.feed(piece)

    for batch, found in run_each(session, batches()):
        file, weight = pieces.popleft()
        taps = iter(found[1:])
        for name in names:
            value = batch if name == network.io.input else next(taps)
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
    if network.io.size:
        return None
    taps = [name for name in names if name != network.io.input]
    probe = np.zeros((64, 64, network.io.channels), np.uint8)
    found = run(open_session(network.model, taps=taps), network.io.feed(probe))
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
    taps = [name for name in names if name != network.io.input]
    session = open_session(network.model, taps=taps)
    for grey in (0, 255):
        shape = (*(network.io.size or (32, 32)), network.io.channels)
        batch = network.io.feed(np.full(shape, grey, np.uint8))
        found = dict(zip(taps, run(session, batch)[1:], strict=True)) | {network.io.input: batch}
        for name in names:
            histograms[name].widen(found[name])
