"""The wide variant of a model file: the same network on samples of 9 to 16 bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from edge_sr import zoo
from edge_sr.backend import open_backend
from edge_sr.errors import FrameError, ModelFileError
from edge_sr.model.sidecar import sha256_of
from edge_sr.model.wide import model_bytes, widen
from edge_sr.session.network import ModelRunner
from edge_sr.types import Size

onnx = pytest.importorskip("onnx")
SHIPPED = sorted(zoo.FOLDER.glob("edge-unet-s-*.onnx"))
Samples = NDArray[np.uint16]


def noise(rows: int = 18, columns: int = 22) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (1, rows, columns, 1), np.uint8)


def run(model: bytes, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    result: NDArray[np.uint8] = session.run(None, {"frame": frame})[0]
    return result


def as_bytes(samples: Samples) -> NDArray[np.uint8]:
    """(1, H, W, 1) -> (1, H, W, 2)."""
    return samples.astype("<u2").view(np.uint8)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_wide_is_the_same_network(path: Path) -> None:
    """Of every precision: 8-bit levels come out as from the 8-bit file, up to its rounding."""
    frame, model = noise(), path.read_bytes()
    expected = run(model, frame).astype(float)
    for bits in (10, 16):
        wide = widen(model, bits)
        onnx.checker.check_model(onnx.load_from_string(wide), full_check=True)
        factor = 1 << (bits - 8)
        found = run(wide, as_bytes(frame.astype(np.uint16) * factor)).view("<u2") / factor
        assert np.abs(np.minimum(found, 255) - expected).max() <= 0.5


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_results_span_all_levels_of_the_depth(bits: int) -> None:
    top = (1 << bits) - 1
    model = widen(SHIPPED[-1].read_bytes(), bits)
    hard = np.where(noise() > 127, top, 0).astype(np.uint16)
    found = run(model, as_bytes(hard)).view("<u2")
    assert (found.min(), found.max()) == (0, top)
    ramp = np.linspace(0, top, 2048).round().astype(np.uint16)
    result = run(model, as_bytes(np.tile(ramp, (1, 16, 1))[..., None])).view("<u2")
    assert len(np.unique(result)) > min(2 * 256, top // 2)


def test_a_file_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    model = onnx.load(SHIPPED[-1])
    model.graph.node[-1].op_type = "Identity"
    path = tmp_path / "other.onnx"
    path.write_bytes(model.SerializeToString())
    sidecar = zoo.find("edge-unet-s-x2")[1].widened(10)
    with pytest.raises(ModelFileError, match=r"cannot take samples of 10 bits .*--bits 8"):
        model_bytes(path, sidecar)
    path.write_bytes(SHIPPED[-1].read_bytes()[:1000])
    with pytest.raises(ModelFileError, match="cannot take samples"):
        model_bytes(path, sidecar)
    with pytest.raises(ValueError, match="found 8 bits"):
        widen(SHIPPED[-1].read_bytes(), 8)


def test_the_backend_opens_the_wide_variant_of_the_shipped_file() -> None:
    path, sidecar = zoo.find("edge-unet-s-x2")
    frame = as_bytes(noise().astype(np.uint16) * 4)
    with pytest.raises(FrameError, match="2 bytes a pixel for 10 bits"):
        open_backend(path, sidecar.widened(10)).infer(noise())
    found = open_backend(path, sidecar.widened(10)).infer(frame)
    assert np.array_equal(found, run(widen(path.read_bytes(), 10), frame))


def test_tiles_of_wide_images_give_the_whole_image() -> None:
    path, sidecar = zoo.find("edge-unet-s-x2")
    facts = replace(sidecar.widened(12), name="wide")
    samples = np.random.default_rng(1).integers(0, 4096, (1, 150, 170, 1), np.uint16)
    image = as_bytes(samples)[0]
    runner = ModelRunner(open_backend(path, facts), facts, tile=64)
    assert runner.network(Size(170, 150)).depth == 1
    whole = runner.run_whole(image).view("<u2").astype(int)
    assert np.abs(runner.run(image).view("<u2") - whole).max() <= 1


def test_the_sidecar_of_a_wide_variant_keeps_the_file() -> None:
    path, sidecar = zoo.find("edge-unet-s-x2")
    wide = sidecar.widened(10)
    assert (wide.samples, wide.bits, wide.schema, wide.pixel_bytes) == ("uint8x2", 10, 3, 2)
    assert wide.sha256 == sha256_of(path)
