"""The page in a real headless Chromium: moving pictures, the divider, the model, the token."""

from __future__ import annotations

import base64
import contextlib
import io
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from claps import write_claps
from PIL import Image
from test_network import free_port, rtsp  # noqa: F401 - a fixture

pytest.importorskip("uvicorn", reason="pip install 'edge-sr[serve]'")
playwright = pytest.importorskip("playwright.sync_api", reason="pip install 'edge-sr[dev]'")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")


@pytest.fixture(params=["test picture", "RTSP"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The page of a run that reads a test picture, or a real RTSP server."""
    source = "test://128x72@20"
    if request.param == "RTSP":
        port = free_port()
        request.getfixturevalue("rtsp")(port)
        source = f"rtsp://127.0.0.1:{port}/clip"
    command = [sys.executable, "-m", "edge_sr.cli.main", "run", "--input", source]
    command += ["-m", "edge-unet-s-x2", "--precision", "fp32"]  # whatever is fastest here
    command += ["--serve", "0.0.0.0:0", "--compare", "split", "--save-to", str(tmp_path)]
    with running(command) as found:
        yield found


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[str]:
    """The address of the page of a run."""
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = next(filter(None, (re.search(r"page: (\S+)", line) for line in process.stderr)))
            yield re.sub(r"//[^:]+:", "//127.0.0.1:", found[1])
        finally:
            process.terminate()
            process.communicate(timeout=20)
    assert process.returncode == 143


def wait(page: Any, expression: str, limit_s: float = 30) -> None:
    """Until it is true; the page's own policy forbids Playwright's way of waiting."""
    deadline = time.monotonic() + limit_s
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        time.sleep(0.05)


def grab(page: Any) -> np.ndarray:
    """The pixels of the video, int (H, W, 3)."""
    data = page.evaluate("canvas.toDataURL('image/png')").partition(",")[2]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


@pytest.mark.slow
def test_one_to_one_shows_each_pixel_and_zoom_pan_and_freeze_keep_it(tmp_path: Path) -> None:
    """At 2:1, 2x2 pixels of the screen are one of the result, on both sides of the divider."""
    command = [sys.executable, "-m", "edge_sr.cli.main", "run", "test://clip", "--serve"]
    command += ["127.0.0.1:0", "--backend", "nearest", "--save-to", str(tmp_path)]
    with running(command) as address, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        page.goto(address)
        wait(page, "shown.frames > 1 && stats")
        assert page.evaluate("[shown.zoom, shown.head.region[2] === shown.head.size[0]]") == [
            1,
            True,
        ]
        page.click("#freeze")
        wait(page, "shown.frozen !== null && shown.head.kind === 'jpeg'")
        page.click("[data-zoom='2']")
        wait(page, "shown.head.region[2] < 400")
        picture = grab(page)
        picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
        assert (picture[0::2, 0::2] == picture[1::2, 1::2]).mean() > 0.98  # but for the divider
        page.keyboard.press("c")  # side by side
        wait(page, "shown.mode === 'side'")
        before = page.evaluate("visible().x")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("visible().x") == before + 40
        wait(page, "shown.head.region[0] > 0 && shown.head.region[0] <= visible().x")
        page.keyboard.press("0")
        wait(page, "shown.zoom === 'fit' && shown.head.region[2] === 1280")
        page.select_option("#model", "bicubic")
        wait(page, "shown.frozenModel === 'bicubic' && shown.head.mode === 'pair'")
        page.mouse.move(300, 300)
        page.mouse.wheel(0, -100)
        wait(page, "zoom() > fitZoom()")
        browser.close()


@pytest.mark.slow
def test_the_page_in_a_browser(address: str, tmp_path: Path) -> None:
    base, token = address.split("?token=")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        wrong = page.goto(f"{base}?token=wrong")
        assert wrong is not None
        assert wrong.status == 403
        failures: list[str] = []
        asked: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        assert token not in page.url
        wait(page, "shown.frames > 3 && stats")
        assert page.evaluate("transport.codec") == "h264"
        page.click("[data-zoom=fit]")
        first = grab(page)
        wait(page, f"shown.frames > {page.evaluate('shown.frames')} + 3")
        assert np.abs(first - grab(page)).mean() > 0.5  # it moves
        page.evaluate("transport.take = () => {}")  # hold the picture, move the divider
        page.evaluate("setDivider(0)")
        ours = grab(page)
        slide = "e => { e.value = 1000; e.dispatchEvent(new Event('input')) }"
        page.locator("#slider").evaluate(slide)
        apart = np.abs(ours - grab(page)).mean(axis=(0, 2))
        assert apart[4:-4].mean() > 0.2  # bicubic now, everywhere
        page.reload()
        wait(page, "shown.frames > 1 && stats")
        page.select_option("#precision", "int8")
        wait(page, "stats.model === 'edge-unet-s-x2.int8' && stats.precision === 'int8'")
        wait(page, "document.getElementById('precision').value === 'int8'")
        page.select_option("#model", "bicubic")
        wait(page, "stats.model === 'bicubic'")
        page.click("#snapshot")
        wait(page, "document.getElementById('message').textContent.startsWith('saved')")
        assert len(list(tmp_path.glob("*.png"))) == 2
        chart = "document.getElementById('fps').toDataURL()"
        before = page.evaluate(chart)
        wait(page, f"{chart} !== {before!r}")
        for mode, sent in (("side", "pair"), ("diff", "diff"), ("before", "before")):
            page.click(f"[data-mode={mode}]")
            wait(page, f"shown.head.mode === {sent!r}")
        for codec in ("mp4", "jpeg"):  # as where the page is no secure context, and in old browsers
            page.goto(f"{base}?codec={codec}")
            wait(page, f"shown.head && shown.head.kind === {codec!r} && shown.frames > 2")
            assert grab(page).std() > 10
        wait(page, "stats && stats.screen_p50_ms > 0")
        browser.close()
    assert failures == []
    assert all(url.startswith(base) for url in asked)


@pytest.mark.slow
def test_the_sound_of_a_film_is_heard(tmp_path: Path) -> None:
    film = write_claps(tmp_path / "claps.mkv", 60)
    command = [sys.executable, "-m", "edge_sr.cli.main", "run", str(film), "--serve", "127.0.0.1:0"]
    command += ["--backend", "nearest", "--drop-policy", "newest"]
    loud = """() => { const data = new Float32Array(2048); sound.level.getFloatTimeDomainData(data);
        return data.some((value) => Math.abs(value) > 0.1); }"""
    with running(command) as address, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        for secure in (True, False):  # Opus, and plain samples
            page.goto(address)
            wait(page, "shown.frames > 1 && stats && !el('sound').hidden")
            if not secure:
                page.evaluate("window.AudioDecoder = undefined")
            page.click("#sound")
            wait(page, "sound.played > 10")
            wait(page, f"({loud})()")
            page.keyboard.press("m")
            wait(page, "sound === null")
        browser.close()
