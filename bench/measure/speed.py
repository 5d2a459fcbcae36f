"""The first half of a run: counts, memory and interleaved latency of every model at one size."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.measure.device import available_mib, device_state, throttled
from bench.measure.latency import Latency, measure_latency
from bench.measure.memory import peak_mib
from bench.measure.runner import MODEL_ERRORS, Bench, Size, note
from bench.measure.timing import overhead_us
from bench.models.contenders import Contender, count_contender
from bench.rows import Row
from edge_sr.progress import item_progress

if TYPE_CHECKING:
    from bench.quality.images import ImageSet

Lane = tuple[Contender, Row]


def measure_speed(bench: Bench, size: Size, cores: list[int]) -> None:
    """Fill ``latency`` and the counts of the rows of one size that lack them."""
    lanes = [(item, bench.row(item, size)) for item in bench.contenders]
    lanes = [(item, row) for item, row in lanes if row["latency"] is None]
    ready = _count_all(bench, lanes, size)
    if ready:
        _time_all(bench, ready, size, cores)
    bench.save()


def _count_all(bench: Bench, lanes: list[Lane], size: Size) -> list[Lane]:
    """Counts and peak memory, each model in a process of its own; returns those that can run."""
    ready = []
    for item, row in item_progress(lanes, total=len(lanes), unit="model"):
        row["error"] = None
        try:
            row["peak_mib"] = peak_mib(item, *size, bench.threads)
            counts = count_contender(item, *size)
            ready.append((item, row))
        except MODEL_ERRORS as error:
            row["error"] = str(error)
            bench.fail(str(error))
            continue
        if counts is None and (item.sidecar.width, item.sidecar.height) == size:
            row["macs"] = item.sidecar.macs_720p  # of an engine: counted when it was made
        if counts is not None:
            row["macs"], row["activation_bytes"] = counts.macs, counts.activation_bytes
            row["layers"] = len(counts.layers)
    return ready


def _time_all(bench: Bench, lanes: list[Lane], size: Size, cores: list[int]) -> None:
    begun = time.perf_counter()
    memory = sum(row["peak_mib"] or 0 for _, row in lanes)
    keep_open = memory < (available_mib() or 0) / 2
    names = [item.name for item, _ in lanes]
    note(f"timing {len(lanes)} models in turns at {size[0]}x{size[1]}, {bench.threads} threads")
    before = device_state()
    total = bench.plan.rounds * len(lanes)
    turns = item_progress(range(total + 1), total=total, unit="turn")
    next(turns)
    results = measure_latency(
        [item for item, _ in lanes],
        frame_of(bench.sets[0], *size),
        threads=bench.threads,
        plan=bench.plan,
        keep_open=keep_open,
        on_turn=lambda _: next(turns, None),
    )
    after, harness = device_state(), overhead_us()
    for index, (_, row) in enumerate(lanes):
        result = results[index]
        if not isinstance(result, Latency):
            row["error"] = str(result)
            bench.fail(str(result))
            continue
        row["latency"] = asdict(result) | {
            "harness_us": round(harness, 3),
            "interleaved_with": names,
            "kept_open": keep_open,
            "cores": cores,
            "state_before": before,
            "state_after": after,
            "throttled": throttled(before, after),
        }
    note(f"timed in {time.perf_counter() - begun:.0f} s")


def frame_of(images: ImageSet, width: int, height: int) -> NDArray[np.uint8]:
    """A frame from the first picture, repeated to fill the size: uint8 (height, width, 3)."""
    picture = images.pictures[0][1]
    color = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    times = (-(-height // color.shape[0]), -(-width // color.shape[1]), 1)
    return np.ascontiguousarray(np.tile(color, times)[:height, :width])
