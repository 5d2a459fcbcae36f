"""The README's animation: the browser page of a run, with its divider moving over a film."""

from __future__ import annotations

import argparse
import io
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from PIL import Image

from bench.commands.demo import FOLDER, MODEL, fetch_clip
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import EdgeSRError
from edge_sr.media.chroma import resize_frame
from edge_sr.media.codec.y4m import Y4mSink
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.sources.file import VideoFile
from lab.pages.browser import chromium, page_address, serving, wait

SIZE = (800, 520)  # columns, rows of the picture on the page
CENTRE = (500, 170)  # of what is seen, in the upscaled picture: the head of the rabbit
ZOOM = 2  # each of its pixels, so that details are seen
EVERY = 2  # frames of the clip, which has 25 a second
EACH_S = 0.1  # between two frames that are sent
SHOWN_S = 1.0  # until it is on the page
QUALITY = 78  # of WebP
# the page's own picture alone, at a size that does not depend on the window's
STYLE = """
    const frame = el('frame');
    frame.style.width = '{0}px'; frame.style.height = '{1}px'; frame.style.maxHeight = 'none';
    frame.style.position = 'fixed'; frame.style.zIndex = '9';
    frame.style.left = frame.style.top = '0';
    frame.style.borderRadius = '0'; frame.style.aspectRatio = 'auto';
    el('map').style.display = 'none';
    resize(); setMode('split'); setZoom({2}); shown.x = {3}; shown.y = {4}; draw(); askSoon(true);
"""

EXAMPLES = """\
example:
  python -m lab.pages.animation --output docs/before-after.webp
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.pages.animation",
        "Write an animated WebP of the browser page while its divider moves over the demo clip.",
        examples=EXAMPLES,
    )
    parser.add_argument("--output", type=Path, required=True, help="a .webp file")
    parser.add_argument("--clip", type=Path, help="a 720p film (default: that of `make demo`)")
    parser.add_argument("--start", type=int, default=58, help="first frame (default: 58)")
    parser.add_argument("--frames", type=int, default=36, help="pictures (default: 36)")
    parser.add_argument("--model", default=MODEL, help=f"an x2 model (default: {MODEL})")
    return parser


@exit_codes("animation")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the file was written, 1 when something is missing, 2 for wrong options."""
    args = build_parser().parse_args(argv)
    clip = args.clip
    if clip is None:
        FOLDER.mkdir(exist_ok=True)
        clip = fetch_clip(FOLDER)
    frames = list(small_frames(clip, start=args.start, count=args.frames))
    pictures = list(look(frames, args.model))
    pictures[0].save(
        args.output,
        save_all=True,
        append_images=pictures[1:],
        duration=1000 * EVERY // 25,
        loop=0,
        quality=QUALITY,
        method=6,
    )
    print(f"{args.output}: {len(pictures)} pictures, {args.output.stat().st_size / 1e6:.2f} MB")
    return 0


def small_frames(clip: Path, *, start: int, count: int) -> Iterator[Frame]:
    """Some frames of a clip at half its size."""
    with VideoFile(clip) as source:
        size = (source.info.width // 4 * 2, source.info.height // 4 * 2)
        number = None
        for number, frame in enumerate(islice(source, start, start + EVERY * count, EVERY)):
            yield replace(resize_frame(frame, *size), pts=number, time_base=Fraction(1, 25))
        if number is None:
            raise EdgeSRError(f"{clip}: has not {start} frames")


def look(frames: Sequence[Frame], model: str) -> Iterator[Image.Image]:
    """The page's picture of each frame in a headless Chromium; bicubic is left of the divider.

    Raises:
        MissingDependencyError: there is no Chromium, or no Playwright.
    """
    with serving(["-", "--model", model]) as job, chromium() as browser:
        if job.stdin is None:
            raise EdgeSRError("the run has no standard input")
        feed = _Feed(Y4mSink(cast(BinaryIO, job.stdin), source=_info(frames[0])), frames[0])
        feed()  # the page begins with it
        address = page_address(job)
        page = browser.new_page(viewport={"width": SIZE[0] + 500, "height": SIZE[1] + 300})
        page.goto(f"{address}?codec=jpeg")  # each frame is coded by itself
        wait(page, "shown.head && stats !== null", feed)
        page.evaluate(STYLE.format(*SIZE, ZOOM, *CENTRE))
        wait(page, f"shown.head.region[2] <= {SIZE[0]}", feed)
        for number, frame in enumerate(frames):
            feed.frame, before = frame, feed.sent
            share = 0.5 + 0.42 * math.cos(2 * math.pi * number / len(frames))
            page.evaluate(f"setDivider({share})")
            wait(page, f"stats.written > {before + 1}", feed)
            time.sleep(SHOWN_S)
            shot = page.locator("#frame").screenshot()
            yield Image.open(io.BytesIO(shot)).convert("RGB")


class _Feed:
    """Sends one frame again and again: a camera does not stand still either."""

    def __init__(self, sink: Y4mSink, frame: Frame) -> None:
        self.frame, self.sent = frame, 0
        self._sink = sink

    def __call__(self) -> None:
        self._sink.write(replace(self.frame, pts=self.sent))
        self.sent += 1
        time.sleep(EACH_S)


def _info(frame: Frame) -> StreamInfo:
    return StreamInfo(
        name="clip",
        width=frame.size.width,
        height=frame.size.height,
        time_base=frame.time_base,
        frame_rate=Fraction(25),
        frames=None,
        live=False,
    )


if __name__ == "__main__":
    sys.exit(main())
