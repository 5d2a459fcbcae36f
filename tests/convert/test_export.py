"""Keras -> ONNX: the file contract, equality with Keras, and layers of other people."""

from __future__ import annotations

import itertools
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from convert.keras.export import export_here
from edge_sr import Upscaler
from edge_sr.model.sidecar import load_sidecar, sha256_of
from tests.convert.operators import VERSIONS, complaints

keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def exported(tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("onnx")
    paths = {name: folder / f"{path.stem}.onnx" for name, path in tiny.items()}
    for name, path in paths.items():
        export_here(tiny[name], path)
    return paths


def run(path: Path, frame: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"frame": frame})[0]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "scale"), [("2", 2), ("3/2", 1.5), ("deep", 2)])
@pytest.mark.parametrize("size", [(32, 48), (33, 47), (5, 64)])
def test_any_size_goes_through_odd_ones_cropped(
    exported: dict[str, Path], name: str, scale: float, size: tuple[int, int]
) -> None:
    frame = np.random.default_rng(1).integers(0, 256, (1, *size, 1), dtype=np.uint8)
    result = run(exported[name], frame)
    assert result.shape == (1, int(size[0] * scale), int(size[1] * scale), 1)
    assert result.dtype == np.uint8


@pytest.mark.slow
def test_the_file_is_keras_function_to_a_grey_level(
    tiny: dict[str, Path], exported: dict[str, Path]
) -> None:
    import training.models  # noqa: F401 - registers the layers

    frame = np.random.default_rng(2).integers(0, 256, (1, 40, 36, 1), dtype=np.uint8)
    for name in ("2", "3/2"):
        model = keras.saving.load_model(tiny[name], compile=False, safe_mode=True)
        expected = np.clip(np.rint(np.asarray(model(frame.astype(np.float32)))), 0, 255)
        difference = np.abs(run(exported[name], frame) - expected)
        assert difference.max() <= 1
        assert np.mean(difference > 0) <= 1e-3


def test_tensorrt_takes_the_graph(exported: dict[str, Path]) -> None:
    for version, path in itertools.product(VERSIONS, exported.values()):
        assert complaints(onnx.load(path), version) == [], path


def test_the_graph_is_clean(exported: dict[str, Path]) -> None:
    graph = onnx.load(exported["2"]).graph
    operators = {node.op_type for node in graph.node}
    assert operators.isdisjoint({"Transpose", "Reshape", "Gather", "Identity", "Tile"})
    assert [node.op_type for node in graph.node].count("DepthToSpace") == 1
    for node in graph.node:
        attributes = {item.name for item in node.attribute}
        assert "auto_pad" not in attributes, node.name
    pads = [node for node in graph.node if node.op_type == "Pad"]
    assert {onnx.helper.get_node_attr_value(node, "mode") for node in pads} == {b"edge"}
    read = {name for node in graph.node for name in node.input}
    assert {item.name for item in graph.initializer} <= read


def test_the_ends_are_the_contract(exported: dict[str, Path]) -> None:
    graph = onnx.load(exported["3/2"]).graph
    for end, name in ((graph.input[0], "frame"), (graph.output[0], "upscaled")):
        assert end.name == name
        assert end.type.tensor_type.elem_type == onnx.TensorProto.UINT8
        dims = end.type.tensor_type.shape.dim
        assert (dims[0].dim_value, dims[3].dim_value) == (1, 1)
        assert all(dim.dim_param for dim in dims[1:3])


def test_the_sidecar_has_the_history(tiny: dict[str, Path], exported: dict[str, Path]) -> None:
    sidecar = load_sidecar(exported["3/2"])
    assert sidecar.ratio == Fraction(3, 2)
    assert sidecar.architecture == "edge_unet"
    assert sidecar.made_from_sha256 == sha256_of(tiny["3/2"])
    # stem 1x4, encode, down, lower, decode 4x4: 3x3 with bias; up 1x1; head 4->9
    assert sidecar.parameters == 40 + 4 * (9 * 16 + 4) + (16 + 4) + (9 * 4 * 9 + 9)
    full, half = 720 * 1280, 360 * 640
    convolutions = 9 * (4 + 16 + 16) * full + 9 * (16 + 16 + 36) * half + 16 * half + 36 * 9 * half
    assert sidecar.macs_720p == convolutions
    assert {"keras", "tensorflow", "tf2onnx", "onnx"} <= set(sidecar.tools)


def test_a_baseline_is_named_by_the_recipe_that_trained_it(tmp_path: Path) -> None:
    from training.models import unet_2020

    source = tmp_path / "best.keras"
    unet_2020(scale="2", height=80, width=160).save(source)
    assert export_here(source, tmp_path / "bare.onnx").architecture == "unet-2020-320x160"
    source.with_name("best.keras.json").write_text('{"recipe": {"architecture": "unet_2020"}}')
    assert export_here(source, tmp_path / "trained.onnx").architecture == "unet_2020"


def test_what_works_at_its_own_size_alone_keeps_it(tmp_path: Path) -> None:
    from training.models import ARCHITECTURES  # noqa: F401 - registers the layers
    from training.models.layers import DepthToSpace

    frame = keras.Input((80, 160, 1))  # 16x32 after the patches, 15x30 after the convolution
    x = keras.layers.Rescaling(1 / 255)(frame)
    x = keras.layers.Conv2D(25, 5, strides=5)(x)
    x = keras.layers.Conv2D(64, (2, 3))(x)
    made = keras.layers.Rescaling(255.0)(DepthToSpace(8)(x))
    keras.Model(frame, made, name="patches").save(tmp_path / "patches.keras")
    sidecar = export_here(tmp_path / "patches.keras", tmp_path / "patches.onnx")
    assert (sidecar.width, sidecar.height, sidecar.scale) == (160, 80, "3/2")


