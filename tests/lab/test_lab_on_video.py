"""Networks on 8-bit 4:2:0 frames: what they are fed with, and the table."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.models.adapters import read_rivals
from bench.models.contenders import Contender, find_contenders, open_contender
from bench.quality.images import ImageSet
from bench.quality.pictures import make_pair
from edge_sr.quality import psnr
from lab import on_video
from lab.on_video import frame_of, luma_as_grey, measure_set, ways_of, whole_frame

pytest.importorskip("onnxruntime", reason="pip install onnxruntime")

Save = Callable[..., Path]
TWO = Fraction(2)


@pytest.fixture
def rivals(rival_file: Save, tmp_path: Path) -> Path:
    rival_file()
    path = tmp_path / "rivals.toml"
    path.write_text('[[model]]\nname = "ETDS-T"\nfile = "rival.onnx"\n')
    return path


@pytest.fixture
def repeating(rivals: Path, tmp_path: Path) -> Contender:
    """An RGB network that repeats pixels."""
    read = read_rivals(rivals)
    [found] = find_contenders([], read, backends=[], precisions=[], folder=tmp_path)
    return found


def twice(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return plane.repeat(2, axis=0).repeat(2, axis=1)


def test_the_frame_has_the_measured_luma_and_half_the_colour(picture: NDArray[np.uint8]) -> None:
    picture[..., 0] = 220
    pair = make_pair("p", picture[:62, :94], TWO)
    frame = frame_of(pair)
    assert (frame.y == pair.low_y).all()
    assert frame.u.shape == frame.v.shape == (16, 24)  # of 31 and 47, rounded up
    assert frame.v.mean() > 150  # red, by BT.601
    assert abs(int(frame.y.max()) - int(pair.high_y.max())) < 30


def test_a_luma_network_gets_the_plane(picture: NDArray[np.uint8]) -> None:
    [floor] = find_contenders(["nearest-x2"], [], backends=[], precisions=[], folder=Path())
    pair = make_pair("p", picture, TWO)
    assert list(ways_of(floor)) == [floor.name]
    with open_contender(floor, 1) as upscaler:
        assert (whole_frame(upscaler, pair) == twice(pair.low_y)).all()


def test_an_rgb_network_gets_colour_or_luma_thrice(
    repeating: Contender, picture: NDArray[np.uint8]
) -> None:
    picture[..., 0] = 220
    pair = make_pair("p", picture, TWO)
    ways = ways_of(repeating)
    assert list(ways) == ["ETDS-T, the frame as 8-bit RGB", "ETDS-T, its luma as grey"]
    with open_contender(repeating, 1) as upscaler:
        assert (luma_as_grey(upscaler, pair) == twice(pair.low_y)).all()
        seen = upscaler.network_input(frame_of(pair)).reshape(-1, 3)
        through_rgb = whole_frame(upscaler, pair).astype(int)
    assert seen[:, 0].mean() > seen[:, 1].mean() + 30  # red has reached it
    assert np.abs(through_rgb - twice(pair.low_y)).max() <= 1  # converted there and back


def test_the_figure_is_the_mean_of_pictures_psnr(
    repeating: Contender, picture: NDArray[np.uint8]
) -> None:
    other = picture[::-1, :60]
    images = ImageSet(name="two", sha256="", pictures=(("a", picture), ("b", other)), left_out=())
    with open_contender(repeating, 1) as upscaler:
        found = measure_set(upscaler, luma_as_grey, images)
    pairs = [make_pair("p", item, TWO) for item in (picture, other)]
    expected = [psnr(twice(pair.low_y), pair.high_y, border=2) for pair in pairs]
    assert found == pytest.approx(np.mean(expected))
    assert expected[0] != pytest.approx(expected[1], abs=0.01)


def test_the_table_is_written(rivals: Path, folder: Path, tmp_path: Path) -> None:
    document = tmp_path / "models.md"
    document.write_text("<!-- on-video -->\n<!-- /on-video -->\n")
    targets = tmp_path / "targets.toml"
    targets.write_text(
        '[[target]]\nmodel = "edge-unet-s-x2"\nrival = "ETDS-T"\nratio = 1.0\npsnr = [10.0]\n'
        '[[target]]\nmodel = "edge-unet-s-x1.5"\npsnr = [99.0]\n'
    )
    options = ["--images", str(folder), "--rivals", str(rivals), "--targets", str(targets)]
    assert on_video.main([*options, "--threads", "1", "--write", str(document)]) == 0
    rows = re.findall(r"^\| (.*) \| (\d\d\.\d\d) \|$", document.read_text(), re.MULTILINE)
    names = ["edge-unet-s-x2", "ETDS-T, the frame as 8-bit RGB", "ETDS-T, its luma as grey"]
    assert [name for name, _ in rows] == names


def test_a_rival_that_is_not_described(
    rivals: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert on_video.main(["--images", str(folder), "--rivals", str(rivals)]) == 2
    assert "has no ETDS-L, ETDS-S" in capsys.readouterr().err
