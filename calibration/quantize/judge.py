"""What a converted network loses against the float32 one, on frames kept out of its calibration.

A frame is taken for the truth: made small by antialiased bicubic it is the network's input, and
the PSNR-Y of the result against the frame is measured for both networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from calibration.frames.frames import FrameSet, detailed_crop, spread
from calibration.network.budget import Budget
from calibration.network.compare import upscale_all
from calibration.network.frame_io import FrameIO, Image
from calibration.network.load import Network
from edge_sr.errors import FrameError
from edge_sr.media.stills.files import resize_image
from edge_sr.quality import luma_bt601, psnr, standard_border

HELD_OUT = 4  # every fourth frame is judged by, the others are calibrated on
TRUTH_SIDE = 288  # rows and columns of a true picture, at most
PAIRS = (4, 16)  # at least, at most
TUNING = (2, 8)
TUNING_SIDE = 64
JUDGE_WORK, TUNING_WORK = 2e10, 4e9  # multiply-accumulates that one look may cost, about
NEAR_DB = 45.0  # PSNR of int8 against float32, at least, on the worst picture
NEAR_LEVELS, NEAR_SHARE = 8, 0.999  # so many samples differ by so few grey levels
REFERENCE_DB = 38.0  # PSNR-Y of a good result on a clean, easy picture (Set5)


@dataclass(frozen=True)
class Pair:
    """uint8 (H, W, C) input and its true result, if there is one."""

    low: Image
    high: Image | None


@dataclass(frozen=True)
class Nearness:
    """An int8 result beside float32's, on the worst picture."""

    psnr_db: float
    share: float  # of the samples that differ by at most 8 grey levels

    def describe(self) -> str:
        """One phrase for the user; the share only where it breaks the floor."""
        text = f"{self.psnr_db:.1f} dB from fp32 on the worst picture"
        if self.share >= NEAR_SHARE:
            return text
        return (
            f"{text}, where {1 - self.share:.2%} of the samples differ by over {NEAR_LEVELS} levels"
        )


class Judge:
    """Holds the pictures and the float32 results they are judged by."""

    def __init__(
        self,
        network: Network,
        frames: FrameSet,
        *,
        minutes: float | None = None,
        floor_db: float = NEAR_DB,
    ) -> None:
        """Read the frames that are needed.

        Args:
            minutes: that a search with this judge may take, about; None: no bound.
            floor_db: PSNR against float32 that the worst picture must have; 0: any.

        Raises:
            FrameError, MediaError: the frames do not fit, or none can be read.
        """
        self.network, self.floor_db = network, floor_db
        self._last: tuple[onnx.ModelProto, Sequence[Image]] | None = None
        self.budget = Budget.of_minutes(minutes)
        kept, held = split(frames)
        own_side = np.prod(network.io.size) ** 0.5 if network.io.size else None
        low_side = own_side or TRUTH_SIDE / float(network.io.scale)
        pairs = _affordable(network.model, JUDGE_WORK, low_side, *PAIRS)
        self.pairs = [_pair(image, network.io) for image in _some(held, network.io, pairs)]
        tuning_side = own_side or TUNING_SIDE
        tuning = _some(
            kept, network.io, _affordable(network.model, TUNING_WORK, tuning_side, *TUNING)
        )
        self.tuning = tuning if network.io.size else [
            detailed_crop(image, TUNING_SIDE, TUNING_SIDE, seed=place)
            for place, image in enumerate(tuning)
        ]  # fmt: skip
        self.border = standard_border(float(network.io.scale))
        self._tuning_results = upscale_all(network.model, network.io, self.tuning)
        self._results = upscale_all(network.model, network.io, [p.low for p in self.pairs])

    def error(self, model: onnx.ModelProto) -> float:
        """Mean square difference to float32 over the tuning windows, in grey levels."""
        found = upscale_all(model, self.network.io, self.tuning)
        return _mean_square(found, self._tuning_results)

    def cost_db(self, model: onnx.ModelProto) -> float:
        """`loss_db`, or infinity where the result is too far from float32 on one of the pictures.

        The loss hides that where the network's PSNR is low by nature: generators, restorers.
        """
        loss_db = self.loss_db(model)
        return loss_db if self.holds(model) else float("inf")

    def holds(self, model: onnx.ModelProto) -> bool:
        """Whether the results are within the floor."""
        near = self.nearness(model)
        return not self.floor_db or (near.psnr_db >= self.floor_db and near.share >= NEAR_SHARE)

    def nearness(self, model: onnx.ModelProto) -> Nearness:
        """How near the results are to float32's, on the worst of the held-out pictures."""
        return self._nearness(self._upscaled(model))

    def _upscaled(self, model: onnx.ModelProto) -> Sequence[Image]:
        """The results for the held-out pictures; the last ones are kept."""
        if self._last is None or self._last[0] is not model:
            images = [pair.low for pair in self.pairs]
            self._last = model, upscale_all(model, self.network.io, images)
        return self._last[1]

    def _nearness(self, found: Sequence[Image]) -> Nearness:
        worst = []
        for result, expected in zip(found, self._results, strict=True):
            away = np.abs(result.astype(np.int16) - expected.astype(np.int16))
            noise = max(float(np.mean(away.astype(np.float64) ** 2)), 1e-10)
            worst.append((10 * np.log10(255**2 / noise), float(np.mean(away <= NEAR_LEVELS))))
        return Nearness(float(min(db for db, _ in worst)), min(share for _, share in worst))

    def loss_db(self, model: onnx.ModelProto, *, integer: bool = False) -> float:
        """PSNR-Y lost against float32, mean over the held-out pictures.

        The larger of what is measured against the truth and of what the added noise costs a
        result of at most 38 dB: a truth that is itself noisy (compressed video) hides losses, and
        even rewards them.

        Args:
            integer: compute with ONNX Runtime's integer kernels, as this CPU has them.
        """
        if integer:
            images = [pair.low for pair in self.pairs]
            found: Sequence[Image] = upscale_all(model, self.network.io, images, integer=True)
        else:
            found = self._upscaled(model)
        measured, expected_db = [], []
        for pair, result, expected in zip(self.pairs, found, self._results, strict=True):
            ours, theirs = _luma(result), _luma(expected)
            before = REFERENCE_DB
            if pair.high is not None:
                true = _luma(pair.high)
                before, after = (psnr(true, p, border=self.border) for p in (theirs, ours))
                measured.append(min(before, 100.0) - min(after, 100.0))
            noise = _mean_square([ours], [theirs])
            error = 255**2 / 10 ** (min(before, REFERENCE_DB) / 10)
            expected_db.append(10 * np.log10(1 + noise / error))
        means = [float(np.mean(values)) for values in (measured, expected_db) if values]
        return max(means)


