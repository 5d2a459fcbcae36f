"""Small networks, pictures and rows for the tests of bench and lab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from bench.records import DeviceFacts, DeviceState, Latency, Row, SetScore

Save = Callable[..., Path]


@pytest.fixture
def rival_file(tmp_path: Path) -> Save:
    """Save a float x2 network that repeats pixels: NCHW or NHWC, 1 or 3 channels."""

    def save(*, channels: int = 3, layout: str = "nchw", name: str = "rival.onnx") -> Path:
        weight = np.zeros((4 * channels, channels, 3, 3), np.float32)
        for index in range(4 * channels):  # DepthToSpace in DCR order
            weight[index, index % channels, 1, 1] = 1
        nodes = [
            helper.make_node("Conv", ["a", "w"], ["b"], pads=[1, 1, 1, 1]),
            helper.make_node("DepthToSpace", ["b"], ["c"], blocksize=2),
        ]
        shape: list[object] = [1, channels, "h", "w"]
        tensors = ("a", "c")
        if layout == "nhwc":
            nodes.insert(0, helper.make_node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]))
            nodes.append(helper.make_node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1]))
            shape, tensors = [1, "h", "w", channels], ("x", "y")
        graph = helper.make_graph(
            nodes,
            "rival",
            [helper.make_tensor_value_info(tensors[0], TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(tensors[1], TensorProto.FLOAT, None)],
            [numpy_helper.from_array(weight, "w")],
        )
        path = tmp_path / name
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        onnx.save(model, path)
        return path

    return save


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """A smooth uint8 (64, 96, 3) picture with some noise."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:64, :96]
    waves = 120 + 60 * np.sin(rows / 7)[..., None] + 50 * np.cos(columns / 5)[..., None]
    return np.asarray(np.clip(waves + rng.normal(0, 4, (64, 96, 3)), 0, 255), np.uint8)


@pytest.fixture
def folder(tmp_path: Path, picture: NDArray[np.uint8]) -> Path:
    """A folder with two HR pictures, one of them grey and of odd size."""
    path = tmp_path / "hr"
    path.mkdir()
    Image.fromarray(picture).save(path / "color.png")
    Image.fromarray(picture[:63, :95, 1]).save(path / "grey.png")
    return path


STATE = DeviceState(utc="2026-01-01T00:00:00Z", load_1min=0.1)
DEVICE = DeviceFacts(cores=2, machine="m", os="o", python="3", versions={"n": "1"})


def make_latency(p50: float) -> Latency:
    """Every time is ``p50`` ms."""
    names = ("p50_ms", "p90_ms", "p99_ms", "max_ms", "mean_ms", "cpu_p50_ms")
    return Latency(
        **dict.fromkeys(names, p50),
        runs=50,
        warmup=3,
        round_p50_ms=(p50,),
        noise_percent=1.0,
        frames30_s=p50 / 30,
        frames30_measured=30,
        harness_us=1.0,
        interleaved_with=("a",),
        kept_open=True,
        cores=(0,),
        state_before=STATE,
        state_after=STATE,
    )


def make_score(psnr: float, **more: Any) -> SetScore:
    """The score of a set of five pictures."""
    facts = {"sha256": "5", "protocol": "p", "pictures": 5, "psnr_y_db": psnr, "ssim_y": 0.9}
    return SetScore(**facts | more)


@pytest.fixture
def row() -> Callable[..., Row]:
    """Make rows with every part that reports read."""

    def make(
        name: str = "a", *, p50: float | None = 10.0, psnr: float | None = 30.0, **more: Any
    ) -> Row:
        facts: dict[str, Any] = {
            "name": name,
            "sha256": name,
            "kind": "model",
            "architecture": "x",
            "precision": "fp32",
            "color": "luma",
            "scale": "2",
            "backend": "auto",
            "width": 64,
            "height": 48,
            "threads": 1,
            "device_name": "D",
            "file_bytes": 1000,
            "parameters": 100,
            "macs": 5,
            "activation_bytes": 7,
            "layers": 1,
            "peak_mib": 50,
            "device": DEVICE,
            "latency": make_latency(p50) if p50 is not None else None,
            "quality": {"Set5": make_score(psnr)} if psnr is not None else {},
        }
        return Row(**facts | more)

    return make
