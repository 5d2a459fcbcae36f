"""The first half of a run: counts, memory and interleaved latency of every model at one size."""

from __future__ import annotations

import logging
import time

import numpy as np
from msgspec.structs import asdict, replace
from numpy.typing import NDArray

from bench.measure.device import available_mib, device_state, throttled
from bench.measure.latency import measure_latency
from bench.measure.memory import peak_mib
from bench.measure.state import MODEL_ERRORS, Bench, Columns
from bench.measure.timing import overhead_us
from bench.models.contenders import Contender, count_contender
from bench.models.graph import Counts
from bench.quality.images import ImageSet
from bench.records import Latency, Row, Times
from edge_sr.progress import item_progress

logger = logging.getLogger(__name__)
Lane = tuple[Contender, Row]


def measure_speed(bench: Bench, size: Columns, cores: list[int]) -> None:
    """Fill ``latency`` and the counts of the rows of one size that lack them."""
    missing = [item for item in bench.contenders if bench.row(item, size).latency is None]
    ready = _count_all(bench, missing, size)
    if ready:
        _time_all(bench, ready, size, cores)
    bench.save()


def _count_all(bench: Bench, items: list[Contender], size: Columns) -> list[Lane]:
    """Counts and peak memory, each model in a process of its own; returns those that can run."""
    ready = []
    for item in item_progress(items, total=len(items), unit="model"):
        row = replace(bench.row(item, size), error=None)
        try:
            row = replace(row, peak_mib=peak_mib(item, *size, bench.threads))
            row = _with_counts(row, count_contender(item, *size), item)
            ready.append((item, row))
        except MODEL_ERRORS as error:
            row = replace(row, error=str(error))
            bench.fail(str(error))
        bench.put([row])
    return ready


def _with_counts(row: Row, counts: Counts | None, item: Contender) -> Row:
    if counts is not None:
        return replace(
            row,
            macs=counts.macs,
            activation_bytes=counts.activation_bytes,
            layers=len(counts.layers),
        )
    card = item.sidecar
    if (card.width, card.height) == (row.width, row.height):
        return replace(row, macs=card.macs_720p)  # of an engine: counted when it was made
    return row


def _time_all(bench: Bench, lanes: list[Lane], size: Columns, cores: list[int]) -> None:
    begun = time.perf_counter()
    memory = sum(row.peak_mib or 0 for _, row in lanes)
    keep_open = memory < (available_mib() or 0) / 2
    names = tuple(item.name for item, _ in lanes)
    logger.info("timing %d models in turns at %dx%d, %d threads", len(lanes), *size, bench.threads)
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
        if not isinstance(result, Times):
            bench.fail(str(result))
            bench.put([replace(row, error=str(result))])
            continue
        latency = Latency(
            **asdict(result),
            harness_us=round(harness, 3),
            interleaved_with=names,
            kept_open=keep_open,
            cores=tuple(cores),
            state_before=before,
            state_after=after,
            throttled=throttled(before, after),
        )
        bench.put([replace(row, latency=latency)])
    logger.info("timed in %.0f s", time.perf_counter() - begun)


def frame_of(images: ImageSet, width: int, height: int) -> NDArray[np.uint8]:
    """A frame from the first picture, repeated to fill the size: uint8 (height, width, 3)."""
    picture = images.pictures[0][1]
    color = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    times = (-(-height // color.shape[0]), -(-width // color.shape[1]), 1)
    return np.ascontiguousarray(np.tile(color, times)[:height, :width])
