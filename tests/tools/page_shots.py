"""Pictures of the browser page: ``python tests/tools/page_shots.py FOLDER [INPUT]``.

Starts ``edge-sr run --serve`` on INPUT (the demo clip by default) and looks at it with
headless Chromium: on a desktop, on a phone, light and dark, and in every view.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

VIEWS = ("split", "side", "diff")
LOOKS = {
    "desktop": ({"width": 1440, "height": 900}, "light"),
    "desktop-dark": ({"width": 1440, "height": 900}, "dark"),
    "phone": ({"width": 390, "height": 844}, "light"),
    "phone-dark": ({"width": 390, "height": 844}, "dark"),
    "phone-landscape": ({"width": 844, "height": 390}, "light"),
}


def look(page: Any, path: Path, seconds: float) -> None:
    """Wait for pictures and figures, then take one of the whole page."""
    while not page.evaluate("shown.frames > 3 && stats !== null"):
        time.sleep(0.1)
    time.sleep(seconds)
    page.screenshot(path=str(path), full_page=True)
    print(path)


def main(folder: Path, source: str) -> None:
    """Take the pictures."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    command = [sys.executable, "-m", "edge_sr.cli.main", "run", "--input", source, "--serve", "0"]
    command += ["--compare", "split", "--drop-policy", "newest", "--save-to", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as job:
        assert job.stderr is not None
        found = next(filter(None, (re.search(r"page: (\S+)", line) for line in job.stderr)))
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for name, (size, scheme) in LOOKS.items():
                page = browser.new_page(viewport=size, color_scheme=scheme)
                page.goto(found[1])
                look(page, folder / f"{name}.png", 20 if name == "desktop" else 5)
                for view in VIEWS if name == "desktop" else ():
                    page.click(f"[data-mode={view}]")
                    look(page, folder / f"{name}-{view}.png", 2)
                page.close()
            browser.close()
        job.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "test://clip")
