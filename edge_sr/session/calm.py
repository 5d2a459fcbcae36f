"""Sensor noise averaged over time where nothing moves: a motion-adaptive recursive filter.

It works on the network's input, before the network. The pixels of a block that holds still become
the mean of up to `LONGEST` frames; a block that moves, its neighbours, and single pixels that stand
out are taken as they are. After Dubois and Sabri, "Noise reduction in image sequences using
motion-compensated temporal filtering", IEEE Transactions on Communications 32 (1984), without the
motion compensation.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import UsageError

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

BLOCK = 8  # pixels a side
LONGEST = 8  # frames that a mean is made of at strength 1
MOVES = 1.4  # mean absolute difference of a block, over what noise alone makes, that is motion
SHIFTS = 4.0  # the same of the block's mean, in its own standard deviations
STANDS_OUT = 4.0  # difference of one pixel, in standard deviations
EVERY = 4  # frames: how often the noise is measured
NOISY = 1.5  # levels of noise from which "auto" filters
QUIET_SHARE = 0.3  # of all blocks, the least changed: noise is measured there
MOTION = 0.5  # correlation of neighbours' changes from which they are motion: noise has none
GAUSS = math.sqrt(2 / math.pi)  # mean absolute value over standard deviation of normal noise
BIAS = 0.9  # that quantile of blocks of 16 noisy samples, over their mean


class Calm:
    """The filter of one video. Give it every frame, in order."""

    def __init__(self, strength: float | None = None) -> None:
        """
        Args:
            strength: 0 (nothing) to 1 (means of `LONGEST` frames); None measures the noise, and
                filters by 1 where it is above `NOISY` levels.

        Raises:
            UsageError: a strength out of that range.
        """
        if strength is not None and not 0 <= strength <= 1:
            raise UsageError(f"calm is {strength:g}; expected off, auto, or a number from 0 to 1")
        self._strength = strength
        self.noise = 0.0  # its standard deviation in levels, 0..255, as last measured
        self._seen = 0  # frames since the last reset
        self._mean: Floats | None = None  # (H, W, C)
        self._before: Image | None = None  # the frame before one at which noise is measured
        self._age: Floats = np.ones((0, 0), np.float32)  # frames in the mean of each block

    @property
    def active(self) -> bool:
        """Whether the frames to come are filtered, as far as the noise is known."""
        if self._strength is None:
            return self.noise >= NOISY
        return self._strength > 0

    def reset(self) -> None:
        """Forget the frames so far; the measured noise stays."""
        self._mean = self._before = None
        self._seen = 0

    def skip(self) -> None:
        """Frames were dropped: the next one is not compared with the one before for its noise."""
        self._before = None

    def __call__(self, image: Image) -> Image:
        """One frame, filtered.

        Args:
            image: uint8 (H, W, C); not changed. Sides that are no multiples of `BLOCK` keep their
                last rows and columns as they are.

        Returns:
            uint8 (H, W, C), new; ``image`` itself where nothing is done.
        """
        if self._mean is not None and self._mean.shape != image.shape:
            self.reset()
        before, self._seen = self._before, self._seen + 1
        self._before = image.copy() if self._seen % EVERY == 1 else None
        if min(image.shape[:2]) < BLOCK or self._seen == 1:
            return image
        if before is not None and before.shape == image.shape:
            self._measure(image, before)
        if not self.active or self.noise == 0:
            self._mean = None
            return image
        if self._mean is None:
            self._mean = image.astype(np.float32)
            self._age = np.ones([side // BLOCK for side in image.shape[:2]], np.float32)
            return image
        return self._filter(image, self._mean)

    def _measure(self, image: Image, before: Image) -> None:
        """Noise of the least changed blocks, from one frame to the next, smoothed over time.

        Zero is measured where the changes of neighbouring samples are alike: all of it moves.
        """
        rows, columns = (side // BLOCK for side in image.shape[:2])
        # every second row and column will do
        new, old = (
            item[: rows * BLOCK : 2, : columns * BLOCK : 2].astype(np.int16)
            for item in (image, before)
        )
        difference = (new - old).astype(np.float32)
        change = _means(np.abs(difference), BLOCK // 2)
        limit = float(np.quantile(change, QUIET_SHARE))
        quiet = change <= limit
        energy = _means(difference * difference, BLOCK // 2)[quiet].sum()
        difference[:, :-1] *= difference[:, 1:]
        alike = _means(difference, BLOCK // 2)[quiet].sum()
        found = limit / BIAS / GAUSS / math.sqrt(2) if alike < MOTION * energy else 0.0
        self.noise = found if self.noise == 0 else 0.9 * self.noise + 0.1 * found

    def _filter(self, image: Image, mean: Floats) -> Image:
        rows, columns = self._age.shape
        channels = image.shape[2]
        height, width = rows * BLOCK, columns * BLOCK
        inside = mean[:height, :width]
        difference = image[:height, :width] - inside
        size = np.abs(difference)
        spread = self.noise * np.sqrt(1 + 1 / self._age)  # of a difference, where nothing moves
        samples = BLOCK * BLOCK * channels
        moves = _means(size, BLOCK) > MOVES * GAUSS * spread
        moves |= np.abs(_means(difference, BLOCK)) > SHIFTS * spread / math.sqrt(samples)
        moves = _widened(moves)
        longest = LONGEST if self._strength is None else 1 + (LONGEST - 1) * self._strength
        self._age = np.where(moves, 1, np.minimum(self._age + 1, longest)).astype(np.float32)
        # rows of blocks as (rows, 8, pixels of a row): one gain and limit for all pixels of a block
        across = (rows, BLOCK, width * channels)
        gain, limit = (
            np.repeat(item, BLOCK * channels, axis=1)[:, None]
            for item in (1 / self._age, STANDS_OUT * spread)
        )
        change = difference.reshape(across)
        stands_out = np.flatnonzero(size.reshape(across) > limit)  # few, where it holds still
        whole = change.reshape(-1)[stands_out]
        change *= gain
        change.reshape(-1)[stands_out] = whole
        inside += difference
        result = image.copy()
        result[:height, :width] = np.rint(inside, out=size)
        return result


def _means(image: Floats, side: int) -> Floats:
    """The means of the blocks of (H, W, C), whose sides are multiples of ``side``."""
    height, width, channels = image.shape
    down = image.reshape(height // side, side, width * channels).sum(1)
    across = down.reshape(height // side, width // side, side * channels).sum(2)
    found: Floats = across / np.float32(side * side * channels)
    return found


def _widened(moves: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Blocks that move, and their eight neighbours."""
    padded = np.pad(moves, 1)
    across = padded[:, :-2] | padded[:, 1:-1] | padded[:, 2:]
    return across[:-2] | across[1:-1] | across[2:]


def parse_calm(text: str) -> str:
    """Check a value of ``--calm``: "off", "auto", or a number from 0 to 1; returned as it is.

    Raises:
        UsageError: anything else.
    """
    make_calm(text)
    return text


def make_calm(text: str) -> Calm | None:
    """The filter for "off" (None), "auto", or a strength from "0" to "1".

    Raises:
        UsageError: anything else.
    """
    if text in ("off", "auto"):
        return None if text == "off" else Calm()
    try:
        return Calm(float(text))
    except ValueError as error:
        raise UsageError(
            f"calm is {text!r}; expected off, auto, or a number from 0 to 1"
        ) from error
