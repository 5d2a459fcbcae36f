"""The sheet of crops: every picture, then the failures, each with its figures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab import contact
from lab.contact import compressed, main, photo, small_text
from tests.edge_sr.media.clips import make_clip

pytest.importorskip("onnxruntime", reason="pip install onnxruntime")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = []
    for index in range(3):
        small = rng.integers(0, 256, (90, 100, 3), dtype=np.uint8)
        paths.append(tmp_path / f"set__photo{index}.png")
        Image.fromarray(small).resize((400, 360)).save(paths[-1])
    return paths


def test_a_sheet_shows_all_pictures_and_two_failures(files: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "sheet.jpg"
    assert main(["--images", *map(str, files), "--output", str(output)]) == 0
    with Image.open(output) as image:
        tile = (3 * (contact.SIDE + 4), contact.SIDE + contact.LABEL + 4)
        assert image.size == (2 * tile[0], 3 * tile[1])  # five cases, two across
        pixels = np.asarray(image)
    assert pixels[: tile[1], : tile[0]].std() > 20
    assert pixels[2 * tile[1] + 30 :, tile[0] :].max() < 12  # the sixth place is empty


def test_cases_fit_the_scale(files: list[Path]) -> None:
    for scale in (Fraction(2), Fraction(3, 2)):
        case = photo(files[0], scale)
        assert case.name == "photo0"
        assert tuple(side * scale for side in case.low.shape[:2]) == case.high.shape[:2]
        worse = compressed(case)
        assert worse.low.shape == case.low.shape
        assert (worse.low != case.low).any()
        assert (worse.high == case.high).all()
    page = small_text(Fraction(2)).high
    assert page.min() < 50
    assert page.mean() > 180


def test_what_cannot_be_shown(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((100, 500, 3), np.uint8)).save(tmp_path / "strip.png")
    strip = ["--images", str(tmp_path / "strip.png"), "--output", str(tmp_path / "s.jpg")]
    assert main(strip) == 1
    assert "strip: is 500x100; expected 320 pixels a side" in capsys.readouterr().err
    nowhere = ["--images", str(files[0]), "--output", str(tmp_path / "none" / "s.jpg")]
    assert main(nowhere) == 1
    assert "cannot be written (No such file or directory)" in capsys.readouterr().err


def test_networks_stand_side_by_side_on_coded_clips(files: list[Path], tmp_path: Path) -> None:
    clip, output = tmp_path / "clip_one.mkv", tmp_path / "sheet.jpg"
    make_clip(clip, size=(340, 324), codec="ffv1", pts=range(12))
    options = ["--models", "edge-unet-s-x2", "edge-unet-s-live-x2", "--images", str(files[0])]
    words = [*options, "--clips", str(clip), "--crf", "24", "30", "--output", str(output)]
    assert main(words) == 0
    with Image.open(output) as image:  # bicubic, two networks, the truth; five cases
        assert image.size == (4 * (contact.SIDE + 4), 5 * (contact.SIDE + contact.LABEL + 4))
    assert main([*options, "edge-unet-s-x1.5", "--output", str(output)]) == 1
