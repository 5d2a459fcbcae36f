"""float32 graph -> float16 graph: every float tensor in half, a Cast only where the two meet."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from edge_sr.errors import ModelFileError

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
KEPT_INPUTS = {"Resize": (1, 2)}  # roi and scales: float32 by the operator's definition
UNTOUCHED = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "EyeLike")


def to_half(model: onnx.ModelProto, *, keep: Collection[str] = ()) -> onnx.ModelProto:
    """A copy in which float tensors are float16; the graph's own inputs and outputs stay.

    Constants become half with the nodes that read them. Arithmetic on sizes (whatever descends
    from a Shape alone) stays float32: half counts whole numbers only to 2048.

    Args:
        keep: names of nodes that go on computing in float32.

    Raises:
        ModelFileError: the types of the tensors cannot be inferred.
    """
    return _Halver(model, keep).result()


def float_tensors(model: onnx.ModelProto) -> set[str]:
    """Names of the float32 tensors that nodes make.

    Raises:
        ModelFileError: the types of the tensors cannot be inferred.
    """
    made = {name for node in model.graph.node for name in node.output if name}
    return {name for name, kind in _types(model).items() if kind == FLOAT and name in made}


def size_nodes(model: onnx.ModelProto) -> set[str]:
    """Names of the nodes that compute with sizes: what descends from Shape and nothing else."""
    known = {item.name for item in model.graph.initializer}
    sizes: set[str] = set()
    found = set()
    for node in model.graph.node:
        inputs = [name for name in node.input if name and name not in known]
        if node.op_type in ("ConstantOfShape", "Expand"):
            continue
        if node.op_type in ("Shape", "Size") or (inputs and sizes.issuperset(inputs)):
            sizes.update(node.output)
            found.add(node.name)
    return found


def _types(model: onnx.ModelProto) -> dict[str, int]:
    try:
        graph = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    except shape_inference.InferenceError as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelFileError(f"the types of its tensors cannot be inferred ({reason})") from error
    types = {
        item.name: item.type.tensor_type.elem_type
        for item in (*graph.input, *graph.value_info, *graph.output)
    }
    types.update({item.name: item.data_type for item in graph.initializer})
    unknown = [name for node in graph.node for name in node.output if name and not types.get(name)]
    if unknown:
        raise ModelFileError(f"the type of its tensor {unknown[0]} cannot be inferred")
    return types


class _Halver:
    """One conversion: tensors keep their names and change their type; casts are shared."""

    def __init__(self, model: onnx.ModelProto, keep: Collection[str]) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.types = _types(model)
        self.single = set(keep) | size_nodes(model)
        self.single |= {node.name for node in model.graph.node if node.op_type in UNTOUCHED}
        self.constants = {item.name: item for item in model.graph.initializer}
        self.stored = {item.name: FLOAT for item in model.graph.input}  # as the nodes give them
        self.made: dict[tuple[str, int], str] = {}  # (tensor, type) -> its name in that type
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, onnx.TensorProto] = {}

    def result(self) -> onnx.ModelProto:
        graph = self.model.graph
        outputs = {item.name for item in graph.output if self.types[item.name] == FLOAT}
        for node in list(graph.node):
            self._convert(node, outputs)
        for name in sorted(outputs):
            self._finish(name)
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(self.nodes)
        graph.initializer.extend(self.weights.values())
        onnx.checker.check_model(self.model, full_check=True)
        return self.model

    def _convert(self, node: onnx.NodeProto, outputs: set[str]) -> None:
        single = node.name in self.single
        fixed = KEPT_INPUTS.get(node.op_type, ())
        for index, name in enumerate(node.input):
            if name:
                wanted = FLOAT if single or index in fixed else HALF
                if node.op_type in ("Shape", "Size"):
                    wanted = self.stored.get(name, FLOAT)
                node.input[index] = self._as(name, wanted)
        if not single:
            _set_attributes(node)
        for index, name in enumerate(node.output):
            if self.types.get(name) == FLOAT:
                self.stored[name] = FLOAT if single else HALF
                if name in outputs and not single:
                    node.output[index] = f"{name}_half"
                    self.made[name, HALF] = f"{name}_half"
        self.nodes.append(node)

    def _as(self, name: str, wanted: int) -> str:
        """The name under which a node finds this tensor in the type it needs."""
        if name in self.constants:
            return self._constant(name, wanted)
        if self.types[name] != FLOAT:
            return name
        if (name, wanted) not in self.made:
            found = self.stored[name]
            if found == wanted:
                return name
            cast = f"{name}_{'half' if wanted == HALF else 'single'}"
            source = self.made.get((name, found), name)
            self.nodes.append(helper.make_node("Cast", [source], [cast], name=cast, to=wanted))
            self.made[name, wanted] = cast
        return self.made[name, wanted]

    def _constant(self, name: str, wanted: int) -> str:
        item = self.constants[name]
        if item.data_type != FLOAT or wanted == FLOAT:
            self.weights[name] = item
            return name
        half = f"{name}_half"
        with np.errstate(over="ignore"):  # the caller finds what overflows by running it
            value = numpy_helper.to_array(item).astype(np.float16)
        self.weights[half] = numpy_helper.from_array(value, half)
        return half

    def _finish(self, name: str) -> None:
        """A float output keeps its name and type."""
        if self.stored[name] == HALF:
            cast = helper.make_node("Cast", [f"{name}_half"], [name], f"{name}_single", to=FLOAT)
            self.nodes.append(cast)


def _set_attributes(node: onnx.NodeProto) -> None:
    """Attributes that name float32 for the output, or hold a float32 tensor."""
    for attribute in node.attribute:
        if attribute.name in ("to", "dtype", "output_dtype") and attribute.i == FLOAT:
            attribute.i = HALF
        if attribute.HasField("t") and attribute.t.data_type == FLOAT:
            value = numpy_helper.to_array(attribute.t).astype(np.float16)
            attribute.t.CopyFrom(numpy_helper.from_array(value))
