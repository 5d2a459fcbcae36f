"""Does an int8 file keep to the rules under which TensorRT fuses? Read from the file alone."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from calibration.quantize.placement import WEIGHTED, output_axis

PAIR = ("QuantizeLinear", "DequantizeLinear")


def broken_rules(model: onnx.ModelProto) -> list[str]:
    """One line for each broken rule; empty for a file that is as it should be.

    Symmetric int8 with zero points 0 and positive scales; weights per channel, activations per
    tensor; a weighted layer has both inputs quantised or neither, and a float bias; a residual
    addition at most one; a concatenation all with one scale, or none; nothing else reads a
    dequantised tensor, and no output of the graph is one.
    """
    return _Check(model).lines()


class _Check:
    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.constants = {
            item.name: numpy_helper.to_array(item) for item in model.graph.initializer
        }
        self.makers = {name: node for node in model.graph.node for name in node.output}
        self.dequantised = {
            node.output[0]: node for node in model.graph.node if node.op_type == PAIR[1]
        }

    def lines(self) -> list[str]:
        found: list[str] = []
        for node in self.graph.node:
            if node.op_type in PAIR:
                found += self._pair(node)
            elif node.op_type in WEIGHTED:
                found += self._weighted(node)
            else:
                found += self._other(node)
        for item in self.graph.output:
            if item.name in self.dequantised:
                found.append(f"output {item.name} is quantised")
        return found

    def _pair(self, node: onnx.NodeProto) -> list[str]:
        if len(node.input) < 3 or not {node.input[1], node.input[2]} <= set(self.constants):
            return [f"{node.name}: scale or zero point is no constant"]
        scale, zero = self.constants[node.input[1]], self.constants[node.input[2]]
        found = []
        if zero.dtype != np.int8 or np.any(zero):
            found.append(
                f"{node.name}: zero point is {zero.dtype} {zero.ravel()[0]}; expected int8 0"
            )
        if not (np.isfinite(scale).all() and np.all(scale > 0)):
            found.append(f"{node.name}: scale is not positive")
        if node.input[0] not in self.constants and scale.size != 1:
            found.append(f"{node.name}: an activation has {scale.size} scales; expected 1")
        maker = self.makers.get(node.input[0])
        if node.op_type == PAIR[1] and maker is not None and maker.op_type != PAIR[0]:
            found.append(f"{node.name}: dequantises what no QuantizeLinear made")
        return found

    def _weighted(self, node: onnx.NodeProto) -> list[str]:
        sides = [name in self.dequantised for name in node.input[:2]]
        if not any(sides):
            return []
        if not all(sides):
            return [f"{node.name}: only one of activation and weight is quantised"]
        found = []
        weight = self.dequantised[node.input[1]]
        levels, scale = (self.constants.get(name) for name in weight.input[:2])
        axis = output_axis(node)
        given = next((item.i for item in weight.attribute if item.name == "axis"), 1)
        if levels is None or levels.dtype != np.int8:
            return [f"{node.name}: its weight is not a constant of int8"]
        if scale is None or scale.shape != (levels.shape[axis],) or given != axis:
            found.append(f"{node.name}: weight scales are not one per output channel, axis {axis}")
        if len(node.input) > 2 and node.input[2] in self.dequantised:
            found.append(f"{node.name}: its bias is quantised")
        return found

    def _other(self, node: onnx.NodeProto) -> list[str]:
        read = [name for name in node.input if name in self.dequantised]
        if not read:
            return []
        if node.op_type == "Add":
            return [f"{node.name}: both sides are quantised"] if len(read) > 1 else []
        if node.op_type == "Concat":
            scales = {float(self.constants[self.dequantised[name].input[1]]) for name in read}
            good = len(read) == len(node.input) and len(scales) == 1
            return [] if good else [f"{node.name}: its inputs do not share one scale"]
        return [f"{node.name}: a {node.op_type} reads a quantised tensor"]


def int8_layers(model: onnx.ModelProto) -> list[str]:
    """Names of the weighted layers that compute in int8."""
    made = {node.output[0] for node in model.graph.node if node.op_type == PAIR[1]}
    return [
        node.name
        for node in model.graph.node
        if node.op_type in WEIGHTED and set(node.input[:2]) <= made
    ]


ZEROS = (0, 128)  # of what never is negative, of what may be


def broken_cpu_rules(model: onnx.ModelProto) -> list[str]:
    """One line for each broken rule; empty for a file that is as it should be.

    Activations uint8 with one positive scale and their zero at 0 or 128; weights int8 with zero
    points 0 and a scale per output channel; a quantised convolution has an int32 bias in steps of
    its sums, and its result, behind its ReLU if it has one, is quantised and read in no other
    form; no output of the graph is quantised.
    """
    graph = model.graph
    constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    dequantised = {node.output[0]: node for node in graph.node if node.op_type == PAIR[1]}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = [
        f"output {item.name} is quantised" for item in graph.output if item.name in dequantised
    ]
    for node in graph.node:
        if node.op_type in PAIR:
            found += _pair(node, constants)
    for node in [node for node in graph.node if node.name in int8_layers(model)]:
        found += _bias(node, dequantised, constants)
        after = readers[node.output[0]]
        if len(after) == 1 and after[0].op_type == "Relu":
            after = readers[after[0].output[0]]
        if [reader.op_type for reader in after] != [PAIR[0]]:
            found.append(f"{node.name}: its result is not quantised, or read in float too")
    return found


def _pair(node: onnx.NodeProto, constants: dict[str, np.ndarray]) -> list[str]:
    scale, zero = (constants.get(name) for name in node.input[1:3])
    if scale is None or zero is None:
        return [f"{node.name}: scale or zero point is no constant"]
    found = []
    if not (np.isfinite(scale).all() and np.all(scale > 0)):
        found.append(f"{node.name}: scale is not positive")
    if node.input[0] in constants:
        if zero.dtype not in (np.int8, np.int32) or np.any(zero):
            found.append(f"{node.name}: a constant's zero point is {zero.dtype}, or not 0")
    elif zero.dtype != np.uint8 or zero.ndim or int(zero) not in ZEROS:
        found.append(f"{node.name}: zero point is {zero.dtype} {zero}; expected uint8 0 or 128")
    return found


def _bias(
    node: onnx.NodeProto,
    dequantised: dict[str, onnx.NodeProto],
    constants: dict[str, np.ndarray],
) -> list[str]:
    if len(node.input) < 3 or not node.input[2]:
        return []
    pairs = [dequantised.get(name) for name in node.input]
    if pairs[2] is None or constants[pairs[2].input[0]].dtype != np.int32:
        return [f"{node.name}: its bias is not int32"]
    steps = [constants[pair.input[1]] for pair in pairs if pair is not None]
    good = len(steps) == 3 and np.allclose(steps[2], steps[0] * steps[1], rtol=1e-5)
    return [] if good else [f"{node.name}: its bias is not in steps of its sums"]
