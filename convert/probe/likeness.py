"""Which range of values a network works in: the one whose result looks like the enlarged input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convert.probe.geometry import Geometry, Run
from edge_sr.errors import EdgeSRError, ModelFileError
from edge_sr.media.stills.files import resize_image
from edge_sr.model.value_range import AUTO, RANGES

LIKE_DB = 14.0  # PSNR against bicubic enlargement, from which on a result counts as a picture
CLEAR_DB = 3.0  # by which the best range must lead every other that gives another picture
SAME_LEVELS = 1.0  # two results this near, on average, in grey levels, are one picture
BORDER = 8  # pixels of the result that are left out


@dataclass(frozen=True)
class RangeChoice:
    """The ranges to use, keys of RANGES, and why."""

    input: str
    output: str
    likeness_db: float  # PSNR of the result against the input enlarged by bicubic
    margin_db: float | None  # over the best other range; None where there was no choice

    @property
    def is_picture(self) -> bool:
        """Whether the result looks like the enlarged input at all."""
        return self.likeness_db >= LIKE_DB

    def describe(self) -> str:
        """One phrase for the user."""
        same = self.input == self.output
        ranges = self.input if same else f"{self.input} in, {self.output} out"
        if self.margin_db is None:
            return f"range {ranges}"
        lead = "" if self.margin_db == float("inf") else f", {self.margin_db:.1f} dB ahead"
        return f"range {ranges} (found{lead})"


def choose_range(
    run: Run, name: str, geometry: Geometry, *, channels: int, input_range: str, output_range: str
) -> RangeChoice:
    """Try the ranges that are left open and take the clearly best.

    Args:
        run: takes and gives the network's own values.
        input_range, output_range: keys of RANGES, or "auto".

    Raises:
        ModelFileError: a range is left open, and no one looks like a picture, or two do.
    """
    tried = _results(run, geometry, channels, input_range, output_range)
    if not tried:
        raise ModelFileError(f"{name}: fails, or gives NaN or infinity, on a plain picture")
    same = [item for item in tried if item[1].input == item[1].output]
    best = max(same or tried, key=lambda item: item[1].likeness_db)
    overall = max(tried, key=lambda item: item[1].likeness_db)
    if overall[1].likeness_db > best[1].likeness_db + 0.5:
        best = overall
    picture, choice = best
    if AUTO not in (input_range, output_range):
        return RangeChoice(choice.input, choice.output, choice.likeness_db, None)
    others = [item for item in tried if np.mean(np.abs(item[0] - picture)) > SAME_LEVELS]
    second = max((item[1].likeness_db for item in others), default=float("-inf"))
    margin = choice.likeness_db - second
    if not choice.is_picture or margin < CLEAR_DB:
        ranked = sorted({f"{c.input} to {c.output}: {c.likeness_db:.1f} dB" for _, c in tried})
        what = "looks like no picture" if not choice.is_picture else "is no clear choice"
        raise ModelFileError(
            f"{name}: its range {what} (PSNR against the enlarged input, {'; '.join(ranked[:4])}): "
            f"say what black and white are with --range {'|'.join(RANGES)}, or with --input-range "
            "and --output-range"
        )
    return RangeChoice(choice.input, choice.output, choice.likeness_db, margin)


def _results(
    run: Run, geometry: Geometry, channels: int, input_range: str, output_range: str
) -> list[tuple[np.ndarray, RangeChoice]]:
    """(levels, choice) of every pair of ranges; those that give NaN or fail are left out."""
    frame = soft_picture(*(geometry.size or (96, 120)), channels)
    rows, columns = (int(side * geometry.scale) for side in frame.shape[:2])
    plane = frame[..., 0] if channels == 1 else frame
    expected = resize_image(plane, columns, rows).reshape(rows, columns, channels)
    padded = np.pad(frame, [*geometry.padding(*frame.shape[:2]), (0, 0)], mode="edge")
    found = []
    for taken in RANGES if input_range == AUTO else (input_range,):
        levels, offset = RANGES[taken]
        values = (padded[None].astype(np.float32) / 255 * levels + offset).astype(np.float32)
        try:
            result = run(values)[0].astype(np.float64)
        except EdgeSRError:
            continue
        top, left = geometry.crop
        result = result[top : top + rows, left : left + columns]
        if result.shape != expected.shape or not np.isfinite(result).all():
            continue
        for given in RANGES if output_range == AUTO else (output_range,):
            levels, offset = RANGES[given]
            grey = np.clip((result - offset) / levels * 255, 0, 255)
            error = grey - expected
            if min(error.shape[:2]) > 4 * BORDER:
                error = error[BORDER:-BORDER, BORDER:-BORDER]
            likeness = 10 * np.log10(255**2 / max(float(np.mean(error**2)), 1e-3))
            found.append((grey, RangeChoice(taken, given, float(likeness), None)))
    return found


def soft_picture(rows: int, columns: int, channels: int) -> np.ndarray:
    """uint8 (rows, columns, channels): slow waves of 48 to 208, other ones in each channel."""
    y, x = np.mgrid[0:rows, 0:columns] / 16
    planes = [127.5 + 80 * np.sin(x + c) * np.cos(y - c) for c in range(channels)]
    return np.stack(planes, axis=-1).astype(np.uint8)
