"""Upscaled frames for a ``for`` loop: what `Upscaler.stream` returns."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING

from edge_sr.media.frame import Frame
from edge_sr.media.protocols import Source
from edge_sr.media.sources.open import open_source
from edge_sr.pipeline.pipeline import shots
from edge_sr.pipeline.stats import Stats

if TYPE_CHECKING:
    from edge_sr.upscaler import Upscaler


def stream_frames(upscaler: Upscaler, source: str | Source) -> Generator[Frame, None, None]:
    """Frames of a source, upscaled; leaving the loop ends the reading."""
    with contextlib.ExitStack() as stack:
        opened = open_source(source) if isinstance(source, str) else source
        if isinstance(source, str):
            stack.enter_context(opened)
        found = stack.enter_context(contextlib.closing(shots(opened, upscaler.overlap(), Stats())))
        for shot in found:
            yield shot.after
