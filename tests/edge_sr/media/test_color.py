from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edge_sr.errors import FrameError
from edge_sr.media.color import rgb_to_yuv, yuv_to_rgb
from edge_sr.media.frame import Color, Frame

# matrix code point -> share of red and blue in luma, from H.273
WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
BARS = [
    (235, 235, 235),
    (191, 191, 0),
    (0, 191, 191),
    (0, 191, 0),
    (191, 0, 191),
    (191, 0, 0),
    (0, 0, 191),
    (16, 100, 220),
]
WIDTH, HEIGHT, BAR = 256, 32, 32
CASES = pytest.mark.parametrize(
    ("matrix", "full"), [(m, full) for m in WEIGHTS for full in (False, True)]
)


def to_yuv(rgb: np.ndarray, matrix: int, full: bool) -> np.ndarray:
    """The standard's formulas in float, (H, W, 3) to (H, W, 3)."""
    red, blue = WEIGHTS[matrix]
    r, g, b = np.moveaxis(rgb.astype(float) / 255, -1, 0)
    y = red * r + (1 - red - blue) * g + blue * b
    pb, pr = (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)
    if full:
        return np.stack([255 * y, 128 + 255 * pb, 128 + 255 * pr], -1)
    return np.stack([16 + 219 * y, 128 + 224 * pb, 128 + 224 * pr], -1)


def bars() -> np.ndarray:
    return np.repeat(np.uint8(BARS), BAR, axis=0)[None].repeat(HEIGHT, 0)


def smooth() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH] / [[[HEIGHT]], [[WIDTH]]]
    return np.rint(255 * np.stack([x, y, 1 - x], -1)).astype(np.uint8)


def inside_bars(error: np.ndarray) -> np.ndarray:
    kept = [x for x in range(error.shape[1]) if 4 <= x % BAR < BAR - 4]
    return error[:, kept]


def to_frame(yuv: np.ndarray, color: Color) -> Frame:
    """Chroma of every second row and column, which is where location 3 has it."""
    planes = np.clip(np.rint(yuv), 0, 255).astype(np.uint8)
    u, v = (np.ascontiguousarray(planes[::2, ::2, index]) for index in (1, 2))
    return Frame((np.ascontiguousarray(planes[..., 0]), u, v), 0, Fraction(1, 25), color)


@CASES
def test_bars_decode_as_the_standard_says(matrix: int, full: bool) -> None:
    color = Color(matrix, full_range=full, chroma_location=3)
    rgb = yuv_to_rgb(to_frame(to_yuv(bars(), matrix, full), color))
    error = inside_bars(np.abs(rgb.astype(int) - bars()))
    assert rgb.shape == (HEIGHT, WIDTH, 3)
    assert error.mean() <= 1
    assert error.max() <= 2


@CASES
def test_smooth_colours_decode_as_the_standard_says(matrix: int, full: bool) -> None:
    color = Color(matrix, full_range=full, chroma_location=3)
    rgb = yuv_to_rgb(to_frame(to_yuv(smooth(), matrix, full), color))
    error = np.abs(rgb.astype(int) - smooth())[2:-2, 2:-2]
    assert error.mean() <= 1
    assert error.max() <= 3  # 8-bit chroma alone costs two levels of blue in limited range


