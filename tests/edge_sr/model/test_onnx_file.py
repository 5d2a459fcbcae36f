"""Weights that an ONNX file keeps elsewhere are refused at every door."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr import Upscaler, zoo
from edge_sr.errors import EdgeSRError, ModelFileError
from edge_sr.model.onnx_file import refuse_external_data
from edge_sr.model.sidecar import sha256_of, write_sidecar

onnx = pytest.importorskip("onnx")
LOCATIONS = ("../secret.bin", "beside.bin", "link.bin", "/etc/hostname", "a/../../secret.bin", "")


def move_weight_out(model: onnx.ModelProto, location: str) -> None:
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)


@pytest.fixture(params=LOCATIONS)
def crafted(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A shipped model whose first weight lies elsewhere, with a sidecar that fits it."""
    folder = tmp_path / "models"
    folder.mkdir()
    for place in (tmp_path / "secret.bin", folder / "beside.bin"):
        place.write_bytes(bytes(4096))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    source, sidecar = zoo.find("edge-unet-s-x2")
    model = onnx.load(source)
    move_weight_out(model, request.param)
    path = folder / "crafted.onnx"
    path.write_bytes(model.SerializeToString())
    write_sidecar(path, replace(sidecar, name="crafted", sha256=sha256_of(path)))
    return path


def open_it(path: Path) -> None:
    Upscaler.open(str(path))


def calibrate_it(path: Path) -> None:
    from calibration.network.load import load_network

    load_network(path)


def verify_it(path: Path) -> None:
    from convert.verify import verify

    verify(path, path, None, count=1)


def count_it(path: Path) -> None:
    from bench.models.params import load_graph

    load_graph(path)


@pytest.mark.parametrize("door", [open_it, calibrate_it, verify_it, count_it])
def test_every_door_refuses_weights_in_other_files(
    crafted: Path, door: Callable[[Path], None]
) -> None:
    with pytest.raises(ModelFileError, match="keeps weights in other files") as error:
        door(crafted)
    assert str(crafted) in str(error.value)


def in_a_constant(model: onnx.ModelProto) -> None:
    value = onnx.TensorProto(name="v", data_type=1, dims=[4], data_location=1)
    model.graph.node.append(onnx.helper.make_node("Constant", [], ["v"], value=value))


def in_a_branch(model: onnx.ModelProto) -> None:
    inner = onnx.GraphProto(name="inner")
    inner.initializer.add(name="v", data_type=1, dims=[4], data_location=1)
    model.graph.node.append(onnx.helper.make_node("If", ["c"], ["v"], then_branch=inner))


def in_a_function(model: onnx.ModelProto) -> None:
    value = onnx.TensorProto(name="v", data_type=1, dims=[4], data_location=1)
    node = onnx.helper.make_node("Constant", [], ["v"], value=value)
    model.functions.add(name="f", domain="d").node.append(node)


def in_a_sparse_weight(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add(dims=[4]).values.data_location = 1


def only_named(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].external_data.add(key="location", value="x")


@pytest.mark.parametrize(
    "hide", [in_a_constant, in_a_branch, in_a_function, in_a_sparse_weight, only_named]
)
def test_no_place_within_the_file_hides_it(
    hide: Callable[[onnx.ModelProto], None], tmp_path: Path
) -> None:
    model = onnx.load(zoo.find("edge-unet-s-x2")[0])
    hide(model)
    path = tmp_path / "x.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="keeps weights in other files"):
        refuse_external_data(path)


@pytest.mark.parametrize("name", [*zoo.names(), *zoo.names("int8")])
def test_shipped_files_are_whole(name: str) -> None:
    refuse_external_data(zoo.find(name)[0])


@pytest.mark.parametrize(
    "data", [b"", b"\x0b", b"\x3a\xff", b"\xff" * 20, b"\x00\x00", b"\x39\x00"]
)
def test_what_is_no_onnx_file_is_named(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"x\.onnx: not an ONNX file"):
        refuse_external_data(path)


def test_deep_nesting_is_refused_before_python_s_own_limit(tmp_path: Path) -> None:
    data = b""
    for _ in range(400):
        data = b"\x32" + onnx_varint(len(data)) + data  # attribute.g
        data = b"\x2a" + onnx_varint(len(data)) + data  # node.attribute
        data = b"\x0a" + onnx_varint(len(data)) + data  # graph.node
    path = tmp_path / "x.onnx"
    path.write_bytes(b"\x3a" + onnx_varint(len(data)) + data)
    with pytest.raises(ModelFileError, match="nested deeper than 64"):
        refuse_external_data(path)


def onnx_varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def test_damage_is_our_error_or_none(tmp_path: Path) -> None:
    whole = zoo.find("edge-unet-s-x2")[0].read_bytes()[:20_000]
    rng = random.Random(0)  # noqa: S311 - no secret
    path = tmp_path / "x.onnx"
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 8, 64))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            refuse_external_data(path)
        except EdgeSRError:
            refused += 1
    assert refused == 300  # cut off as it is, no damage makes it whole
