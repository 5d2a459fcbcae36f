"""Every control of the page in a real headless Chromium, and what it shows when something fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_network import free_port, rtsp  # noqa: F401 - a fixture

pytest.importorskip("uvicorn", reason="pip install 'edge-sr[serve]'")
playwright = pytest.importorskip("playwright.sync_api", reason="pip install 'edge-sr[dev]'")

from test_page_browser import running, wait  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
]
RUN = [sys.executable, "-m", "edge_sr.cli.main", "run", "--serve", "127.0.0.1:0"]
MESSAGE = "document.getElementById('message').textContent"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


def opened(browser: Any, address: str, **options: Any) -> Any:
    """The page, once it shows pictures."""
    page = browser.new_page(**{"viewport": {"width": 1440, "height": 900}, **options})
    page.goto(address)
    wait(page, "shown.frames > 1 && stats !== null")
    return page


def test_every_control_does_what_it_says(browser: Any, tmp_path: Path) -> None:
    words = ["test://128x72@10", "-m", "edge-unet-s-x2", "--precision", "fp32"]
    with running([*RUN, *words, "--save-to", str(tmp_path)]) as address:
        page = opened(browser, address)
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        for mode in ("after", "before", "side", "diff", "split"):
            page.click(f"[data-mode={mode}]")
            wait(page, f"shown.mode === '{mode}'")
        page.keyboard.press("c")
        wait(page, "shown.mode === 'side'")
        page.click("[data-mode=diff]")
        page.locator("#gain").evaluate("e => { e.value = 4; e.dispatchEvent(new Event('input')) }")
        wait(page, "shown.gain === 16")
        assert page.evaluate("el('gain-now').textContent").endswith("16")
        for key, zoom in (("2", "2"), ("4", "4"), ("1", "1"), ("0", "'fit'")):
            page.keyboard.press(key)
            wait(page, f"shown.zoom === {zoom}")
        page.keyboard.press("+")
        wait(page, "shown.zoom !== 'fit'")
        page.keyboard.press("[")
        wait(page, "shown.divider < 0.5")
        page.keyboard.press("]")
        page.click("#loupe")
        wait(page, "shown.loupe && el('loupe').getAttribute('aria-pressed') === 'true'")
        page.click("#loupe")
        page.click("#figures")
        wait(page, "document.body.classList.contains('plain')")
        page.keyboard.press("o")
        wait(page, "!document.body.classList.contains('plain')")
        page.click("#fullscreen")
        wait(page, "document.fullscreenElement !== null")
        page.keyboard.press("f")
        wait(page, "document.fullscreenElement === null")
        page.click("#fullscreen")
        wait(page, "document.fullscreenElement !== null")
        page.keyboard.press(" ")  # freezes, and does not press the button that was clicked
        wait(page, "shown.frozen !== null && document.fullscreenElement !== null")
        page.keyboard.press(" ")
        wait(page, "shown.frozen === null")
        page.keyboard.press("f")
        wait(page, "document.fullscreenElement === null")
        page.focus("#loupe")
        page.keyboard.press(" ")  # with the keyboard alone, a button is pressed as everywhere
        wait(page, "shown.loupe && shown.frozen === null")
        page.keyboard.press("Enter")
        wait(page, "!shown.loupe")
        page.evaluate("el('loupe').blur()")
        assert page.evaluate("el('sound').hidden")  # this source has none

        page.select_option("#flavour", "live")
        wait(page, "stats.model === 'edge-unet-s-live-x2'")
        slide = "e => { e.value = 50; for (const name of ['input', 'change'])"
        page.locator("#strength").evaluate(slide + " e.dispatchEvent(new Event(name)) }")
        wait(page, "stats.strength === 0.5")
        page.keyboard.press(".")
        wait(page, "stats.strength === 0.6 && el('strength-now').textContent === '60 %'")
        page.select_option("#precision", "int8")
        wait(page, "stats.model === 'edge-unet-s-live-x2.int8'")
        page.keyboard.press(" ")
        wait(page, "shown.frozen !== null")
        page.keyboard.press(",")  # that frame alone: the run keeps its strength
        wait(page, "shown.frozenStrength === 0.5")
        assert page.evaluate("stats.strength") == 0.6
        page.keyboard.press(" ")
        wait(page, "shown.frozen === null")
        page.select_option("#model", "bicubic")
        wait(page, "stats.model === 'bicubic' && el('strength').disabled")

        page.click("#record")
        wait(
            page, "stats.recording !== null && el('record').getAttribute('aria-pressed') === 'true'"
        )
        written = page.evaluate("stats.written")
        wait(page, f"stats.written > {written} + 5")
        page.keyboard.press("r")
        wait(page, "stats.recording === null && el('saved').children.length === 1")
        page.keyboard.press("s")
        wait(page, "el('saved').children.length === 3")
        with page.expect_download() as download:
            page.click("#saved a >> nth=0")
        assert (tmp_path / download.value.suggested_filename).is_file()
        page.click("#saved button >> nth=0")
        wait(page, "el('saved').querySelector('button').textContent === 'sure?'")
        page.click("#saved button >> nth=0")
        wait(page, "el('saved').children.length === 2")
        assert len(list(tmp_path.iterdir())) == 2
        assert failures == []
        page.close()


def test_fingers_zoom_and_move_the_picture(browser: Any, tmp_path: Path) -> None:
    """On a phone: two fingers zoom where they are, one moves the picture or the divider."""
    words = ["test://640x360@10", "--backend", "nearest", "--save-to", str(tmp_path)]
    with running([*RUN, *words]) as address:
        size = {"width": 390, "height": 844}
        page = opened(browser, address, viewport=size, has_touch=True, is_mobile=True)
        touch = page.context.new_cdp_session(page)

        def fingers(kind: str, *places: tuple[float, float]) -> None:
            points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        page.click("[data-zoom=fit]")
        wait(page, "shown.zoom === 'fit'")
        box = page.locator("#frame canvas").bounding_box()
        assert box["width"] <= 390
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        fingers("touchStart", (x - 60, y))
        fingers("touchEnd")
        wait(page, "Math.abs(shown.divider - 0.5) > 0.1")  # a finger on a whole picture
        page.click("[data-mode=after]")
        before = page.evaluate("zoom()")
        fingers("touchStart", (x - 20, y), (x + 20, y))
        fingers("touchMove", (x - 40, y), (x + 40, y))
        fingers("touchMove", (x - 80, y), (x + 80, y))
        fingers("touchEnd")
        wait(page, f"zoom() > {before} * 3 && zoom() < {before} * 5")
        assert page.evaluate("window.visualViewport.scale") == 1  # the picture, not the page
        left = page.evaluate("visible().x")
        fingers("touchStart", (x, y))
        fingers("touchMove", (x - 50, y))
        fingers("touchEnd")
        wait(page, f"visible().x > {left} + 5")
        page.close()


def test_a_model_that_cannot_be_opened_is_said_and_the_run_goes_on(
    browser: Any, tmp_path: Path
) -> None:
    words = ["test://128x72@10", "--backend", "nearest", "--save-to", str(tmp_path)]
    with running([*RUN, *words]) as address:
        page = opened(browser, address)
        page.evaluate("command('/api/model', { model: 'edge-unet-s-x9' })")
        wait(page, f"{MESSAGE}.includes('no model of this run')")
        page.evaluate("command('/api/strength', { strength: 7 })")
        wait(page, f"{MESSAGE}.includes('expected 0 (bicubic) to 1.5')")
        written = page.evaluate("stats.written")
        wait(page, f"stats.written > {written} + 3 && stats.state === 'running'")
        page.close()


def test_a_lost_source_is_grey_with_the_reason_and_comes_back(
    browser: Any,
    rtsp: Callable[..., subprocess.Popen[str]],  # noqa: F811 - the fixture
) -> None:
    port = free_port()
    server = rtsp(port)
    words = [f"rtsp://127.0.0.1:{port}/clip", "--backend", "nearest"]
    with running([*RUN, *words]) as address:
        page = opened(browser, address)
        server.kill()
        server.wait()
        wait(page, "!el('trouble').hidden && el('frame').classList.contains('lost')", 60)
        wait(page, "el('trouble').textContent.includes('attempt')")
        assert page.evaluate("el('verdict').textContent") == ""
        rtsp(port)
        wait(page, "el('trouble').hidden && stats.state === 'running'", 60)
        page.close()


def test_a_full_disk_ends_the_recording_and_nothing_else(browser: Any, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of 200 KB needs root")
    try:
        words = ["test://clip", "--backend", "nearest", "--save-to", str(folder)]
        with running([*RUN, *words]) as address:
            page = opened(browser, address)
            page.click("#record")
            wait(page, "stats.recording_trouble !== null", 120)
            wait(page, f"{MESSAGE}.includes('the recording has ended')")
            assert page.evaluate("stats.recording") is None
            assert page.evaluate("el('record').getAttribute('aria-pressed')") == "false"
            written = page.evaluate("stats.written")
            wait(page, f"stats.written > {written} + 3")
            page.close()
        assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
