"""Figures written into the picture of a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..video.libraries import load_cv2


def overlay_lines(facts: Mapping[str, object]) -> list[str]:
    """What the overlay says, from the facts of a `Desk`."""

    def ms(name: str) -> str:
        value = facts.get(name)
        return f"{value:.0f}" if isinstance(value, (int, float)) else "-"

    return [
        f"{facts['fps']:.1f} fps, {facts['dropped']} dropped",
        f"latency p50 {ms('age_p50_ms')} ms, p99 {ms('age_p99_ms')} ms",
        f"{facts['model']} ({facts['precision']}) on {facts['backend']}",
    ]


def draw_overlay(pixels: NDArray[np.uint8], lines: Sequence[str]) -> None:
    """Write lines into the top left of a uint8 (H, W, 3) picture, in place."""
    cv2 = load_cv2()
    scale = max(0.4, pixels.shape[0] / 1080)
    for index, line in enumerate(lines):
        at = (round(16 * scale), round((36 + 34 * index) * scale))
        for color, extra in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            thick = max(1, round(scale * extra * 1.5))
            cv2.putText(pixels, line, at, cv2.FONT_HERSHEY_SIMPLEX, scale, color, thick, 16)
