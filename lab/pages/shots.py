"""Pictures of the browser page on a desktop and on phones, light and dark, and in every view."""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from edge_sr.cli.common import exit_codes, make_parser
from lab.pages.browser import chromium, page_address, serving, wait

VIEWS = ("side", "diff")
LOOKS = {
    "desktop": ({"width": 1440, "height": 900}, "light"),
    "desktop-dark": ({"width": 1440, "height": 900}, "dark"),
    "phone": ({"width": 390, "height": 844}, "light"),
    "phone-dark": ({"width": 390, "height": 844}, "dark"),
    "phone-landscape": ({"width": 844, "height": 390}, "light"),
    "phone-landscape-dark": ({"width": 844, "height": 390}, "dark"),
}
# of docs/live.md: the look, and how its picture is cut
DOCUMENTED = {
    "live-page.jpg": ("desktop", (0, 0, 1440, 900)),
    "live-page-phone.jpg": ("phone-dark", (0, 0, 390, 844)),
}
FACE = (560, 250)  # of the rabbit, in the upscaled clip
QUALITY = 82  # of JPEG
EXAMPLES = """\
examples:
  python -m lab.pages.shots shots
  python -m lab.pages.shots shots --docs docs
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.pages.shots",
        "Write pictures of the page of a run, as a headless Chromium shows it.",
        examples=EXAMPLES,
    )
    parser.add_argument("folder", type=Path, help="for the pictures, as PNG; it is made")
    parser.add_argument("--input", default="test://clip", help="default: test://clip")
    parser.add_argument("--docs", type=Path, help="a folder for those that docs/live.md shows")
    parser.add_argument("--only", choices=tuple(LOOKS), help="one look alone")
    return parser


@exit_codes("shots")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when all were written, 1 when something is missing, 2 for wrong options."""
    args = build_parser().parse_args(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    words = [args.input, "--drop-policy", "newest", "--save-to", str(args.folder)]
    with serving(words) as job, chromium() as browser:
        address = page_address(job)
        for name, (size, scheme) in LOOKS.items():
            if args.only in (None, name):
                page = browser.new_page(viewport=size, color_scheme=scheme)
                page.goto(address)
                _look(page, args.folder, name)
                if args.docs:
                    _document(page, args.docs, name)
                page.close()
    return 0


def _look(page: Any, folder: Path, name: str) -> None:
    """The whole page; on a desktop in every view."""
    _wait_for_figures(page, 8)
    _write(page, folder / f"{name}.png")
    for view in VIEWS if name.startswith("desktop") else ():
        page.click(f"[data-mode={view}]")
        _wait_for_figures(page, 2)
        _write(page, folder / f"{name}-{view}.png")
        page.click("[data-mode=split]")


def _write(page: Any, path: Path) -> None:
    page.screenshot(path=str(path), full_page=True)
    print(path)


def _document(page: Any, folder: Path, look: str) -> None:
    """One frame, frozen at 2:1."""
    for name, (wanted, box) in DOCUMENTED.items():
        if wanted == look:
            page.click("[data-zoom='2']")
            page.evaluate(f"shown.x = {FACE[0]}; shown.y = {FACE[1]}; draw(); askSoon(true)")
            _wait_for_figures(page, 2)
            page.click("#freeze")
            wait(page, "shown.frozen !== null && shown.head.kind === 'jpeg'")
            _wait_for_figures(page, 1)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").crop(box)
            picture.save(folder / name, quality=QUALITY)
            print(folder / name)


def _wait_for_figures(page: Any, seconds: float) -> None:
    """Wait for pictures and figures, and for charts to have something to show."""
    wait(page, "shown.head !== null && shown.frames > 3 && stats !== null")
    time.sleep(seconds)


if __name__ == "__main__":
    sys.exit(main())
