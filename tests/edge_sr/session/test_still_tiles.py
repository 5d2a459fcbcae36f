"""Tiles over the blocks that need it: all covered, few sizes; and when they are worth it."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sr.session.plan import CostModel, Tile, plan_tiles

SIZES = [(720, 1280), (1080, 1920), (376, 640), (181, 321), (40, 300)]


def covered(tiles: list[Tile], rows: int, columns: int) -> np.ndarray:
    found = np.zeros((rows, columns), bool)
    for tile in tiles:
        found[slice(*tile.rows), slice(*tile.columns)] = True
    return found


@pytest.mark.parametrize("rim", [16, 32, 96])
@pytest.mark.parametrize("size", SIZES)
def test_every_block_is_covered_with_all_that_the_network_sees(
    size: tuple[int, int], rim: int
) -> None:
    height, width = size
    shape = -(-height // 16), -(-width // 16)
    sizes = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        needed = rng.random(shape) < (0.01, 0.1, 0.6, 1.0)[seed % 4]
        tiles = plan_tiles(needed, height, width, rim)
        pixels = needed.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
        assert not (pixels & ~covered(tiles, height, width)).any()
        for tile in tiles:
            for kept, given, length in (
                (tile.rows, tile.given_rows, height),
                (tile.columns, tile.given_columns, width),
            ):
                assert given[0] % 16 == 0
                assert 0 <= given[0] <= max(0, kept[0] - rim)
                assert min(length, kept[1] + rim) <= given[1] <= length
            sizes.add(tuple(stop - start for start, stop in (tile.given_rows, tile.given_columns)))
    assert len(sizes) <= 8, "a runtime keeps memory for each"


def test_nothing_needs_no_tile_and_one_block_needs_one() -> None:
    needed = np.zeros((45, 80), bool)
    assert plan_tiles(needed, 720, 1280, 16) == []
    needed[20:23, 40:43] = True  # a block, widened by the reach
    (tile,) = plan_tiles(needed, 720, 1280, 16)
    assert tile.pixels == 96 * 96


def test_a_whole_frame_is_covered_by_large_tiles() -> None:
    tiles = plan_tiles(np.ones((45, 80), bool), 720, 1280, 16)
    assert len(tiles) < 40


def test_tiles_are_worth_it_while_they_take_less_time() -> None:
    (tile,) = plan_tiles(np.ones((3, 3), bool), 48, 48, 16)
    many = [tile] * 100
    cost = CostModel(100 * (tile.pixels + 1000) * 2)
    assert cost.are_worth_it([])
    assert cost.are_worth_it(many)
    assert not cost.are_worth_it(many * 2)
    cost.note_whole(1.0)
    cost.note_tiles(many, 9.0)  # of a new size: it was prepared
    assert cost.are_worth_it(many)
    cost.note_tiles(many, 0.45)
    assert cost.are_worth_it(many)
    for _ in range(8):
        cost.note_tiles(many, 0.95)
    assert not cost.are_worth_it(many)
    cost.note_tiles(many, 0.45)  # once faster: it can be so again
    assert cost.are_worth_it(many)


def test_what_is_added_to_the_rest_counts() -> None:
    (tile,) = plan_tiles(np.ones((3, 3), bool), 48, 48, 16)
    cost = CostModel((tile.pixels + 1000) * 10)
    for _ in range(2):
        cost.note_whole(1.0)
        cost.note_tiles([tile], 0.1)
    cost.note_added(0.3)
    assert cost.are_worth_it([tile] * 5)
    assert not cost.are_worth_it([tile] * 7)


def test_tiles_that_were_slow_once_are_tried_again() -> None:
    (tile,) = plan_tiles(np.ones((3, 3), bool), 48, 48, 16)
    cost = CostModel((tile.pixels + 1000) * 200)
    for _ in range(2):
        cost.note_whole(1.0)
        cost.note_tiles([tile] * 100, 0.95)
    found = [cost.are_worth_it([tile] * 100) for _ in range(62)]
    assert found.index(True) == 60
