"""What an ONNX file may not do: keep its weights in other files, which it names by any path.

A sidecar's hash covers one file. Weights elsewhere could be changed behind it, and a crafted
location (``../``, absolute, a link) reads what the user never named. Every door that opens an ONNX
file asks here first. The file is walked as protobuf wire format, so that a device needs no onnx.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from edge_sr.errors import ModelFileError
from edge_sr.model.wire import LENGTH, read_fields, read_varint

# field numbers of onnx.proto: message -> field -> the message that it holds
NESTED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse",
        23: "sparse",
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of a tensor
DEEPEST = 64  # messages within messages


def refuse_external_data(path: Path) -> None:
    """Raise ModelFileError unless ``path`` is one whole ONNX file that holds all its weights."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            outside = _keeps_outside(data, 0, len(data), "model", 0)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # mmap's of an empty file too
        raise ModelFileError(f"{path}: not an ONNX file ({error})") from error
    if outside:
        raise ModelFileError(
            f"{path}: keeps weights in other files; save the model with its data in one file"
        )


def _keeps_outside(data: mmap.mmap, start: int, end: int, message: str, depth: int) -> bool:
    if depth > DEEPEST:
        raise ValueError(f"messages nested deeper than {DEEPEST}")
    for field, wire, place, stop in read_fields(data, start, end):
        if message == "tensor" and (
            field == EXTERNAL_DATA or (field == DATA_LOCATION and read_varint(data, place, stop)[0])
        ):
            return True
        inner = NESTED[message].get(field)
        if inner and wire == LENGTH and _keeps_outside(data, place, stop, inner, depth + 1):
            return True
    return False
