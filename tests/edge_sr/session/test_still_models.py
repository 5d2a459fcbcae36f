"""A tile of a shipped model gives the pixels of the whole frame, bit for bit, in every runtime."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from fakes.sessions import flat

from edge_sr.backend import cpu
from edge_sr.media.frame import Frame
from edge_sr.session.plan import CostModel
from edge_sr.types import Size
from edge_sr.upscaler import Upscaler


@pytest.fixture(autouse=True)
def always_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long they take on this machine."""
    monkeypatch.setattr(CostModel, "most", lambda *_: math.inf)


COMBINATIONS = [
    ("onnxruntime", "fp32"),
    ("onnxruntime", "int8"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
    ("openvino", "int8-bf16"),
]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["edge-unet-s-x2", "edge-unet-m-x2", "edge-unet-s-x1.5"])
@pytest.mark.parametrize(("backend", "precision"), COMBINATIONS)
def test_exact_is_exact(model: str, backend: str, precision: str) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino", reason="pip install 'edge-sr[openvino]'")
    if precision.endswith("bf16") and not cpu.BF16 & cpu.flags():
        pytest.skip("no bfloat16 on this CPU")
    check(model, backend, precision)


def test_exact_is_exact_with_the_default_model() -> None:
    check("edge-unet-s-x2", "onnxruntime", "fp32")


def of(image: np.ndarray, size: Size) -> Frame:
    return replace(flat(0, size), planes=(image, *flat(0, size).planes[1:]))


def check(model: str, backend: str, precision: str) -> None:
    """A patch of noise moves over a picture with detail; the edges of the frame are among it."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:296, 0:488]
    calm = 120 + 70 * np.sin(rows / 3) * np.cos(columns / 5) + rng.normal(0, 12, rows.shape)
    calm = np.clip(calm, 0, 255).astype(np.uint8)
    with Upscaler.open(model, backend=backend, precision=precision, threads=2) as upscaler:
        session = upscaler.session((488, 296), still="exact")
        for number, (top, left) in enumerate([(0, 0), (60, 130), (260, 450), (0, 460), (274, 20)]):
            image = calm.copy()
            image[top : top + 22, left : left + 30] = rng.integers(0, 256, (22, 30), np.uint8)[
                : 296 - top, : 488 - left
            ]
            found = session.upscale(of(image, Size(488, 296))).y
            wanted = upscaler.backend.infer(image[None, ..., None])[0, ..., 0]
            assert np.array_equal(found, wanted), f"{(found != wanted).sum()} pixels differ"
            assert number == 0 or session.computed < 1.0
