"""Any published ONNX file -> one plain float32 graph of a recent opset, which computes the same.

Weights in a file beside it are read in, weights listed as inputs become constants, half and double
precision becomes float32, a fixed batch becomes 1, and all outputs but one go.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper, version_converter
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from calibration.network.load import fold_constants, opset_of, refuse_operators
from convert.onnx.graph import OPSET
from edge_sr.errors import ModelFileError

OLDEST_OPSET = 13  # the first with per-channel QuantizeLinear; older files are raised
OLDEST_IR = 8
FLOATS = {TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}
LARGEST = 4 << 30  # bytes of weights that are read in


def read_external(path: Path) -> tuple[onnx.ModelProto, list[Path]]:
    """Read an ONNX file with its weights, and the files beside it that hold them.

    Raises:
        ModelFileError: missing, damaged, or its weights are not in plain files of its own folder.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file; expected an .onnx file")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's DecodeError is not public
        raise ModelFileError(f"{path}: not an ONNX file ({first_line(error)})") from error
    if not model.graph.node:
        raise ModelFileError(f"{path}: not an ONNX file (it has no operators)")
    used = [_read_in(path, item) for item in _tensors(model.graph) if uses_external_data(item)]
    return model, sorted(set(used))


def tidy(path: Path, model: onnx.ModelProto, *, output_name: str = "") -> list[str]:
    """Change the model in place as the module says. Returns a phrase for each change.

    Args:
        output_name: which output is the picture; "" for the only one, or the only one that can be.

    Raises:
        ModelFileError: an operator that cannot be converted, no or several pictures, or an opset
            that cannot be raised.
    """
    _refuse_numbers(path, model)
    refuse_operators(path, model)
    done = []
    graph = model.graph
    weights = {item.name for item in graph.initializer}
    if weights.intersection(item.name for item in graph.input):
        inputs = [item for item in graph.input if item.name not in weights]
        del graph.input[:]
        graph.input.extend(inputs)
        done.append("weights were listed as inputs")
    model.ir_version = max(model.ir_version, OLDEST_IR)
    if not graph.output:
        raise ModelFileError(f"{path}: has no output; is it whole?")
    if len(graph.input) != 1:
        names = ", ".join(item.name for item in graph.input)
        raise ModelFileError(f"{path}: has {len(graph.input)} inputs ({names}); expected one image")
    if len(graph.output) > 1 or output_name:
        _keep_output(path, graph, output_name)
        done.append(f"output {graph.output[0].name}")
    fold_constants(model)
    if opset_of(model) < OLDEST_OPSET:
        done.append(f"opset {opset_of(model)} raised to {OPSET}")
        raised = _raise(path, model)
        model.CopyFrom(raised)
        graph = model.graph  # the one before is no part of the model any more
    if _to_single(graph):
        done.append("half precision made float32")
    dims = graph.input[0].type.tensor_type.shape.dim
    if not graph.input[0].type.tensor_type.HasField("shape"):
        dims.extend(onnx.TensorShapeProto.Dimension() for _ in range(4))
    if dims and dims[0].dim_value > 1:
        done.append(f"batch of {dims[0].dim_value} made 1")
    if dims:
        dims[0].dim_value = 1
    del graph.value_info[:]
    for dim in graph.output[0].type.tensor_type.shape.dim:
        dim.Clear()
    return done


