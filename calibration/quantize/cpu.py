"""A plan as ONNX Runtime's integer kernels want it: the CPU's variant of the same numbers.

On x86 they take uint8 activations, int8 weights and an int32 bias, and fuse a convolution only
when its result is quantised too. TensorRT's variant (`qdq.quantise`) runs there in float, at half
the speed of the float32 file. What never is negative uses all 256 levels; the rest has its zero at
128 and the very levels of TensorRT's variant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from calibration.quantize.placement import Layer, weighted_layers
from calibration.quantize.qdq import SMALLEST_SCALE, Plan, Writer, quantise_weight, tensors_of

NARROW = 4  # input channels below which a float convolution is the faster one
ZERO, ALL = 128, 255  # the level of 0 in what may be negative; levels above 0 in what may not
LARGEST_BIAS = 2**31 - 1
KEEP_SIGN = ("Concat", "Resize", "MaxPool", "DepthToSpace", "Add", "Identity")


def results(model: onnx.ModelProto) -> dict[str, str]:
    """Convolution -> the tensor where its result is quantised: behind its ReLU, if it has one."""
    outputs = {item.name for item in model.graph.output}
    found = {}
    for layer in weighted_layers(model):
        readers = [node for node in model.graph.node if layer.output in node.input]
        if layer.op != "Conv" or layer.output in outputs or not readers:
            continue
        relu = len(readers) == 1 and readers[0].op_type == "Relu"
        found[layer.name] = readers[0].output[0] if relu else layer.output
    return found


def cpu_plan(model: onnx.ModelProto, plan: Plan, outputs: Mapping[str, float]) -> Plan:
    """The plan less the layers that would not run as integers.

    Args:
        outputs: tensors that may be quantised besides the plan's -> their clips.
    """
    behind = results(model)
    layers = {layer.name: layer for layer in weighted_layers(model)}
    constants = {item.name: item for item in model.graph.initializer}
    nodes = {node.name: node for node in model.graph.node}
    kept = frozenset(
        name
        for name in plan.layers
        if name in behind
        and constants[layers[name].weight].dims[1] >= NARROW
        and _bias_fits(nodes[name], layers[name], constants, plan)
    )
    while True:
        found = replace(plan, layers=kept)
        quantised = set(tensors_of(model, found))
        quantised |= {behind[name] for name in kept if behind[name] in outputs}
        fused = frozenset(name for name in kept if behind[name] in quantised)
        # ONNX Runtime makes int8 of any convolution between two pairs, asked or not
        threatened = {
            layer.source
            for layer in layers.values()
            if layer.name not in fused and behind.get(layer.name) in quantised
        }
        fused -= {
            name
            for name in fused
            if threatened.intersection((behind[name], _repeated(model, behind[name])))
        }
        if fused == kept:
            return found
        kept = fused


def _bias_fits(
    node: onnx.NodeProto, layer: Layer, constants: Mapping[str, onnx.TensorProto], plan: Plan
) -> bool:
    """Whether the bias can be said in int32 steps of the kernel's sums."""
    if len(node.input) < 3:
        return True
    bias = numpy_helper.to_array(constants[node.input[2]])
    bias = bias + plan.bias_shifts.get(layer.name, 0)
    _, scales = quantise_weight(numpy_helper.to_array(constants[layer.weight]), layer.axis)
    return bool(np.all(np.abs(bias) < LARGEST_BIAS * scales * plan.clips[layer.source] / ALL))


def missing_outputs(model: onnx.ModelProto, plan: Plan) -> list[str]:
    """Results of the plan's layers that the plan itself does not quantise, in order."""
    behind = results(model)
    every = cpu_plan(model, plan, {behind[name]: 1.0 for name in plan.layers if name in behind})
    inside = tensors_of(model, every)
    wanted = [behind[layer.name] for layer in weighted_layers(model) if layer.name in every.layers]
    return [name for name in wanted if name not in inside]


