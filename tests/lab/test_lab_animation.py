"""The README's animation is an animated WebP of the model and bicubic, small enough for a page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stand_ins import ROOT, film, moving

from lab.pages import animation


def test_it_moves_and_shows_both_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film(tmp_path / "clip.mp4", moving(3, 360, 720, count=6))
    output = tmp_path / "a.webp"
    words = ["--clip", str(tmp_path / "clip.mp4"), "--start", "1", "--frames", "2"]
    assert animation.main([*words, "--output", str(output)]) == 0
    assert "2 pictures" in capsys.readouterr().out
    with Image.open(output) as picture:
        assert (picture.n_frames, picture.size) == (2, (800, 520))
        first = np.asarray(picture.convert("RGB"), int)
        picture.seek(1)
        assert np.abs(first - np.asarray(picture.convert("RGB"), int)).max() > 50


def test_the_one_of_the_readme_is_small() -> None:
    path = ROOT / "docs" / "before-after.webp"
    assert path.stat().st_size < 2e6
    with Image.open(path) as picture:
        assert picture.n_frames > 20
