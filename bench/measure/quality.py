"""The second half of a run: PSNR and SSIM of every model on picture sets and a clip."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from msgspec.structs import replace

from bench.measure.state import MODEL_ERRORS, Bench
from bench.models.contenders import Contender, open_contender
from bench.quality.clip import Clip, measure_clip, shrink_clip
from bench.quality.images import ImageSet
from bench.quality.pictures import PROTOCOL, Pair, make_pair, measure
from bench.records import SetScore
from bench.report.crops import PatchPicker
from edge_sr.errors import FrameError
from edge_sr.progress import item_progress

logger = logging.getLogger(__name__)


def measure_set(bench: Bench, images: ImageSet) -> None:
    """Fill ``quality`` of one set where it is missing or stale; saved model by model."""
    pairs: dict[Fraction, list[Pair]] = {}

    def work(item: Contender) -> None:
        ratio = item.sidecar.ratio
        if ratio not in pairs:
            pairs[ratio] = _pairs(bench, images, ratio)
        score = _score(bench, item, images, pairs[ratio])
        bench.put(
            replace(row, quality={**row.quality, images.name: score}) for row in bench.rows_of(item)
        )

    def done(item: Contender) -> bool:
        scores = [row.quality.get(images.name) for row in bench.rows_of(item)]
        return all(score is not None and score.sha256 == images.sha256 for score in scores)

    _each(bench, f"{images.name} ({len(images.pictures)} pictures)", work, done)


def measure_clips(bench: Bench, clip: Clip) -> None:
    """Fill ``video`` of one clip where it is missing; saved model by model."""
    made: dict[Fraction, Clip] = {}

    def work(item: Contender) -> None:
        ratio = item.sidecar.ratio
        if ratio not in made:
            made[ratio] = shrink_clip(clip, ratio)
        with open_contender(item, bench.threads) as upscaler:
            score = measure_clip(upscaler, made[ratio])
        bench.put(
            replace(row, video={**row.video, clip.name: score}) for row in bench.rows_of(item)
        )

    def done(item: Contender) -> bool:
        scores = [row.video.get(clip.name) for row in bench.rows_of(item)]
        return all(score is not None and score.sha256 == clip.sha256 for score in scores)

    _each(bench, f"{clip.name} ({len(clip.high)} frames)", work, done)


def _each(
    bench: Bench,
    what: str,
    work: Callable[[Contender], None],
    done: Callable[[Contender], bool],
) -> None:
    missing = [item for item in bench.contenders if not done(item)]
    if missing:
        logger.info("measuring %d models on %s", len(missing), what)
    begun = time.perf_counter()
    for item in item_progress(missing, total=len(missing), unit="model"):
        try:
            work(item)
        except MODEL_ERRORS as error:
            bench.fail(f"{what}: {error}")
        bench.save()
    if missing:
        logger.info("measured in %.0f s", time.perf_counter() - begun)


def _pairs(bench: Bench, images: ImageSet, ratio: Fraction) -> list[Pair]:
    pairs = []
    for name, picture in images.pictures:
        try:
            pairs.append(make_pair(f"{images.name}/{name}", picture, ratio))
        except FrameError as error:
            bench.fail(f"left out: {error}")
    return pairs


def _score(bench: Bench, item: Contender, images: ImageSet, pairs: Sequence[Pair]) -> SetScore:
    if not pairs:
        raise FrameError(f"{item.name}: no picture of {images.name} is large enough")
    scores, picker = [], PatchPicker()
    with open_contender(item, bench.threads) as upscaler:
        for pair in pairs:
            score, y, result = measure(upscaler, pair)
            scores.append(score)
            picker.see(pair, y, result)
    folder = bench.output.with_name(bench.output.stem + "-crops")
    stem = f"{images.name}-{item.name}-{item.backend}".replace("/", "_")
    color = [score.psnr_rgb_db for score in scores if score.psnr_rgb_db is not None]
    return SetScore(
        sha256=images.sha256,
        protocol=PROTOCOL,
        pictures=len(scores),
        psnr_y_db=round(float(np.mean([score.psnr_y_db for score in scores])), 4),
        ssim_y=round(float(np.mean([score.ssim_y for score in scores])), 5),
        psnr_rgb_db=round(float(np.mean(color)), 4) if color else None,
        rgb_pictures=len(color),
        each=tuple((s.name.rpartition("/")[2], round(s.psnr_y_db, 4)) for s in scores),
        crops=picker.save(folder, stem),
    )
