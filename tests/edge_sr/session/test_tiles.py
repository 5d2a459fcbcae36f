"""Tiles give the picture that the whole frame gives."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sr import Upscaler, zoo
from edge_sr.backend import open_backend
from edge_sr.errors import FrameError
from edge_sr.session.network import ModelRunner
from edge_sr.session.tiles import (
    AUTO_SIDE,
    _spans,
    find_reach,
    parse_tile,
    run_tiled,
    run_windows,
    tile_side,
)
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
    assert tile_side(None, Size(9000, 10)) == AUTO_SIDE  # a strip of a panorama
    assert tile_side(0, Size(9000, 9000)) == 0
    assert tile_side(512, Size(512, 512)) == 0
    assert tile_side(512, Size(513, 100)) == 512
    assert [parse_tile(text) for text in ("auto", "off", "512")] == [None, 0, 512]
    for text in ("32", "100", "-64", "many"):
        with pytest.raises(ValueError, match="expected auto, off"):
            parse_tile(text)


def one_size(width: int, height: int, *, tile: int | None = None) -> ModelRunner:
    """A shipped model as a file that takes one size only."""
    path, sidecar = zoo.find("edge-unet-s-x2")
    facts = replace(
        sidecar,
        width=width,
        height=height,
        output_width=2 * width,
        output_height=2 * height,
    )
    return ModelRunner(open_backend(path, facts, backend="onnxruntime"), facts, tile=tile)


@pytest.mark.parametrize("tile", [None, 64])
def test_a_model_of_one_size_takes_larger_frames_in_tiles(
    tile: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="edge_sr")
    image = picture(144, 192)[..., None]
    runner = one_size(128, 96, tile=tile)
    with Upscaler.open("edge-unet-s-x2", tile=0) as whole:
        expected = whole.upscale(image[..., 0])[..., None]
    assert runner.network(Size(192, 144)).depth == 1
    found = runner.run(image)
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert "takes 128x96: tiles of it, overlapping by" in caplog.text
    assert runner.sidecar.output_size(192, 144) == (384, 288)
    assert runner.sidecar.output_size(128, 96) == (256, 192)


def test_a_model_of_one_size_takes_smaller_frames_extended() -> None:
    image = picture(50, 200)[..., None]
    assert one_size(128, 96).run(image).shape == (100, 400, 1)
    with pytest.raises(FrameError, match=r"200x50; .* takes 128x96 only"):
        one_size(128, 96, tile=0).run(image)


def test_windows_at_x1_5_begin_on_whole_pixels() -> None:
    def thrice_by_two(image: Image) -> Image:
        assert image.shape[:2] == (20, 24)
        return image.repeat(3, 0).repeat(3, 1)[::2, ::2]

    image = picture(51, 67)[..., None]
    found = run_windows(thrice_by_two, image, Fraction(3, 2), Size(24, 20), rim=3)
    assert np.array_equal(found, thrice(image))


def thrice(image: Image) -> Image:
    """x1.5 of the whole picture by repetition, fractions cut off."""
    rows, columns = (int(side * 1.5) for side in image.shape[:2])
    return image.repeat(3, 0).repeat(3, 1)[::2, ::2][:rows, :columns]


def test_a_file_that_resizes_its_result_is_not_tiled() -> None:
    sidecar = replace(
        zoo.find("edge-unet-s-x2")[1], width=96, height=64, output_width=150, output_height=100
    )
    assert sidecar.window is None
    assert sidecar.output_size(192, 128) == (150, 100)
