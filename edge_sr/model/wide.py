"""Model files for samples of 9 to 16 bits: the shipped 8-bit file with another frame I/O.

The *wide* variant takes and gives two bytes a sample, low byte first: a plane of uint16 (H, W) is
given as its bytes, uint8 (H, W, 2), so that no runtime needs a new type. Nothing of it is on the
disk: it is made of the 8-bit file's bytes when the file is opened, with the same weights, which
takes milliseconds; files of its own would double the wheel.

One rule for every depth: the network sees the level ``sample / 2**(bits - 8)``, 0 to just below
256, as H.273 relates depths in limited range; so a 10-bit frame of ``4 * v`` gives four times what
the 8-bit frame ``v`` gives. Results are rounded to whole samples of the same depth and clipped to 0
and ``2**bits - 1``. The arithmetic on samples is float32 also in an fp16 file, whose own numbers
hold 11 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_sr.errors import ModelFileError
from edge_sr.model.sidecar import Sidecar
from edge_sr.model.wire import LENGTH, read_fields, write_field

FRAME, UPSCALED = "frame", "upscaled"
GRAPH = 7  # fields of onnx.proto: of a model,
NODE, TENSOR, INPUT, OUTPUT, VALUE_INFO = 1, 5, 11, 12, 13  # of a graph,
NODE_INPUT, NODE_OUTPUT, NODE_NAME, OPERATOR, ATTRIBUTE = 1, 2, 3, 4, 5  # and of a node
FLOAT, UINT8, INT64 = 1, 2, 7  # element types
SHAPES = ("Squeeze", "Unsqueeze", "Transpose")


@dataclass(frozen=True)
class _Node:
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: bytes = b""  # as fields of the node

    def encode(self) -> bytes:
        """As a field of a graph."""
        body = b"".join(write_field(NODE_INPUT, name) for name in self.inputs)
        body += b"".join(write_field(NODE_OUTPUT, name) for name in self.outputs)
        body += write_field(NODE_NAME, self.outputs[0]) + write_field(OPERATOR, self.operator)
        return write_field(NODE, body + self.attributes)


def model_bytes(path: Path, sidecar: Sidecar) -> bytes:
    """The ONNX model that a runtime is to open for a sidecar: the file, or its wide variant.

    Raises:
        ModelFileError: the file cannot be read, or has another frame I/O than edge-sr's.
    """
    try:
        data = path.read_bytes()
        return data if sidecar.bits == 8 else widen(data, sidecar.bits)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ModelFileError(
            f"{path}: cannot take samples of {sidecar.bits} bits ({error}); make the file with "
            "python -m convert.export_onnx or convert.import_onnx, or give --bits 8"
        ) from error


def widen(model: bytes, bits: int) -> bytes:
    """The wide variant of a luma model file, for samples of 9 to 16 bits.

    Args:
        model: an ONNX file that edge-sr made, of any precision and for any sizes.

    Raises:
        ValueError: it is none; the message says what is different.
    """
    if bits not in range(9, 17):
        raise ValueError(f"found {bits} bits; expected 9 to 16")
    found, last = [], 0
    for field, wire, place, stop in read_fields(model, 0, len(model)):
        whole = model[last:stop]
        last = stop
        is_graph = field == GRAPH and wire == LENGTH
        found.append(
            write_field(GRAPH, _widen_graph(model[place:stop], bits)) if is_graph else whole
        )
    return b"".join(found)


def _widen_graph(graph: bytes, bits: int) -> bytes:
    nodes: list[_Node] = []
    rest, last = [], 0
    for field, _, place, stop in read_fields(graph, 0, len(graph)):
        body, whole = graph[place:stop], graph[last:stop]
        last = stop
        if field == NODE:
            nodes.append(_parse(body))
        elif field in (INPUT, OUTPUT):
            rest.append(write_field(field, _with_two_bytes(body)))
        elif field != VALUE_INFO:  # types of tensors, which are found again
            rest.append(whole)
    head = [node for node in nodes if FRAME in node.inputs]
    if len(head) != 1 or head[0].operator != "Cast":
        raise ValueError(f"its input does not go to one Cast, but to {len(head)} nodes")
    tail = _tail(nodes)
    kept = [node for node in nodes if node not in (*head, *tail)]
    made = [*_wide_head(head[0]), *kept, *_wide_tail(tail)]
    factor = 2.0 ** (bits - 8)
    constants = [
        _constant("wide_weights", FLOAT, struct.pack("<2f", 1 / factor, 256 / factor), (2,)),
        _constant("wide_axis", INT64, struct.pack("<q", 3), (1,)),
    ] + [
        _constant(f"wide_{name}", FLOAT, struct.pack("<f", value))
        for name, value in (
            ("factor", factor),
            ("black", 0.0),
            ("white", 2.0**bits - 1),
            ("high", 256.0),
            ("low", 1 / 256),
        )
    ]
    return b"".join([*(node.encode() for node in made), *rest, *constants])


def _wide_head(first: _Node) -> list[_Node]:
    """Bytes to levels, in the place of the Cast at the beginning."""
    return [
        _Node("Cast", (FRAME,), ("wide_bytes",), _number("to", FLOAT)),
        _Node("Mul", ("wide_bytes", "wide_weights"), ("wide_parts",)),
        _Node("ReduceSum", ("wide_parts", "wide_axis"), ("wide_level",), _number("keepdims", 1)),
        _Node("Cast", ("wide_level",), first.outputs, first.attributes),
    ]


def _tail(nodes: list[_Node]) -> list[_Node]:
    """From the Clip to the last Cast: Clip, Round, changes of the shape, Cast."""
    makers = {name: node for node in nodes for name in node.outputs}
    found: list[_Node] = []
    name = UPSCALED
    while not found or found[0].operator != "Clip":
        node = makers.get(name)
        if node is None or node.operator not in ("Clip", "Round", "Cast", *SHAPES):
            raise ValueError(f"{name} is not made by Clip, Round and Cast")
        found.insert(0, node)
        name = node.inputs[0]
    return found


def _wide_tail(tail: list[_Node]) -> list[_Node]:
    """Levels to bytes."""
    made = [
        _Node("Cast", tail[0].inputs[:1], ("wide_result",), _number("to", FLOAT)),
        _Node("Mul", ("wide_result", "wide_factor"), ("wide_samples",)),
        _Node("Clip", ("wide_samples", "wide_black", "wide_white"), ("wide_clipped",)),
        _Node("Round", ("wide_clipped",), ("wide_sample",)),
        _Node("Mul", ("wide_sample", "wide_low"), ("wide_ratio",)),
        _Node("Floor", ("wide_ratio",), ("wide_high_byte",)),
        _Node("Mul", ("wide_high_byte", "wide_high"), ("wide_high_part",)),
        _Node("Sub", ("wide_sample", "wide_high_part"), ("wide_low_byte",)),
    ]
    pair = []
    for name in ("wide_low_byte", "wide_high_byte"):  # ONNX Runtime is slow on (1, H, W, 1)
        for node in tail:
            if node.operator in SHAPES:
                outputs = (f"{name}_{node.outputs[0]}",)
                inputs = (name, *node.inputs[1:])
                made.append(_Node(node.operator, inputs, outputs, node.attributes))
                name = outputs[0]
        pair.append(name)
    return [
        *made,
        _Node("Concat", tuple(pair), ("wide_pair",), _number("axis", 3)),
        _Node("Cast", ("wide_pair",), (UPSCALED,), _number("to", UINT8)),
    ]


def _parse(node: bytes) -> _Node:
    inputs, outputs, operator, attributes, last = [], [], "", b"", 0
    for field, _, place, stop in read_fields(node, 0, len(node)):
        whole, body = node[last:stop], node[place:stop]
        last = stop
        if field == NODE_INPUT:
            inputs.append(body.decode())
        elif field == NODE_OUTPUT:
            outputs.append(body.decode())
        elif field == OPERATOR:
            operator = body.decode()
        elif field != NODE_NAME:
            attributes += whole
    return _Node(operator, tuple(inputs), tuple(outputs), attributes)


def _with_two_bytes(value_info: bytes) -> bytes:
    """A tensor's type whose last axis has two in the place of one."""
    return _edit(value_info, (2, 1, 2), _two_last)  # type, tensor type, shape


