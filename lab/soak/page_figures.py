"""What the browser page costs: ``python -m lab.soak.page_figures WHAT``.

``bandwidth FILM``: Mbit/s at 30 frames a second of the page's H.264 and of JPEG, their PSNR-Y, and
how much sharper than bicubic ours is, before and after the codec; it counts bytes, so that a busy
machine does not matter. ``viewers``: the processor time of the server for a frame, with one viewer
and five in turns. ``slow``: frames that reach a viewer alone and beside one who hardly reads, in
turns. ``latency``: from capture until a headless Chromium has drawn a frame, by each codec, and the
pipeline's own age.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import statistics
import struct
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from edge_sr import Upscaler
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.live.compare import Region, compose
from edge_sr.media.chroma import resize_frame
from edge_sr.media.screen import to_bgr, to_jpeg
from edge_sr.media.sources.clip import DemoClip
from edge_sr.media.sources.file import VideoFile
from edge_sr.page.channels import Switchboard, Viewer
from edge_sr.page.encoders import Clock, open_encoder
from edge_sr.page.streams import Hub
from edge_sr.page.view import View
from edge_sr.pipeline.shot import Shot
from edge_sr.pipeline.stats import Recent
from edge_sr.quality import psnr
from lab.pages.browser import chromium, page_address, serving, wait

FPS = 30
WHOLE = View("after", Region(0, 0, 2560, 1440), 2560, "h264")
PAIR = View("pair", Region(752, 422, 1056, 596), 1056, "h264")
ROUNDS, FRAMES = 7, 40

EXAMPLES = """\
examples:
  python -m lab.soak.page_figures bandwidth film-540p.mp4
  python -m lab.soak.page_figures viewers
"""


class Steady(Clock):
    """The times of 30 frames a second, however long they take here: rate control reads them."""

    def after(self, last_ms: int) -> int:
        """The next frame's."""
        return round((round((last_ms + 1) * FPS / 1000) + 1) * 1000 / FPS)


def shots(film: Path, model: str, count: int) -> Iterator[Shot]:
    """The film's first frames at 2560x1440."""
    with Upscaler.open(model) as upscaler, VideoFile(film) as source:
        for frame in islice(source, count):
            after = resize_frame(upscaler.upscale_frame(frame), 2560, 1440)
            before = replace(frame, planes=(frame.y.copy(), frame.u.copy(), frame.v.copy()))
            yield Shot(before, after, 0.0, 0.0)


def bandwidth(film: Path, model: str, count: int) -> None:
    """Bytes and quality of the whole picture, and of a part at 1:1 with its bicubic."""
    views = {"the whole result": WHOLE, "1056x596 of it with bicubic": PAIR}
    encoders = {name: open_encoder(view, Steady()) for name, view in views.items()}
    data: dict[str, list[bytes]] = {name: [] for name in views}
    jpeg: dict[str, list[int]] = {name: [] for name in views}
    planes: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in views}
    for shot in shots(film, model, count):
        for name, view in views.items():
            first = not data[name]
            data[name].append(encoders[name].encode(shot, key=first).data)
            frame = compose(shot, view.mode, region=view.region)
            planes[name].append(frame.y.copy())
            jpeg[name].append(len(to_jpeg(to_bgr(frame, rows=1440), 90)))
    for name in views:
        rate = 8 * FPS * sum(map(len, data[name])) / len(data[name]) / 1e6
        still = 8 * FPS * statistics.mean(jpeg[name]) / 1e6
        found = [frame.to_ndarray()[: planes[name][0].shape[0]] for frame in _decode(data[name])]
        pairs = zip(found, planes[name], strict=True)
        quality = statistics.mean(psnr(one, two, border=4) for one, two in pairs)
        print(f"{name}: H.264 {rate:.2f} Mbit/s at {quality:.2f} dB, JPEG {still:.1f} Mbit/s")
    sharp = [_sharper(plane) for plane in planes["1056x596 of it with bicubic"]]
    coded = [_sharper(frame) for frame in found]
    print(f"sharper than bicubic: {statistics.mean(sharp):.3f} times before the codec, ", end="")
    print(f"{statistics.mean(coded):.3f} times after it")


def _decode(units: Sequence[bytes]) -> list[Any]:
    with av.open(io.BytesIO(b"".join(units)), format="h264") as container:
        return list(container.decode(video=0))


def _sharper(pair: NDArray[np.uint8]) -> float:
    """Mean gradient of the lower half over that of the upper one."""
    half = pair.shape[0] // 2
    upper, lower = (np.abs(np.diff(part.astype(int), axis=1)).mean()
                    for part in (pair[:half], pair[half:]))  # fmt: skip
    return float(lower / upper)


