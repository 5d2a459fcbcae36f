"""A network as plain facts, free of onnx: nodes, tensors, and the layers a runtime makes."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One tensor of known size."""

    shape: tuple[int, ...]
    item_bytes: int  # 1 for int8 and uint8, 2 for fp16, 4 for fp32
    real: bool = True  # False for the integers that describe shapes
    constant: bool = False

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """What they take in memory, in the tensor's own type."""
        return self.elements * self.item_bytes


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operation, by ONNX's names."""

    name: str
    op: str  # "Conv"
    inputs: tuple[str, ...]  # tensor names
    outputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes in the order they can run in, and every tensor they touch."""

    nodes: tuple[Node, ...]
    tensors: dict[str, Tensor]
    outputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One fused layer: a convolution with the pointwise work behind it, or a move of data."""

    name: str
    op: str  # of its first node: "Conv", "DepthToSpace", "Add", ...
    macs: int  # multiply-accumulates
    read: tuple[Tensor, ...]  # activations it reads
    written: tuple[Tensor, ...]  # activations that others read
    weights: tuple[Tensor, ...]  # its constants
    int8: bool  # its arithmetic is int8: its activations come from a DequantizeLinear

    @property
    def activation_bytes(self) -> int:
        """Bytes of activations read and written, in the file's own types."""
        return sum(item.size_bytes for item in (*self.read, *self.written))


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What one frame of one size costs, counted from the graph."""

    width: int  # input columns, pixels
    height: int
    parameters: int  # numbers that layers compute with, as the file holds them
    macs: int
    activation_bytes: int  # written and read between fused layers, in the file's own types
    layers: tuple[Layer, ...]
