"""Histograms and the file of ranges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from calibration.frames.frames import open_frames
from calibration.network.load import load_network
from calibration.quantize.qdq import quantise_weight
from calibration.quantize.ranges import _pieces, load_ranges, measure_ranges
from calibration.quantize.repair import _round
from calibration.quantize.thresholds import BINS, Histogram
from calibration.ranges import main
from calibration.sensitivity import main as sensitivity_main
from edge_sr.errors import ModelFileError
from edge_sr.media.stills.files import read_image
from tests.calibration.networks import save_luma, save_pictures


def test_a_histogram_grows_with_its_values_and_not_with_their_number() -> None:
    histogram = Histogram()
    for top in (1.0, 5.0, 2.0):
        assert histogram.add(np.linspace(-top / 2, top, 1000, dtype=np.float32))
    assert (histogram.low, histogram.high, histogram.peak) == (-2.5, 5.0, 5.0)
    assert histogram.counts.shape == (BINS,)
    assert histogram.counts.sum() == pytest.approx(3)
    assert histogram.top == 8.0
    share = histogram.counts[: BINS // 8].sum() / 3  # |x| < 1
    assert share == pytest.approx((1 + 2 / 7.5 + 2 / 3) / 3, abs=0.01)
    assert not histogram.add(np.array([np.nan, 1], np.float32))


def test_ranges_are_saved_with_their_digests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_luma(tmp_path / "x2.onnx")
    folder = save_pictures(tmp_path / "frames", 6)
    (folder / "3.png").write_bytes(b"broken")  # the fourth is held out for judging
    (folder / "1.png").write_bytes(b"broken")
    output = tmp_path / "ranges.json"
    command = ["--model", str(model), "--frames", str(folder), "--output", str(output)]
    assert main(command) == 0
    assert "over 13 frames, 1 left out" in capsys.readouterr().out
    ranges = load_ranges(output)
    network, frames = load_network(model), open_frames(folder)
    ranges.check(network, frames)
    assert ranges.tensors["centre"]["minmax"] == 127.5  # black and white, whatever was shown
    assert main(command) == 1
    assert "exists; use --force" in capsys.readouterr().err
    output.write_text("{}")
    with pytest.raises(ModelFileError, match="cannot be read as ranges"):
        load_ranges(output)


def test_ranges_do_not_depend_on_how_often_they_are_measured(tmp_path: Path) -> None:
    network = load_network(save_luma(tmp_path / "x2.onnx"))
    frames = open_frames(save_pictures(tmp_path / "frames", 3))
    assert measure_ranges(network, frames) == measure_ranges(network, frames)


def test_least_squares_rounding_beats_plain_rounding_on_alike_inputs() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 0.2, (6, 4, 3, 3)).astype(np.float32)
    common = rng.normal(0, 1, (4000, 1))
    inputs = common + 0.2 * rng.normal(0, 1, (4000, 36))
    plain, scales = quantise_weight(weight, 0)
    finer = _round(weight, inputs.T @ inputs)

    def error(levels: np.ndarray) -> float:
        back = levels.reshape(6, -1) * scales[:, None]
        return float(np.mean((inputs @ (back - weight.reshape(6, -1)).T) ** 2))

    assert np.abs(finer).max() <= 127
    assert error(finer) < 0.5 * error(plain)


@pytest.mark.slow
def test_sensitivity_writes_a_table_and_a_chart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_luma(tmp_path / "x2.onnx")
    folder = save_pictures(tmp_path / "frames", 4)
    output = tmp_path / "layers.json"
    command = ["--model", str(model), "--frames", str(folder), "--output", str(output)]
    assert sensitivity_main([*command, "--max-loss-db", "2"]) == 0
    assert "dB lost with" in capsys.readouterr().out
    content = json.loads(output.read_text())
    names = {row["name"] for row in content["layers"]}
    assert {"stem", "body0", "head", "anchor"} <= names
    assert next(row for row in content["layers"] if row["name"] == "anchor")["kept"] == "anchor"
    assert read_image(tmp_path / "layers.png").pixels.shape[1] == 800


def test_a_large_frame_is_measured_in_pieces() -> None:
    frame = np.arange(100 * 150, dtype=np.int64).astype(np.uint8).reshape(100, 150, 1)
    assert len(_pieces(frame, None)) == 1
    assert len(_pieces(frame, 100 * 150)) == 1
    pieces = _pieces(frame, 64 * 64)
    assert sum(piece.size for piece in pieces) == frame.size
    assert max(piece.size for piece in pieces) <= 64 * 64
    assert min(min(piece.shape[:2]) for piece in pieces) > 8
    assert sorted(np.concatenate([p.ravel() for p in pieces])) == sorted(frame.ravel())
