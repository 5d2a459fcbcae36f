"""External models: what is found of them, and that the wrapped file computes what they compute."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from convert.import_onnx import main
from convert.onnx.wrap import wrap_onnx
from convert.probe.geometry import Geometry
from convert.probe.parity import FRAMES, check_parity
from edge_sr.errors import ModelFileError
from edge_sr.model.import_options import ImportOptions
from edge_sr.model.sidecar import load_sidecar
from edge_sr.model.value_range import RANGES
from tests.calibration.networks import Builder, picture
from tests.convert.external_networks import FORMS, doubler, edited, form, repeated, save, upscale


def test_a_range_that_was_given_is_used(tmp_path: Path) -> None:
    nodes, weights = doubler()
    nodes[-1].output[0] = "u"
    nodes.append(helper.make_node("Tanh", ["u"], ["output"]))
    source = save(tmp_path / "t.onnx", nodes, weights)
    options = ImportOptions(input_range="-1..1", output_range="-1..1")
    wrap_onnx(source, tmp_path / "o.onnx", options)
    frame = picture(24, 32, 3, 1)
    x = (frame.transpose(2, 0, 1)[None] / 127.5 - 1).astype(np.float32)
    session = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    y = session.run(None, {"input": x})[0][0].transpose(1, 2, 0)
    right = np.clip(np.rint((y + 1) * 127.5), 0, 255)
    assert np.abs(upscale(tmp_path / "o.onnx", frame) - right).max() <= 1


def test_the_clearly_best_range_is_taken_not_the_first_good_one(tmp_path: Path) -> None:
    source = save(tmp_path / "b.onnx", *doubler(bias=0.06))  # 0.06 levels, or 15 of them
    _, detected = wrap_onnx(source, tmp_path / "o.onnx")
    assert (detected.ranges.input, detected.ranges.output) == ("0..255", "0..255")
    assert detected.ranges.margin_db is not None
    assert detected.ranges.margin_db > 3


def test_input_and_output_ranges_are_found_apart(tmp_path: Path) -> None:
    nodes, weights = doubler()
    nodes[-1].output[0] = "u"
    nodes += [
        helper.make_node("Mul", ["u", "two"], ["v"]),
        helper.make_node("Sub", ["v", "one"], ["output"]),
    ]
    weights |= {"two": np.array(2, np.float32), "one": np.array(1, np.float32)}
    weights["b"] = np.array([0.02, -0.02] * 4, np.float32)
    source = save(tmp_path / "gan.onnx", nodes, weights)
    options = ImportOptions(input_range="0..1")
    _, detected = wrap_onnx(source, tmp_path / "o.onnx", options)
    assert (detected.ranges.input, detected.ranges.output) == ("0..1", "-1..1")
    frame = picture(24, 32, 3, 2)
    assert np.abs(upscale(tmp_path / "o.onnx", frame).astype(int) - repeated(frame)).mean() < 6


@pytest.mark.parametrize(("kernel", "pads"), [(15, [0] * 4), (15, [7, 7, 0, 0]), (6, [0] * 4)])
def test_a_network_without_padding_gets_its_border_from_the_frame(
    kernel: int, pads: list[int], tmp_path: Path
) -> None:
    weights = {"w": np.zeros((12, 3, kernel, kernel), np.float32)}
    for channel in range(12):
        weights["w"][channel, channel // 4, kernel // 2, kernel // 2] = 1
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["h"], pads=pads),
        helper.make_node("DepthToSpace", ["h"], ["output"], blocksize=2, mode="CRD"),
    ]
    source = save(tmp_path / "u.onnx", nodes, weights)
    card, detected = wrap_onnx(source, tmp_path / "o.onnx")
    assert card.scale == "2"
    assert max(detected.geometry.margin) > 0
    frame = picture(37, 45, 3, 3)
    difference = np.abs(upscale(tmp_path / "o.onnx", frame).astype(int) - repeated(frame))
    if kernel % 2:
        assert difference.max() <= 1
    else:  # half a pixel aside, which nothing repairs
        assert np.median(difference) < 12


def test_what_a_network_gives_too_much_is_cut(tmp_path: Path) -> None:
    weights = {"w": np.zeros((3, 3, 2, 2), np.float32)}
    weights["w"][range(3), range(3)] = 1
    nodes = [
        helper.make_node("Pad", ["input", "pads"], ["p"], mode="edge"),
        helper.make_node("ConvTranspose", ["p", "w"], ["output"], strides=[2, 2]),
    ]
    weights |= {"pads": np.array([0, 0, 2, 2, 0, 0, 2, 2], np.int64)}  # type: ignore[dict-item]
    source = save(tmp_path / "big.onnx", nodes, weights)
    _, detected = wrap_onnx(source, tmp_path / "o.onnx")
    assert detected.geometry.crop == (4, 4)
    frame = picture(31, 40, 3, 4)
    assert np.array_equal(upscale(tmp_path / "o.onnx", frame), repeated(frame))


@pytest.mark.parametrize("block", [2, 3, 4, 8])
def test_sides_that_are_no_multiple_are_padded(block: int, tmp_path: Path) -> None:
    weights = {"w": np.zeros((12 * block**2, 3 * block**2, 1, 1), np.float32)}
    big = 2 * block
    for place in range(big**2):
        row, column = divmod(place, big)
        for channel in range(3):
            source_place = (row // 2) * block + column // 2
            weights["w"][place * 3 + channel, source_place * 3 + channel] = 1
    nodes = [
        helper.make_node("SpaceToDepth", ["input"], ["s"], blocksize=block),
        helper.make_node("Conv", ["s", "w"], ["h"]),
        helper.make_node("DepthToSpace", ["h"], ["output"], blocksize=big),
    ]
    source = save(tmp_path / "p.onnx", nodes, weights)
    _, detected = wrap_onnx(source, tmp_path / "o.onnx")
    assert detected.geometry.multiple == block
    frame = picture(35, 50, 3, 5)
    assert np.array_equal(upscale(tmp_path / "o.onnx", frame), repeated(frame))


@pytest.mark.parametrize("opset", [9, 10, 11, 12, 13, 18])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_old_and_new_opsets(opset: int, scale: int, tmp_path: Path) -> None:
    weights = {
        "w": np.eye(3, dtype=np.float32)[..., None, None],
        "sc": np.array([1, 1, scale, scale], np.float32),
    }
    if opset == 9:
        up = helper.make_node("Upsample", ["h", "sc"], ["output"], mode="nearest")
    elif opset == 10:
        up = helper.make_node("Resize", ["h", "sc"], ["output"], mode="nearest")
    else:
        weights["roi"] = np.zeros(0, np.float32)
        up = helper.make_node(
            "Resize",
            ["h", "roi", "sc"],
            ["output"],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    nodes = [helper.make_node("Conv", ["input", "w"], ["h"]), up]
    source = save(tmp_path / "o.onnx", nodes, weights, opset=opset)
    card, _ = wrap_onnx(source, tmp_path / "mine.onnx")
    assert card.ratio == Fraction(scale)
    frame = picture(20, 28, 3, 6)
    assert np.array_equal(upscale(tmp_path / "mine.onnx", frame), repeated(frame, scale))


@pytest.mark.parametrize("name", FORMS)
def test_published_forms_are_imported(name: str, tmp_path: Path) -> None:
    source = form(name, tmp_path / "in.onnx")
    card, detected = wrap_onnx(source, tmp_path / "out.onnx")
    channels = 1 if name == "luma" else 3
    assert (card.channels, card.scale, card.width) == (channels, "2", None)
    frame = picture(29, 42, channels, 7)
    difference = np.abs(upscale(tmp_path / "out.onnx", frame).astype(int) - repeated(frame))
    assert difference.mean() < 6
    assert load_sidecar(tmp_path / "out.onnx").macs_720p > 0
    if name == "fixed size":
        assert "its fixed size made free" in detected.describe()


def test_one_of_two_outputs(tmp_path: Path) -> None:
    source = save(tmp_path / "two.onnx", *doubler())
    model = onnx.load(source)
    model.graph.output.append(helper.make_tensor_value_info("p", 1, [1, 8, "h", "w"]))
    onnx.save(model, source)
    with pytest.raises(ModelFileError, match=r"2 outputs, output, p: .* --output-name"):
        wrap_onnx(source, tmp_path / "o.onnx")
    card, _ = wrap_onnx(source, tmp_path / "o.onnx", ImportOptions(output_name="output"))
    assert card.scale == "2"
    with pytest.raises(ModelFileError, match="has no output 'x'; it has output, p"):
        wrap_onnx(source, tmp_path / "o.onnx", ImportOptions(output_name="x"))


def test_the_command_writes_and_keeps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = save(tmp_path / "s.onnx", *doubler())
    assert main([str(source), "-o", str(tmp_path / "mine.onnx")]) == 0
    assert "RGB NCHW, range" in capsys.readouterr().out
    assert main([str(source), "-o", str(tmp_path / "mine.onnx")]) == 1
    assert main([str(source), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main([str(source), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == first
    assert "(reused)" in captured.err
    assert Path(first["file"]).is_relative_to(tmp_path / "cache")
    assert main([str(source), "--range", "-1..1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] != first["file"]


def test_half_weights_of_an_old_opset_become_float32(tmp_path: Path) -> None:
    nodes, weights = doubler(kind=np.float16)
    nodes[0].input[0], nodes[-1].output[0] = "half", "u"
    nodes.insert(0, helper.make_node("Cast", ["input"], ["half"], to=TensorProto.FLOAT16))
    nodes.append(helper.make_node("Cast", ["u"], ["output"], to=TensorProto.FLOAT))
    source = save(tmp_path / "old.onnx", nodes, weights, opset=11)
    options = ImportOptions(input_range="0..1", output_range="0..1")
    wrap_onnx(source, tmp_path / "o.onnx", options)
    kinds = {item.data_type for item in onnx.load(tmp_path / "o.onnx").graph.initializer}
    assert TensorProto.FLOAT16 not in kinds


def test_an_input_without_a_shape_is_found_out(tmp_path: Path) -> None:
    def forget(model: onnx.ModelProto) -> None:
        for tensor in (model.graph.input[0], model.graph.output[0]):
            tensor.type.tensor_type.ClearField("shape")

    source = edited(tmp_path / "in.onnx", forget)
    options = ImportOptions(input_range="0..1", output_range="0..1")
    card, _ = wrap_onnx(source, tmp_path / "o.onnx", options)
    assert (card.scale, card.color) == ("2", "rgb")


@pytest.mark.parametrize("wild", ["one frame", "every frame", "wrong"])
def test_a_frame_on_which_the_network_itself_is_unstable_is_not_judged_by(
    tmp_path: Path, wild: str
) -> None:
    b = Builder()
    x = b.add("Cast", "float", ["frame"], to=TensorProto.FLOAT)
    b.add("Cast", "upscaled", [x], to=TensorProto.UINT8)
    shape = [1, "h", "w", 1]
    model = b.model([("frame", TensorProto.UINT8, shape), ("upscaled", TensorProto.UINT8, shape)])
    onnx.save(model, tmp_path / "same.onnx")
    asked: list[np.ndarray] = []

    def reference(x: np.ndarray) -> np.ndarray:
        """The frame, with noise that a change of 1e-6 turns around; or with 3 levels more."""
        new = not any(np.allclose(x, other, atol=1e-4) for other in asked if other.shape == x.shape)
        asked.extend([x] * new)
        if wild == "wrong":
            return x + 3 / 255
        first = np.allclose(x, asked[0], atol=1e-4) if x.shape == asked[0].shape else False
        return x + 0.05 * np.sin(1e8 * x) if first or wild == "every frame" else x

    def check() -> float:
        return check_parity(
            reference,
            tmp_path / "same.onnx",
            channels=1,
            geometry=Geometry(Fraction(1)),
            input_range=RANGES["0..1"],
            output_range=RANGES["0..1"],
        )

    if wild == "one frame":
        assert check() == 0.0
        assert len(asked) == 4  # of three sizes
    else:
        with pytest.raises(ModelFileError, match="differs from Keras"):
            check()
        assert len(asked) == (1 if wild == "wrong" else FRAMES)
