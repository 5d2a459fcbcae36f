"""Backends keep one contract: uint8 NHWC in, uint8 NHWC out, our errors only."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge_sr import zoo
from edge_sr.backend import Backend, open_backend
from edge_sr.backend.nearest import NearestBackend
from edge_sr.backend.onnxruntime.backend import session_entries
from edge_sr.errors import BackendError, FrameError, ModelFileError, UsageError
from edge_sr.model.sidecar import Sidecar

PATH, SIDECAR = zoo.find("edge-unet-s-x2")


@pytest.fixture(params=["onnxruntime", "openvino", "nearest"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "openvino":
        pytest.importorskip("openvino", reason="pip install 'edge-sr[openvino]'")
    return open_backend(PATH, SIDECAR, backend=request.param)


def picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return (127 + 60 * np.sin(x / 5) + 60 * np.cos(y / 7)).astype(np.uint8)[None, ..., None]


@pytest.mark.parametrize("size", [(64, 96), (65, 97), (4, 4), (7, 300)])
def test_any_size_is_doubled_odd_ones_included(backend: Backend, size: tuple[int, int]) -> None:
    frame = picture(*size)
    result = backend.infer(frame)
    assert result.shape == (1, 2 * size[0], 2 * size[1], 1)
    assert result.dtype == np.uint8
    assert abs(float(result.mean()) - float(frame.mean())) < 2  # it is still the same picture


def test_the_same_frame_gives_the_same_bytes(backend: Backend) -> None:
    frame = picture(40, 60)
    assert np.array_equal(backend.infer(frame), backend.infer(frame.copy()))


def test_the_result_is_the_callers_to_keep(backend: Backend) -> None:
    first = backend.infer(picture(40, 60))
    kept = first.copy()
    backend.infer(255 - picture(40, 60))
    assert np.array_equal(first, kept)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (picture(40, 60).astype(np.float32), r"float32 .*; expected uint8 \(1, H, W, 1\)"),
        (picture(40, 60)[0], r"uint8 \(40, 60, 1\); expected uint8 \(1, H, W, 1\)"),
        (np.repeat(picture(40, 60), 3, axis=3), r"3 channels; edge-unet-s-x2 takes 1 \(luma\)"),
        (picture(3, 60), r"60x3; expected sides of 4 to 8192"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(
    backend: Backend, frame: np.ndarray, message: str
) -> None:
    with pytest.raises(FrameError, match=message):
        backend.infer(frame)


def test_a_closed_backend_says_so(backend: Backend) -> None:
    backend.close()
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.infer(picture(40, 60))


def test_views_of_a_decoders_rows_are_taken(backend: Backend) -> None:
    wide = np.zeros((1, 40, 80, 1), np.uint8)
    wide[:, :, :60] = picture(40, 60)
    assert np.array_equal(backend.infer(wide[:, :, :60]), backend.infer(picture(40, 60)))


def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"hello")
    with pytest.raises(ModelFileError, match=r"x\.onnx: not an ONNX file"):
        open_backend(path, SIDECAR)
    path.write_bytes(b"\x08\x07")  # a version, and no network
    with pytest.raises(BackendError, match=r"x\.onnx: ONNX Runtime cannot open it"):
        open_backend(path, SIDECAR)


def test_an_unknown_backend_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="backend is 'cuda'; expected auto, onnxruntime, openvino"):
        open_backend(PATH, SIDECAR, backend="cuda")


def test_nearest_takes_the_pixel_whose_centre_is_nearest() -> None:
    facts = {**vars(SIDECAR), "scale": "3/2"}
    frame = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1) * 10
    result = NearestBackend(Sidecar(**facts)).infer(frame)[0, ..., 0]
    centres = [int(np.floor((i + 0.5) / 1.5)) for i in range(6)]
    assert np.array_equal(result, frame[0, :, :, 0][np.ix_(centres, centres)])


def test_a_fixed_size_model_names_the_size_it_takes() -> None:
    facts = {**vars(SIDECAR), "width": 64, "height": 32}
    with pytest.raises(FrameError, match=r"60x40; .* takes 64x32 only: resize the input, or"):
        NearestBackend(Sidecar(**facts)).infer(picture(40, 60))


def test_a_family_name_picks_the_smallest_scale_that_reaches() -> None:
    assert zoo.find("edge-unet-s", Fraction(2))[1].name == "edge-unet-s-x2"
    assert zoo.find("edge-unet-s", Fraction(3, 2))[1].name == "edge-unet-s-x1.5"
    assert zoo.find("edge-unet-s", Fraction(4))[1].name == "edge-unet-s-x2"


def test_a_cpu_without_vnni_gets_kernels_that_do_not_overflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    path = tmp_path / "cpuinfo"
    other = ("session.x64quantprecision", "1")
    assert other in session_entries(path)  # cannot be asked
    path.write_text("flags : fpu avx2 avx512f\n")
    assert other in session_entries(path)
    path.write_text("flags : fpu avx2 avx_vnni\n")
    assert other not in session_entries(path)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    path.write_text("Features : fp asimd\n")
    assert other not in session_entries(path)
