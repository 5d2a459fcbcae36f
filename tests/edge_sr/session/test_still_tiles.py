"""Tiles over the blocks that need it: all covered, few sizes; and when they are worth it."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sr.model.engine_facts import tile_sides
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
        assert tiles is not None
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


@pytest.mark.parametrize("rim", [16, 32, 96])
@pytest.mark.parametrize("size", [*SIZES[:3], (1080, 1920), (299, 487)])
def test_batches_have_tiles_of_one_size(size: tuple[int, int], rim: int) -> None:
    height, width = size
    shape = -(-height // 16), -(-width // 16)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        needed = rng.random(shape) < (0.01, 0.1, 0.6, 1.0)[seed % 4]
        tiles = plan_tiles(needed, height, width, rim, 8, batch=16)
        if min(height, width) < 128 + 2 * rim + 15:
            continue
        assert tiles is not None
        pixels = needed.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
        assert not (pixels & ~covered(tiles, height, width)).any()
        assert {tile.given for tile in tiles} == {tile_sides(height, width, rim)}
        for tile in tiles:
            for kept, given, length in (
                (tile.rows, tile.given_rows, height),
                (tile.columns, tile.given_columns, width),
            ):
                assert given[0] % 16 == 0
                assert 0 <= given[0] <= max(0, kept[0] - rim)
                assert min(length, kept[1] + rim) <= given[1] <= length


def test_a_call_costs_the_same_for_one_tile_and_for_sixteen() -> None:
    needed = np.zeros((45, 80), bool)
    needed[::10, ::20] = True
    tiles = plan_tiles(needed, 720, 1280, 16, 8, batch=16)
    assert tiles is not None
    assert len(tiles) == 20
    cost = 20 * 160 * 160 + 2 * 1000
    assert plan_tiles(needed, 720, 1280, 16, 8, most=cost, batch=16) == tiles
    assert plan_tiles(needed, 720, 1280, 16, 8, most=cost - 1, batch=16) is None
    found = CostModel(720 * 1280, 16)
    for _ in range(2):
        found.note_whole(1.0)
        found.note_tiles(tiles, cost / (720 * 1280 + 1000), 0.0)
    assert found.most() == pytest.approx(0.9 * (720 * 1280 + 1000))


def test_nothing_needs_no_tile_and_one_block_needs_one() -> None:
    needed = np.zeros((45, 80), bool)
    assert plan_tiles(needed, 720, 1280, 16) == []
    needed[20:23, 40:43] = True  # a block, widened by the reach
    (tile,) = plan_tiles(needed, 720, 1280, 16) or []
    assert tile.pixels == 96 * 96


def test_a_whole_frame_is_covered_by_large_tiles() -> None:
    tiles = plan_tiles(np.ones((45, 80), bool), 720, 1280, 16)
    assert tiles is not None
    assert len(tiles) < 40


def test_planning_ends_when_it_takes_too_many() -> None:
    needed = np.zeros((45, 80), bool)
    needed[::6, ::6] = True
    tiles = plan_tiles(needed, 720, 1280, 16)
    assert tiles is not None
    cost = sum(tile.pixels + 1000 for tile in tiles)
    assert plan_tiles(needed, 720, 1280, 16, most=cost) == tiles
    assert plan_tiles(needed, 720, 1280, 16, most=cost - 1) is None
    assert plan_tiles(np.ones((45, 80), bool), 720, 1280, 16, most=1280 * 720 - 1) is None


def test_tiles_may_take_less_time_than_the_frame() -> None:
    tiles = some_tiles(100)
    cost = CostModel(200 * PIXELS - 1000)
    assert cost.most() == 0.9 * 200 * PIXELS
    cost.note_whole(1.0)
    cost.note_tiles(tiles, 9.0, 0.0)  # of a new size: it was prepared
    assert cost.most() == 0.9 * 200 * PIXELS
    cost.note_tiles(tiles, 0.75, 0.0)
    assert cost.most() == pytest.approx(0.6 * 200 * PIXELS)
    cost.note_tiles(tiles, 0.5, 0.0)
    cost.note_tiles(tiles, 0.5, 0.0)  # most of the time faster: it will be so again
    assert cost.most() == pytest.approx(0.9 * 200 * PIXELS)
    for _ in range(5):
        cost.note_tiles([], 0.0, 0.3)  # comparing and adding take time as well
    assert cost.most() == pytest.approx(0.6 * 200 * PIXELS)


def test_tiles_that_were_slow_once_are_measured_again() -> None:
    cost = CostModel(200 * PIXELS - 1000)
    for _ in range(2):
        cost.note_whole(1.0)
        cost.note_tiles(some_tiles(100), 0.95, 0.0)
    for _ in range(59):
        assert not cost.worth_planning(100 * PIXELS)
    assert cost.most() < 0.5 * 200 * PIXELS
    assert not cost.worth_planning(100 * PIXELS)
    assert cost.most() == 0.9 * 200 * PIXELS


def test_frames_are_planned_less_often_where_planning_is_in_vain() -> None:
    cost = CostModel(200 * PIXELS - 1000)
    planned = []
    for _ in range(200):
        planned.append(cost.worth_planning(100 * PIXELS))
        if planned[-1]:
            cost.note_refused()
    places = [place for place, was in enumerate(planned) if was]
    assert places[:6] == [0, 2, 5, 10, 19, 36]
    assert set(np.diff(places[5:])) == {17}
    assert cost.worth_planning(10 * PIXELS), "little to compute is always planned"
    cost.note_tiles(some_tiles(10), 0.05, 0.0)
    cost.note_refused()
    assert not cost.worth_planning(100 * PIXELS)
    assert cost.worth_planning(100 * PIXELS), "one frame later: it was not in vain before"


PIXELS = 48 * 48 + 1000  # of a tile, with its call


def some_tiles(count: int) -> list[Tile]:
    return [Tile((0, 48), (0, 48), (0, 48), (0, 48))] * count
