"""The real builder takes every precision, strongly typed: TensorRT-RTX needs no GPU to build."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from beside import PEERS

from calibration.network.half import to_half
from calibration.network.load import Network, load_network
from calibration.quantize.check_rules import broken_rules
from calibration.quantize.int8 import raise_opset
from calibration.quantize.placement import (
    anchors,
    image_tensors,
    last_layers,
    quantisable,
    weighted_layers,
)
from calibration.quantize.qdq import Plan, quantise
from edge_sr import zoo
from tests.calibration.networks import scale_type

trt: Any = pytest.importorskip("tensorrt_rtx", reason="pip install 'edge-sr[dev]'")

FILES = [zoo.FOLDER / f"{name}.onnx" for name in zoo.names()]
FILES += [zoo.tensorrt_file(name)[0] for name in zoo.names()]
FILES += [PEERS / f"{name}_x2.onnx" for name in ("ETDS-T_M5C16", "ABPN_M4C28", "ECBSR_M4C16")]


def build(model: onnx.ModelProto) -> int:
    """Bytes of the engine; fails with the parser's message."""
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed)
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
    if not parser.parse(model.SerializeToString()):
        pytest.fail("; ".join(parser.get_error(i).desc() for i in range(parser.num_errors)))
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    source = network.get_input(0)
    if -1 in tuple(source.shape):
        frames = source.shape[3] in (1, 3)
        shapes = [
            (1, rows, columns, source.shape[3]) if frames else (1, source.shape[1], rows, columns)
            for rows, columns in ((64, 64), (720, 1280), (1080, 1920))
        ]
        profile.set_shape(source.name, *shapes)
        config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    assert engine is not None, "the builder gave no engine"
    return int(engine.nbytes)


def quantised(network: Network) -> onnx.ModelProto:
    """All layers but the last in int8; the numbers do not matter to the builder."""
    model = network.model
    layers = {layer.name for layer in weighted_layers(model)} - last_layers(model) - anchors(model)
    clips = {
        name: network.io.taken.levels if name in image_tensors(model) else 4.0
        for name in quantisable(model)
    }
    return quantise(model, Plan(frozenset(layers), clips))


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_precision_builds(path: Path) -> None:
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    if "QuantizeLinear" in {node.op_type for node in onnx.load(path).graph.node}:
        assert broken_rules(onnx.load(path)) == []
        assert build(onnx.load(path)) > 0
        return
    network = load_network(path)
    assert build(network.model) > 0
    assert build(to_half(network.model)) > 0
    single = quantised(network)
    assert build(single) > 0
    half = to_half(raise_opset(replace(network, model=single)))
    assert scale_type(half) == onnx.TensorProto.FLOAT16
    assert broken_rules(half) == []
    assert build(half) > 0
