"""Networks as other people publish them: one that doubles pixels, in all its forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

Nodes = list[onnx.NodeProto]
ANY = ([1, 3, "h", "w"], [1, 3, "a", "b"])


def save(
    path: Path,
    nodes: Nodes,
    weights: dict[str, np.ndarray],
    shapes: tuple[list[Any], list[Any]] = ANY,
    *,
    opset: int = 17,
    kinds: tuple[int, int] = (TensorProto.FLOAT, TensorProto.FLOAT),
    inputs: bool = False,
) -> Path:
    """Write a network from ``input`` to ``output``."""
    taken = [helper.make_tensor_value_info("input", kinds[0], shapes[0])]
    if inputs:
        taken += [helper.make_tensor_value_info(n, 1, v.shape) for n, v in weights.items()]
    given = [helper.make_tensor_value_info("output", kinds[1], shapes[1])]
    stored = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", taken, given, stored)
    ir = 3 if inputs else 8
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir),
        path,
    )
    return path


def doubler(
    channels: int = 3, *, bias: float = 0.0, kind: Any = np.float32
) -> tuple[Nodes, dict[str, np.ndarray]]:
    """Convolution, PRelu, convolution, pixel shuffle: pixels are repeated, with a little noise."""
    rng = np.random.default_rng(0)
    first = rng.normal(0, 0.004, (8, channels, 3, 3))
    last = rng.normal(0, 0.004, (4 * channels, 8, 3, 3))
    for channel in range(channels):
        first[channel, channel, 1, 1] = 1
        last[4 * channel : 4 * channel + 4, channel, 1, 1] = 1
    nodes = [
        helper.make_node("Conv", ["input", "w", "b"], ["h"], pads=[1] * 4),
        helper.make_node("PRelu", ["h", "s"], ["p"]),
        helper.make_node("Conv", ["p", "w2"], ["q"], pads=[1] * 4),
        helper.make_node("DepthToSpace", ["q"], ["output"], blocksize=2, mode="CRD"),
    ]
    weights = {"w": first, "b": np.full(8, bias), "s": np.full((8, 1, 1), 0.25), "w2": last}
    return nodes, {name: value.astype(kind) for name, value in weights.items()}


def upscale(path: Path, frame: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    result: np.ndarray = session.run(None, {"frame": frame[None]})[0][0]
    return result


def repeated(frame: np.ndarray, scale: int = 2) -> np.ndarray:
    return frame.repeat(scale, 0).repeat(scale, 1)


def form(name: str, path: Path) -> Path:
    """One of the forms in which networks are published."""
    half, float16 = doubler(kind=np.float16), TensorProto.FLOAT16
    inner, weights = doubler()
    inner[0].input[0], inner[-1].output[0] = "x", "y"
    turn_in = helper.make_node("Transpose", ["input"], ["x"], perm=[0, 3, 1, 2])
    turn_out = helper.make_node("Transpose", ["y"], ["output"], perm=[0, 2, 3, 1])
    keep_out = helper.make_node("Identity", ["y"], ["output"])
    flat = ([1, "h", "w", 3], [1, "a", "b", 3])
    if name == "half weights and tensors":
        return save(path, *half, kinds=(float16, float16))
    if name == "half inside":
        casts = [
            helper.make_node("Cast", ["input"], ["x"], to=float16),
            helper.make_node("Cast", ["y"], ["output"], to=TensorProto.FLOAT),
        ]
        nodes, weights = doubler(kind=np.float16)
        nodes[0].input[0], nodes[-1].output[0] = "x", "y"
        return save(path, [casts[0], *nodes, casts[1]], weights)
    if name == "channels last":
        return save(path, [turn_in, *inner, turn_out], weights, flat)
    if name == "channels last in, first out":
        return save(path, [turn_in, *inner, keep_out], weights, (flat[0], ANY[1]))
    if name == "batch of 4":
        return save(path, *doubler(), ([4, 3, "h", "w"], [4, 3, "a", "b"]))
    if name == "weights as inputs":
        return save(path, *doubler(), inputs=True, opset=13)
    if name == "fixed size":
        return save(path, *doubler(), ([1, 3, 48, 64], [1, 3, 96, 128]))
    if name == "luma":
        return save(path, *doubler(1), ([1, 1, "h", "w"], [1, 1, "a", "b"]))
    if name == "all free":
        return save(path, *doubler(), (["n", "c", "h", "w"], ["n", "c", "a", "b"]))
    if name == "bytes in and out":
        tensors = [
            helper.make_node("Cast", ["input"], ["x"], to=TensorProto.FLOAT),
            helper.make_node("Clip", ["y", "low", "high"], ["z"]),
            helper.make_node("Round", ["z"], ["r"]),
            helper.make_node("Cast", ["r"], ["output"], to=TensorProto.UINT8),
        ]
        weights |= {"low": np.array(0, np.float32), "high": np.array(255, np.float32)}
        uint8 = TensorProto.UINT8
        return save(path, [tensors[0], *inner, *tensors[1:]], weights, kinds=(uint8, uint8))
    source = save(path, *doubler())
    onnx.save(
        onnx.load(source),
        source,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=f"{path.name}.data",
        size_threshold=0,
    )
    return source


FORMS = (
    "half weights and tensors",
    "half inside",
    "channels last",
    "channels last in, first out",
    "batch of 4",
    "weights as inputs",
    "fixed size",
    "luma",
    "all free",
    "bytes in and out",
    "weights in another file",
)


def edited(path: Path, edit: Callable[[onnx.ModelProto], object]) -> Path:
    model = onnx.load(save(path, *doubler()))
    edit(model)
    onnx.save(model, path)
    return path
