"""Latency of several models at one size, in turns, so that a drift of the machine hits all alike.

Each round gives every model a short turn: one run to warm its caches again, timed runs of bare
inference (uint8 frame in, uint8 frame out), then a few frames through the whole runtime path. A
model so slow that a few runs fill its time takes part in some of the rounds, evenly spread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bench.measure.lane import Lane, Plan, take_turn
from bench.models.contenders import Contender
from bench.records import Times
from edge_sr.errors import EdgeSRError
from edge_sr.media.color import rgb_to_yuv
from edge_sr.media.frame import Color, Frame


def measure_latency(
    contenders: Sequence[Contender],
    picture: NDArray[np.uint8],
    *,
    threads: int,
    plan: Plan,
    keep_open: bool,
    on_turn: Callable[[str], object] = lambda _: None,
) -> dict[int, Times | EdgeSRError]:
    """Measure all contenders on one frame, in turns.

    Args:
        picture: the frame, uint8 (H, W, 3) RGB.
        keep_open: False opens and closes a model for each of its turns, to save memory.
        on_turn: called after each turn with the model's name.

    Returns the times, or what the model raised, by index of the contender.
    """
    frame = _frame(picture)
    lanes = {
        index: Lane(
            item, picture[None] if item.sidecar.color == "rgb" else frame.y[None, ..., None]
        )
        for index, item in enumerate(contenders)
    }
    failed: dict[int, EdgeSRError] = {}
    try:
        for number in range(plan.rounds):
            for index, lane in lanes.items():
                if index in failed:
                    continue
                try:
                    take_turn(lane, number, frame, threads, plan)
                except EdgeSRError as error:
                    failed[index] = error
                if (not keep_open or index in failed) and lane.upscaler:
                    lane.upscaler.close()
                    lane.upscaler = None
                on_turn(lane.contender.name)
    finally:
        for lane in lanes.values():
            if lane.upscaler:
                lane.upscaler.close()
    return {i: failed.get(i) or _summary(lane, plan) for i, lane in lanes.items()}


def _summary(lane: Lane, plan: Plan) -> Times:
    wall = np.concatenate([item.wall_ns for item in lane.rounds]) / 1e6
    cpu = np.concatenate([item.cpu_ns for item in lane.rounds]) / 1e6
    p50, p90, p99 = (float(np.percentile(wall, q)) for q in (50, 90, 99))
    medians = [float(np.median(item.wall_ns)) / 1e6 for item in lane.rounds]
    spread = 1.4826 * float(np.median(np.abs(np.array(medians) - np.median(medians))))
    watts = float(np.mean(lane.watts)) if lane.watts else None
    per_frame_ns = [ns / lane.per_turn for ns in lane.path_ns]
    return Times(
        p50_ms=round(p50, 4),
        p90_ms=round(p90, 4),
        p99_ms=round(p99, 4),
        max_ms=round(float(wall.max()), 4),
        mean_ms=round(float(wall.mean()), 4),
        cpu_p50_ms=round(float(np.median(cpu)), 4),
        gpu_p50_ms=round(float(np.median(lane.gpu_ms)), 4) if lane.gpu_ms else None,
        ran_on=lane.ran_on,
        runs=int(wall.size),
        warmup=lane.warmup,
        round_p50_ms=tuple(round(value, 4) for value in medians),
        noise_percent=round(100 * spread / p50, 2),
        frames30_s=round(float(np.mean(per_frame_ns)) * plan.frames / 1e9, 4),
        frames30_measured=lane.path_frames,
        power_w=watts,
        energy_mj=round(watts * float(wall.mean()), 2) if watts is not None else None,
    )


def _frame(picture: NDArray[np.uint8]) -> Frame:
    color = Color(matrix=6, full_range=True)
    y, u, v = rgb_to_yuv(picture, color)
    return Frame((y, u, v), 0, Fraction(1, 30), color)
