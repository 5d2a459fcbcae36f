"""One model through the documented steps: import, fp16, int8, an engine, a picture on the CPU."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.network.fp16 import to_fp16
from calibration.quantize.write_int8 import to_int8
from convert.build_engine import main as build_engine
from edge_sr.errors import EdgeSRError
from edge_sr.media.stills.files import write_image
from edge_sr.model.sidecar import Sidecar
from edge_sr.upscaler import Upscaler

logger = logging.getLogger(__name__)
FRAMES, SIDE = 4, 64  # that fp16 and int8 are made on: enough for a table of what works
MINUTES = 0.1  # of each search
DONE, FAILED = "yes", "**no**"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one row; a text of the table each."""

    name: str
    detected: str = ""
    exported: str = FAILED
    fp16: str = "-"
    int8: str = "-"
    engine: str = "-"
    cpu: str = "-"
    problems: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it was exported and an engine was built of it."""
        return self.exported == self.engine == DONE

    def line(self) -> str:
        """The row of a Markdown table."""
        cells = (self.exported, self.fp16, self.int8, self.engine, self.cpu, self.detected)
        return "| " + " | ".join((self.name, *cells)) + " |"


def calibration_frames(folder: Path) -> Path:
    """Write a few pictures of waves and edges."""
    folder.mkdir(exist_ok=True)
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    for place in range(FRAMES):
        waves = [
            127 + 100 * np.sin(x / (4 + place) + c) * np.cos(y / (9 - place)) for c in range(3)
        ]
        picture = np.stack(waves, -1)
        picture[: SIDE // 4, : SIDE // 3] = 40 * place
        write_image(folder / f"{place}.png", picture.clip(0, 255).astype(np.uint8))
    return folder


def try_row(
    name: str,
    make: Callable[[Path], Sidecar],
    folder: Path,
    frames: Path,
    *,
    refused: str = "",
) -> Outcome:
    """Do all steps for one model.

    Args:
        make: writes the model file of edge-sr.
        folder: empty, for the files.
        refused: part of the message with which this model is to be refused; "" if it is taken.
    """
    problems: list[str] = []
    path = folder / "model.onnx"
    try:
        sidecar = make(path)
    except EdgeSRError as error:
        if refused and refused in str(error):
            return Outcome(name=name, exported="refused", detected=f"`{_short(str(error))}`")
        return Outcome(name=name, detected=f"`{_short(str(error))}`", problems=(str(error),))

    def attempt(step: Callable[[], str]) -> str:
        try:
            return step()
        except EdgeSRError as error:
            problems.append(f"{name}: {error}")
            return FAILED

    half = folder / "model.fp16.onnx"
    size = (sidecar.width or SIDE, sidecar.height or SIDE)
    return Outcome(
        name=name,
        detected=str(sidecar.training.get("conversion", {}).get("imported", "")),
        exported=DONE,
        fp16=attempt(lambda: _fp16(path, half, frames)),
        int8=attempt(lambda: _int8(path, folder / "model.int8.onnx", frames)),
        engine=attempt(lambda: _engine(half if half.is_file() else path, folder, size)),
        cpu=attempt(lambda: _cpu(path, sidecar, size)),
        problems=tuple(problems),
    )


def _fp16(path: Path, output: Path, frames: Path) -> str:
    sidecar, _ = to_fp16(path, output, frames=frames, minutes=MINUTES)
    return f"{sidecar.quality['fp16_psnr_db']:.0f} dB"


def _int8(path: Path, output: Path, frames: Path) -> str:
    _, found = to_int8(
        path, output, frames=frames, around="fp16", minutes=MINUTES, allow_loss=True, floor_db=0
    )
    layers = sum(not row.is_identity for row in found.found.rows)
    return f"{len(found.found.plan.layers)} of {layers}"


def _engine(path: Path, folder: Path, size: tuple[int, int]) -> str:
    said = io.StringIO()
    words = ["--model", str(path), "--flavour", "tensorrt-rtx", "--size", f"{size[0]}x{size[1]}"]
    words += ["--compute-capability", "8.9", "--level", "0"]
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        code = build_engine([*words, "--output", str(folder / "model.engine")])
    if code:
        raise EdgeSRError(said.getvalue().strip().splitlines()[-1])
    return DONE


def _cpu(path: Path, sidecar: Sidecar, size: tuple[int, int]) -> str:
    shape = (size[1], size[0]) if sidecar.channels == 1 else (size[1], size[0], 3)
    frame = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with Upscaler.open(str(path), size=size, backend="onnxruntime") as upscaler:
        result = upscaler.upscale(frame)
    expected = sidecar.output_size(*size)
    if (result.shape[1], result.shape[0]) != expected:
        raise EdgeSRError(f"gives {result.shape}; expected {expected}")
    return DONE


def _short(text: str) -> str:
    return text[:160].replace("|", "/").replace("\n", " ")
