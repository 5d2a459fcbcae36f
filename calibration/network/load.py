"""Opening a float32 ONNX network for conversion: checked, as it is not trusted, and tidied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, version_converter

from calibration.network.frame_io import FrameIO, read_frame_io
from edge_sr.errors import ModelFileError
from edge_sr.model.onnx_file import refuse_external_data
from edge_sr.model.sidecar import sha256_of
from edge_sr.model.value_range import AUTO

CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")
QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "QLinearMatMul")
HALF_SCALES = 19  # the first opset in which scales may be float16
OLDEST_OPSET = 13  # the first with per-channel QuantizeLinear


@dataclass(frozen=True)
class Network:
    """A float32 super-resolution network: its graph, and what it takes and gives."""

    path: Path
    sha256: str  # of the file as it was read, hex
    model: onnx.ModelProto  # constants as initialisers, batch norms folded, node names unique
    io: FrameIO


def load_network(path: Path, *, input_range: str = AUTO, output_range: str = AUTO) -> Network:
    """Read, check and tidy a float32 ONNX file.

    Args:
        input_range, output_range: of a float network, as `read_frame_io`.

    Raises:
        ModelFileError: the file is missing or damaged, keeps weights in other files, is already
            quantised or half, holds an operator that cannot be converted, or is no image network.
    """
    model = _read(path)
    refuse_operators(path, model)
    _check_opset(path, model)
    fold_constants(model)
    _check_floats(path, model)
    fold_batch_norm(model)
    _name_nodes(model)
    io = read_frame_io(path, model, input_range=input_range, output_range=output_range)
    return Network(path, sha256_of(path), model, io)


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the standard operators that the file asks for."""
    return max(int(item.version) for item in model.opset_import if item.domain in ("", "ai.onnx"))


def raise_opset(network: Network) -> onnx.ModelProto:
    """The same graph at the opset that knows float16 scales, node names kept.

    Raises:
        ModelFileError: an operator has no form there.
    """
    model = network.model
    if opset_of(model) >= HALF_SCALES:
        return model
    try:
        newer = version_converter.convert_version(model, HALF_SCALES)
    except Exception as error:  # the converter's errors have no common public class
        reason = str(error).strip().splitlines()[0]
        raise ModelFileError(
            f"{network.path}: cannot be raised to opset {HALF_SCALES} for fp16 scales ({reason})"
        ) from error
    newer.ir_version = max(newer.ir_version, 9)
    names = [node.name for node in model.graph.node]
    if len(newer.graph.node) == len(names):
        for node, name in zip(newer.graph.node, names, strict=True):
            node.name = name
    return newer


def _read(path: Path) -> onnx.ModelProto:
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file; expected an .onnx file")
    refuse_external_data(path)
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's DecodeError is not public
        raise ModelFileError(f"{path}: not an ONNX file ({_line(error)})") from error
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise ModelFileError(f"{path}: not a valid ONNX model ({_line(error)})") from error
    return model


def refuse_operators(path: Path, model: onnx.ModelProto) -> None:
    """Raise ModelFileError for quantised nodes, branches, loops and operators of other domains."""
    for node in model.graph.node:
        if node.op_type in QUANTISED:
            raise ModelFileError(
                f"{path}: is quantised already ({node.op_type} {node.name}); give the float32 file"
            )
        if node.op_type in CONTROL_FLOW or node.domain not in ("", "ai.onnx"):
            name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            raise ModelFileError(
                f"{path}: operator {name} ({node.name}) cannot be converted; export the network "
                "to plain ONNX operators without branches or loops"
            )


def _check_opset(path: Path, model: onnx.ModelProto) -> None:
    if opset_of(model) < OLDEST_OPSET:
        raise ModelFileError(
            f"{path}: is opset {opset_of(model)}; expected {OLDEST_OPSET} or later: export it again"
        )


def _check_floats(path: Path, model: onnx.ModelProto) -> None:
    for item in model.graph.initializer:
        if item.data_type in (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16):
            raise ModelFileError(
                f"{path}: weight {item.name} is half precision already; give the float32 file"
            )
        plain = item.data_type == onnx.TensorProto.FLOAT
        if plain and not np.isfinite(numpy_helper.to_array(item)).all():
            raise ModelFileError(f"{path}: weight {item.name} holds NaN or infinity")


def fold_constants(model: onnx.ModelProto) -> None:
    """Constant nodes become initialisers."""
    graph = model.graph
    for node in list(graph.node):
        if node.op_type != "Constant":
            continue
        attribute = node.attribute[0]
        if attribute.name == "value":
            item = onnx.TensorProto()
            item.CopyFrom(attribute.t)
            item.name = node.output[0]
        else:
            kind = np.float32 if "float" in attribute.name else np.int64
            value = onnx.helper.get_attribute_value(attribute)
            item = numpy_helper.from_array(np.array(value, kind), node.output[0])
        graph.initializer.append(item)
        graph.node.remove(node)


def fold_batch_norm(model: onnx.ModelProto) -> None:
    """A BatchNormalization that alone reads a convolution becomes part of its weights and bias.

    With f = gamma / sqrt(variance + epsilon): weight * f, (bias - mean) * f + beta.
    """
    graph = model.graph
    constants = {item.name: item for item in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        conv = makers.get(norm.input[0])
        readers = sum(norm.input[0] in node.input for node in graph.node)
        known = all(name in constants for name in norm.input[1:])
        if conv is None or conv.op_type != "Conv" or readers != 1 or not known:
            continue
        if any(name not in constants for name in conv.input[1:]):
            continue
        gamma, beta, mean, variance = (
            numpy_helper.to_array(constants[name]).astype(np.float64) for name in norm.input[1:5]
        )
        epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
        factor = gamma / np.sqrt(variance + epsilon)
        weight = numpy_helper.to_array(constants[conv.input[1]])
        bias = numpy_helper.to_array(constants[conv.input[2]]) if len(conv.input) > 2 else 0.0
        folded = {
            f"{conv.output[0]}_folded_weight": weight * factor[:, None, None, None],
            f"{conv.output[0]}_folded_bias": (bias - mean) * factor + beta,
        }
        for name, value in folded.items():
            graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
        conv.input[:] = [conv.input[0], *folded]
        conv.output[0] = norm.output[0]
        graph.node.remove(norm)
    used = {name for node in graph.node for name in node.input}
    for item in [item for item in graph.initializer if item.name not in used]:
        graph.initializer.remove(item)


def _name_nodes(model: onnx.ModelProto) -> None:
    """Every node gets a name of its own: plans and reports speak of nodes by name."""
    taken: set[str] = set()
    for node in model.graph.node:
        wanted = node.name or node.output[0]
        name, count = wanted, 1
        while name in taken:
            count += 1
            name = f"{wanted}_{count}"
        taken.add(name)
        node.name = name


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