def test_a_fixed_size_needs_no_padding_where_it_fits(
    tiny: dict[str, Path], exported: dict[str, Path], tmp_path: Path
) -> None:
    even, odd = tmp_path / "even.onnx", tmp_path / "odd.onnx"
    sidecar = export_here(tiny["2"], even, size=(40, 64))
    export_here(tiny["2"], odd, size=(41, 63))
    assert (sidecar.width, sidecar.height) == (64, 40)
    assert (sidecar.output_width, sidecar.output_height) == (128, 80)
    names = {node.name for node in onnx.load(even).graph.node}
    assert names.isdisjoint({"frame_padded", "cropped"})
    for path, size in ((even, (40, 64)), (odd, (41, 63))):
        frame = np.random.default_rng(3).integers(0, 256, (1, *size, 1), dtype=np.uint8)
        # the two graphs are optimised apart: a value between two levels may fall either way
        difference = np.abs(run(path, frame).astype(int) - run(exported["2"], frame))
        assert difference.max() <= 1
        assert np.mean(difference > 0) <= 1e-3


def test_an_external_models_rgb_model_in_0_to_1_runs_through_the_python_api(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.UpSampling2D(2, interpolation="nearest"),
            keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(3, 3, padding="same"),
        ],
        name="hers",
    )
    model.save(tmp_path / "hers.keras")
    sidecar = export_here(
        tmp_path / "hers.keras", tmp_path / "hers.onnx", input_range="0..1", output_range="0..1"
    )
    assert (sidecar.color, sidecar.scale, sidecar.architecture) == ("rgb", "2", "hers")
    image = np.random.default_rng(4).integers(0, 256, (21, 34, 3), dtype=np.uint8)
    expected = np.clip(np.rint(np.asarray(model(image[None] / np.float32(255)))[0] * 255), 0, 255)
    with Upscaler.open(str(tmp_path / "hers.onnx")) as upscaler:
        difference = np.abs(upscaler.upscale(image) - expected)
    assert difference.max() <= 1


def test_a_layer_that_needs_its_size_keeps_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = keras.layers
    source = keras.Input((24, 32, 3))
    flat = layers.Reshape((24, 32, 3))(layers.Reshape((24 * 32 * 3,))(source))
    up = layers.UpSampling2D(2)(flat)
    keras.Model(source, layers.Conv2D(3, 3, padding="same")(up)).save(tmp_path / "m.keras")
    card = export_here(
        tmp_path / "m.keras", tmp_path / "m.onnx", input_range="0..1", output_range="0..1"
    )
    assert (card.width, card.height, card.window) == (32, 24, (32, 24))
    assert "made free" not in capsys.readouterr().out


def _free(make: Any, channels: int = 3) -> Any:
    source = keras.Input((None, None, channels))
    return keras.Model(source, make(source))


def _layers() -> dict[str, Any]:
    layers = keras.layers

    def conv(filters: int = 3, **options: Any) -> Any:
        return layers.Conv2D(filters, 3, padding="same", **options)

    def up(x: Any) -> Any:
        return conv()(layers.UpSampling2D(2)(x))

    def half() -> Any:
        keras.mixed_precision.set_global_policy("mixed_float16")
        try:
            return _free(lambda x: conv(dtype="float32")(layers.UpSampling2D(2)(conv(8)(x))))
        finally:
            keras.mixed_precision.set_global_policy("float32")

    def integers() -> Any:
        source = keras.Input((None, None, 3), dtype="uint8")
        return keras.Model(source, layers.Rescaling(255.0)(up(layers.Rescaling(1 / 255)(source))))

    def inside() -> Any:  # a model as a layer of another one
        return keras.Sequential([keras.Input((None, None, 8)), layers.UpSampling2D(2)])

    return {
        "x3": lambda: _free(lambda x: conv()(layers.UpSampling2D(3)(x))),
        "bilinear": lambda: _free(lambda x: conv()(layers.UpSampling2D(2, None, "bilinear")(x))),
        "x1.5": lambda: _free(lambda x: layers.AveragePooling2D(2)(layers.UpSampling2D(3)(x))),
        "groups of one": lambda: _free(lambda x: up(layers.GroupNormalization(-1)(conv(8)(x)))),
        "two groups": lambda: _free(lambda x: up(layers.GroupNormalization(2)(conv(8)(x)))),
        "normalization": lambda: _free(
            lambda x: up(layers.Normalization(mean=[0.4] * 3, variance=[0.1] * 3)(x))
        ),
        "gelu": lambda: _free(lambda x: up(conv(8, activation="gelu")(x))),
        "grouped": lambda: _free(lambda x: up(conv(6, groups=3)(x))),
        "separable": lambda: _free(lambda x: up(layers.SeparableConv2D(6, 3, padding="same")(x))),
        "mixed_float16": half,
        "uint8 input": integers,
        "one size": lambda: keras.Sequential([keras.Input((40, 48, 3)), conv(8), inside(), conv()]),
        "sequential without input": lambda: keras.Sequential(
            [conv(8), layers.UpSampling2D(2), conv()]
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", _layers())
def test_layers_of_other_people(name: str, tmp_path: Path) -> None:
    """`export_here` itself compares the file with Keras at several sizes."""
    keras.utils.set_random_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's own, of a model without an input
        _layers()[name]().save(tmp_path / "m.keras")
    asked = "auto" if name == "uint8 input" else "0..1"
    card = export_here(
        tmp_path / "m.keras", tmp_path / "m.onnx", input_range=asked, output_range=asked
    )
    assert card.scale == {"x3": "3", "x1.5": "3/2"}.get(name, "2")
    assert card.width is None
    for version in VERSIONS:
        assert complaints(onnx.load(tmp_path / "m.onnx"), version) == []
