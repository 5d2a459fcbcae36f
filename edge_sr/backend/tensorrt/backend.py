"""The TensorRT backend: frames in flight in slots, collected in order."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from edge_sr.backend.protocol import Batch, TileLayout, check_frame
from edge_sr.backend.tensorrt.engine import Engine
from edge_sr.backend.tensorrt.guard import OutputGuard
from edge_sr.backend.tensorrt.ring import GRAPHS, Ring
from edge_sr.backend.tensorrt.tiles import TileEngine, load_tiles
from edge_sr.cuda import open_device
from edge_sr.cuda.errors import CudaError
from edge_sr.errors import BackendError, EdgeSRError, UsageError
from edge_sr.model.engine_facts import tiles_path
from edge_sr.model.sidecar import Sidecar

SLOTS = 2
CLOSE_S = 10.0  # that closing waits for a call in another thread

T = TypeVar("T")


class TensorRTBackend:
    """An engine on a GPU. `submit` and `collect` keep several frames in flight; `infer` is both.

    The buffers are made when the first frame comes, for its size, and again when the size changes.
    """

    name = "tensorrt"

    def __init__(
        self,
        path: Path,
        sidecar: Sidecar,
        *,
        slots: int = SLOTS,
        graphs: str = "auto",
        binding: str | None = None,
        guard_every: int | None = None,
    ) -> None:
        """Open an engine on the first GPU.

        Args:
            slots: frames in flight; each has its own execution context and buffers.
            graphs: replay each frame's work as a CUDA graph, where that gives the same bytes: "on",
                "off", or "auto" where the slowest frames are not slower by it.
            binding: of edge_sr.cuda.BINDINGS; None for the one that is there.
            guard_every: look at one result in so many; 0 for none, None for the default.

        Raises:
            ModelFileError: the engine was built for another machine, or is not the sidecar's.
            MissingDependencyError: no binding for CUDA, or no TensorRT.
            BackendError: no driver, no GPU, or TensorRT refuses the engine.
        """
        if slots < 1:
            raise BackendError(f"slots is {slots}; expected 1 or more")
        if graphs not in GRAPHS:
            raise UsageError(f"graphs is {graphs!r}; expected {', '.join(GRAPHS)}")
        self.sidecar = sidecar
        self.precision = sidecar.precision
        self.slots = slots
        self.guard = OutputGuard() if guard_every is None else OutputGuard(every=guard_every)
        self.gpu_ms = 0.0  # of the frame that was collected last, copies included
        self.gpu_ms_total = 0.0
        self._lock = threading.Lock()
        self._closed = self._lost = False
        self._path = path
        self._tiles: TileEngine | None = None  # opened when they are asked for
        self._sought_tiles = False
        self._of_tiles: list[str] = []  # why they are not used
        self._gpu = open_device(binding)
        opened: list[Engine] = []
        try:
            with self._gpu:
                opened.append(Engine(path, sidecar, self._gpu))
            self._engine = opened[0]
            self._ring = Ring(self._gpu, self._engine, count=slots, graphs=graphs)
        except BaseException:
            for engine in opened:
                engine.close()
            with contextlib.suppress(CudaError):  # the first error is raised
                self._gpu.close()
            raise
        self.device = (
            f"{self._gpu.name} ({self._gpu.compute_capability}), {self._engine.runtime_name}"
        )

    def infer(self, frame: Batch) -> Batch:
        """As `Backend.infer`.

        Raises:
            BackendError: frames that were submitted are in flight, besides.
        """
        if self._ring.busy:
            raise BackendError(f"{self.sidecar.name}: collect the submitted frames first")
        self.submit(frame)
        return self.collect().copy()

    def submit(self, frame: Batch) -> None:
        """Begin with a frame, uint8 (1, H, W, C); up to ``slots`` of them may be in flight.

        The frame, a decoder's view as well, is copied once, into the slot's pinned memory.

        Raises:
            FrameError: wrong dtype, shape or size.
            BackendError: every slot is in flight, or the GPU failed; then none is in flight.
        """
        target = self.input_for(frame)
        with self._lock:  # closing waits for it
            if not self._closed:
                np.copyto(target, frame)
        self.submit_input()

    def input_for(self, frame: Batch) -> Batch:
        """Where the next frame belongs, for one that is written there instead of copied.

        Args:
            frame: anything with the shape and dtype of the frame.

        Returns:
            Pinned memory, uint8 (1, H, W, C), to be filled before `submit_input`.

        Raises:
            FrameError, BackendError: as `submit`.
        """
        check_frame(frame, self.sidecar)
        if self._closed or frame.shape != self._ring.shape:
            self._guarded(lambda: self._resize(frame.shape))
        if not self._ring.idle:
            raise BackendError(
                f"{self.sidecar.name}: all {self.slots} slots are in flight; collect one first"
            )
        return self._ring.idle[0].input

    def submit_input(self) -> None:
        """Begin with the frame that was written to `input_for`.

        Raises:
            BackendError: as `submit`.
        """
        self._guarded(self._ring.launch)

    def collect(self) -> Batch:
        """The result of the oldest frame in flight; waits for it.

        Returns:
            uint8 (1, H*scale, W*scale, C) in the slot's pinned memory: it is overwritten after the
            next `submit` and must not be touched after `close`; copy what is to be kept.

        Raises:
            BackendError: no frame is in flight, or the GPU failed; then none is in flight.
        """
        return self._guarded(self._wait)

    def open_tiles(self) -> TileLayout | None:
        """As `Tiling.open_tiles`: the tile engine beside this one, ``x.tiles.engine``."""
        with self._lock:
            if not (self._closed or self._sought_tiles):
                self._sought_tiles = True
                self._open_tiles()
            return self._tiles.layout if self._tiles else None

    def _open_tiles(self) -> None:
        own = self._engine.facts.batch > 1
        path = self._path if own else tiles_path(self._path)
        if not path.exists():
            return
        try:
            sidecar = self.sidecar if own else load_tiles(path, self.sidecar)
            with self._gpu:
                guard = OutputGuard(every=self.guard.every)
                self._tiles = TileEngine(path, sidecar, self._gpu, guard)
                self._of_tiles += filter(None, [self._tiles.keep_compiled()])
        except EdgeSRError as error:  # whole frames are computed without it
            self._lost = self._lost or (isinstance(error, CudaError) and error.lost)
            self._of_tiles.append(f"the tile engine is not used: {error}")
            opened, self._tiles = self._tiles, None
            if opened is not None:
                with contextlib.suppress(CudaError), self._gpu:
                    opened.close()

    def infer_tiles(self, tiles: Sequence[Batch]) -> list[Batch]:
        """As `Tiling.infer_tiles`; no frame may be in flight.

        Raises:
            FrameError, BackendError: as there.
        """
        if self._ring.busy:
            raise BackendError(f"{self.sidecar.name}: collect the submitted frames first")
        return self._guarded(lambda: self._run_tiles(tiles))

    def _run_tiles(self, tiles: Sequence[Batch]) -> list[Batch]:
        if self._tiles is None:
            raise BackendError(f"{self.sidecar.name}: has no tile engine; open_tiles comes first")
        return self._tiles.run(tiles)

    @property
    def in_flight(self) -> int:
        """Frames that were submitted and not collected."""
        return len(self._ring.busy)

    @property
    def notices(self) -> list[str]:
        """What to know about the run so far, in lines for the user."""
        frames = self.guard.frames
        time = f"GPU time a frame: {self.gpu_ms_total / frames:.3f} ms, copies included"
        found = [*self._ring.notices, *([time] if frames else []), *self.guard.notices]
        return [*found, *self._of_tiles, *(self._tiles.notices if self._tiles else [])]

    def describe_layers(self) -> str:
        """As `Engine.describe_layers`."""
        return self._guarded(self._engine.describe_layers)

    def close(self) -> None:
        """Finish what is in flight and give everything back; safe to call twice, from any thread.

        Raises:
            BackendError: the driver complains; everything is given back all the same. Or another
                thread waits for the GPU for too long; then nothing is.
        """
        if not self._lock.acquire(timeout=CLOSE_S):
            raise BackendError(
                f"{self.sidecar.name}: the GPU did not answer for {CLOSE_S:g} s; end the process"
            )
        try:
            if self._closed:
                return
            self._closed = True
            reported = contextlib.suppress(CudaError) if self._lost else contextlib.nullcontext()
            with reported:
                self._give_back()
        finally:
            self._lock.release()

    def _give_back(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self._gpu.close)
            try:
                stack.enter_context(self._gpu)
            except CudaError as error:
                stack.callback(_raise, error)
                if not error.lost:
                    stack.enter_context(self._gpu)  # an error of earlier work is reported once
            stack.callback(self._engine.close)
            stack.callback(self._ring.close)
            stack.callback(self._engine.keep_compiled)
            if self._tiles is not None:
                stack.callback(self._tiles.close)
                stack.callback(self._tiles.keep_compiled)

    def _guarded(self, work: Callable[[], T]) -> T:
        """Run with the GPU current; after a failure nothing is in flight any more."""
        with self._lock:
            if self._closed:
                raise BackendError(f"{self.sidecar.name}: the backend is closed")
            try:
                with self._gpu:
                    return work()
            except BackendError as error:
                self._lost = self._lost or (isinstance(error, CudaError) and error.lost)
                with contextlib.suppress(CudaError), self._gpu:  # the first error is raised
                    self._ring.drain()
                with contextlib.suppress(CudaError), self._gpu:
                    if self._tiles is not None:
                        self._tiles.drain()
                raise

    def _resize(self, shape: tuple[int, ...]) -> None:
        columns, rows = self.sidecar.output_size(shape[2], shape[1])
        self._ring.resize(shape, (1, rows, columns, shape[3]))

    def _wait(self) -> Batch:
        if not self._ring.busy:
            raise BackendError(f"{self.sidecar.name}: no frame is in flight; submit one first")
        slot, self.gpu_ms = self._ring.wait()
        self.gpu_ms_total += self.gpu_ms
        self.guard.note(slot.input, slot.output)
        return slot.output


def _raise(error: Exception) -> None:
    raise error