def free_size(model: onnx.ModelProto, axes: Sequence[int]) -> onnx.ModelProto:
    """A copy whose input has no fixed size on these two axes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    dims = copy.graph.input[0].type.tensor_type.shape.dim
    for axis, name in zip(axes, ("height", "width"), strict=True):
        dims[axis].dim_param = name
    return copy


def _tensors(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    found = list(graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                found.append(attribute.t)
            if attribute.HasField("g"):
                found += _tensors(attribute.g)
    return found


def _read_in(path: Path, item: onnx.TensorProto) -> Path:
    """Put the weights of one tensor into it; they may lie in the file's own folder alone."""
    info = ExternalDataInfo(item)
    folder = path.resolve().parent
    place = folder / info.location
    plain = not Path(info.location).is_absolute() and len(Path(info.location).parts) == 1
    if not plain or place.is_symlink() or not place.is_file() or place.resolve().parent != folder:
        raise ModelFileError(
            f"{path}: keeps weights in {info.location!r}; expected a plain file beside it"
        )
    size = place.stat().st_size
    offset, length = info.offset or 0, info.length
    length = size - offset if length is None else length
    if offset < 0 or length < 0 or offset + length > size or length > LARGEST:
        raise ModelFileError(f"{place}: has {size} bytes, {path.name} asks for more; is it whole?")
    with place.open("rb") as file:
        file.seek(offset)
        item.raw_data = file.read(length)
    item.ClearField("external_data")
    item.data_location = TensorProto.DEFAULT
    return place


def _refuse_numbers(path: Path, model: onnx.ModelProto) -> None:
    """Refuse an opset that is not known here, and weights that are no numbers."""
    versions = [item.version for item in model.opset_import if item.domain in ("", "ai.onnx")]
    newest = onnx.defs.onnx_opset_version()
    if not versions or max(versions) > newest:
        found = f"opset {max(versions)}" if versions else "no opset"
        raise ModelFileError(
            f"{path}: is of {found}; the installed onnx knows 1 to {newest}: pip install --upgrade "
            "onnx onnxruntime, or export it again with an older one"
        )
    for item in model.graph.initializer:
        if item.data_type == TensorProto.FLOAT or item.data_type in FLOATS:
            value = numpy_helper.to_array(item).astype(np.float32)
            if not np.isfinite(value).all():
                raise ModelFileError(f"{path}: weight {item.name} holds NaN or infinity")


def _keep_output(path: Path, graph: onnx.GraphProto, name: str) -> None:
    """Leave one output, and the nodes that it needs."""
    names = [item.name for item in graph.output]
    if name and name not in names:
        raise ModelFileError(f"{path}: has no output {name!r}; it has {', '.join(names)}")
    if not name:
        images = [item.name for item in graph.output if len(item.type.tensor_type.shape.dim) == 4]
        if len(images) != 1:
            raise ModelFileError(
                f"{path}: has {len(names)} outputs, {', '.join(names)}: say which is the picture "
                "with --output-name"
            )
        name = images[0]
    kept = next(item for item in graph.output if item.name == name)
    needed, nodes = {name}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    nodes.reverse()
    weights = [item for item in graph.initializer if item.name in needed]
    for field, items in ((graph.output, [kept]), (graph.node, nodes), (graph.initializer, weights)):
        copies = list(items)
        del field[:]
        field.extend(copies)


def _raise(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        raised: onnx.ModelProto = version_converter.convert_version(model, OPSET)
    except Exception as error:  # the converter's errors have no common public class
        raise ModelFileError(
            f"{path}: opset {opset_of(model)} cannot be raised to {OPSET} ({first_line(error)}); "
            "export it again with a newer one"
        ) from error
    fold_constants(raised)
    return raised


def _to_single(graph: onnx.GraphProto) -> bool:
    """Make every half, bfloat16 and double tensor float32; whether there was one."""
    changed = False
    for item in _tensors(graph):
        if item.data_type in FLOATS:
            value = numpy_helper.to_array(item).astype(np.float32)
            item.CopyFrom(numpy_helper.from_array(value, item.name))
            changed = True
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype", "output_dtype") and attribute.i in FLOATS:
                attribute.i = TensorProto.FLOAT
                changed = True
    for tensor in (*graph.input, *graph.output):
        if tensor.type.tensor_type.elem_type in FLOATS:
            tensor.type.tensor_type.elem_type = TensorProto.FLOAT
            changed = True
    return changed


def first_line(error: Exception) -> str:
    """The first line of a foreign error, or its class."""
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
