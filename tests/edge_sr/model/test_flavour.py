"""The flavour of a network that fits an input, and the line that says why."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sr import zoo
from edge_sr.errors import UsageError
from edge_sr.media.address import parse_address
from edge_sr.media.codec.compression import Compression, jpeg_quality, read_compression
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.run import run_job
from edge_sr.zoo.flavour import (
    COARSE_QUANTISER,
    Fit,
    choose,
    fit_image,
    fit_input,
    fit_video,
    level_quantiser,
)

av = pytest.importorskip("av", reason="pip install av")
PIL = pytest.importorskip("PIL.Image", reason="pip install pillow")


def scene() -> np.ndarray:
    """Noise at two scales, uint8 (128, 160): nothing that a codec gets for free."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(40, 200, (16, 20), np.uint8).repeat(8, 0).repeat(8, 1)
    fine = rng.normal(0, 6, coarse.shape)
    return np.clip(coarse + fine, 0, 255).astype(np.uint8)


def coded(path: Path, codec: str, options: dict[str, str]) -> Path:
    big = scene()
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = big.shape[0], big.shape[1] - 16
        stream.pix_fmt = "yuv420p"
        for number in range(8):
            cut = np.ascontiguousarray(big[:, number : number + 144])
            frame = av.VideoFrame.from_ndarray(cut, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("codec", "options", "flavour", "why"),
    [
        ("libx264", {"qp": "28"}, "live", "h264, mean quantiser 2"),
        ("libx264", {"qp": "4"}, "plain", "finely compressed (h264, mean quantiser 4"),
        ("libx264", {"qp": "0"}, "plain", "without loss (h264)"),
        ("ffv1", {}, "plain", "without loss (ffv1)"),
        ("mpeg4", {"qmin": "8", "qmax": "8"}, "live", "mpeg4, mean quantiser 28"),
        ("libx265", {"crf": "35", "x265-params": "log-level=none"}, "live", "bits a pixel"),
    ],
)
def test_videos(
    tmp_path: Path, codec: str, options: dict[str, str], flavour: str, why: str
) -> None:
    fit = fit_input(parse_address(str(coded(tmp_path / "clip.mkv", codec, options))))
    assert fit.flavour == flavour
    assert why in fit.why


def test_the_quantiser_follows_the_encoder(tmp_path: Path) -> None:
    found = [
        read_compression(coded(tmp_path / f"{qp}.mkv", "libx264", {"qp": str(qp)}))
        for qp in (10, 20, 30)
    ]
    steps = [item.quantiser for item in found if item is not None and item.quantiser is not None]
    assert len(steps) == 3
    assert np.allclose(steps, (10, 20, 30), atol=2)  # B and I frames differ a little from P


def test_what_is_not_known_of_a_file() -> None:
    assert fit_video(None).flavour == "live"
    assert fit_video(Compression("vp9")).flavour == "live"
    assert fit_video(Compression("av1", bits_per_pixel=2.0)).flavour == "plain"
    assert fit_video(Compression("prores", bits_per_pixel=0.1)).flavour == "plain"


def test_inputs_that_are_no_files(tmp_path: Path) -> None:
    assert fit_input(parse_address("0")).flavour == "live"
    assert fit_input(parse_address("rtsp://cam/1")).flavour == "live"
    assert fit_input(parse_address("-")).flavour == "live"
    assert fit_input(parse_address("test://64x48")).flavour == "plain"
    assert read_compression(tmp_path / "none.mp4") is None
    (tmp_path / "text.mp4").write_text("no film")
    assert read_compression(tmp_path / "text.mp4") is None


@pytest.mark.parametrize("quality", [20, 50, 80, 97])
def test_images(tmp_path: Path, quality: int) -> None:
    path = tmp_path / "photo.jpg"
    PIL.fromarray(scene()).save(path, quality=quality)
    assert jpeg_quality(path) == pytest.approx(quality, abs=1)
    assert fit_image(path).flavour == ("live" if quality < 90 else "plain")
    for name, other in (("photo.png", "plain"), ("photo.webp", "live")):
        PIL.fromarray(scene()).save(tmp_path / name)
        assert fit_image(tmp_path / name).flavour == other
    assert jpeg_quality(tmp_path / "none.jpg") is None


@pytest.mark.parametrize(
    ("options", "flavour", "model"),
    [
        ({}, "live", "edge-unet-s-live"),
        ({}, "plain", "edge-unet-s"),
        ({"model": "edge-unet-m"}, "live", "edge-unet-m"),  # a named model is taken as it is
        ({"flavour": "plain"}, "live", "edge-unet-s"),
        ({"model": "edge-unet-s", "flavour": "auto"}, "live", "edge-unet-s-live"),
    ],
)
def test_the_model_of_a_job(options: dict[str, Any], flavour: str, model: str) -> None:
    spec = JobSpec(**options)
    assert choose(spec.model, spec.flavour, lambda: Fit(flavour, "so"))[0] == model


def test_flavours_that_do_not_go() -> None:
    def never() -> Fit:
        raise AssertionError

    with pytest.raises(UsageError, match="edge-unet-s-x2 is not one"):
        choose("edge-unet-s-x2", "live", never)
    with pytest.raises(UsageError, match="edge-unet-s-live-live: no such model is shipped"):
        choose("edge-unet-s-live", "live", never)


def test_a_flavour_that_is_not_shipped_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "families", lambda: ["edge-unet-s"])
    model, why = choose(zoo.AUTO, None, lambda: Fit("live", "so"))
    assert model == "edge-unet-s"
    assert "no edge-unet-s-live is shipped" in why


def test_a_job_says_what_it_takes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = coded(tmp_path / "clip.mkv", "libx264", {"qp": "30"})
    with caplog.at_level(logging.INFO, "edge_sr"):
        run_job(JobSpec(input=str(clip), output="null", backend="nearest"))
    assert "edge-unet-s-live: the input is compressed (h264, mean quantiser" in caplog.text
    assert "(--flavour plain for the other)" in caplog.text


def test_detail_moves_the_turn_up_and_bits_move_it_down() -> None:
    def turn(detail: float | None, bits: float | None) -> float:
        facts = Compression("h264", quantiser=18, bits_per_pixel=bits, detail=detail)
        return level_quantiser(facts)

    assert turn(None, 0.5) == turn(3, None) == COARSE_QUANTISER
    assert turn(2, 0.25) == pytest.approx(turn(1, 0.25) + 3.4)
    assert turn(4, 0.5) == pytest.approx(turn(4, 0.25) - 2)
    soft = Compression("h264", quantiser=18, bits_per_pixel=0.3, detail=2.4)
    assert fit_video(soft).flavour == "live"
    assert "mean quantiser 18, the turn is at 15" in fit_video(soft).why
    assert fit_video(replace(soft, detail=9.3)).flavour == "plain"


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le", "gray", "bgr0"])
def test_detail_is_read_at_any_depth(tmp_path: Path, pixels: str) -> None:
    ramp = np.tile(np.arange(0, 240, 4, np.uint8), (48, 1))  # 4 levels across, none down
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 60, 48, pixels
        for _ in range(8):
            planes = np.vstack([ramp, np.full((24, 60), 128, np.uint8)])
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            output.mux(stream.encode(frame.reformat(format=pixels)))
        output.mux(stream.encode())
    found = read_compression(path)
    assert found is not None
    if pixels == "bgr0":
        assert found.detail is None
    else:
        assert found.detail == pytest.approx(2, rel=0.2)  # gray has the full range
