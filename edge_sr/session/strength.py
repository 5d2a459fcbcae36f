"""The strength dial: how far a picture goes from bicubic towards the network's, and beyond.

``bicubic + strength * (network - bicubic)``, outside the network: one model file and one engine
serve every strength, at any precision, and it can change from frame to frame.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import UsageError
from edge_sr.media.libraries import load_cv2
from edge_sr.media.resample import MAX_PHASES, enlarge, resize_any

Image = NDArray[np.uint8]
FULL = 1.0  # the network's own picture
MOST = 1.5


def check_strength(value: float) -> float:
    """The value, if it is a strength.

    Raises:
        UsageError: it is not from 0 to `MOST`.
    """
    if not 0 <= value <= MOST:
        raise UsageError(
            f"strength is {value:g}; expected 0 (bicubic) to {MOST:g}, 1 is the network"
        )
    return float(value)


def at_strength(given: Image, made: Image, strength: float, *, bits: int = 8) -> Image:
    """A network's picture at another strength.

    Args:
        given: what the network got, uint8 (H, W, C); of more than 8 bits (H, W, 2), the bytes of
            uint16 samples of one channel.
        made: what it made of it, likewise, of another size.
        strength: 0 to `MOST`, of the difference between ``made`` and the bicubic of ``given``.
        bits: of a sample.

    Returns:
        as ``made``, clipped to 0 .. 2**bits - 1; ``made`` itself at `FULL`.
    """
    if strength == FULL:
        return made
    cv2 = load_cv2()
    kind = np.uint8 if bits == 8 else np.uint16
    low, high, white = given.view(kind), made.view(kind), 2**bits - 1
    rows, columns = high.shape[:2]
    ratios = Fraction(columns, low.shape[1]), Fraction(rows, low.shape[0])
    offsets = (float(1 / ratios[0] - 1) / 2, float(1 / ratios[1] - 1) / 2)
    simple = min(ratios) >= 1 and max(ratio.numerator for ratio in ratios) <= MAX_PHASES
    resize = enlarge if simple else resize_any
    planes = []
    for plane, full in zip(cv2.split(low), cv2.split(high), strict=True):
        bicubic = resize(plane, (columns, rows), ratios, offsets, white=white)
        planes.append(cv2.addWeighted(full, strength, bicubic, 1 - strength, 0))
    result: Image = cv2.merge(planes).reshape(high.shape)
    if bits > 8:
        result = np.minimum(result, white, dtype=kind)
    return result.view(np.uint8)
