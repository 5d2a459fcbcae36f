"""Which precision the layers of an engine compute in: read back, not believed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convert.engine import trt
from edge_sr.errors import BackendError

NAMED = 6  # convolutions that a warning lists
ORDER = ("int8", "fp16", "fp32")
WORDS = {"int8": "int8", "half": "fp16", "fp16": "fp16", "float": "fp32", "fp32": "fp32"}


@dataclass(frozen=True)
class Census:
    """Layers counted by precision."""

    layers: Mapping[str, int]  # all that compute with numbers
    convolutions: Mapping[str, int]
    source: str  # "inspector" or "network"
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Precision -> names of the convolutions that compute in it."""


def of_network(network: trt.INetworkDefinition) -> Census:
    """Count in a strongly typed network before it is built: what it says is what is built."""
    kinds = {trt.float32: "fp32", trt.float16: "fp16", trt.int8: "int8"}
    weighted = (trt.LayerType.CONVOLUTION, trt.LayerType.DECONVOLUTION)
    silent = (trt.LayerType.CONSTANT, trt.LayerType.QUANTIZE, trt.LayerType.DEQUANTIZE)
    dequantised = set()
    layers: Counter[str] = Counter()
    convolutions: Counter[str] = Counter()
    for place in range(network.num_layers):
        layer = network.get_layer(place)
        if layer.type == trt.LayerType.DEQUANTIZE:
            dequantised.add(layer.get_output(0).name)
        if layer.type in silent or not layer.num_outputs:
            continue
        kind = kinds.get(layer.get_output(0).dtype)
        if layer.type in weighted:
            source = layer.get_input(0)
            kind = "int8" if source.name in dequantised else kinds.get(source.dtype)
            convolutions[kind or "other"] += 1
        if kind:
            layers[kind] += 1
    return Census(dict(layers), dict(convolutions), "network")


def of_inspector(text: str) -> Census:
    """Count in the JSON that the engine inspector gives of a built engine."""
    layers: Counter[str] = Counter()
    names: dict[str, list[str]] = {}
    for entry in json.loads(text).get("Layers", []):
        if not isinstance(entry, dict):
            continue  # names alone: the engine was built without detail
        kind = _kind(entry.get("Inputs", []))
        if kind is None:
            continue
        layers[kind] += 1
        if "conv" in str(entry.get("LayerType", "")).lower():
            names.setdefault(kind, []).append(str(entry.get("Name", "?")))
    convolutions = {kind: len(found) for kind, found in names.items()}
    return Census(dict(layers), convolutions, "inspector", names)


def _kind(tensors: list[Any]) -> str | None:
    """Precision of a layer by how its first input is described: "Half", "Row major linear FP32"."""
    if not tensors:
        return None
    text = str(tensors[0].get("Format/Datatype") or tensors[0].get("Datatype") or "").lower()
    words = re.findall(r"[a-z]+\d*", text)
    return next((WORDS[word] for word in words if word in WORDS), None)


def check(found: Census, wanted: Counter[str], *, precision: str) -> list[str]:
    """Compare an engine's convolutions with those of the file that it was built from.

    A strongly typed network and the comparison with ONNX Runtime guard correctness already. One
    convolution for which TensorRT has no kernel of a precision is a reason to say so, not to
    refuse the engine; an engine without any is not what was asked for.

    Returns lines for the user: convolutions that are wider than the file gives them.

    Raises:
        BackendError: the file has no convolution of the precision, or the engine has none of it
            though it has convolutions.
    """
    if precision == "fp32":
        return []
    if sum(wanted.values()) and not wanted[precision]:
        raise BackendError(
            f"the ONNX file has no {precision} convolution ({in_words(wanted)}); convert it with "
            "python -m convert.precision"
        )
    have = found.convolutions.get(precision, 0)
    counts = f"{in_words(found.convolutions)} by the {found.source}"
    counts += f", the ONNX file has {in_words(wanted)}"
    if sum(found.convolutions.values()) > sum(wanted.values()) - wanted[precision] and not have:
        raise BackendError(
            f"the engine is not {precision}: its convolutions are {counts}; it was not kept. "
            "Please report this with the log of --verbose"
        )
    later = ORDER[ORDER.index(precision) + 1 :]
    extra = sum(found.convolutions.get(kind, 0) - wanted[kind] for kind in later)
    if extra <= 0:
        return []
    named = [name for kind in later for name in found.names.get(kind, ())]
    listed = f" ({', '.join(named[:NAMED])}{', ...' if len(named) > NAMED else ''})"
    return [
        f"warning: {extra} convolutions are wider than {precision}{listed if named else ''}: "
        f"TensorRT chose so; convolutions are {counts}"
    ]


def in_words(counts: Mapping[str, int]) -> str:
    """ "12 fp16, 1 fp32"."""
    order = sorted(counts, key=lambda name: (ORDER.index(name) if name in ORDER else 9, name))
    return ", ".join(f"{counts[name]} {name}" for name in order if counts[name]) or "none"
