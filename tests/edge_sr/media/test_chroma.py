from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from clips import frame

from edge_sr.media.chroma import resize_chroma, resize_frame, shift_chroma
from edge_sr.media.frame import Color, Frame
from edge_sr.media.orientation import Orientation
from edge_sr.media.resample import siting_offset

SIZES = [
    ((64, 48), (128, 96)),  # x2
    ((64, 48), (96, 72)),  # x1.5
    ((64, 48), (192, 144)),  # x3
    ((65, 49), (130, 98)),  # odd, x2
    ((65, 49), (97, 73)),  # odd, about x1.5
    ((64, 48), (100, 70)),  # no simple ratio, another shape
    ((128, 96), (96, 72)),  # smaller
    ((129, 97), (64, 33)),  # odd, smaller
    ((64, 96), (96, 48)),  # wider and lower
]


def ramp(size: tuple[int, int], location: int) -> Frame:
    """Chroma that is linear in the place of its sample on the picture, whatever the siting."""
    width, height = size
    x, y = siting_offset(location)
    columns = (2 * np.arange((width + 1) // 2) + x + 0.5) / width
    rows = (2 * np.arange((height + 1) // 2) + y + 0.5) / height
    u = np.rint(40 + 163.7 * columns[None] + 0 * rows[:, None]).astype(np.uint8)
    v = np.rint(200 - 151.3 * rows[:, None] + 0 * columns[None]).astype(np.uint8)
    luma = np.zeros((height, width), np.uint8)
    return Frame((luma, u, v), 7, Fraction(1, 25), Color(chroma_location=location))


@pytest.mark.parametrize(("size", "target"), SIZES)
@pytest.mark.parametrize("location", [0, 1, 2, 3, 4])
def test_a_ramp_stays_the_same_ramp(
    size: tuple[int, int], target: tuple[int, int], location: int
) -> None:
    u, v = resize_chroma(ramp(size, location), *target)
    expected = ramp(target, location)
    assert u.shape == v.shape == expected.u.shape
    inside = (slice(6, -6), slice(6, -6))  # edges are replicated, the ramp cannot go on there
    assert np.abs(u[inside].astype(int) - expected.u[inside]).max() <= 1
    assert np.abs(v[inside].astype(int) - expected.v[inside]).max() <= 1
    bias = (u[inside].astype(float) - expected.u[inside]).mean()
    assert abs(bias) < 0.3


def test_siting_makes_a_difference() -> None:
    flat = frame(0)
    left = resize_chroma(flat, 128, 96)[1].astype(int)
    centred = Frame(flat.planes, 0, flat.time_base, Color(chroma_location=2))
    assert (left - resize_chroma(centred, 128, 96)[1]).mean() > 0.1


def test_a_constant_stays_exact_up_to_the_edges() -> None:
    for location in range(7):
        for size, target in SIZES:
            width, height = size
            half = ((height + 1) // 2, (width + 1) // 2)
            u, v = np.full(half, 17, np.uint8), np.full(half, 240, np.uint8)
            flat = Frame((np.zeros((height, width), np.uint8), u, v), 0, Fraction(1), Color())
            u, v = resize_chroma(flat, *target)
            assert (u.min(), u.max(), v.min(), v.max()) == (17, 17, 240, 240), (location, target)


def test_the_same_size_is_a_copy() -> None:
    image = frame(0)
    u, v = resize_chroma(image, 64, 48)
    assert np.array_equal(u, image.u)
    assert np.array_equal(v, image.v)
    assert not np.shares_memory(u, image.u)


def test_overshoot_is_clipped_not_wrapped() -> None:
    u = np.zeros((24, 32), np.uint8)
    u[:, 16:] = 255
    image = Frame((np.zeros((48, 64), np.uint8), u, 255 - u), 0, Fraction(1))
    for target in ((128, 96), (100, 75)):
        big, _ = resize_chroma(image, *target)
        assert big[:, : big.shape[1] // 2 - 3].max() < 30
        assert big[:, big.shape[1] // 2 + 3 :].min() > 225


def test_resizing_a_frame_keeps_its_time_and_its_tags() -> None:
    color = Color(1, 1, 1, full_range=True, chroma_location=2)
    image = frame(3, pts=77, color=color)
    big = resize_frame(image, 96, 100)
    assert (big.y.shape, big.u.shape, big.v.shape) == ((100, 96), (50, 48), (50, 48))
    assert (big.pts, big.time_base, big.color) == (77, image.time_base, color)


@pytest.mark.parametrize("target", [(96, 72), (40, 30)])
def test_luma_stays_where_it_is_when_a_frame_is_resized(target: tuple[int, int]) -> None:
    width, height = 64, 48
    y = np.rint(20 + 200 * (np.arange(width) + 0.5) / width)[None].repeat(height, 0)
    flat = np.full((24, 32), 128, np.uint8)
    big = resize_frame(Frame((y.astype(np.uint8), flat, flat), 0, Fraction(1)), *target)
    expected = 20 + 200 * (np.arange(target[0]) + 0.5) / target[0]
    assert np.abs(big.y[5:-5, 5:-5] - expected[5:-5]).max() <= 1.5


def test_shrinking_a_frame_does_not_alias() -> None:
    stripes = np.zeros((48, 64), np.uint8)
    stripes[:, ::2] = 255
    flat = np.full((24, 32), 128, np.uint8)
    small = resize_frame(Frame((stripes, flat, flat), 0, Fraction(1)), 20, 16)
    assert small.y[:, 4:-4].min() > 90
    assert small.y[:, 4:-4].max() < 165


def test_untagged_sd_is_tagged_when_it_becomes_hd() -> None:
    assert resize_frame(frame(0), 1280, 960).color.matrix == 6
    assert resize_frame(frame(0), 128, 96).color.matrix == 2


@pytest.mark.parametrize(
    "turn",
    [
        Orientation(transpose=True, flip_x=True),
        Orientation(flip_x=True, flip_y=True),
        Orientation(transpose=True, flip_y=True),
        Orientation(flip_x=True),
    ],
)
@pytest.mark.parametrize("location", [1, 2, 3])
def test_turned_chroma_lies_where_the_siting_says(turn: Orientation, location: int) -> None:
    """The turned ramp must be the ramp of the turned picture, not half a pixel beside it."""
    image = ramp((64, 48), location)
    _, u, _ = turn.turn_yuv(image.y, image.u, image.v, location)
    size = (48, 64) if turn.transpose else (64, 48)
    expected = 40 + 163.7 * _progress(turn, size, location)
    assert u.shape == expected.shape
    assert abs((u - expected)[4:-4, 4:-4].mean()) < 0.5  # half a pixel would be 1.3


def _progress(turn: Orientation, size: tuple[int, int], location: int) -> np.ndarray:
    """How far along the upright picture's width each chroma sample of the turned one lies."""
    (width, height), (x, y) = size, siting_offset(location)
    columns = (2 * np.arange(width // 2) + x + 0.5) / width
    rows = (2 * np.arange(height // 2) + y + 0.5) / height
    columns = 1 - columns if turn.flip_x else columns
    rows = 1 - rows if turn.flip_y else rows
    along = rows[:, None] if turn.transpose else columns[None]
    return np.broadcast_to(along, (height // 2, width // 2))


def test_a_shift_of_nothing_changes_nothing() -> None:
    plane = frame(0).v
    assert shift_chroma(plane, (0.0, 0.5), (0.0, 0.5)) is plane
