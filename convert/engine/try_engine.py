"""Run a new engine on the GPU beside ONNX Runtime, and refuse it where the two differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from calibration.frames.frames import fit, open_frames, spread
from calibration.network.compare import Bounds, Tally
from calibration.network.frame_io import FrameIO, Image, read_frame_io
from calibration.network.session import open_session, run
from convert.command import Size
from convert.onnx.runners import EngineRunner
from edge_sr.cuda import driver
from edge_sr.errors import BackendError
from edge_sr.model.sidecar import Sidecar
from edge_sr.quality import standard_border

BOUNDS = {"fp32": Bounds(55.0, 2), "fp16": Bounds(48.0, None), "int8": Bounds(40.0, None)}
COUNT = 8  # frames
AGAIN = "run the same command on the device to have it tried there"


def try_engine(
    path: Path, sidecar: Sidecar, model: onnx.ModelProto, frames: Path | None, size: Size
) -> dict[str, Any] | str:
    """What running it showed, or "skipped: why".

    Args:
        model: the network that the engine was built from, its sizes fixed.
        frames: a folder of pictures; None for the set that edge-sr brings.
        size: (rows, columns) that they are cut or mirrored to.

    Raises:
        BackendError: the results differ by more than the precision explains.
    """
    gpu, why_not = driver.find_gpu()
    if gpu is None:
        return f"skipped: {why_not}; {AGAIN}"
    io = read_frame_io(path, model)
    session = open_session(model)
    tally = Tally(standard_border(float(io.scale)))
    with EngineRunner(path, sidecar) as engine:
        for image in pictures(frames, io, size):
            tally.add(io.fetch(run(session, io.feed(image))[0]), engine.run(image))
    found = tally.result()
    if broken := BOUNDS[sidecar.precision].broken(found):
        raise BackendError(
            f"on {gpu.name} the engine does not give what ONNX Runtime gives: {'; '.join(broken)}. "
            "It was not kept; please report this with the log of --verbose"
        )
    return {
        "frames": found.frames,
        "psnr_db": round(min(found.psnr_db, 120.0), 2),
        "max_difference": found.max_difference,
        "gpu": gpu.name,
    }


def pictures(frames: Path | None, io: FrameIO, size: Size) -> list[Image]:
    """Up to 8 frames, uint8 (H, W, C), spread over the set, mirrored or cut to one size."""
    opened = open_frames(frames)
    opened.paths = [opened.paths[place] for place in spread(len(opened.paths), COUNT)]
    whole = replace(io, size=None)
    return [fit(image, size) for _, image in opened.read(whole)]
