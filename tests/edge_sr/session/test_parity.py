"""Tiles of an engine and its whole frames are compared before any tile is used."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from fakes.sessions import nearest_sidecar
from numpy.typing import NDArray

from edge_sr.backend import TileLayout
from edge_sr.backend.nearest import NearestBackend
from edge_sr.errors import BackendError, FrameError
from edge_sr.model.engine_facts import tile_sides
from edge_sr.model.sidecar import Sidecar
from edge_sr.session.network import ModelRunner
from edge_sr.session.parity import batches, check_parity, largest_difference, probe
from edge_sr.session.still import StillNetwork
from edge_sr.types import Size

SIZE = Size(487, 299)
Image = NDArray[np.uint8]


class TilingNearest(NearestBackend):
    """The nearest backend for frames of one size, with a tile engine that may be wrong."""

    def __init__(self, sidecar: Sidecar) -> None:
        super().__init__(sidecar)
        self.wrong, self.fails = 0, False
        self.counts: list[int] = []

    def open_tiles(self) -> TileLayout | None:
        """As `Tiling.open_tiles`."""
        rows, columns = tile_sides(SIZE.height, SIZE.width, 16)
        return TileLayout(Size(columns, rows), 16, 128, 16)

    def infer_tiles(self, tiles: Sequence[Image]) -> list[Image]:
        """As `Tiling.infer_tiles`."""
        if self.fails:
            raise BackendError("the GPU is gone")
        self.counts.append(len(tiles))
        plain = NearestBackend(replace(self.sidecar, width=None, height=None))
        kind = np.uint8 if self.sidecar.bits == 8 else np.uint16
        found = []
        for tile in tiles:
            made = plain.infer(np.ascontiguousarray(tile)[None])[0]
            made.view(kind)[100, 100] ^= self.wrong
            found.append(made)
        return found


def runner(bits: int = 8) -> tuple[ModelRunner, TilingNearest]:
    sidecar = replace(nearest_sidecar(), width=SIZE.width, height=SIZE.height)
    sidecar = sidecar if bits == 8 else sidecar.widened(bits)
    backend = TilingNearest(sidecar)
    return ModelRunner(backend, sidecar), backend


def check(made: ModelRunner, *, exact: bool) -> None:
    layout = made.layout
    assert layout is not None
    check_parity(made, SIZE, layout, margin=4, exact=exact)


@pytest.mark.parametrize("bits", [8, 10, 16])
def test_a_difference_of_one_sample_is_seen_and_only_exact_refuses_it(bits: int) -> None:
    made, backend = runner(bits)
    check(made, exact=True)
    assert made.differences == {SIZE: 0.0}
    backend.wrong = 1
    check(made, exact=True)  # it is asked once
    made, backend = runner(bits)
    backend.wrong = 1
    check(made, exact=False)
    assert made.differences == {SIZE: 2.0 ** (8 - bits)}
    with pytest.raises(FrameError, match=r"differ from whole frames by up to .*: --still auto"):
        check(made, exact=True)


@pytest.mark.parametrize("bits", [8, 10])
def test_more_than_two_levels_are_never_taken(bits: int) -> None:
    made, backend = runner(bits)
    backend.wrong = 4 << (bits - 8)
    with pytest.raises(FrameError, match=r"by up to 4 levels on this GPU, more than 2: build"):
        check(made, exact=False)


@pytest.mark.parametrize("size", [SIZE, Size(1280, 720), Size(3840, 2160)])
def test_batches_of_every_size_cover_the_frame(size: Size) -> None:
    rows, columns = tile_sides(size.height, size.width, 16)
    layout = TileLayout(Size(columns, rows), 16, 128, 16)
    found = list(batches(size, layout))
    assert {len(tiles) for tiles in found} == set(range(1, 17))
    covered = np.zeros(size[::-1], bool)
    for tile in itertools.chain(*found):
        covered[slice(*tile.rows), slice(*tile.columns)] = True
        assert tile.given == (rows, columns)
    assert covered.all()


def test_the_probe_is_the_same_each_time_and_has_noise_and_smooth_parts() -> None:
    for bits in (8, 10):
        image = probe(SIZE, 1 if bits == 8 else 2, bits)
        assert np.array_equal(image, probe(SIZE, image.shape[2], bits))
        samples = image.view(np.uint8 if bits == 8 else np.uint16)[..., 0].astype(int)
        assert samples.max() < 2**bits
        steps = [np.abs(np.diff(samples[:16, left : left + 16], axis=0)).max() for left in (0, 16)]
        assert steps[0] < 2 ** (bits - 3) < steps[1]


def test_frames_of_another_size_have_no_tiles() -> None:
    made, _ = runner()
    layout = made.layout
    assert layout is not None
    with pytest.raises(FrameError, match="are for frames of 487x299, not 640x360"):
        check_parity(made, Size(640, 360), layout, margin=4, exact=False)


def test_a_failure_is_not_remembered() -> None:
    made, backend = runner()
    backend.fails = True
    with pytest.raises(BackendError, match="the GPU is gone"):
        StillNetwork(made.network(SIZE), made, SIZE, "exact")
    backend.fails = False
    layout = made.layout
    assert layout is not None
    assert largest_difference(made, SIZE, layout, margin=4) == 0.0
    StillNetwork(made.network(SIZE), made, SIZE, "exact")
