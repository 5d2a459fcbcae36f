"""The least time a device could take for a network: an estimate, not a measurement.

Layer by layer (a convolution with the pointwise work behind it is one), the time is the larger of
arithmetic at the device's peak and of bytes at its peak bandwidth: inputs read once, outputs
written once, weights read once. Layers follow one another. Nothing real reaches this: launches,
caches, tiles that do not fit, and clocks below boost all come on top.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.models.graph import Counts, Layer, Tensor
from bench.toml_file import read_toml
from edge_sr.errors import ModelFileError, UsageError

LABEL = "estimate, not measured"
DEVICES = Path(__file__).with_name("devices.toml")
PRECISIONS = ("fp16", "int8")


@dataclass(frozen=True, kw_only=True)
class Device:
    """Peak rates of a device, dense."""

    key: str
    name: str
    fp16_tflops: float
    int8_tops: float | None  # None: no int8 arithmetic
    gbps: float  # 10^9 bytes a second
    source: str


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The lower bound on the time of one frame."""

    precision: str  # that is assumed
    total_ms: float
    arithmetic_ms: float  # of all layers, if memory were free
    memory_ms: float  # of all layers, if arithmetic were free
    bytes_bind: float  # share of total_ms in layers where bytes take longer
    moved_mb: float  # 10^6 bytes a frame

    @property
    def fps(self) -> float:
        """Frames a second in the best case."""
        return 1000 / self.total_ms


def read_devices() -> dict[str, Device]:
    """The device table.

    Raises:
        ModelFileError: the table is damaged.
    """
    found = {}
    for key, entry in read_toml(DEVICES).items():
        try:
            found[key] = Device(key=key, **{"int8_tops": None, **entry})
        except TypeError as error:
            raise ModelFileError(f"{DEVICES}: {key}: {error}") from error
    return found


def bound(counts: Counts, device: Device, precision: str) -> Bound:
    """The bound for a network whose layers all ran at ``precision``.

    A file with int8 tensors keeps its own mix when ``precision`` is "int8". Otherwise every
    activation and weight is taken as 2 bytes (fp16) or 1 byte (int8), and every convolution as
    arithmetic of that kind. Frames in and out stay 8-bit. fp32 tensors count as fp16.

    Raises:
        UsageError: the device has no int8 arithmetic.
    """
    if precision == "int8" and device.int8_tops is None:
        raise UsageError(f"{device.name} has no int8 arithmetic; ask for fp16")
    mixed = any(layer.int8 for layer in counts.layers)
    times = [_times(layer, device, precision, mixed=mixed) for layer in counts.layers]
    total = sum(max(pair) for pair in times)
    return Bound(
        precision=precision,
        total_ms=1000 * total,
        arithmetic_ms=1000 * sum(pair[0] for pair in times),
        memory_ms=1000 * sum(pair[1] for pair in times),
        bytes_bind=sum(max(pair) for pair in times if pair[1] > pair[0]) / total,
        moved_mb=sum(pair[1] for pair in times) * device.gbps * 1e3,
    )


def _times(layer: Layer, device: Device, precision: str, *, mixed: bool) -> tuple[float, float]:
    """(arithmetic, memory) seconds of one layer."""
    as_int8 = precision == "int8" and (layer.int8 or not mixed)
    rate = (device.int8_tops or 0) if as_int8 else device.fp16_tflops
    width = 1 if precision == "int8" and not mixed else 2
    tensors = (*layer.read, *layer.written, *layer.weights)
    moved = _bytes(tensors, width)
    return 2 * layer.macs / (rate * 1e12), moved / (device.gbps * 1e9)


def _bytes(tensors: Iterable[Tensor], width: int) -> int:
    """Bytes moved, floats at ``width`` bytes; 8-bit tensors and shapes stay as they are."""
    return sum(
        item.elements * (min(width, item.item_bytes) if item.real else item.item_bytes)
        for item in tensors
    )
