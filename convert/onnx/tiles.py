"""The tiles in which an engine may compute parts of a frame: as large as a network needs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from calibration.network.session import open_session, run
from convert.command import Size as Sides
from convert.command import size_text
from convert.onnx.specialise import free_batch, specialise
from edge_sr.errors import BackendError, ModelFileError
from edge_sr.model.engine_facts import TILE_STEP, tile_sides
from edge_sr.model.onnx_file import refuse_external_data
from edge_sr.model.sidecar import Sidecar
from edge_sr.session.still import MARGIN
from edge_sr.session.tiles import FURTHEST, PROBE, measure_reach
from edge_sr.types import Size

TRIED = 3  # tiles
LEAVE_OUT = "leave --tiles out"


def find_tile(path: Path, sidecar: Sidecar, size: Sides) -> tuple[Sides, int]:
    """(rows, columns) of the tiles of frames, and their rim; both in input pixels.

    How far the network sees, and whether it treats frames of a batch alone, is tried in ONNX
    Runtime.

    Args:
        path: a file with uint8 input and output, for any size.
        size: (rows, columns) of the frames.

    Raises:
        ModelFileError: the network sees too far, or takes no batches; or the frames are too small.
    """
    refuse_external_data(path)
    model = onnx.load(path, load_external_data=False)
    rim = _rim(path, sidecar, model)
    tile = tile_sides(*size, rim)
    small = any(side < part for side, part in zip(size, tile, strict=True))
    if small or size[0] * size[1] < 2 * tile[0] * tile[1]:
        raise ModelFileError(
            f"{path.name}: frames of {size_text(size)} are too small for its tiles of "
            f"{size_text(tile)}; expected two of them or more: {LEAVE_OUT}"
        )
    _check_batches(path, specialise(model, tile, None))
    return tile, rim


def _rim(path: Path, sidecar: Sidecar, model: onnx.ModelProto) -> int:
    """Pixels around what is kept of a tile: all that the network sees, and some more."""
    session = open_session(model)
    found = measure_reach(
        lambda image: run(session, image[None])[0][0],
        sidecar.channels,
        sidecar.ratio,
        Size(PROBE, PROBE),
    )
    if found > FURTHEST:
        raise ModelFileError(
            f"{path.name}: the network sees {found} pixels far or more; tiles need one that sees "
            f"{FURTHEST} at most: {LEAVE_OUT}"
        )
    return -(-(found + MARGIN) // TILE_STEP) * TILE_STEP


def _check_batches(path: Path, model: onnx.ModelProto) -> None:
    """Refuse a network that mixes the frames of a batch, or has the 1 of a single frame in it."""
    single = open_session(model)
    free_batch(model)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    shape = TRIED, *(dim.dim_value for dim in dims[1:])
    frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    reason = "gives other pixels for frames in a batch than for each alone"
    try:
        made = run(open_session(model), frames)[0]
        alone = np.concatenate([run(single, frame[None])[0] for frame in frames])
        same = made.shape == alone.shape and np.abs(made.astype(int) - alone).max() <= 1
    except BackendError as error:
        same, reason = False, f"takes no frames in batches ({error})"
    if not same:
        raise ModelFileError(f"{path.name}: {reason}: {LEAVE_OUT}")
