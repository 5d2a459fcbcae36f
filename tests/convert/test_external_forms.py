"""External models: what is found of them, and that the wrapped file computes what they compute."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from convert.import_onnx import main
from convert.onnx.tidy import read_external
from convert.onnx.wrap import wrap_onnx
from edge_sr.errors import ModelFileError
from edge_sr.model.import_options import ImportOptions
from edge_sr.model.sidecar import load_sidecar
from tests.calibration.networks import picture

Nodes = list[onnx.NodeProto]
ANY = ([1, 3, "h", "w"], [1, 3, "a", "b"])


def save(
    path: Path,
    nodes: Nodes,
    weights: dict[str, np.ndarray],
    shapes: tuple[list[Any], list[Any]] = ANY,
    *,
    opset: int = 17,
    kinds: tuple[int, int] = (TensorProto.FLOAT, TensorProto.FLOAT),
    inputs: bool = False,
) -> Path:
    """Write a network from ``input`` to ``output``."""
    taken = [helper.make_tensor_value_info("input", kinds[0], shapes[0])]
    if inputs:
        taken += [helper.make_tensor_value_info(n, 1, v.shape) for n, v in weights.items()]
    given = [helper.make_tensor_value_info("output", kinds[1], shapes[1])]
    stored = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", taken, given, stored)
    ir = 3 if inputs else 8
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir),
        path,
    )
    return path


def doubler(
    channels: int = 3, *, bias: float = 0.0, kind: Any = np.float32
) -> tuple[Nodes, dict[str, np.ndarray]]:
    """Convolution, PRelu, convolution, pixel shuffle: pixels are repeated, with a little noise."""
    rng = np.random.default_rng(0)
    first = rng.normal(0, 0.004, (8, channels, 3, 3))
    last = rng.normal(0, 0.004, (4 * channels, 8, 3, 3))
    for channel in range(channels):
        first[channel, channel, 1, 1] = 1
        last[4 * channel : 4 * channel + 4, channel, 1, 1] = 1
    nodes = [
        helper.make_node("Conv", ["input", "w", "b"], ["h"], pads=[1] * 4),
        helper.make_node("PRelu", ["h", "s"], ["p"]),
        helper.make_node("Conv", ["p", "w2"], ["q"], pads=[1] * 4),
        helper.make_node("DepthToSpace", ["q"], ["output"], blocksize=2, mode="CRD"),
    ]
    weights = {"w": first, "b": np.full(8, bias), "s": np.full((8, 1, 1), 0.25), "w2": last}
    return nodes, {name: value.astype(kind) for name, value in weights.items()}


def upscale(path: Path, frame: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    result: np.ndarray = session.run(None, {"frame": frame[None]})[0][0]
    return result


def repeated(frame: np.ndarray, scale: int = 2) -> np.ndarray:
    return frame.repeat(scale, 0).repeat(scale, 1)


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


def test_a_range_that_is_not_clear_is_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    weights = {"w": rng.normal(0, 0.3, (12, 3, 3, 3)).astype(np.float32)}
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["h"], pads=[1] * 4),
        helper.make_node("DepthToSpace", ["h"], ["output"], blocksize=2),
    ]
    source = save(tmp_path / "random.onnx", nodes, weights)
    with pytest.raises(ModelFileError, match=r"looks like no picture .*--range 0\.\.255"):
        wrap_onnx(source, tmp_path / "o.onnx")
    assert not (tmp_path / "o.onnx").exists()


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


@pytest.mark.parametrize("scales", [[1, 1, 2, 1], [1, 1, 3, 2]])
def test_unequal_rows_and_columns_are_refused(scales: list[int], tmp_path: Path) -> None:
    weights = {"sc": np.array(scales, np.float32)}
    nodes = [helper.make_node("Resize", ["input", "", "sc"], ["output"], mode="linear")]
    source = save(tmp_path / "a.onnx", nodes, weights)
    with pytest.raises(ModelFileError, match=r"rows are scaled by .* and columns by"):
        wrap_onnx(source, tmp_path / "o.onnx")


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


def form(name: str, path: Path) -> Path:
    """One of the forms in which networks are published."""
    half, float16 = doubler(kind=np.float16), TensorProto.FLOAT16
    inner, weights = doubler()
    inner[0].input[0], inner[-1].output[0] = "x", "y"
    turn_in = helper.make_node("Transpose", ["input"], ["x"], perm=[0, 3, 1, 2])
    turn_out = helper.make_node("Transpose", ["y"], ["output"], perm=[0, 2, 3, 1])
    keep_out = helper.make_node("Identity", ["y"], ["output"])
    flat = ([1, "h", "w", 3], [1, "a", "b", 3])
    if name == "half weights and tensors":
        return save(path, *half, kinds=(float16, float16))
    if name == "half inside":
        casts = [
            helper.make_node("Cast", ["input"], ["x"], to=float16),
            helper.make_node("Cast", ["y"], ["output"], to=TensorProto.FLOAT),
        ]
        nodes, weights = doubler(kind=np.float16)
        nodes[0].input[0], nodes[-1].output[0] = "x", "y"
        return save(path, [casts[0], *nodes, casts[1]], weights)
    if name == "channels last":
        return save(path, [turn_in, *inner, turn_out], weights, flat)
    if name == "channels last in, first out":
        return save(path, [turn_in, *inner, keep_out], weights, (flat[0], ANY[1]))
    if name == "batch of 4":
        return save(path, *doubler(), ([4, 3, "h", "w"], [4, 3, "a", "b"]))
    if name == "weights as inputs":
        return save(path, *doubler(), inputs=True, opset=13)
    if name == "fixed size":
        return save(path, *doubler(), ([1, 3, 48, 64], [1, 3, 96, 128]))
    if name == "luma":
        return save(path, *doubler(1), ([1, 1, "h", "w"], [1, 1, "a", "b"]))
    if name == "all free":
        return save(path, *doubler(), (["n", "c", "h", "w"], ["n", "c", "a", "b"]))
    if name == "bytes in and out":
        tensors = [
            helper.make_node("Cast", ["input"], ["x"], to=TensorProto.FLOAT),
            helper.make_node("Clip", ["y", "low", "high"], ["z"]),
            helper.make_node("Round", ["z"], ["r"]),
            helper.make_node("Cast", ["r"], ["output"], to=TensorProto.UINT8),
        ]
        weights |= {"low": np.array(0, np.float32), "high": np.array(255, np.float32)}
        uint8 = TensorProto.UINT8
        return save(path, [tensors[0], *inner, *tensors[1:]], weights, kinds=(uint8, uint8))
    source = save(path, *doubler())
    onnx.save(
        onnx.load(source),
        source,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=f"{path.name}.data",
        size_threshold=0,
    )
    return source


FORMS = (
    "half weights and tensors",
    "half inside",
    "channels last",
    "channels last in, first out",
    "batch of 4",
    "weights as inputs",
    "fixed size",
    "luma",
    "all free",
    "bytes in and out",
    "weights in another file",
)


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


def test_weights_elsewhere_are_not_followed(tmp_path: Path) -> None:
    source = form("weights in another file", tmp_path / "in.onnx")
    moved = tmp_path / "secret"
    (tmp_path / "in.onnx.data").rename(moved)
    for location in ("../secret", str(moved), "sub/secret", "in.onnx.data"):
        model = onnx.load(source, load_external_data=False)
        for item in model.graph.initializer:
            for entry in item.external_data:
                if entry.key == "location":
                    entry.value = location
        onnx.save(model, source)
        with pytest.raises(ModelFileError, match="expected a plain file beside it"):
            read_external(source)
    (tmp_path / "in.onnx.data").symlink_to(moved)
    with pytest.raises(ModelFileError, match="expected a plain file beside it"):
        read_external(source)


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


@pytest.mark.parametrize("words", [["--range", "banana"], ["--output-range=2..1"]])
def test_unknown_ranges_are_wrong_usage(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "x.onnx"), *words])
    assert ended.value.code == 2


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


def classifier(path: Path) -> Path:
    nodes, weights = doubler()
    nodes = [
        nodes[0],
        helper.make_node("GlobalAveragePool", ["h"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "fc"], ["output"]),
    ]
    return save(path, nodes, weights | {"fc": np.ones((8, 5), np.float32)}, (ANY[0], [1, 5]))


def changed(path: Path, **weights: np.ndarray) -> Path:
    nodes, known = doubler()
    return save(path, nodes, known | weights)


def edited(path: Path, edit: Callable[[onnx.ModelProto], object]) -> Path:
    model = onnx.load(save(path, *doubler()))
    edit(model)
    onnx.save(model, path)
    return path


NOT_TAKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "classifier": (classifier, "expected a picture"),
    "films": (
        lambda p: save(
            p,
            [helper.make_node("Conv", ["input", "k"], ["output"], pads=[1] * 6)],
            {"k": np.ones((3, 3, 3, 3, 3), np.float32)},
            ([1, 3, "t", "h", "w"], [1, 3, "t", "a", "b"]),
        ),
        "expected 4 axes",
    ),
    "texts": (
        lambda p: save(
            p,
            [helper.make_node("Identity", ["input"], ["output"])],
            {},
            kinds=(TensorProto.STRING, TensorProto.STRING),
        ),
        "its input is string",
    ),
    "weight of NaN": (
        lambda p: changed(p, b=np.full(8, np.nan, np.float32)),
        "weight b holds NaN or infinity",
    ),
    "no output": (lambda p: edited(p, lambda m: m.graph.ClearField("output")), "has no output"),
    "no opset": (lambda p: edited(p, lambda m: m.ClearField("opset_import")), "is of no opset"),
    "opset of the future": (lambda p: save(p, *doubler(), opset=99), "is of opset 99"),
    "four channels": (
        lambda p: save(p, *doubler(4), ([1, 4, "h", "w"], [1, 4, "a", "b"])),
        "takes 4 channels",
    ),
    "missing weight": (
        lambda p: edited(p, lambda m: m.graph.initializer.pop()),
        "ONNX Runtime cannot open the network",
    ),
}


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_what_is_no_picture_network_is_one_line(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, message = NOT_TAKEN[name]
    source = make(tmp_path / "in.onnx")
    assert main([str(source), "--range", "0..1", "-o", str(tmp_path / "o.onnx")]) == 1
    [line] = capfd.readouterr().err.splitlines()
    assert "in.onnx: " in line
    assert message in line
    assert not list(tmp_path.glob("o.onnx*"))


def test_an_input_without_a_shape_is_found_out(tmp_path: Path) -> None:
    def forget(model: onnx.ModelProto) -> None:
        for tensor in (model.graph.input[0], model.graph.output[0]):
            tensor.type.tensor_type.ClearField("shape")

    source = edited(tmp_path / "in.onnx", forget)
    options = ImportOptions(input_range="0..1", output_range="0..1")
    card, _ = wrap_onnx(source, tmp_path / "o.onnx", options)
    assert (card.scale, card.color) == ("2", "rgb")
