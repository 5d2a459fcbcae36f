"""Steps of `device-check` on the slots of the TensorRT backend, with a kernel for the engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bench.check.cuda_steps import percentiles
from bench.check.kernel import KernelEngine, shaded
from edge_sr.backend.protocol import Batch
from edge_sr.backend.tensorrt.ring import Ring
from edge_sr.cuda import Device, open_device

FRAMES = 500
SHAPE, UPSCALED = (1, 90, 160, 1), (1, 180, 320, 1)
WAYS = tuple((slots, graphs) for slots in (1, 2, 3) for graphs in ("off", "on"))

Found = dict[str, Any]


@contextmanager
def _ring(slots: int, graphs: str) -> Iterator[tuple[Device, Ring]]:
    device = open_device()
    try:
        with device:
            engine = KernelEngine()
            ring = Ring(device, engine, count=slots, graphs=graphs)
            try:
                ring.resize(SHAPE, UPSCALED)
                yield device, ring
            finally:
                ring.close()
                engine.kernels.unload()
    finally:
        device.close()


def _frames(count: int) -> Iterator[Batch]:
    rng = np.random.default_rng(1)
    for _ in range(count):
        yield rng.integers(0, 256, SHAPE, np.uint8)


def _run(ring: Ring, count: int) -> tuple[list[float], int]:
    """Milliseconds from frame to result, and how many results were wrong."""
    waiting: list[tuple[float, Batch]] = []
    times: list[float] = []
    wrong = 0

    def collect() -> None:
        nonlocal wrong
        begun, frame = waiting.pop(0)
        slot, _ = ring.wait()
        times.append((time.perf_counter() - begun) * 1e3)
        wrong += not np.array_equal(slot.output, shaded(frame, UPSCALED))

    for frame in _frames(count):
        if not ring.idle:
            collect()
        ring.idle[0].input[...] = frame
        waiting.append((time.perf_counter(), frame))
        ring.launch()
    while waiting:
        collect()
    return times, wrong


def slots_and_graphs() -> Found:
    """500 frames byte for byte through 1 to 3 slots, with graphs and without."""
    lines, figures = [], []
    good = True
    for slots, graphs in WAYS:
        with _ring(slots, graphs) as (device, ring):
            if graphs == "on" and not device.graphs:
                lines.append(f"{slots} slots with graphs: {device.binding} has none")
                continue
            times, wrong = _run(ring, FRAMES)
            refused = [line for line in ring.notices if line.startswith("without CUDA graphs")]
        found = percentiles(times)
        figures.append({"slots": slots, "graphs": graphs, "wrong": wrong, **found})
        lines.append(
            f"{slots} {'slot' if slots == 1 else 'slots'}, graphs {graphs}: {FRAMES} frames, "
            f"{wrong} wrong, p50 {found['p50_ms']:.3f} ms, p99 {found['p99_ms']:.3f} ms"
            + "".join(f" ({line})" for line in refused)
        )
        good = good and not wrong and not refused
    return {"good": good, "lines": lines, "figures": figures}


def close_from_another_thread() -> Found:
    """Frames in flight, and another thread that gives everything back."""
    device = open_device()
    with device:
        engine = KernelEngine()
        ring = Ring(device, engine, count=2, graphs="off")
        ring.resize(SHAPE, UPSCALED)
        for frame in _frames(2):
            ring.idle[0].input[...] = frame
            ring.launch()
    errors: list[Exception] = []

    def close() -> None:
        try:
            with device:
                ring.close()
                engine.kernels.unload()
            device.close()
        except Exception as error:  # noqa: BLE001 - it is the finding
            errors.append(error)

    thread = threading.Thread(target=close, name="device-check close", daemon=True)
    begun = time.perf_counter()
    thread.start()
    thread.join(20)
    took = (time.perf_counter() - begun) * 1e3
    if thread.is_alive():
        return {"good": False, "lines": ["closing did not end within 20 s"]}
    lines = [f"closed in {took:.0f} ms with two frames in flight", *map(str, errors)]
    return {"good": not errors, "lines": lines}
