"""The Python API: still images keep their kind, frames their time and tags."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from edge_sr import Upscaler
from edge_sr.backend.nearest import NearestBackend
from edge_sr.errors import FrameError, UsageError
from edge_sr.media.color import yuv_to_rgb
from edge_sr.media.frame import Color, Frame


@pytest.fixture(scope="module")
def upscaler() -> Iterator[Upscaler]:
    with Upscaler.open("edge-unet-s-x2") as opened:
        yield opened


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 90 * np.sin(x / 9 + phase) * np.cos(y / 11) for phase in (0, 1, 2)]
    return np.stack(planes, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)])
def test_a_still_image_keeps_its_kind(upscaler: Upscaler, channels: tuple[int, ...]) -> None:
    result = upscaler.upscale(noise(20, 31, *channels))
    assert result.shape == (40, 62, *channels)
    assert result.dtype == np.uint8


def test_colours_come_through(upscaler: Upscaler) -> None:
    image = smooth(60, 80)
    small = upscaler.upscale(image).reshape(60, 2, 80, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - image).mean() < 2


def test_alpha_stays_what_it_was_where_it_is_flat(upscaler: Upscaler) -> None:
    image = np.dstack([smooth(20, 30), np.full((20, 30), 77, np.uint8)])
    assert np.unique(upscaler.upscale(image)[..., 3]).tolist() == [77]


@pytest.mark.parametrize(
    "image",
    [
        noise(8, 8).astype(np.float32),
        noise(8),
        noise(2, 8, 8, 3),
        noise(8, 8, 5),
        noise(8, 8).astype(">u2"),
    ],
)
def test_what_is_no_image_is_refused(upscaler: Upscaler, image: np.ndarray) -> None:
    with pytest.raises(FrameError, match=r"expected uint8 \(H, W"):
        upscaler.upscale(image)


@pytest.mark.parametrize("size", [(64, 96), (35, 51)])
def test_a_frame_keeps_its_time_and_tags(upscaler: Upscaler, size: tuple[int, int]) -> None:
    half = (-(-size[0] // 2), -(-size[1] // 2))
    color = Color(matrix=1, primaries=1, transfer=1, full_range=True)
    frame = Frame((noise(*size), noise(*half), noise(*half)), 1234, Fraction(1, 90000), color)
    result = upscaler.upscale_frame(frame)
    assert result.y.shape == (2 * size[0], 2 * size[1])
    assert result.u.shape == result.v.shape == size
    assert (result.pts, result.time_base, result.color) == (1234, frame.time_base, color)


def test_a_frame_s_two_halves_make_the_whole(upscaler: Upscaler) -> None:
    frame = Frame((noise(64, 96), noise(32, 48), noise(32, 48)), 5, Fraction(1, 25))
    seen = upscaler.network_input(frame)
    assert seen.shape == (64, 96, 1)
    image = upscaler.backend.infer(seen[None])[0]
    whole, halves = upscaler.upscale_frame(frame), upscaler.assemble(frame, image)
    for one, other in zip((whole.y, whole.u, whole.v), (halves.y, halves.u, halves.v), strict=True):
        np.testing.assert_array_equal(one, other)
    given = upscaler.assemble(frame, image, (whole.v, whole.u))
    np.testing.assert_array_equal(given.u, whole.v)
    assert halves.pts == 5


def test_a_backend_of_one_frame_at_a_time_has_one_in_flight(upscaler: Upscaler) -> None:
    session = upscaler.session((48, 32))
    frame = Frame((noise(32, 48), noise(16, 24), noise(16, 24)), 3, Fraction(1, 25))
    assert session.depth == 1
    session.submit(frame)
    collected = session.collect()
    np.testing.assert_array_equal(collected.y, upscaler.upscale_frame(frame).y)
    assert collected.pts == 3
    assert list(upscaler.notices) == []


def test_untagged_sd_says_what_it_is_once_it_is_hd(upscaler: Upscaler) -> None:
    half = np.full((180, 240), 128, np.uint8)
    frame = Frame((noise(360, 480), half, half), 0, Fraction(1, 25))
    assert upscaler.upscale_frame(frame).color.matrix in (5, 6)  # BT.601, not the 709 of HD


def test_an_rgb_model_sees_the_frames_own_colours(upscaler: Upscaler) -> None:
    sidecar = dataclasses.replace(upscaler.sidecar, color="rgb")
    rgb = Upscaler(NearestBackend(sidecar), sidecar)
    color = Color(matrix=1, primaries=1, transfer=1, full_range=False)
    grey = np.full((16, 24), 90, np.uint8)
    frame = Frame((np.full((32, 48), 150, np.uint8), grey, grey + 60), 7, Fraction(1, 25), color)
    result = rgb.upscale_frame(frame)
    before, after = yuv_to_rgb(frame)[5, 5], yuv_to_rgb(result)[9, 9]
    assert result.y.shape == (64, 96)
    assert np.abs(before.astype(int) - after.astype(int)).max() <= 2
    assert result.color == color


def test_a_closed_upscaler_can_be_closed_again() -> None:
    opened = Upscaler.open("edge-unet-s-x2", threads=1)
    opened.close()
    opened.close()


def test_a_scale_that_the_model_does_not_have_is_refused() -> None:
    with Upscaler.open("edge-unet-s", scale=1.5, backend="nearest") as upscaler:
        assert upscaler.sidecar.ratio == Fraction(3, 2)
    with pytest.raises(UsageError, match=r"edge-unet-s-x2 upscales by 2, not by 1\.5"):
        Upscaler.open("edge-unet-s-x2", scale=1.5, backend="nearest")
    with pytest.raises(UsageError, match="not by 3"):
        Upscaler.open("edge-unet-s", scale=3, backend="nearest")
