"""What happens to a file before TensorRT reads it: sizes fixed, ends added, counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from calibration.network.frame_io import read_frame_io
from calibration.network.session import open_session, run
from calibration.quantize.check_rules import broken_rules
from convert.onnx.specialise import convolutions, specialise
from convert.onnx.wrap import wrap_onnx
from edge_sr import zoo
from edge_sr.errors import ModelFileError
from edge_sr.model.import_options import ImportOptions
from edge_sr.model.sidecar import load_sidecar
from tests.calibration.networks import external_model, luma_model, picture

MODEL = zoo.FOLDER / "edge-unet-s-x2.onnx"


def upscale(model: onnx.ModelProto, frame: np.ndarray) -> np.ndarray:
    result: np.ndarray = run(open_session(model), frame[None])[0][0]
    return result


@pytest.mark.parametrize("size", [(48, 64), (37, 51)])
def test_a_fixed_size_changes_nothing_else(size: tuple[int, int]) -> None:
    model = onnx.load(MODEL)
    fixed = specialise(model, size, None)
    dims = fixed.graph.input[0].type.tensor_type.shape.dim
    assert [item.dim_value for item in dims] == [1, *size, 1]
    frame = picture(*size, 1, 0)
    assert np.array_equal(upscale(fixed, frame), upscale(model, frame))
    assert not model.graph.input[0].type.tensor_type.shape.dim[1].dim_value  # a copy was made


@pytest.mark.parametrize("target", [(72, 96), (54, 70), (96, 128)])
def test_a_target_is_resized_to_before_rounding(target: tuple[int, int]) -> None:
    model = specialise(onnx.load(MODEL), (48, 64), target)
    y, x = np.mgrid[0:48, 0:64]
    smooth = np.asarray(60 + 2 * x + y, np.uint8)[..., None]
    found = upscale(model, smooth)
    assert found.shape == (*target, 1)
    rows, columns = (
        (np.arange(n) + 0.5) * s / n - 0.5 for n, s in zip(target, (48, 64), strict=True)
    )
    expected = 60 + 2 * columns[None] + rows[:, None]
    inner = np.s_[4:-4, 4:-4]
    assert np.abs(found[..., 0] - expected)[inner].max() <= 1.5
    assert np.abs(found[..., 0] - expected).max() <= 6  # at the border too


def test_a_target_needs_an_end_that_can_be_resized() -> None:
    model = luma_model()
    clips = [node for node in model.graph.node if node.op_type == "Clip"]
    for node in clips:
        node.op_type = "Relu"
        del node.input[1:]
    with pytest.raises(ModelFileError, match="ends in Clip and Round"):
        specialise(model, (48, 64), (96, 128))


def test_the_result_of_an_external_model_stays_the_same(tmp_path: Path) -> None:
    source, output = tmp_path / "other.onnx", tmp_path / "wrapped.onnx"
    onnx.save(external_model(), source)
    card, _ = wrap_onnx(source, output, ImportOptions(input_range="0..1", output_range="0..1"))
    assert (card.color, card.scale, card.width) == ("rgb", "2", None)
    assert load_sidecar(output).made_from == "other.onnx"
    theirs = read_frame_io(source, onnx.load(source), input_range="0..1", output_range="0..1")
    frame = picture(40, 52, 3, 0)
    expected = theirs.fetch(run(open_session(str(source)), theirs.feed(frame))[0])
    found = upscale(onnx.load(output), frame)
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert np.mean(found != expected) < 1e-3


def test_a_file_of_ours_without_its_sidecar_is_refused(tmp_path: Path) -> None:
    alone = tmp_path / "alone.onnx"
    alone.write_bytes(MODEL.read_bytes())
    with pytest.raises(ModelFileError, match=r"alone\.onnx\.json is not beside it; put it there"):
        wrap_onnx(alone, tmp_path / "made.onnx")


def test_the_int8_file_for_tensorrt_is_counted() -> None:
    model = onnx.load(zoo.tensorrt_file("edge-unet-s-x2")[0])
    assert broken_rules(model) == []
    found = convolutions(model)
    assert found["int8"] >= 8
    assert found["fp16"] >= 1
    assert found["fp32"] == 0
    assert convolutions(onnx.load(MODEL)) == Counter(fp32=sum(found.values()))
