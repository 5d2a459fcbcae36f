"""Writing Q/DQ pairs into a float32 graph, exactly where a plan says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from calibration.quantize.placement import (
    Layer,
    Residual,
    concat_groups,
    residuals,
    weighted_layers,
)
from calibration.quantize.thresholds import LEVELS

SMALLEST_SCALE = 2.0**-14  # the least normal half; below, scales lose digits


@dataclass(frozen=True)
class Plan:
    """What becomes int8, and how."""

    layers: frozenset[str]  # weighted nodes
    clips: Mapping[str, float]  # tensor -> the magnitude that becomes 127
    float_residuals: frozenset[str] = frozenset()  # Add nodes whose identity stays as it is
    bias_shifts: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)  # layer -> (C,)
    levels: Mapping[str, NDArray[np.int8]] = field(default_factory=dict)  # layer -> its weight


def tensors_of(model: onnx.ModelProto, plan: Plan) -> dict[str, str]:
    """Every tensor that gets a Q/DQ pair -> the name its scale goes by (concatenations share)."""
    found = {layer.source for layer in weighted_layers(model) if layer.name in plan.layers}
    found |= {item.tensor for item in _residuals(model, plan)}
    groups = concat_groups(model, found)
    return {name: groups.get(name, name) for name in sorted(found | set(groups))}


def half_exact(scale: float) -> float:
    """The nearest positive scale that float16 holds exactly, so that both variants agree."""
    return float(np.float16(max(scale, SMALLEST_SCALE)))


def quantise(model: onnx.ModelProto, plan: Plan) -> onnx.ModelProto:
    """A copy of the float32 graph with int8 Q/DQ pairs, float32 around them.

    Weights are stored as int8 with one scale per output channel; biases stay float.
    """
    return Writer(model, plan).result()


def quantise_weight(
    weight: NDArray[np.float32], axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(int8 weight, float32 scales (C,)); the largest weight of each channel becomes +-127."""
    others = tuple(index for index in range(weight.ndim) if index != axis)
    peaks = np.max(np.abs(weight), axis=others) / LEVELS
    scales = np.array([_weight_scale(float(peak)) for peak in peaks], np.float32)
    shape = [-1 if index == axis else 1 for index in range(weight.ndim)]
    levels = np.clip(np.rint(weight / scales.reshape(shape)), -LEVELS, LEVELS)
    return levels.astype(np.int8), scales


def _weight_scale(scale: float) -> float:
    """As `half_exact`, but a silent channel may have a scale below the least normal half."""
    least = 2.0**-20
    return float(np.float16(max(scale, least)))


def _residuals(model: onnx.ModelProto, plan: Plan) -> list[Residual]:
    return [item for item in residuals(model, plan.layers) if item.name not in plan.float_residuals]


class Writer:
    """Writes one plan into one copy of a graph; other variants of the numbers override `grid`."""

    def __init__(self, model: onnx.ModelProto, plan: Plan) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.plan = plan
        self.leaders = tensors_of(model, plan)
        self.layers = {item.name: item for item in weighted_layers(model)}
        self.identities = {item.name: item.index for item in _residuals(model, plan)}
        self.weights = {item.name: item for item in model.graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.written: set[str] = set()

    def result(self) -> onnx.ModelProto:
        """The rewritten model; the one that was given stays as it is."""
        graph = self.model.graph
        for item in graph.input:
            self._pair(item.name)
        for node in list(graph.node):
            self.rewire(node)
            self.nodes.append(node)
            for name in node.output:
                self._pair(name)
        del graph.node[:], graph.value_info[:]
        graph.node.extend(self.nodes)
        used = {name for node in graph.node for name in node.input}
        for item in [item for item in graph.initializer if item.name not in used]:
            graph.initializer.remove(item)
        onnx.checker.check_model(self.model, full_check=True)
        return self.model

    def rewire(self, node: onnx.NodeProto) -> None:
        """Let a node read dequantised tensors where the plan says so."""
        if node.name in self.plan.layers:
            layer = self.layers[node.name]
            self._shift_bias(node)
            node.input[0] = f"{layer.source}_dq"
            node.input[1] = self._weight(layer)
        elif node.name in self.identities:
            index = self.identities[node.name]
            node.input[index] = f"{node.input[index]}_dq"
        elif node.op_type == "Concat" and node.output[0] in self.leaders:
            for index, name in enumerate(node.input):
                if name in self.leaders:
                    node.input[index] = f"{name}_dq"

    def _pair(self, tensor: str) -> None:
        """Q and DQ behind the node that makes a tensor."""
        if tensor not in self.leaders:
            return
        leader = self.leaders[tensor]
        step, zero_point = self.grid(leader)
        scale = self.constant(f"{leader}_scale", np.array(step, np.float32))
        zero = self.constant(f"{zero_point.dtype}_{zero_point}", zero_point)
        quantised, result = f"{tensor}_q", f"{tensor}_dq"
        self.nodes += [
            helper.make_node("QuantizeLinear", [tensor, scale, zero], [quantised], quantised),
            helper.make_node("DequantizeLinear", [quantised, scale, zero], [result], result),
        ]

    def grid(self, leader: str) -> tuple[float, NDArray[np.generic]]:
        """(scale, zero point) of the tensors that share a leader's: symmetric int8."""
        return half_exact(self.clip(leader) / LEVELS), np.array(0, np.int8)

    def clip(self, leader: str) -> float:
        """The magnitude that the largest level stands for."""
        return max(self.plan.clips[name] for name, other in self.leaders.items() if other == leader)

    def _weight(self, layer: Layer) -> str:
        """Dequantised levels, a layer's own: ONNX Runtime fails on some that are shared."""
        own = self.plan.levels.get(layer.name)
        stem = f"{layer.name}_weight"
        result = f"{stem}_dq"
        weight = numpy_helper.to_array(self.weights[layer.weight])
        levels, scales = quantise_weight(weight, layer.axis)
        names = [
            self.constant(f"{stem}_int8", levels if own is None else own),
            self.constant(f"{stem}_scale", scales),
            self.constant(f"{stem}_zero", np.zeros(len(scales), np.int8)),
        ]
        self.nodes.append(
            helper.make_node("DequantizeLinear", names, [result], result, axis=layer.axis)
        )
        return result

    def _shift_bias(self, node: onnx.NodeProto) -> None:
        shift = self.plan.bias_shifts.get(node.name)
        if shift is None:
            return
        name = f"{node.name}_bias_corrected"
        if len(node.input) > 2 and node.input[2]:
            shift = numpy_helper.to_array(self.weights[node.input[2]]) + shift
        self.constant(name, shift.astype(np.float32))
        del node.input[2:]
        node.input.append(name)

    def constant(self, name: str, value: np.ndarray) -> str:
        """The name of an initialiser of this value, written once."""
        if name not in self.written:
            self.written.add(name)
            self.model.graph.initializer.append(numpy_helper.from_array(value, name))
        return name
