"""Half precision: whole graphs, few casts, what cannot be half stays, the real builder takes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from beside import PEERS
from onnx import TensorProto

from calibration.network.compare import pooled_psnr, upscale_all
from calibration.network.fp16 import make_half
from calibration.network.half import to_half
from calibration.network.load import load_network
from calibration.network.rounding import rounded
from convert.precision import main
from edge_sr import zoo
from edge_sr.errors import ModelFileError
from edge_sr.model.sidecar import load_sidecar
from tests.calibration.networks import (
    Builder,
    external_model,
    luma_model,
    picture,
    save_luma,
)

SOME_PEERS = ("ETDS-T_M5C16", "ABPN_M4C28", "ECBSR_M4C16")


def casts(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "Cast"]


def kinds(model: onnx.ModelProto) -> set[int]:
    """Types of the float tensors between the nodes."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    found = {item.type.tensor_type.elem_type for item in inferred.graph.value_info}
    return found & {TensorProto.FLOAT, TensorProto.FLOAT16}


def test_frames_go_straight_to_half_and_back() -> None:
    model = to_half(luma_model())
    assert [node.name for node in casts(model)] == ["frame_float", "upscaled"]
    assert kinds(model) == {TensorProto.FLOAT16}
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8


def test_an_external_models_ends_stay_as_they_are() -> None:
    model = to_half(external_model())
    assert [(item.name, item.type.tensor_type.elem_type) for item in model.graph.output] == [
        ("y", TensorProto.FLOAT)
    ]
    assert len(casts(model)) == 2  # one at each end, none in between


def test_nodes_kept_in_float_share_their_casts() -> None:
    model = to_half(luma_model(), keep={"body0", "body0_relu", "body1"})
    assert len(casts(model)) == 2 + 2  # into the island and out of it
    makers = {node.output[0]: node for node in model.graph.node}
    for node in casts(model):
        source = makers.get(node.input[0])
        assert source is None or source.op_type != "Cast"


def test_rounding_is_what_a_gpu_stores_and_onnx_runtime_leaves_out() -> None:
    b = Builder()
    big = b.add("Add", "big", ["x", b.constant("offset", 2048.0)])
    b.add("Sub", "y", [big, "offset"])
    tensors = [(name, TensorProto.FLOAT, [1, 1, 1, 4]) for name in "xy"]
    model = b.model(tensors)
    values = np.array([[[[0.3, 1.4, 2.6, 3.7]]]], np.float32)
    session = onnxruntime.InferenceSession(
        rounded(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    assert session.run(None, {"x": values})[0].ravel().tolist() == [0, 2, 2, 4]


def overflowing() -> onnx.ModelProto:
    """Squares of 0..255 pass 65504; the constant 1e-9 is nothing in half."""
    b = Builder()
    x = b.add("Cast", "frame_float", ["frame"], to=TensorProto.FLOAT)
    x = b.add("Mul", "squared", [x, x])
    x = b.add("Mul", "thousandfold", [x, b.constant("thousand", 1000.0)])
    x = b.add("Mul", "tiny", [x, b.constant("small", 1e-9)])
    x = b.add("Sqrt", "root", [x])
    x = b.add("Mul", "back", [x, b.constant("scale", 1000.0)])
    x = b.add("Transpose", "nchw", [x], perm=[0, 3, 1, 2])
    x = b.add("Concat", "four", [x] * 4, axis=1)
    x = b.add("DepthToSpace", "shuffle", [x], blocksize=2)
    x = b.add("Round", "whole", [b.add("Transpose", "nhwc", [x], perm=[0, 2, 3, 1])])
    b.add("Cast", "upscaled", [x], to=TensorProto.UINT8)
    shapes = [("frame", [1, "h", "w", 1]), ("upscaled", [1, "H", "W", 1])]
    return b.model([(name, TensorProto.UINT8, shape) for name, shape in shapes])


def test_what_overflows_or_vanishes_is_found_by_running(tmp_path: Path) -> None:
    network = load_network(save_luma(tmp_path / "o.onnx", overflowing()))
    result = make_half(network, [picture(24, 32, 1, 0)])
    assert {"squared", "thousandfold", "tiny"} <= set(result.kept)
    assert "loses 100.0% in fp16" in result.kept["tiny"] or "reaches" in result.kept["tiny"]
    assert result.psnr_db >= 55


def test_the_command_writes_a_file_that_runs_and_its_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = save_luma(tmp_path / "x2.onnx"), tmp_path / "x2.fp16.onnx"
    command = ["--model", str(source), "--to", "fp16", "--output", str(output)]
    assert main(command) == 0
    assert "dB from fp32 (expected 55 or more), 0 nodes in fp32" in capsys.readouterr().out
    sidecar = load_sidecar(output)
    assert (sidecar.precision, sidecar.made_from) == ("fp16", "x2.onnx")
    assert sidecar.quality["fp16_psnr_db"] >= 55
    assert main(command) == 1
    assert "exists; use --force" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0
    assert {path.suffix for path in tmp_path.iterdir()} == {".onnx", ".json"}


def test_the_shipped_models_lose_little(tmp_path: Path) -> None:
    for name in zoo.names():
        path, sidecar = zoo.find(name)
        if sidecar.precision != "fp32":
            continue
        network = load_network(path)
        images = [picture(48, 64, network.io.channels, seed) for seed in range(2)]
        result = make_half(network, images)
        assert result.psnr_db >= 55
        assert not result.kept
        found, expected = (
            upscale_all(model, network.io, images) for model in (result.model, network.model)
        )
        assert pooled_psnr(found, expected) >= 55
        assert len(casts(result.model)) == 2


@pytest.mark.parametrize("name", SOME_PEERS)
def test_external_models_go_through_without_special_cases(name: str) -> None:
    path = PEERS / f"{name}_x2.onnx"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    network = load_network(path)
    result = make_half(network, [picture(40, 48, 3, 0)])
    assert result.psnr_db >= 55
    assert len(casts(result.model)) == 2


def test_half_files_are_not_converted_again(tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    onnx.save(to_half(luma_model()), path)
    with pytest.raises(ModelFileError, match="half precision already; give the float32 file"):
        load_network(path)
