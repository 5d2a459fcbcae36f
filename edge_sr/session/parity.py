"""Whether an engine's tiles give the pixels of its whole frames: compared once, never assumed.

The two are engines of their own, for which TensorRT may have chosen other kernels, with other
rounding. One picture goes through both, in batches of every size.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge_sr.backend import TileLayout
from edge_sr.errors import FrameError
from edge_sr.session.blocks import BLOCK
from edge_sr.session.network import ModelRunner
from edge_sr.session.plan import Tile, plan_tiles
from edge_sr.types import Size

logger = logging.getLogger(__name__)
Image = NDArray[np.uint8]
ACCEPTED = 2.0  # grey levels that tiles may differ by where results need not be exact


def check_parity(
    runner: ModelRunner, size: Size, layout: TileLayout, *, margin: int, exact: bool
) -> None:
    """Refuse tiles that give other pixels than whole frames of a size.

    Args:
        margin: input pixels that are kept beside the blocks of a tile.
        exact: refuse any difference; otherwise more than 2 grey levels.

    Raises:
        FrameError: they do, or the tiles are for frames of another size.
        BackendError: the runtime failed.
    """
    facts = runner.sidecar
    if size != (facts.width, facts.height):
        raise FrameError(
            f"the tiles of {facts.name} are for frames of {facts.width}x{facts.height}, not {size}"
        )
    if size not in runner.differences:
        runner.differences[size] = largest_difference(runner, size, layout, margin=margin)
        logger.info(
            "%s: tiles and whole frames differ by %g levels", facts.name, runner.differences[size]
        )
    found = runner.differences[size]
    said = f"tiles of {facts.name} differ from whole frames by up to {found:g} levels on this GPU"
    if found > ACCEPTED:
        advice = "build both engines again, or use --still off"
        raise FrameError(f"{said}, more than {ACCEPTED:g}: {advice}")
    if exact and found:
        raise FrameError(f"{said}: --still auto keeps what holds still all the same")


def largest_difference(
    runner: ModelRunner, size: Size, layout: TileLayout, *, margin: int
) -> float:
    """What any sample that tiles keep of one picture differs by, in grey levels of 8 bits.

    Raises:
        BackendError: the runtime failed.
    """
    facts = runner.sidecar
    image = probe(size, facts.pixel_bytes, facts.bits)
    whole = runner.run_whole(image)
    kind = np.uint8 if facts.bits == 8 else np.uint16
    largest = 0
    for tiles in batches(size, layout):
        given = [image[slice(*tile.given_rows), slice(*tile.given_columns)] for tile in tiles]
        for tile, made in zip(tiles, runner.run_all(given), strict=True):
            rows, columns = tile.kept(size, margin)
            of_whole, of_tile = (
                (
                    slice(*(int((place - top) * facts.ratio) for place in rows)),
                    slice(*(int((place - left) * facts.ratio) for place in columns)),
                )
                for top, left in ((0, 0), (tile.given_rows[0], tile.given_columns[0]))
            )
            one, other = (
                np.ascontiguousarray(part).view(kind).astype(np.int32)
                for part in (whole[of_whole], made[of_tile])
            )
            largest = max(largest, int(np.abs(one - other).max()))
    return largest / 2.0 ** (facts.bits - 8)


def batches(size: Size, layout: TileLayout) -> Iterator[list[Tile]]:
    """Tiles over the whole frame, in batches of 1, 2, … and at last of the largest number."""
    grid = -(-size.height // BLOCK), -(-size.width // BLOCK)
    every = np.ones(grid, np.bool_)
    blocks, batch = layout.kept // BLOCK, layout.batch
    tiles = plan_tiles(every, size.height, size.width, layout.rim, blocks, batch=batch) or []
    count = begun = 0
    while count < batch or begun < len(tiles):
        count = min(count + 1, batch)
        yield [tiles[place % len(tiles)] for place in range(begun, begun + count)]
        begun += count


def probe(size: Size, pixel_bytes: int, bits: int) -> Image:
    """Half noise and half waves, the same each time: uint8 (H, W, pixel_bytes)."""
    kind = np.uint8 if bits == 8 else np.uint16
    shape = size.height, size.width, pixel_bytes // np.dtype(kind).itemsize
    rows, columns, planes = np.ogrid[: shape[0], : shape[1], : shape[2]]
    waves = 0.5 + 0.25 * np.sin(rows / 5 + planes) + 0.25 * np.cos(columns / 3)
    noise = np.random.default_rng(0).random(shape)
    of_noise = (rows // BLOCK + columns // BLOCK) % 2
    image: NDArray[np.uint8 | np.uint16] = np.asarray(
        np.where(of_noise, noise, waves) * (2**bits - 1), kind
    )
    return image.view(np.uint8)
