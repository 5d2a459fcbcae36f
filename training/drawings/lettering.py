"""Print: words in many fonts, sizes and scripts."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.data.photos import DataError
from training.drawings.canvas import (
    FINER,
    Points,
    blank,
    in_perspective,
    lit,
    pen_of,
    textured,
    two_levels,
)

FONTS = Path("/usr/share/fonts")
SCRIPTS = {  # first and last code point of each; all letters of the range are drawn from
    "latin": (0x61, 0x7A),
    "capitals": (0x41, 0x5A),
    "digits": (0x30, 0x39),
    "greek": (0x3B1, 0x3C9),
    "cyrillic": (0x430, 0x44F),
    "kana": (0x3042, 0x3093),
    "han": (0x4E00, 0x5FFF),
    "arabic": (0x628, 0x63A),
}
COMMON = ("latin", "latin", "latin", "capitals", "digits")


def find_fonts(folder: Path = FONTS) -> list[Path]:
    """All TrueType and OpenType fonts below a folder, sorted by name.

    Raises:
        DataError: there is none.
    """
    found = [path for path in folder.rglob("*") if path.suffix.lower() in (".ttf", ".otf", ".ttc")]
    if not found:
        raise DataError(f"{folder}: no font found; expected .ttf, .otf or .ttc: install some")
    return sorted(found, key=lambda path: (path.name, str(path)))


@lru_cache(maxsize=512)
def scripts_of(path: Path) -> tuple[str, ...]:
    """The scripts whose first and last letters a font has; none where it cannot be read."""
    try:
        font = ImageFont.truetype(str(path), 32)
        missing = bytes(font.getmask("\uffff"))
        drawn = {
            name: [bytes(font.getmask(chr(code))) for code in codes]
            for name, codes in SCRIPTS.items()
        }
    except (OSError, ValueError):
        return ()
    return tuple(
        name for name, masks in drawn.items() if all(any(m) and m != missing for m in masks)
    )


def word(rng: np.random.Generator, scripts: tuple[str, ...]) -> str:
    """A word of random letters of one of the scripts."""
    likely = [name for name in COMMON if name in scripts] + list(scripts)
    first, last = SCRIPTS[likely[int(rng.integers(len(likely)))]]
    letters = [chr(int(code)) for code in rng.integers(first, last + 1, int(rng.integers(1, 11)))]
    joined = "".join(letters)
    return joined.capitalize() if rng.random() < 0.2 else joined


def draw_font(
    rng: np.random.Generator, fonts: list[Path], size: float
) -> tuple[ImageFont.FreeTypeFont, tuple[str, ...]]:
    """A random font of ``size`` picture pixels, and the scripts that it has.

    Raises:
        DataError: no font has letters.
    """
    for index in rng.permutation(len(fonts)):
        scripts = scripts_of(fonts[int(index)])
        if scripts:
            return ImageFont.truetype(str(fonts[int(index)]), max(4, int(size * FINER))), scripts
    raise DataError(f"none of {len(fonts)} fonts has letters; expected Latin, Greek or others")


def page(rng: np.random.Generator, side: int, fonts: list[Path]) -> Image.Image:
    """A page of paragraphs and headings, sometimes scanned at a slant."""
    ground, ink = two_levels(rng, 90)
    canvas = blank(side, ground)
    pen, whole = pen_of(canvas), canvas.width
    y = rng.uniform(-10, 20) * FINER
    while y < whole:
        size = float(np.exp(rng.uniform(np.log(6), np.log(34 if rng.random() < 0.7 else 110))))
        font, scripts = draw_font(rng, fonts, size)
        for _ in range(1 if size > 24 else int(rng.integers(2, 9))):
            write_line(rng, pen, (rng.uniform(-30, 8) * FINER, y), whole, font, scripts, ink)
            y += size * FINER * 1.25
        y += size * FINER * rng.uniform(0, 1)
    kind = int(rng.integers(3))
    if kind == 1:
        canvas = canvas.rotate(rng.uniform(-20, 20), Image.Resampling.BICUBIC, fillcolor=ground)
    if kind == 2:
        canvas = in_perspective(rng, canvas, 0.12)
    return lit(rng, textured(rng, canvas, rng.uniform(0, 4))) if rng.random() < 0.5 else canvas


def write_line(
    rng: np.random.Generator,
    pen: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    until: float,
    font: ImageFont.FreeTypeFont,
    scripts: tuple[str, ...],
    ink: int,
) -> None:
    """Words from ``corner`` (x, y of the top left) to about ``until``, canvas pixels."""
    x, y = corner
    while x < until:
        text = word(rng, scripts)
        pen.text((x, y), text, fill=ink, font=font)
        x += font.getlength(text) + font.size * 0.3


def sign(rng: np.random.Generator, side: int, fonts: list[Path]) -> Image.Image:
    """A few large words on plates, turned, as signs and posters have them."""
    canvas = blank(side, two_levels(rng)[0])
    pen, whole = pen_of(canvas), canvas.width
    for _ in range(int(rng.integers(2, 7))):
        ground, ink = two_levels(rng, 80)
        font, scripts = draw_font(rng, fonts, rng.uniform(14, 120))
        text = word(rng, scripts)
        x, y = rng.uniform(-0.1, 0.8, 2) * whole
        plate = pen.textbbox((x, y), text, font=font)
        edge = font.size * rng.uniform(0.05, 0.4)
        box: Points = [(plate[0] - edge, plate[1] - edge), (plate[2] + edge, plate[3] + edge)]
        thick = int(rng.integers(0, 3)) * FINER
        pen.rounded_rectangle(box, edge * rng.random(), fill=ground, outline=ink, width=thick)
        pen.text((x, y), text, fill=ink, font=font)
    return in_perspective(rng, canvas, 0.25) if rng.random() < 0.7 else canvas
