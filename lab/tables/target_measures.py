"""What the targets are about: quality on picture sets, paces beside rivals, frames a second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.measure.lane import Plan
from bench.measure.latency import measure_latency
from bench.measure.speed import frame_of
from bench.measure.timing import pinned
from bench.models.contenders import Contender, open_contender
from bench.quality.images import ImageSet
from bench.quality.pictures import make_pair, measure
from bench.records import Times
from lab.tables.target_list import Pace, Quality

ROUNDS = 15


def measure_quality(item: Contender, sets: Sequence[ImageSet], threads: int) -> list[Quality]:
    """PSNR-Y on every set, by both readings of grey files.

    Raises:
        EdgeSRError: the model cannot be opened or run.
    """
    found = []
    with open_contender(item, threads) as upscaler:
        for images in sets:
            luma, as_rgb = [], []
            for name, picture in images.pictures:
                score, _, _ = measure(upscaler, make_pair(name, picture, item.sidecar.ratio))
                luma.append(score.psnr_y_db)
                if picture.ndim == 2:
                    color = np.repeat(picture[..., None], 3, axis=2)
                    score, _, _ = measure(upscaler, make_pair(name, color, item.sidecar.ratio))
                as_rgb.append(score.psnr_y_db)
            found.append(Quality(luma=float(np.mean(luma)), as_rgb=float(np.mean(as_rgb))))
    return found


def measure_paces(
    pairs: dict[str, tuple[Contender, Contender]],
    images: ImageSet,
    at: tuple[int, int],
    threads: int,
    runs: int,
) -> dict[str, Pace]:
    """Every model beside its rival, all in turns in one run.

    Raises:
        EdgeSRError: one of them cannot be run.
    """
    everyone = [item for pair in pairs.values() for item in pair]
    plan = Plan(rounds=ROUNDS, runs=runs, seconds=600, least_seconds=1, frames=ROUNDS)
    with pinned(threads):
        times = measure_latency(
            everyone, frame_of(images, *at), threads=threads, plan=plan, keep_open=True
        )
    found = {}
    for index, name in enumerate(pairs):
        ours, theirs = times[2 * index], times[2 * index + 1]
        for result in (ours, theirs):
            if not isinstance(result, Times):
                raise result
        if isinstance(ours, Times) and isinstance(theirs, Times):
            rounds = np.divide(ours.round_p50_ms, theirs.round_p50_ms)
            found[name] = Pace(
                p50_ms=ours.p50_ms,
                rival_p50_ms=theirs.p50_ms,
                runs=min(ours.runs, theirs.runs),
                ratio=ours.p50_ms / theirs.p50_ms,
                low=float(np.quantile(rounds, 0.25)),
                high=float(np.quantile(rounds, 0.75)),
                cpu_ratio=ours.cpu_p50_ms / theirs.cpu_p50_ms,
            )
    return found


def measure_fps(item: Contender, images: ImageSet, at: tuple[int, int], threads: int) -> float:
    """Frames a second of the whole path, YUV in and out."""
    with pinned(threads):
        plan = Plan(rounds=3, runs=30, seconds=30, least_seconds=1, frames=90)
        result = measure_latency(
            [item], frame_of(images, *at), threads=threads, plan=plan, keep_open=True
        )[0]
    if not isinstance(result, Times):
        raise result
    return plan.frames / result.frames30_s
