"""The 20 forms of published ONNX files of the table, with random weights that repeat pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_sr.model.import_options import ImportOptions

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
Nodes = list[onnx.NodeProto]
Weights = dict[str, np.ndarray]
Shape = tuple[int | str, ...]
NOISE = 0.004  # of random weights, added to those that repeat pixels


@dataclass(frozen=True, kw_only=True)
class OnnxRow:
    """One form."""

    name: str
    make: Callable[[Path], Path]
    options: ImportOptions = field(default_factory=ImportOptions)
    refused: str = ""

    def save(self, folder: Path) -> Path:
        """Write it."""
        return self.make(folder / f"{self.name.split(',')[0].lower().replace(' ', '-')}.onnx")


def write(
    path: Path,
    nodes: Nodes,
    weights: Weights,
    taken: Shape = (1, 3, "h", "w"),
    given: Shape = (1, 3, "a", "b"),
    *,
    opset: int = 17,
    ir: int = 8,
    kinds: tuple[int, int] = (FLOAT, FLOAT),
    listed: bool = False,
    more: tuple[onnx.ValueInfoProto, ...] = (),
) -> Path:
    """A file with one network from ``input`` to ``output``."""
    inputs = [helper.make_tensor_value_info("input", kinds[0], taken)]
    if listed:
        inputs += [helper.make_tensor_value_info(n, FLOAT, v.shape) for n, v in weights.items()]
    outputs = [helper.make_tensor_value_info("output", kinds[1], given), *more]
    stored = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, stored)
    imports = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=ir), path)
    return path


def espcn(
    channels: int = 3, scale: int = 2, *, kind: Any = np.float32, pads: int = 1
) -> tuple[Nodes, Weights]:
    """Convolution, PRelu, convolution, pixel shuffle; pixels are repeated, with a little noise."""
    rng = np.random.default_rng(0)
    first = rng.normal(0, NOISE, (16, channels, 3, 3))
    last = rng.normal(0, NOISE, (scale**2 * channels, 16, 3, 3))
    for place in range(channels):
        first[place, place, 1, 1] = 1
        last[scale**2 * place : scale**2 * (place + 1), place, 1, 1] = 1
    nodes = [
        helper.make_node("Conv", ["input", "w", "b"], ["h"], pads=[pads] * 4),
        helper.make_node("PRelu", ["h", "s"], ["p"]),
        helper.make_node("Conv", ["p", "w2"], ["q"], pads=[pads] * 4),
        helper.make_node("DepthToSpace", ["q"], ["output"], blocksize=scale, mode="CRD"),
    ]
    if scale == 1:
        nodes[-1] = helper.make_node("Identity", ["q"], ["output"])
    weights = {"w": first, "b": np.zeros(16), "s": np.full((16, 1, 1), 0.25), "w2": last}
    return nodes, {name: value.astype(kind) for name, value in weights.items()}


def between(before: Nodes, after: Nodes, **options: Any) -> tuple[Nodes, Weights]:
    """The same with nodes from ``input`` to ``x`` before it, and ``y`` to ``output`` behind."""
    nodes, weights = espcn(**options)
    nodes[0].input[0], nodes[-1].output[0] = "x", "y"
    return [*before, *nodes, *after], weights


def node(op: str, taken: str, given: str, *more: str, **attributes: Any) -> onnx.NodeProto:
    """One node of one output."""
    return helper.make_node(op, [taken, *more], [given], **attributes)


def old(path: Path, opset: int) -> Path:
    """Upsampling as the opsets 9 to 11 have it, between two convolutions."""
    weights = {
        "w": np.eye(3, dtype=np.float32)[..., None, None],
        "sc": np.array([1, 1, 2, 2], np.float32),
    }
    more: tuple[str, ...] = ("sc",)
    attributes: dict[str, Any] = {"mode": "nearest"}
    if opset > 10:
        weights["roi"] = np.zeros(0, np.float32)
        more = ("roi", "sc")
        attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    nodes = [
        node("Conv", "input", "h", "w"),
        node("Upsample" if opset == 9 else "Resize", "h", "u", *more, **attributes),
        node("Conv", "u", "output", "w"),
    ]
    return write(path, nodes, weights, opset=opset, ir=4 if opset < 11 else 6)


def beside(path: Path) -> Path:
    """Weights in a file beside it."""
    write(path, *espcn())
    onnx.save(
        onnx.ModelProto.FromString(path.read_bytes()),
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=f"{path.name}.data",
        size_threshold=0,
    )
    return path


def blocks(path: Path, block: int) -> Path:
    """A network that begins with pixel unshuffle: its sides are multiples of ``block``."""
    big = 2 * block
    weight = np.zeros((3 * big**2, 3 * block**2, 1, 1), np.float32)
    for place in range(big**2):
        row, column = divmod(place, big)
        for channel in range(3):
            source = (row // 2) * block + column // 2
            weight[place * 3 + channel, source * 3 + channel] = 1
    nodes = [
        node("SpaceToDepth", "input", "s", blocksize=block),
        node("Conv", "s", "h", "w"),
        node("DepthToSpace", "h", "output", blocksize=big),
    ]
    return write(path, nodes, {"w": weight})


def generator(path: Path) -> Path:
    """Takes 0..1 and gives -1..1, through tanh."""
    after = [node("Mul", "y", "v", "two"), node("Sub", "v", "output", "one")]
    nodes, weights = between([node("Identity", "input", "x")], after)
    two, one = np.array(2, np.float32), np.array(1, np.float32)
    return write(path, nodes, weights | {"two": two, "one": one})


def two_outputs(path: Path) -> Path:
    """The picture, and features beside it."""
    features = helper.make_tensor_value_info("p", FLOAT, [1, 16, "h", "w"])
    return write(path, *espcn(), more=(features,))


def no_padding(path: Path) -> Path:
    """A network of valid convolutions: the result is 2 * side - 8."""
    return write(path, *espcn(pads=0))


def around(path: Path) -> Path:
    """fp16 inside, float32 input and output."""
    casts = [node("Cast", "input", "x", to=HALF)], [node("Cast", "y", "output", to=FLOAT)]
    return write(path, *between(*casts, kind=np.float16))


def channels_last(path: Path) -> Path:
    """Float NHWC, as tf2onnx writes it."""
    turns = (
        [node("Transpose", "input", "x", perm=[0, 3, 1, 2])],
        [node("Transpose", "y", "output", perm=[0, 2, 3, 1])],
    )
    return write(path, *between(*turns), (1, "h", "w", 3), (1, "a", "b", 3))


def signed(path: Path) -> Path:
    """-1..1 both ways."""
    nodes, weights = between([node("Identity", "input", "x")], [node("Tanh", "y", "output")])
    return write(path, nodes, weights)


def levels(path: Path) -> Path:
    """0..255, with biases of a few grey levels."""
    nodes, weights = espcn()
    weights["b"] = np.linspace(-3, 3, 16).astype(np.float32)
    return write(path, nodes, weights)


def whole_half(path: Path) -> Path:
    """fp16 all through."""
    return write(path, *espcn(kind=np.float16), kinds=(HALF, HALF))


def rows() -> list[OnnxRow]:
    """All of them, in the order of the table."""
    batch = ((4, 3, "h", "w"), (4, 3, "a", "b"))
    fixed = ((1, 3, 48, 64), (1, 3, 96, 128))
    unit = ImportOptions(input_range="0..1", output_range="0..1")
    both = ImportOptions(input_range="-1..1", output_range="-1..1")
    apart = ImportOptions(input_range="0..1", output_range="-1..1")
    grey = ImportOptions(input_range="0..255", output_range="0..255")
    luma = ((1, 1, "h", "w"), (1, 1, "a", "b"))

    def row(name: str, make: Callable[[Path], Path], options: ImportOptions = unit) -> OnnxRow:
        return OnnxRow(name=name, make=make, options=options)

    return [
        row("Opset 9, Upsample", lambda p: old(p, 9)),
        row("Opset 10, Resize", lambda p: old(p, 10)),
        row("Opset 11, Resize with roi", lambda p: old(p, 11)),
        row("Opset 12", lambda p: write(p, *espcn(), opset=12, ir=7)),
        row("Opset 21, IR 10", lambda p: write(p, *espcn(), opset=21, ir=10)),
        row("IR 3, weights as inputs", lambda p: write(p, *espcn(), opset=13, ir=3, listed=True)),
        row("fp16 weights, float32 input and output", around),
        row("fp16 all through", whole_half),
        row("Float NHWC", channels_last),
        row("Weights in another file", beside),
        row("Batch of 4", lambda p: write(p, *espcn(), *batch)),
        row("Two outputs", two_outputs, replace(unit, output_name="output")),
        row("x1", lambda p: write(p, *espcn(scale=1))),
        row("Luma, x3", lambda p: write(p, *espcn(1, 3), *luma)),
        row("x4, 0..255", lambda p: write(p, *espcn(scale=4)), grey),
        row("Sides of multiples of 8", lambda p: blocks(p, 8)),
        row("One size, made free", lambda p: write(p, *espcn(), *fixed)),
        row("-1..1, tanh", signed, both),
        row("Generator, 0..1 to -1..1", generator, apart),
        row("No padding inside", no_padding),
    ]
