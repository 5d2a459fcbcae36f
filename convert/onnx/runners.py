"""Running a model file of either kind on a picture: ONNX on the CPU, an engine on its GPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from calibration.network.frame_io import FrameIO, Image, read_frame_io
from calibration.network.session import open_session, run
from convert.command import Steps
from convert.onnx.frame_file import frame_file
from edge_sr.backend import Tiling, open_backend
from edge_sr.closing import Closing
from edge_sr.errors import ModelFileError
from edge_sr.model.engine_facts import facts_of
from edge_sr.model.import_options import ImportOptions
from edge_sr.model.onnx_file import refuse_external_data
from edge_sr.model.sidecar import Sidecar, load_sidecar
from edge_sr.model.value_range import RANGES


class Runner(Closing):
    """Gives uint8 (H, W, C) for uint8 (H, W, C)."""

    io: FrameIO

    def run(self, image: Image) -> Image:
        """Upscale one picture, uint8 (H, W, C); the result is yours to keep.

        Raises:
            FrameError: the model does not take it.
            BackendError: it fails on it.
        """
        raise NotImplementedError


class OnnxRunner(Runner):
    """An ONNX file in ONNX Runtime, computed as it is written."""

    def __init__(self, path: Path, options: ImportOptions | None = None) -> None:
        if not path.is_file():
            raise ModelFileError(f"{path}: no such file; expected an .onnx or .engine file")
        path, _ = frame_file(path, options or ImportOptions(), Steps())
        refuse_external_data(path)
        try:
            model = onnx.load(path, load_external_data=False)
        except Exception as error:
            raise ModelFileError(f"{path}: not an ONNX file") from error
        self.io = read_frame_io(path, model)
        self.session = open_session(model)

    def run(self, image: Image) -> Image:
        return self.io.fetch(run(self.session, self.io.feed(image))[0])


class EngineRunner(Runner):
    """A TensorRT engine, through the runtime's own backend.

    One for more than 8 bits gets the picture at its depth, and its result is rounded to 8.
    """

    def __init__(self, path: Path, sidecar: Sidecar) -> None:
        size = (sidecar.height, sidecar.width) if sidecar.height and sidecar.width else None
        byte = RANGES["0..255"]
        self.io = FrameIO(
            "frame", "upscaled", True, sidecar.channels, byte, byte, sidecar.ratio, size
        )
        self.backend = open_backend(path, sidecar, backend="tensorrt")
        self.bits = sidecar.bits
        self.tiles = facts_of(sidecar).batch > 1

    def run(self, image: Image) -> Image:
        return self._fetch(self.backend.infer(self._feed(image)[None])[0])

    def run_all(self, images: Sequence[Image]) -> list[Image]:
        """Each as `run`; by an engine for tiles at once, as it computes them."""
        tiling = self.backend if isinstance(self.backend, Tiling) else None
        if not self.tiles or tiling is None or tiling.open_tiles() is None:
            return [self.run(image) for image in images]
        return [self._fetch(made) for made in tiling.infer_tiles([*map(self._feed, images)])]

    def _feed(self, image: Image) -> Image:
        given: Image = np.ascontiguousarray(image)
        if self.bits > 8:
            given = (given.astype(np.uint16) << (self.bits - 8)).view(np.uint8)
        return given

    def _fetch(self, result: Image) -> Image:
        if self.bits == 8:
            return result.copy()
        levels = np.rint(result.view(np.uint16) / 2 ** (self.bits - 8))
        rounded: Image = np.minimum(levels, 255).astype(np.uint8)
        return rounded

    def close(self) -> None:
        self.backend.close()


def open_runner(path: Path, options: ImportOptions | None = None) -> Runner:
    """Open a model file by its name's ending.

    Raises:
        EdgeSRError: it is missing, damaged, or cannot run here.
    """
    if path.suffix == ".engine":
        return EngineRunner(path, load_sidecar(path))
    return OnnxRunner(path, options)
