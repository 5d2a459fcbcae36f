"""Protobuf's wire format: reading the fields of a message and writing new ones.

ONNX files are protobuf. A device that runs them needs no onnx package for what is done here.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types
Data = bytes | mmap.mmap


def read_fields(data: Data, place: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """(field number, wire type, start of the value, its end) of one message, in file order.

    Raises:
        ValueError: the bytes are no message, or end within a field.
    """
    while place < end:
        key, place = read_varint(data, place, end)
        field, wire = key >> 3, key & 7
        if wire == VARINT:
            stop = read_varint(data, place, end)[1]
        elif wire == LENGTH:
            length, place = read_varint(data, place, end)
            stop = place + length
        elif wire in (FIXED64, FIXED32):
            stop = place + (8 if wire == FIXED64 else 4)
        else:
            raise ValueError(f"wire type {wire} at byte {place}")
        if stop > end or not field:
            raise ValueError(f"it ends within a field, at byte {place}")
        yield field, wire, place, stop
        place = stop


def read_varint(data: Data, place: int, end: int) -> tuple[int, int]:
    """(value, place behind it).

    Raises:
        ValueError: the bytes end within the number.
    """
    value = shift = 0
    while place < end and shift < 70:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    raise ValueError(f"it ends within a number, at byte {place}")


def write_varint(value: int) -> bytes:
    """A number of 0 or more."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def write_field(field: int, value: int | bytes | str) -> bytes:
    """One field: a number as a varint, bytes and text with their length in front."""
    if isinstance(value, int):
        return write_varint(field << 3 | VARINT) + write_varint(value)
    data = value.encode() if isinstance(value, str) else value
    return write_varint(field << 3 | LENGTH) + write_varint(len(data)) + data
