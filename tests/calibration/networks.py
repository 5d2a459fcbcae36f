"""Small networks and pictures, made here: nothing needs trained weights or a download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_sr.media.stills.files import write_image
from edge_sr.model.sidecar import Sidecar, sha256_of, write_sidecar


class Builder:
    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, name: str, value: object, dtype: object = np.float32) -> str:
        self.weights.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def add(self, op: str, name: str, inputs: list[str], **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def conv(self, name: str, source: str, shape: tuple[int, ...], spread: float = 0.0) -> str:
        spread = spread or (2.0 / np.prod(shape[1:])) ** 0.5
        weight = self.constant(f"{name}_w", self.rng.normal(0, spread, shape))
        bias = self.constant(f"{name}_b", self.rng.normal(0, 0.1, shape[0]))
        pads = [shape[2] // 2] * 4
        return self.add("Conv", name, [source, weight, bias], pads=pads)

    def relu(self, source: str) -> str:
        return self.add("Relu", f"{source}_relu", [source])

    def model(
        self, tensors: list[tuple[str, int, list[object]]], opset: int = 17
    ) -> onnx.ModelProto:
        infos = [helper.make_tensor_value_info(*end) for end in tensors]
        graph = helper.make_graph(self.nodes, "tiny", infos[:1], infos[1:], self.weights)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def luma_model() -> onnx.ModelProto:
    """uint8 (1, H, W, 1) -> (1, 2H, 2W, 1): a body with a residual, a head, repeated pixels."""
    b = Builder()
    x = b.add("Cast", "frame_float", ["frame"], to=TensorProto.FLOAT)
    x = b.add("Transpose", "frame_nchw", [x], perm=[0, 3, 1, 2])
    centre = b.add("Sub", "centre", [x, b.constant("half", 127.5)])
    x = b.relu(b.conv("stem", centre, (8, 1, 3, 3), 0.01))
    identity = x
    x = b.relu(b.conv("body0", x, (8, 8, 3, 3)))
    x = b.conv("body1", x, (8, 8, 3, 3))
    x = b.add("Add", "skip", [x, identity])
    x = b.relu(b.conv("body2", x, (8, 8, 3, 3)))
    head = b.conv("head", x, (4, 8, 3, 3))
    anchor = b.add("Conv", "anchor", [centre, b.constant("anchor_w", np.ones((4, 1, 1, 1)))])
    x = b.add("Add", "restore", [head, anchor])
    x = b.add("Add", "uncentre", [x, "half"])
    x = b.add("DepthToSpace", "shuffle", [x], blocksize=2)
    x = b.add("Clip", "clipped", [x, b.constant("low", 0.0), b.constant("high", 255.0)])
    x = b.add("Transpose", "nhwc", [b.add("Round", "whole", [x])], perm=[0, 2, 3, 1])
    b.add("Cast", "upscaled", [x], to=TensorProto.UINT8)
    tensors = [
        ("frame", TensorProto.UINT8, [1, "h", "w", 1]),
        ("upscaled", TensorProto.UINT8, [1, "H", "W", 1]),
    ]
    return b.model(tensors)


def external_model(scale: float = 1.0, opset: int = 17) -> onnx.ModelProto:
    """float (1, 3, H, W) -> the same twice as large; two branches meet in a Concat."""
    b = Builder(1)
    a = b.relu(b.conv("first", "x", (8, 3, 3, 3)))
    c = b.relu(b.conv("second", a, (8, 8, 3, 3)))
    x = b.add("Concat", "both", [a, c], axis=1)
    x = b.relu(b.conv("third", x, (8, 16, 1, 1)))
    x = b.conv("tail", x, (12, 8, 3, 3), 0.01)
    repeated = b.add("Concat", "repeated", ["x"] * 4, axis=1)
    x = b.add("Add", "anchored", [x, repeated])
    b.add("DepthToSpace", "y", [x], blocksize=2, mode="DCR")
    tensors = [
        ("x", TensorProto.FLOAT, ["n", 3, "h", "w"]),
        ("y", TensorProto.FLOAT, ["n", 3, "H", "W"]),
    ]
    return b.model(tensors, opset)


def save_luma(path: Path, model: onnx.ModelProto | None = None) -> Path:
    """Write the luma network with a sidecar."""
    onnx.save(model or luma_model(), path)
    sidecar = Sidecar(
        name=path.stem,
        architecture="tiny",
        scale="2",
        color="luma",
        width=None,
        height=None,
        output_width=None,
        output_height=None,
        precision="fp32",
        parameters=1,
        macs_720p=1,
        sha256=sha256_of(path),
        made_from="nothing",
        made_from_sha256="0" * 64,
        quality={"Set5_psnr_y_db": 37.2},  # of this file, not of what is made from it
    )
    write_sidecar(path, sidecar)
    return path


def picture(rows: int, columns: int, channels: int, seed: int) -> np.ndarray:
    """uint8 (rows, columns, channels): soft shades, edges and a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns] / 40
    planes = []
    for _ in range(channels):
        shade = 120 + 70 * np.sin(rng.uniform(1, 4) * x + rng.uniform(1, 4) * y)
        edge = 35 * np.sign(np.sin(rng.uniform(2, 9) * x - rng.uniform(2, 9) * y))
        planes.append(shade + edge + rng.normal(0, 3, (rows, columns)))
    return np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255).astype(np.uint8)


def save_pictures(folder: Path, count: int, channels: int = 3, side: int = 64) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        image = picture(side, side + 16, channels, seed)
        write_image(folder / f"{seed}.png", image[..., 0] if channels == 1 else image)
    return folder


def scale_type(model: onnx.ModelProto) -> int:
    """TensorProto type of the scales: FLOAT, or FLOAT16 for the variant with half around."""
    kinds = {item.name: item.data_type for item in model.graph.initializer}
    found = {
        kinds[node.input[1]]
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
    }
    return int(found.pop()) if len(found) == 1 else int(TensorProto.UNDEFINED)
