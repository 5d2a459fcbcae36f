"""The README's animation is made of the browser page, and small enough for a page."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stand_ins import ROOT, film, moving

from lab.pages import animation

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")
def test_it_moves_and_shows_both_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film(tmp_path / "clip.mp4", moving(3, 720, 1280, count=6))
    output = tmp_path / "a.webp"
    words = ["--clip", str(tmp_path / "clip.mp4"), "--start", "1", "--frames", "2"]
    assert animation.main([*words, "--output", str(output)]) == 0
    assert "2 pictures" in capsys.readouterr().out
    with Image.open(output) as picture:
        assert (picture.n_frames, picture.size) == (2, animation.SIZE)
        first = np.asarray(picture.convert("RGB"), int)
        picture.seek(1)
        assert np.abs(first - np.asarray(picture.convert("RGB"), int)).max() > 50


def test_a_clip_that_is_too_short_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film(tmp_path / "clip.mp4", moving(3, 48, 64, count=3))
    words = ["--clip", str(tmp_path / "clip.mp4"), "--start", "9"]
    assert animation.main([*words, "--output", str(tmp_path / "a.webp")]) == 1
    assert "has not 9 frames" in capsys.readouterr().err


def test_the_one_of_the_readme_is_small() -> None:
    path = ROOT / "docs" / "before-after.webp"
    assert path.stat().st_size < 2e6
    with Image.open(path) as picture:
        assert picture.n_frames > 20