def _two_last(shape: bytes) -> bytes:
    axes = [shape[place:stop] for _, _, place, stop in read_fields(shape, 0, len(shape))]
    if len(axes) != 4 or axes[3] != write_field(1, 1):
        raise ValueError("its frames are not (1, H, W, 1): wide variants are of luma models")
    return b"".join(write_field(1, axis) for axis in (*axes[:3], write_field(1, 2)))


def _edit(message: bytes, path: tuple[int, ...], change: Callable[[bytes], bytes]) -> bytes:
    """A message with the one within it that a path of field numbers leads to replaced."""
    if not path:
        return change(message)
    found: list[bytes] = []
    last = 0
    for field, _, place, stop in read_fields(message, 0, len(message)):
        whole, body = message[last:stop], message[place:stop]
        last = stop
        found.append(
            write_field(field, _edit(body, path[1:], change)) if field == path[0] else whole
        )
    return b"".join(found)


def _number(name: str, value: int) -> bytes:
    """An integer attribute, as a field of a node."""
    return write_field(ATTRIBUTE, write_field(1, name) + write_field(3, value) + write_field(20, 2))


def _constant(name: str, kind: int, raw: bytes, shape: tuple[int, ...] = ()) -> bytes:
    """An initializer, as a field of a graph."""
    sides = b"".join(write_field(1, side) for side in shape)
    return write_field(
        TENSOR, sides + write_field(2, kind) + write_field(8, name) + write_field(9, raw)
    )