@CASES
def test_flat_colours_are_rounded_once(matrix: int, full: bool) -> None:
    """To a level, and the fifth of one that OpenCV rounds its factors by."""
    side = 12  # of which the middle has no other colour in its reach
    colours = np.random.default_rng(0).integers(0, 256, (200, 3), np.uint8)
    colours[:8] = [[(i & 1) * 255, (i >> 1 & 1) * 255, (i >> 2) * 255] for i in range(8)]
    patches = np.repeat(colours, side, axis=0)[None].repeat(side, 0)
    y, u, v = rgb_to_yuv(patches, Color(matrix, full_range=full))
    expected = np.clip(to_yuv(colours, matrix, full), 0, 255)
    middle = slice(side // 4, None, side // 2)
    assert np.abs(y[side // 2, side // 2 :: side] - expected[:, 0]).max() < 0.7
    assert np.abs(u[side // 4, middle] - expected[:, 1]).max() < 0.7
    assert np.abs(v[side // 4, middle] - expected[:, 2]).max() < 0.7


@CASES
@pytest.mark.parametrize("location", [1, 2, 3])
def test_colours_encode_as_the_standard_says(matrix: int, full: bool, location: int) -> None:
    color = Color(matrix, full_range=full, chroma_location=location)
    y, u, v = rgb_to_yuv(smooth(), color)
    expected = to_yuv(smooth(), matrix, full)
    assert np.abs(y - expected[..., 0]).max() <= 1
    across, down = {1: (0, 0.5), 2: (0.5, 0.5), 3: (0, 0)}[location]
    for plane, index in ((u, 1), (v, 2)):
        rows = (1 - down) * expected[::2, :, index] + down * expected[1::2, :, index]
        wanted = (1 - across) * rows[:, ::2] + across * rows[:, 1::2]
        assert np.abs(plane - wanted)[2:-2, 2:-2].max() <= 1.5


@pytest.mark.parametrize("location", [1, 2, 3])
@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2)])
def test_chroma_comes_back_to_where_it_was(location: int, axes: tuple[int, ...]) -> None:
    rgb = np.ascontiguousarray(smooth().transpose(axes))  # eight levels a row, or a column
    color = Color(1, full_range=True, chroma_location=location)
    back = yuv_to_rgb(Frame(rgb_to_yuv(rgb, color), 0, Fraction(1), color))
    error = np.abs(back.astype(int) - rgb)[4:-4, 4:-4]
    assert error.mean() <= 0.6
    assert error.max() <= 3


@CASES
def test_there_and_back_changes_no_colour(matrix: int, full: bool) -> None:
    color = Color(matrix, full_range=full)
    frame = Frame(rgb_to_yuv(bars(), color), 0, Fraction(1), color)
    error = inside_bars(np.abs(yuv_to_rgb(frame).astype(int) - bars()))
    assert error.mean() <= 1
    assert error.max() <= 2


def test_odd_sizes_go_there_and_back() -> None:
    rgb = np.full((17, 33, 3), (200, 60, 20), np.uint8)
    y, u, v = rgb_to_yuv(rgb, Color())
    assert (y.shape, u.shape, v.shape) == ((17, 33), (9, 17), (9, 17))
    back = yuv_to_rgb(Frame((y, u, v), 0, Fraction(1)))
    assert np.abs(back.astype(int) - rgb).max() <= 2


def test_untagged_frames_are_601_up_to_576_rows_and_709_above() -> None:
    rgb = np.full((4, 4, 3), (220, 30, 30), np.uint8)

    def luma(color: Color, height: int) -> int:
        return int(rgb_to_yuv(rgb, color, height=height)[0][0, 0])

    assert luma(Color(), 576) == luma(Color(6), 576)
    assert luma(Color(), 577) == luma(Color(1), 577)
    assert luma(Color(6), 576) != luma(Color(1), 576)
    wide, tall = (
        np.broadcast_to(rgb[:1, :1], (4, 700, 3)),
        np.broadcast_to(rgb[:1, :1], (700, 4, 3)),
    )
    assert int(rgb_to_yuv(wide, Color())[0][0, 0]) == luma(Color(6), 576)
    assert int(rgb_to_yuv(tall, Color())[0][0, 0]) == luma(Color(1), 577)


def test_an_untagged_range_is_limited() -> None:
    white = np.full((4, 4, 3), 255, np.uint8)
    assert int(rgb_to_yuv(white, Color(1))[0].max()) == 235


def test_the_height_that_tags_speak_of_can_be_given() -> None:
    frame = Frame(rgb_to_yuv(smooth(), Color(1)), 0, Fraction(1), Color())
    assert np.abs(yuv_to_rgb(frame, height=720).astype(int) - smooth()).mean() < 2
    assert np.abs(yuv_to_rgb(frame).astype(int) - smooth()).mean() > 4


def test_resizing_across_the_sd_line_writes_the_matrix_down() -> None:
    assert Color().resized(480, 960).matrix == 6
    assert Color().resized(1080, 540).matrix == 1
    assert Color().resized(576, 1152).matrix == 6
    assert Color().resized(1152, 576).matrix == 1
    assert Color().resized(288, 576) == Color().resized(576, 288) == Color()
    assert Color().resized(720, 1440) == Color()
    assert Color().resized(240, 480) == Color()
    assert Color(9).resized(480, 960) == Color(9)
    assert Color(0).resized(480, 960) == Color(0)  # RGB: nothing to write down


def test_unknown_matrices_and_wrong_arrays_are_refused() -> None:
    with pytest.raises(FrameError, match="matrix is 8; RGB can be made from 1, 4, 5"):
        rgb_to_yuv(smooth(), Color(8))
    with pytest.raises(FrameError, match=r"image is float64 .* expected uint8 \(H, W, 3\)"):
        rgb_to_yuv(smooth() / 255, Color(1))
    shapes = ((4, 4), (4, 4, 2), (4, 4, 4), (2, 4, 3, 3))
    for wrong in (*(np.zeros(shape, np.uint8) for shape in shapes), np.zeros((4, 4, 3), bool)):
        with pytest.raises(FrameError, match="expected uint8"):
            rgb_to_yuv(wrong, Color(1))