def split(frames: FrameSet) -> tuple[FrameSet, FrameSet]:
    """(frames to calibrate on, frames to judge by); of fewer than four frames both get all."""
    if len(frames.paths) < HELD_OUT:
        return frames, frames

    def held(paths: list[Path]) -> list[Path]:
        return paths[HELD_OUT - 1 :: HELD_OUT]

    def kept(paths: list[Path]) -> list[Path]:
        return [path for place, path in enumerate(paths) if (place + 1) % HELD_OUT]

    first, second = (
        replace(frames, paths=part(frames.paths), guard=part(frames.guard)) for part in (kept, held)
    )
    return first, second


def _some(frames: FrameSet, io: FrameIO, count: int) -> list[Image]:
    """Frames spread over the set; with a guard, up to half of them from there."""
    guards = spread(len(frames.guard), count // 2) if frames.guard else []
    places = spread(len(frames.paths), count - len(guards))
    chosen = replace(
        frames,
        paths=[frames.paths[place] for place in places],
        guard=[frames.guard[place] for place in guards],
    )
    return [image for _, image in chosen.read(io)]


def _pair(image: Image, io: FrameIO) -> Pair:
    if io.size:
        return Pair(image, None)
    step = 8 * io.scale.numerator
    rows, columns = (min(side, TRUTH_SIDE) // step * step for side in image.shape[:2])
    if not rows or not columns:
        raise FrameError(
            f"a frame is {image.shape[1]}x{image.shape[0]}; at least {step}x{step} is needed to "
            "measure a loss"
        )
    high = detailed_crop(image, rows, columns)
    low = resize_image(
        high[..., 0] if high.shape[2] == 1 else high,
        int(columns / io.scale),
        int(rows / io.scale),
    )
    return Pair(low.reshape(*low.shape[:2], -1), high)


def _luma(image: Image) -> Image:
    return image[..., 0] if image.shape[2] == 1 else luma_bt601(image)


def _mean_square(a: Sequence[Image], b: Sequence[Image]) -> float:
    total = sum(float(np.sum((x.astype(np.int32) - y) ** 2)) for x, y in zip(a, b, strict=True))
    return total / sum(x.size for x in a)


def _affordable(model: onnx.ModelProto, work: float, side: float, least: int, most: int) -> int:
    """How many square pictures fit the work, were every weight used once per input pixel."""
    weights = sum(
        int(np.prod(item.dims))
        for item in model.graph.initializer
        if item.data_type == onnx.TensorProto.FLOAT
    )
    return int(np.clip(work / (max(weights, 1) * side**2), least, most))
