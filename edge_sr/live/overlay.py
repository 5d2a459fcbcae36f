"""Figures written into the picture of a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_sr.media.libraries import load_cv2


def overlay_lines(facts: Mapping[str, object]) -> list[str]:
    """What the overlay says, from the facts of a `RunControl`."""

    def ms(name: str) -> str:
        value = facts.get(name)
        return f"{value:.0f}" if isinstance(value, (int, float)) else "-"

    return [
        f"{facts['fps']:.1f} fps, {facts['dropped']} dropped",
        f"latency p50 {ms('age_p50_ms')} ms, p99 {ms('age_p99_ms')} ms",
        f"{facts['model']} ({facts['precision']}) on {facts['backend']}",
    ]


def draw_overlay(pixels: NDArray[np.uint8], lines: Sequence[str]) -> None:
    """Write lines on a darkened box in the top left of a uint8 (H, W, 3) picture, in place."""
    cv2 = load_cv2()
    scale = max(0.4, pixels.shape[0] / 1080)
    thick, font = max(1, round(scale * 1.5)), cv2.FONT_HERSHEY_SIMPLEX
    step, edge = round(34 * scale), round(16 * scale)
    width = max(cv2.getTextSize(line, font, scale, thick)[0][0] for line in lines)
    box = pixels[edge // 2 : edge // 2 + step * len(lines) + edge, edge // 2 : width + 2 * edge]
    np.floor_divide(box, 3, out=box)
    for index, line in enumerate(lines):
        at = (edge, edge // 2 + step * (index + 1))
        cv2.putText(pixels, line, at, font, scale, (255, 255, 255), thick, cv2.LINE_AA)
