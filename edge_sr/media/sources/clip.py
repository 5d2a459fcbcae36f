"""A few seconds of real film that come with the package, again and again: ``test://clip``.

``clip.mp4`` is a part of *Big Buck Bunny*, (c) Blender Foundation, CC-BY 3.0, www.bigbuckbunny.org;
640x360 at 25 frames a second.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

from edge_sr.errors import UsageError
from edge_sr.media.frame import Frame
from edge_sr.media.protocols import SourceBase
from edge_sr.media.sources.file import VideoFile

CLIP = Path(__file__).with_name("clip.mp4")
URL = re.compile(r"test://clip(?:\?(.*))?")
EXAMPLE = "test://clip?frames=100&live=1"


class DemoClip(SourceBase):
    """The clip from its beginning, without an end; its first frame is a discontinuity each time."""

    def __init__(self, *, frames: int | None = None, live: bool = False) -> None:
        """Open it.

        Args:
            frames: how many there are; None for no end.
            live: hand them out at 25 a second, as a camera would, instead of as fast as possible.

        Raises:
            MissingDependencyError: PyAV is not installed.
        """
        with VideoFile(CLIP) as file:
            self.info = replace(file.info, name="demo clip", frames=frames, live=live)

    @classmethod
    def from_url(cls, url: str) -> DemoClip:
        """From ``test://clip?frames=N&live=1``; every part has a default.

        Raises:
            UsageError: the URL has another form.
        """
        match = URL.fullmatch(url)
        options = dict(parse_qsl(match[1] or "", keep_blank_values=True)) if match else {}
        number = options.get("frames", "1")
        wrong = set(options) - {"frames", "live"}
        if not match or wrong or not (number.isascii() and number.isdigit() and int(number)):
            raise UsageError(f"{url}: not understood; expected a form like {EXAMPLE}")
        frames = int(number) if "frames" in options else None
        return cls(frames=frames, live=options.get("live", "0") not in ("0", ""))

    def __iter__(self) -> Iterator[Frame]:
        """Frames with times that go on rising from round to round."""
        info, start, number = self.info, time.perf_counter(), 0
        rate = info.frame_rate or 25
        ticks = round(1 / (rate * info.time_base))
        while True:
            with VideoFile(CLIP) as file:
                for index, frame in enumerate(file):
                    if info.frames is not None and number >= info.frames:
                        return
                    if info.live:
                        time.sleep(max(0.0, start + number / rate - time.perf_counter()))
                    again = index == 0 and number > 0
                    yield replace(frame, pts=number * ticks, discontinuity=again)
                    number += 1

    def close(self) -> None:
        """Nothing to give back."""
