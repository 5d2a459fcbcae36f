"""Does an int8 file keep to the rules under which ONNX Runtime fuses on a CPU?"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from convert.onnx.check_placement import PAIR, int8_layers

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