def quantise_for_cpu(
    model: onnx.ModelProto, plan: Plan, outputs: Mapping[str, float]
) -> onnx.ModelProto:
    """A copy of the float32 graph with uint8 Q/DQ pairs, float32 around them.

    Args:
        outputs: some of `missing_outputs` -> the magnitude that the largest level stands for;
            layers whose result is not quantised stay float.
    """
    found = cpu_plan(model, plan, outputs)
    behind = results(model)
    own = {behind[name]: outputs[behind[name]] for name in found.layers if behind[name] in outputs}
    return _CpuWriter(model, replace(found, clips={**plan.clips, **own}), own).result()


def nonnegative(model: onnx.ModelProto) -> set[str]:
    """Tensors that a ReLU made, and what keeps their sign."""
    found: set[str] = set()
    constants = {item.name for item in model.graph.initializer}
    for node in model.graph.node:
        inputs = [name for name in node.input if name and name not in constants]
        plain = node.op_type != "Add" or len(inputs) == len(node.input)
        keeps = node.op_type in KEEP_SIGN and inputs and plain and found.issuperset(inputs)
        if node.op_type == "Relu" or keeps:
            found.update(node.output)
    return found


class _CpuWriter(Writer):
    def __init__(self, model: onnx.ModelProto, plan: Plan, outputs: Mapping[str, float]) -> None:
        super().__init__(model, plan)
        behind = results(model)
        self.made = {behind[name] for name in plan.layers}
        self.positive = nonnegative(model)
        for name in outputs:
            self.leaders[name] = name
            if carried := _repeated(model, name):
                self.leaders[carried] = name
                self.plan = replace(self.plan, clips={**self.plan.clips, carried: outputs[name]})
                self.made.add(carried)

    def grid(self, leader: str) -> tuple[float, NDArray[np.generic]]:
        group = [name for name, other in self.leaders.items() if other == leader]
        if self.positive.issuperset(group):
            return max(self.clip(leader) / ALL, SMALLEST_SCALE), np.array(0, np.uint8)
        return super().grid(leader)[0], np.array(ZERO, np.uint8)

    def rewire(self, node: onnx.NodeProto) -> None:
        super().rewire(node)
        for index, name in enumerate(node.input):
            if name in self.made and name in self.leaders:
                node.input[index] = f"{name}_dq"  # one float reader more and nothing would fuse
        if node.name in self.plan.layers and len(node.input) > 2:
            node.input[2] = self._bias(self.layers[node.name], node.input[2])

    def _bias(self, layer: Layer, name: str) -> str:
        """The bias on the grid of the kernel's sums: activation scale times weight scale."""
        bias = self._value(name)
        _, scales = quantise_weight(self._value(layer.weight), layer.axis)
        step = self.grid(self.leaders[layer.source])[0] * scales.astype(np.float64)
        levels = np.rint(bias / step).astype(np.int32)
        stem = f"{layer.name}_bias"
        parts = [
            self.constant(f"{stem}_int32", levels),
            self.constant(f"{stem}_scale", step.astype(np.float32)),
            self.constant(f"{stem}_zero", np.zeros(len(levels), np.int32)),
        ]
        result = f"{stem}_dq"
        self.nodes.append(helper.make_node("DequantizeLinear", parts, [result], result, axis=0))
        return result

    def _value(self, name: str) -> NDArray[np.float32]:
        found = next(item for item in self.model.graph.initializer if item.name == name)
        return numpy_helper.to_array(found)


def _repeated(model: onnx.ModelProto, tensor: str) -> str | None:
    """What a nearest-neighbour Resize makes of a tensor that it alone reads."""
    readers = [node for node in model.graph.node if tensor in node.input]
    if len(readers) != 1 or readers[0].op_type != "Resize":
        return None
    modes = [item.s for item in readers[0].attribute if item.name == "mode"]
    return readers[0].output[0] if modes in ([], [b"nearest"]) else None
