"""Tiles give the picture that the whole frame gives."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sr import Upscaler
from edge_sr.errors import FrameError
from edge_sr.session.tiles import AUTO_SIDE, _spans, find_reach, parse_tile, run_tiled, tile_side
from edge_sr.types import Size

Image = NDArray[np.uint8]
TWO = Fraction(2)


def picture(rows: int, columns: int) -> Image:
    return np.random.default_rng(3).integers(0, 256, (rows, columns), np.uint8)


@pytest.mark.parametrize("model", ["edge-unet-s-x2", "edge-unet-s-x1.5", "edge-unet-s-x2.int8"])
@pytest.mark.parametrize("size", [(150, 331), (97, 64)])
def test_a_frame_in_tiles_is_the_frame(model: str, size: tuple[int, int]) -> None:
    image = picture(*size)
    with Upscaler.open(model, tile=0) as whole, Upscaler.open(model, tile=64) as tiled:
        expected, found = whole.upscale(image), tiled.upscale(image)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_without_a_rim_the_seams_would_show() -> None:
    image = picture(128, 128)[..., None]
    with Upscaler.open("edge-unet-s-x2", tile=0) as upscaler:

        def whole(image: Image) -> Image:
            return upscaler.backend.infer(image[None])[0]

        expected = whole(image)
        bare = run_tiled(whole, image, TWO, side=64, reach=0)
        reach = find_reach(whole, 1, TWO)
        rimmed = run_tiled(whole, image, TWO, side=64, reach=reach)
    assert np.abs(bare.astype(int) - expected).max() > 8
    assert np.abs(rimmed.astype(int) - expected).max() <= 1
    assert 8 <= reach <= 32


def test_reach_of_networks_that_are_known() -> None:
    def nearest(image: Image) -> Image:
        return image.repeat(2, axis=0).repeat(2, axis=1)

    def shifted(image: Image) -> Image:
        return nearest(np.roll(image, 7, axis=1))

    def all_seeing(image: Image) -> Image:
        return nearest(image) + np.uint8(image.sum() % 256)

    assert find_reach(nearest, 1, TWO) <= 1
    assert find_reach(shifted, 3, TWO) in (7, 8)
    with pytest.raises(FrameError, match="--tile off"):
        find_reach(all_seeing, 1, TWO)


@pytest.mark.parametrize(("length", "side"), [(1, 64), (64, 64), (333, 64), (4001, 1024)])
def test_spans_cover_an_axis_once(length: int, side: int) -> None:
    spans = list(_spans(length, side, 20))
    assert [span.start for span in spans[1:]] == [span.stop for span in spans[:-1]]
    assert (spans[0].start, spans[-1].stop) == (0, length)
    for span in spans:
        assert span.start % 16 == span.low % 16 == 0
        assert span.stop - span.start <= side * 1.5
        assert span.low == max(0, span.start - 32)
        assert span.high == min(length, span.stop + 32)


def test_when_frames_are_cut() -> None:
    assert tile_side(None, Size(2560, 1440)) == 0
    assert tile_side(None, Size(4000, 3000)) == AUTO_SIDE
    assert tile_side(0, Size(9000, 9000)) == 0
    assert tile_side(512, Size(512, 512)) == 0
    assert tile_side(512, Size(513, 100)) == 512
    assert [parse_tile(text) for text in ("auto", "off", "512")] == [None, 0, 512]
    for text in ("32", "100", "-64", "many"):
        with pytest.raises(ValueError, match="expected auto, off"):
            parse_tile(text)
