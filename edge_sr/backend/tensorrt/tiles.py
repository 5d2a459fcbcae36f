"""The tile engine that lies beside an engine: parts of its frames, in batches of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_sr.backend.protocol import Batch, TileLayout
from edge_sr.backend.tensorrt.engine import Engine
from edge_sr.backend.tensorrt.guard import OutputGuard
from edge_sr.backend.tensorrt.slot import Slot
from edge_sr.cuda.protocol import Device
from edge_sr.errors import BackendError, FrameError, ModelFileError
from edge_sr.model.engine_facts import TILE_KEPT, facts_of, tile_sides
from edge_sr.model.sidecar import Sidecar, load_sidecar
from edge_sr.types import Size

BUILD = "build both again: python -m convert.build_engine --tiles --force"


class TileEngine:
    """Runs batches of tiles in one slot, which has room for the largest. The device is current."""

    def __init__(self, path: Path, sidecar: Sidecar, device: Device, guard: OutputGuard) -> None:
        """Open a tile engine and prepare it; after an error nothing is left.

        Args:
            guard: looks at results.

        Raises:
            ModelFileError, MissingDependencyError: as `Engine`.
            BackendError, FrameError: TensorRT refuses it or its shapes, or memory is short.
        """
        facts = facts_of(sidecar)
        rows, columns = sidecar.height or 0, sidecar.width or 0
        self.layout = TileLayout(Size(columns, rows), facts.rim, TILE_KEPT, facts.batch)
        self.guard = guard
        self.gpu_ms_total = 0.0
        self.batches = 0
        self._path = path
        self._shape = rows, columns, sidecar.pixel_bytes
        wide, high = sidecar.output_size(columns, rows)
        self._upscaled = high, wide, sidecar.pixel_bytes
        self._engine = Engine(path, sidecar, device)
        try:
            self._slot = self._prepare(device)
        except BaseException:
            self._engine.close()
            raise

    def _prepare(self, device: Device) -> Slot:
        batch = self.layout.batch
        self._context = self._engine.context((batch, *self._shape))
        try:
            self._set(batch)
            slot = Slot(device, self._context, (batch, *self._shape), (batch, *self._upscaled))
        except BaseException:
            self._context.release()
            raise
        try:
            slot.warm_up(graph=False)
        except BaseException:
            slot.close()
            raise
        return slot

    def _set(self, count: int) -> None:
        """Take batches of so many tiles from now on."""
        if not self._context.resize((count, *self._shape)):
            raise BackendError(f"{self._path}: takes no batch of {count} tiles: {BUILD}")
        found = self._context.output_shape
        if found != (count, *self._upscaled):
            raise BackendError(
                f"{self._path}: makes {found} of {count} tiles; its sidecar says "
                f"{(count, *self._upscaled)}: {BUILD}"
            )

    def keep_compiled(self) -> str:
        """As `Engine.keep_compiled`."""
        return self._engine.keep_compiled()

    def run(self, tiles: Sequence[Batch]) -> list[Batch]:
        """As `Tiling.infer_tiles`."""
        for tile in tiles:
            if tile.dtype != "uint8" or tile.shape != self._shape:
                raise FrameError(
                    f"tile is {tile.dtype} {tile.shape}; {self._path.name} takes uint8 "
                    f"{self._shape}"
                )
        found: list[Batch] = []
        for start in range(0, len(tiles), self.layout.batch):
            found += self._run_batch(tiles[start : start + self.layout.batch])
        return found

    def _run_batch(self, tiles: Sequence[Batch]) -> list[Batch]:
        slot, count = self._slot, len(tiles)
        if count != slot.used:
            slot.used = 0  # until it is known that the engine takes it
            self._set(count)
            slot.used = count
        for place, tile in enumerate(tiles):
            slot.input[place] = tile
        slot.launch()
        self.gpu_ms_total += slot.wait()
        self.batches += 1
        self.guard.note(slot.input[:count], slot.output[:count])
        return list(slot.output[:count].copy())

    @property
    def notices(self) -> list[str]:
        """What to know about the run so far, in lines for the user."""
        if not self.batches:
            return []
        time = f"GPU time a batch of tiles: {self.gpu_ms_total / self.batches:.3f} ms"
        return [f"{time}, copies included", *self.guard.notices]

    def drain(self) -> None:
        """After a failure: wait for whatever is queued."""
        self._slot.drain()

    def close(self) -> None:
        """Give everything back, also when the driver complains; safe to call twice."""
        try:
            self._slot.close()
        finally:
            self._engine.close()


def load_tiles(path: Path, whole: Sidecar) -> Sidecar:
    """The sidecar of the tile engine at ``path``.

    Args:
        whole: of the engine for whole frames.

    Raises:
        ModelFileError: a file is missing or damaged, or the two do not belong together.
    """
    sidecar = load_sidecar(path)
    reason = _foreign(sidecar, whole)
    if reason:
        raise ModelFileError(f"{path}: {reason}: {BUILD}")
    return sidecar


def _foreign(sidecar: Sidecar, whole: Sidecar) -> str:
    """Why a tile engine is not for the frames of another engine; "" if it is."""
    facts, main = facts_of(sidecar), facts_of(whole)
    if facts.batch == 1:
        return "is no tile engine"
    if facts.onnx_sha256 != main.onnx_sha256 or sidecar.bits != whole.bits:
        return "was built of another network"
    if (facts.flavour, facts.version) != (main.flavour, main.version) or (
        facts.gpu,
        facts.compute_capabilities,
    ) != (main.gpu, main.compute_capabilities):
        return f"was built with {facts.built}, the engine of whole frames with {main.built}"
    if whole.width is None or whole.height is None:
        return "is for frames of one size, and the engine of whole frames takes several"
    rows, columns = tile_sides(whole.height, whole.width, facts.rim)
    if (sidecar.height, sidecar.width) != (rows, columns):
        return (
            f"has tiles of {sidecar.width}x{sidecar.height}; frames of {whole.width}x"
            f"{whole.height} need {columns}x{rows}"
        )
    if sidecar.ratio != whole.ratio or whole.window is None:
        return f"has a scale of {sidecar.scale}; the engine of whole frames resizes its result"
    return ""
