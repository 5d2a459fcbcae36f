"""``python -m edge_sr.doctor.probe BACKEND``: one tiny inference, its figures as a line of JSON.

TensorRT runs a network of two layers, whose engine is built in seconds where none is cached: the
engine of a shipped model takes minutes on a Jetson. Every other backend runs the default model.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from edge_sr import zoo
from edge_sr.errors import BackendError, EdgeSRError
from edge_sr.upscaler import Upscaler

SIDE, WARM_UP, RUNS = 64, 2, 10
TINY = Path(__file__).with_name("probe.onnx")  # x2, luma, 52 parameters


def open_probe(backend: str) -> Upscaler:
    """The network that a backend is asked to run, opened for 64x64 frames.

    Raises:
        EdgeSRError: it cannot be opened.
    """
    tiny = backend == "tensorrt"
    return Upscaler.open(
        str(TINY) if tiny else zoo.DEFAULT,
        size=(SIDE, SIDE),
        backend=backend,
        precision="fp32" if tiny else None,  # a conversion to half precision takes time, too
    )


def measure(backend: str) -> dict[str, object]:
    """Median time of a 64x64 frame, after a warm-up, and what ran it.

    Raises:
        EdgeSRError: it cannot be opened or run, or gives a picture that cannot be right.
    """
    frame = np.linspace(16, 235, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint8)
    with open_probe(backend) as upscaler:
        times: list[float] = []
        for _ in range(WARM_UP + RUNS):
            begun = time.perf_counter_ns()
            result = upscaler.upscale(frame)
            times.append((time.perf_counter_ns() - begun) / 1e6)
        columns, rows = upscaler.sidecar.output_size(SIDE, SIDE)
        lost = abs(float(result.mean()) - float(frame.mean()))
        if result.shape != (rows, columns) or lost > 4:
            raise BackendError(
                f"gave {result.shape} with a mean {lost:.0f} grey levels off; "
                f"expected {(rows, columns)} and less than 4"
            )
        found = upscaler.backend
        return {
            "name": found.name,
            "device": found.device,
            "precision": found.precision,
            "ms": statistics.median(times[WARM_UP:]),
        }


def main(name: str) -> int:
    """Measure and print."""
    try:
        print(json.dumps(measure(name)))
    except EdgeSRError as error:
        print(json.dumps({"error": str(error), "kind": type(error).__name__}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
