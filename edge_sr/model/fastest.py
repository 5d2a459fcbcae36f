"""Which runtime and precision is the fastest on this CPU: measured once, and remembered.

``$XDG_CACHE_HOME/edge-sr/fastest`` has what was measured, a file for each machine, model and size.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_sr import __version__
from edge_sr.backend import Backend, cpu, open_backend
from edge_sr.backend.openvino.backend import precision_name
from edge_sr.errors import EdgeSRError, ModelFileError
from edge_sr.extras import version_of
from edge_sr.files import write_whole
from edge_sr.model.engine_cache import cache_dir
from edge_sr.model.sidecar import Sidecar

logger = logging.getLogger(__name__)
REVISION = 2  # of how it is measured: a later one measures again
STRIP_ROWS = 192  # of the frame: enough to rank files of one network
RUNS = 5  # of each, taking turns, after one to warm up
MODEL_DB = 37.0  # PSNR-Y that a model is taken to reach where a loss is estimated
OCTAVES = ((64, 30), (32, 15), (16, 7), (8, 3), (4, 1))  # side of squares, spread of their grey
NAMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


@dataclass(frozen=True)
class Candidate:
    """A model file in a runtime."""

    path: Path
    sidecar: Sidecar
    backend: str  # of backend.ON_CPU
    bf16: bool = False

    @property
    def precision(self) -> str:
        """ "fp32", "bf16", "int8" or "int8-bf16"."""
        return precision_name(self.sidecar.precision, bf16=self.bf16)

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.precision} in {NAMES[self.backend]}"

    def open(self, threads: int | None) -> Backend:
        """Raises MissingDependencyError, BackendError, ModelFileError."""
        return open_backend(
            self.path, self.sidecar, backend=self.backend, threads=threads, bf16=self.bf16
        )


class Measured(msgspec.Struct, frozen=True):
    """What came of a candidate."""

    label: str
    seconds: float | None = None  # of a strip, the fastest run; None: it cannot run
    lost_db: float = 0.0  # of PSNR-Y by bfloat16, estimated; int8's own loss is in its sidecar


def measure(
    candidates: Sequence[Candidate], *, width: int, height: int, threads: int | None = None
) -> tuple[list[Measured], bool]:
    """Time of every candidate, in turns, from the cache where it was measured before.

    Args:
        width, height: of the frames to come. A strip of `width` x 192 pixels at most is run; a
            model of one size gets that.

    Returns:
        A result for each candidate, and whether they were measured before.
    """
    path = _cache_path(candidates, width, height, threads)
    labels = [item.label for item in candidates]
    try:
        found = msgspec.json.decode(path.read_bytes(), type=list[Measured])
        if [item.label for item in found] == labels:
            return found, True
    except (OSError, msgspec.DecodeError):
        pass
    logger.info("measuring what is fastest here, once: %s", ", ".join(labels))
    facts = candidates[0].sidecar
    columns, rows = facts.width or width, facts.height or min(height, STRIP_ROWS)
    found = _measure(candidates, columns, rows, threads)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(msgspec.to_builtins(found), indent=1) + "\n"
        write_whole(path, text, error=ModelFileError)
    except (OSError, ModelFileError) as error:
        logger.debug("%s: not kept (%s)", path, error)
    return found, False


def _measure(
    candidates: Sequence[Candidate], width: int, rows: int, threads: int | None
) -> list[Measured]:
    strip = _picture(rows, width, candidates[0].sidecar.pixel_bytes)
    opened: dict[int, Backend] = {}
    results: dict[int, NDArray[np.uint8]] = {}
    times: dict[int, list[float]] = {}
    try:
        for place, item in enumerate(candidates):
            try:
                opened[place] = item.open(threads)
                results[place] = opened[place].infer(strip)
                times[place] = []
            except EdgeSRError as error:
                logger.debug("%s: %s", item.label, error)
        for _ in range(RUNS):
            for place in times:
                start = time.perf_counter()
                opened[place].infer(strip)
                times[place].append(time.perf_counter() - start)
    finally:
        for backend in opened.values():
            backend.close()
    return [
        Measured(
            item.label,
            min(times[place]) if place in times else None,
            _loss(place, candidates, results) if place in times and item.bf16 else 0.0,
        )
        for place, item in enumerate(candidates)
    ]


def _loss(
    place: int, candidates: Sequence[Candidate], results: dict[int, NDArray[np.uint8]]
) -> float:
    """PSNR-Y that bfloat16 loses, from its difference to float32 on the strip.

    The two are compared in the float file, for int8 files as well: there a difference moves values
    over thresholds of int8, which says little about quality.
    """
    pair = [
        results.get(other)
        for bf16 in (False, True)
        for other, item in enumerate(candidates)
        if item.sidecar.precision == "fp32" and item.bf16 == bf16 and other in results
    ]
    whole, half = (pair[0], pair[-1]) if len(pair) > 1 else (None, results[place])
    if whole is None or half is None:
        return float("inf")  # nothing to compare with
    error = float(np.mean((whole.astype(np.float64) - half) ** 2))
    return float(10 * np.log10(1 + error / (255**2 / 10 ** (MODEL_DB / 10))))


def _picture(rows: int, columns: int, channels: int) -> NDArray[np.uint8]:
    """Squares of many sizes, as photographs have detail: uint8 (1, rows, columns, channels)."""
    rng = np.random.default_rng(0)
    picture = np.full((rows, columns, channels), 126.0)
    for side, spread in OCTAVES:
        greys = rng.normal(0, spread, (-(-rows // side), -(-columns // side), channels))
        picture += np.kron(greys, np.ones((side, side, 1)))[:rows, :columns]
    strip: NDArray[np.uint8] = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return strip[None]


def _cache_path(
    candidates: Sequence[Candidate], width: int, height: int, threads: int | None
) -> Path:
    """All that decides is in the name: the CPU, its cores, files, versions and size."""
    facts = {
        "edge-sr": __version__,
        "revision": REVISION,
        "cpu": cpu.name(),
        "flags": sorted(cpu.flags()),
        "cores": cpu.usable_cores(),
        "threads": threads,
        "versions": [version_of(name) for name in NAMES],
        "size": (width, height, candidates[0].sidecar.bits),
        "candidates": [(item.label, item.sidecar.sha256) for item in candidates],
    }
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return cache_dir() / "fastest" / f"{candidates[0].sidecar.name}-{digest}.json"
