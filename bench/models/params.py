"""Parameters, multiply-accumulates and activation bytes of an ONNX file, for a frame size.

Shapes are inferred by onnx; the small arithmetic on shapes (padding to a multiple, cropping back)
is evaluated on the way, so that a file can be counted at any size without running it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.models.graph import Counts, Graph, Node, Tensor
from bench.models.layers import count_graph
from edge_sr.errors import MissingDependencyError, ModelFileError
from edge_sr.model.onnx_file import refuse_external_data

if TYPE_CHECKING:
    import onnx

SMALL = 64  # elements: constants up to this size are evaluated while shapes are inferred
PASSES = 64  # of inference and evaluation, at most

Array = NDArray[np.generic]
Shape = tuple[int, ...]


def count(path: Path, width: int, height: int, *, layout: str = "nhwc") -> Counts:
    """Count what one frame of ``width`` x ``height`` pixels costs.

    Args:
        layout: of the file's input, "nhwc" (our own files) or "nchw" (most others).

    Raises:
        ModelFileError: the file cannot be read, or a size in it cannot be inferred.
    """
    model = load_graph(path)
    where = f"{path}: cannot be counted at {width}x{height}"
    try:
        return count_graph(infer(model, width, height, layout), width, height)
    except KeyError as error:
        raise ModelFileError(f"{where}: the size of tensor {error} stays unknown") from error
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise ModelFileError(f"{where} ({str(error).strip().splitlines()[0]})") from error


def load_graph(path: Path) -> onnx.ModelProto:
    """Read an ONNX file. Weights outside the file are refused: they may name any path.

    Raises:
        ModelFileError: not an ONNX file, or its weights are elsewhere.
        MissingDependencyError: onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError(
            "onnx is not installed: pip install 'edge-sr[bench]'"
        ) from error
    refuse_external_data(path)
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's DecodeError has no public home
        raise ModelFileError(f"{path}: is not an ONNX file ({type(error).__name__})") from error
    if not model.graph.node or not model.graph.input:
        raise ModelFileError(f"{path}: holds no network")
    return model


def infer(model: onnx.ModelProto, width: int, height: int, layout: str) -> Graph:
    """The nodes and tensors of a model for one frame size; the model is left as it is.

    Tensors whose shape cannot be known are absent.
    """
    import onnx

    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    graph = fixed.graph
    dims = graph.input[0].type.tensor_type.shape.dim
    rows = 2 if layout == "nchw" else 1
    for index, value in ((0, 1), (rows, height), (rows + 1, width)):
        dims[index].dim_value = value
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    tensors: dict[str, Tensor] = {}
    for _ in range(PASSES):
        del graph.value_info[:]
        inferred = onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph
        tensors = _tensors(inferred)
        if not _fold(fixed, tensors):
            break
    nodes = tuple(
        Node(name=n.name, op=n.op_type, inputs=tuple(n.input), outputs=tuple(n.output))
        for n in graph.node
    )
    return Graph(nodes=nodes, tensors=tensors, outputs=tuple(item.name for item in graph.output))


def _tensors(graph: onnx.GraphProto) -> dict[str, Tensor]:
    found = {}
    for item in (*graph.input, *graph.value_info, *graph.output):
        kind = item.type.tensor_type
        if kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim):
            shape = tuple(int(dim.dim_value) for dim in kind.shape.dim)
            found[item.name] = _tensor(shape, kind.elem_type, constant=False)
    for item in graph.initializer:
        found[item.name] = _tensor(tuple(item.dims), item.data_type, constant=True)
    return found


def _tensor(shape: Shape, kind: int, *, constant: bool) -> Tensor:
    from onnx import TensorProto, helper

    size = helper.tensor_dtype_to_np_dtype(kind).itemsize
    real = kind not in (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)
    return Tensor(shape=shape, item_bytes=size, real=real, constant=constant)


def _fold(model: onnx.ModelProto, tensors: dict[str, Tensor]) -> bool:
    """Evaluate nodes on small known values into constants; True if shapes may now be clearer."""
    from onnx import numpy_helper

    graph, progress = model.graph, False
    known = {item.name: item for item in graph.initializer}
    for node in list(graph.node):
        inputs = [name for name in node.input if name]
        feeds: dict[str, Array]
        if node.op_type == "DequantizeLinear":
            continue  # a weight, not a size
        if node.op_type == "Shape" and node.input[0] in tensors:
            stand_in = np.broadcast_to(np.float32(0), tensors[node.input[0]].shape)
            feeds = {node.input[0]: stand_in}
        elif all(name in known and np.prod(known[name].dims) <= SMALL for name in inputs):
            feeds = {name: numpy_helper.to_array(known[name]) for name in inputs}
        else:
            continue
        for name, value in zip(node.output, _evaluate(model, node, feeds), strict=True):
            known[name] = numpy_helper.from_array(np.asarray(value), name)
            graph.initializer.append(known[name])
        graph.node.remove(node)
        progress = True
    return progress


def _evaluate(model: onnx.ModelProto, node: onnx.NodeProto, feeds: dict[str, Array]) -> list[Array]:
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), None)
        for name, value in feeds.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    alone = helper.make_model(
        helper.make_graph([node], "one", inputs, outputs), opset_imports=model.opset_import
    )
    return list(ReferenceEvaluator(alone).run(None, feeds))
