"""A network whose weights hold two streams in one: the picture and its features, taken apart.

A plain network can carry a skip inside its convolutions: a few channels of each tensor hold the
picture, their weights read no feature, and the last layer adds the two. One int8 scale for such a
tensor costs the picture its grey levels, and one scale for such a weight costs the features theirs.
Taken apart, the same sums are four convolutions, of which the one that is zero falls away; the
features are most of the work and bear int8, the picture's own layers are small and may stay float.
The form is that of Chao et al., "Equivalent Transformation and Dual Stream Network Construction
for Mobile Image Super-Resolution" (2023), whose published files are folded into one stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

NARROW = 0.25  # of the channels, at most, are the picture's
ACTIVATIONS = ("Relu", "LeakyRelu")  # of every channel alike
FEATURES, PICTURE, BETWEEN = "_features", "_picture", "_picture_to_features"  # ends of names
Channels = NDArray[np.intp]


@dataclass(frozen=True)
class _Link:
    """A convolution and what follows it, up to the next one that alone reads the result."""

    conv: onnx.NodeProto
    activations: tuple[onnx.NodeProto, ...]
    weight: NDArray[np.float32]  # (O, I, kh, kw)
    bias: NDArray[np.float32] | None


def split_streams(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that computes the same with the picture's stream apart, or the model as it is."""
    for chain in _chains(model):
        for end in range(len(chain) - 1, 1, -1):
            streams = _streams(chain[:end])
            if streams is not None:
                model = _written(model, chain[end - len(streams) : end + 1], streams)
                break
    return model