class Browser:
    """What a viewer needs of a WebSocket, without a network: it reports each frame at once."""

    def __init__(self, view: View, pause_s: float = 0.0) -> None:
        self._wanted: asyncio.Queue[str] = asyncio.Queue()
        self._pause_s = pause_s
        self.received = 0
        first = {"mode": view.mode, "region": list(view.region), "width": view.width}
        self._wanted.put_nowait(json.dumps(first | {"codec": view.codec}))

    async def receive_text(self) -> str:
        """The next report."""
        return await self._wanted.get()

    async def send_bytes(self, data: bytes) -> None:
        """Take a frame."""
        await asyncio.sleep(self._pause_s)
        (length,) = struct.unpack_from(">I", data)
        self.received += 1
        self._wanted.put_nowait(json.dumps({"shown": json.loads(data[4 : 4 + length])["number"]}))

    async def send_text(self, text: str) -> None:
        """An error."""
        raise RuntimeError(text)


def serve(pauses: Sequence[float], found: list[Shot]) -> tuple[float, list[int]]:
    """Publish `FRAMES` frames at 30 a second to viewers; (processor seconds a frame, received)."""
    hub = Hub(Recent())

    async def run() -> list[Browser]:
        hub.attach()
        switchboard = Switchboard(hub)
        browsers = [Browser(replace(PAIR, region=Region(112, 62, 1056, 596)), pause)
                    for pause in pauses]  # fmt: skip
        tasks = [asyncio.ensure_future(Viewer(browser, hub, switchboard).watch())  # type: ignore[arg-type]
                 for browser in browsers]  # fmt: skip
        for number in range(FRAMES):
            hub.publish(found[number % len(found)])
            await asyncio.sleep(1 / FPS)
        await asyncio.sleep(0.3)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        hub.end()
        return browsers

    start = time.process_time()
    browsers = asyncio.run(run())
    used = time.process_time() - start
    most = max(browser.received for browser in browsers)
    return used / most, [browser.received for browser in browsers]


def clip_shots() -> list[Shot]:
    """A second of the demo clip, resized alone: what the page costs, without a network."""
    found = []
    for frame in DemoClip(frames=25):
        kept = replace(frame, planes=(frame.y.copy(), frame.u.copy(), frame.v.copy()))
        found.append(Shot(kept, resize_frame(kept, 1280, 720), time.perf_counter(), 0.0))
        _ = found[-1].enlarged
    return found


def viewers() -> None:
    """Processor time with one viewer and with five, in turns."""
    found, ratios = clip_shots(), []
    for number in range(ROUNDS):
        order = (1, 5) if number % 2 else (5, 1)
        cost = {count: serve([0.0] * count, found)[0] for count in order}
        ratios.append(cost[5] / cost[1])
        print(f"1: {1000 * cost[1]:.1f} ms a frame, 5: {1000 * cost[5]:.1f} ms")
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    print(f"five viewers cost {middle:.2f} times one ({low:.2f} to {high:.2f}, {ROUNDS} rounds)")


def slow() -> None:
    """A viewer beside one who takes a frame in half a second."""
    found, alone, beside, late = clip_shots(), 0, 0, 0
    for _ in range(ROUNDS):
        alone += serve([0.0], found)[1][0]
        one, other = serve([0.0, 0.5], found)[1]
        beside, late = beside + one, late + other
    print(
        f"{ROUNDS} times {FRAMES} frames: {alone} reached a viewer alone, {beside} the same ",
        end="",
    )
    print(f"beside a slow one, who took {late}")


def latency(seconds: float = 15) -> None:
    """What the page of a run says, of ``test://clip`` without a network."""
    words = ["test://clip", "--backend", "nearest", "--drop-policy", "newest"]
    for codec in ("h264", "mp4", "jpeg"):
        with serving(words) as job, chromium() as browser:
            address = page_address(job)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{address}?codec={codec}")
            wait(page, "shown.frames > 3 && stats !== null")
            time.sleep(seconds)
            with urllib.request.urlopen(f"{address}api/stats", timeout=30) as answer:  # noqa: S310
                facts = json.load(answer)
            used = page.evaluate("transport.codec")
        screen, age = facts["screen_p50_ms"], facts["age_p50_ms"]
        print(f"{used}: capture to screen {screen:.0f} ms at the median, ", end="")
        print(f"p99 {facts['screen_p99_ms']:.0f} ms; the pipeline's own age {age:.0f} ms")


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.soak.page_figures", "Measure the browser page.", examples=EXAMPLES
    )
    parser.add_argument(
        "what", choices=("bandwidth", "viewers", "slow", "latency"), help="what to measure"
    )
    parser.add_argument("film", type=Path, nargs="?", help="of bandwidth: a film")
    parser.add_argument("--model", default="edge-unet-s-x2", help="default: edge-unet-s-x2")
    parser.add_argument("--frames", type=int, default=60, help="of the film (default: 60)")
    return parser


@exit_codes("page_figures")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when it was measured, 2 for wrong options."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.what == "bandwidth":
        if args.film is None:
            parser.error("bandwidth needs a film")
        bandwidth(args.film, args.model, args.frames)
    else:
        {"viewers": viewers, "slow": slow, "latency": latency}[args.what]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