def _chains(model: onnx.ModelProto) -> list[list[_Link]]:
    """Convolutions one behind the other, three at least, with nothing but activations between."""
    weights = {item.name: item for item in model.graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    outputs = {item.name for item in model.graph.output}

    def follower(tensor: str) -> onnx.NodeProto | None:
        alone = len(readers.get(tensor, [])) == 1 and tensor not in outputs
        return readers[tensor][0] if alone else None

    def link(conv: onnx.NodeProto) -> tuple[_Link, onnx.NodeProto | None]:
        activations = []
        node = follower(conv.output[0])
        while node is not None and node.op_type in ACTIVATIONS:
            activations.append(node)
            node = follower(node.output[0])
        weight, *bias = (numpy_helper.to_array(weights[name]) for name in conv.input[1:] if name)
        return _Link(conv, tuple(activations), weight, bias[0] if bias else None), node

    chains, seen = [], set()
    for conv in model.graph.node:
        chain: list[_Link] = []
        following: onnx.NodeProto | None = conv
        while following is not None and _is_plain(following, weights):
            if following.name in seen:
                break
            seen.add(following.name)
            item, following = link(following)
            chain.append(item)
        if len(chain) > 2:
            chains.append(chain)
    return chains


def _is_plain(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    group = next((item.i for item in node.attribute if item.name == "group"), 1)
    known = all(name in weights for name in node.input[1:] if name)
    plain = node.op_type == "Conv" and group == 1 and known and node.input[0] not in weights
    return plain and len(weights[node.input[1]].dims) == 4


def _streams(inner: Sequence[_Link]) -> list[Channels] | None:
    """The picture's channels behind each of the last links, in order; None without any.

    A channel belongs to the picture where all that it is made of, as far back as possible, are few
    channels. One layer, at least, must keep the two streams apart.
    """
    traced = [_trace(inner, channel) for channel in range(len(inner[-1].weight))]
    length = max(map(len, traced))
    union = [
        np.unique(np.concatenate(sets))
        for sets in zip(*(found for found in traced if len(found) == length), strict=True)
    ]
    if length < 2 or not all(map(_is_narrow, union, inner[-length:])):
        return None
    return union


def _trace(inner: Sequence[_Link], channel: int) -> list[Channels]:
    """Channels that the last link's `channel` is made of, behind link after link, in order."""
    found = [np.array([channel])]
    for place in range(len(inner) - 1, 0, -1):
        read = np.flatnonzero(np.any(inner[place].weight[found[0]], axis=(0, 2, 3)))
        if not len(read):
            return []  # it is constant
        if not _is_narrow(read, inner[place - 1]):
            break
        found.insert(0, read)
    return found


def _is_narrow(channels: Channels, link: _Link) -> bool:
    return len(channels) <= NARROW * len(link.weight)


def _written(
    model: onnx.ModelProto, chain: Sequence[_Link], streams: Sequence[Channels]
) -> onnx.ModelProto:
    """A copy with a chain in two streams: the first link begins them, the last adds them.

    Args:
        streams: the picture's channels behind each link but the last.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    gone = {node.name for item in chain for node in (item.conv, *item.activations)}
    gone -= {node.name for node in chain[-1].activations}
    nodes: list[onnx.NodeProto] = []

    def convolution(
        like: onnx.NodeProto, source: str, weight: np.ndarray, bias: np.ndarray | None, end: str
    ) -> str:
        name = f"{like.name}{end}"
        values = {f"{name}_weight": weight} | ({} if bias is None else {f"{name}_bias": bias})
        graph.initializer.extend(numpy_helper.from_array(v, key) for key, v in values.items())
        node = helper.make_node("Conv", [source, *values], [name], name)
        node.attribute.extend(like.attribute)
        nodes.append(node)
        return name

    def added(one: str, other: str, result: str) -> str:
        nodes.append(helper.make_node("Add", [one, other], [result], result))
        return result

    def activated(link: _Link, tensor: str, end: str) -> str:
        for like in link.activations:
            node = helper.make_node(like.op_type, [tensor], [f"{like.name}{end}"])
            node.name, tensor = node.output[0], node.output[0]
            node.attribute.extend(like.attribute)
            nodes.append(node)
        return tensor

    source = chain[0].conv.input[0]
    features = picture = ""
    before: tuple[Channels, Channels] | None = None  # features' and picture's, of the link before
    for link, own in zip(chain[:-1], streams, strict=True):
        others = np.setdiff1d(np.arange(len(link.weight)), own)
        bias = link.bias if link.bias is not None else np.zeros(len(link.weight), np.float32)
        like = link.conv
        if before is None:
            one = convolution(like, source, link.weight[others], bias[others], FEATURES)
            two = convolution(like, source, link.weight[own], bias[own], PICTURE)
        else:
            rows, columns = link.weight[others], before[1]
            one = added(
                convolution(like, features, rows[:, before[0]], None, FEATURES),
                convolution(like, picture, rows[:, columns], bias[others], BETWEEN),
                f"{like.name}{FEATURES}_sum",
            )
            two = convolution(like, picture, link.weight[own][:, columns], bias[own], PICTURE)
        features, picture = activated(link, one, FEATURES), activated(link, two, PICTURE)
        before = others, own
    last = chain[-1]
    if before is not None:
        added(
            convolution(last.conv, features, last.weight[:, before[0]], None, FEATURES),
            convolution(last.conv, picture, last.weight[:, before[1]], last.bias, PICTURE),
            last.conv.output[0],
        )
    place = next(i for i, node in enumerate(graph.node) if node.name == last.conv.name)
    kept = [[n for n in part if n.name not in gone] for part in _cut(graph.node, place)]
    del graph.node[:], graph.value_info[:]
    graph.node.extend([*kept[0], *nodes, *kept[1]])
    used = {name for node in graph.node for name in node.input}
    for item in [item for item in graph.initializer if item.name not in used]:
        graph.initializer.remove(item)
    onnx.checker.check_model(copy, full_check=True)
    return copy


def _cut(nodes: Sequence[onnx.NodeProto], place: int) -> tuple[list[onnx.NodeProto], ...]:
    every = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    return every[:place], every[place:]
