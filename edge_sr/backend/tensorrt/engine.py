"""An engine of TensorRT 10 or 11, their lean runtime, or TensorRT-RTX: their runtime API is one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sr.backend.tensorrt.execution import EngineContext
from edge_sr.backend.tensorrt.loader import load_tensorrt
from edge_sr.backend.tensorrt.log import process_logger, refusal
from edge_sr.backend.tensorrt.runtime_cache import RuntimeCacheFile
from edge_sr.cuda.protocol import Device
from edge_sr.errors import BackendError, FrameError, ModelFileError
from edge_sr.model.engine_facts import FLAVOURS, Machine, facts_of
from edge_sr.model.sidecar import Sidecar

if TYPE_CHECKING:
    import tensorrt as trt

FRAME_IO = ("frame", "upscaled")
BUILD = "build it again here: python -m convert.build_engine"


class Engine:
    """A deserialised engine that makes execution contexts. The device is current.

    Nothing is deserialised before the sidecar's seal, the file's hash and the machine fit: an
    engine is native code.
    """

    def __init__(self, path: Path, sidecar: Sidecar, device: Device) -> None:
        """Open an engine file.

        Raises:
            ModelFileError: the file is not the sidecar's, or was built for another machine.
            MissingDependencyError: its TensorRT is not installed.
            BackendError: TensorRT refuses it.
        """
        self.facts = facts_of(sidecar)
        self._path, self._sidecar = path, sidecar
        self._module = load_tensorrt(self.facts.flavour, lean=self.facts.version_compatible)
        self.version: str = self._module.__version__
        self._check_machine(device)
        plan = self._read(sidecar)
        logger, self._log = process_logger(self._module.ILogger)
        self._logger: trt.ILogger = logger
        self._log.take_errors()  # of engines before
        self._runtime: trt.Runtime | None = None
        self._engine: trt.ICudaEngine | None = None
        self._config: Any = None
        self._cache: Any = None
        self.cache_file: RuntimeCacheFile | None = None
        try:
            self._deserialise(plan)
            self._check_frame_io(sidecar)
            if self.facts.flavour == "tensorrt-rtx":
                self._use_runtime_cache(sidecar, device)
        except BaseException:
            self.close()
            raise

    @property
    def runtime_name(self) -> str:
        """Which TensorRT runs it, in words."""
        return f"{FLAVOURS[self.facts.flavour]} {self.version}"

    def _check_machine(self, device: Device) -> None:
        machine = Machine(
            flavour=self.facts.flavour,
            version=self.version,
            gpu=device.name,
            compute_capability=device.compute_capability,
            cuda=device.cuda,
        )
        reason = self.facts.mismatch(machine)
        if reason:
            raise ModelFileError(f"{self._path}: {reason}: {BUILD}")

    def _read(self, sidecar: Sidecar) -> bytes:
        try:
            plan = self._path.read_bytes()
        except OSError as error:
            raise ModelFileError(f"{self._path}: cannot be read ({error.strerror})") from error
        if hashlib.sha256(plan).hexdigest() != sidecar.sha256:
            raise ModelFileError(f"{self._path}: is not the file its sidecar describes: {BUILD}")
        return plan

    def _deserialise(self, plan: bytes) -> None:
        runtime: trt.Runtime | None = self._module.Runtime(self._logger)
        if runtime is None:
            raise self._refusal("starts no runtime")
        self._runtime = runtime
        if self.facts.version_compatible:
            runtime.engine_host_code_allowed = True  # the plan holds its own lean runtime
        self._engine = runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise self._refusal("refuses it", f": {BUILD}")

    def _check_frame_io(self, sidecar: Sidecar) -> None:
        found = self._wrong_frame_io(sidecar.pixel_bytes)
        if found:
            raise BackendError(
                f"{self._path}: its tensors are {found}; expected uint8 'frame' and 'upscaled' of "
                f"{sidecar.pixel_bytes} channels: {BUILD}"
            )

    def _wrong_frame_io(self, channels: int) -> str:
        """What the engine has instead of our two tensors; "" if they are there."""
        engine, known = self._engine, self._module
        if engine is None:
            return "gone"
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [
            name for name in names if engine.get_tensor_mode(name) == known.TensorIOMode.INPUT
        ]
        if sorted(names) != sorted(FRAME_IO) or inputs != ["frame"]:
            return ", ".join(names)
        kinds = [engine.get_tensor_dtype(name) for name in FRAME_IO]
        depths = [int(engine.get_tensor_shape(name)[3]) for name in FRAME_IO]
        if kinds != [known.DataType.UINT8] * 2 or depths != [channels] * 2:
            return f"{kinds[0]} and {kinds[1]} of {depths[0]} and {depths[1]} channels"
        return ""

    def _use_runtime_cache(self, sidecar: Sidecar, device: Device) -> None:
        """RTX compiles kernels when a context is made; kept on disk, that happens once."""
        engine: Any = self._engine  # what only RTX has is in no type stubs
        self._config = engine.create_runtime_config()
        kinds = self._module.DynamicShapesKernelSpecializationStrategy
        # a graph keeps the kernels that it was captured with: wait for the best ones. Batches of
        # tiles have many shapes: none may compile or change kernels in the middle of a run
        strategy = kinds.EAGER if self.facts.batch == 1 else kinds.NONE
        self._config.dynamic_shapes_kernel_specialization_strategy = strategy
        self._cache = self._config.create_runtime_cache()
        self.cache_file = RuntimeCacheFile.of(sidecar.sha256, device, self.version)
        found = self.cache_file.read()
        if found and not self._cache.deserialize(found):
            self.cache_file.forget()
        if not self._config.set_runtime_cache(self._cache):
            raise self._refusal("takes no runtime cache")

    def keep_compiled(self) -> str:
        """Write the kernels that RTX compiled to disk; returns why that failed, or ""."""
        if self._cache is None or self.cache_file is None:
            return ""
        return self.cache_file.write(bytes(self._cache.serialize()))

    def context(self, shape: tuple[int, ...]) -> EngineContext:
        """An execution context for frames of one shape, (1, H, W, C), or batches, (N, H, W, C).

        Raises:
            FrameError: the engine does not take this shape.
            BackendError: TensorRT makes none; mostly memory is short.
        """
        if self._engine is None:
            raise BackendError(f"{self._path}: the engine is closed")
        # nothing else may hold the context: it has to go before the engine
        made = EngineContext(
            self._engine.create_execution_context()
            if self._config is None
            else self._engine.create_execution_context(self._config),
            self._path,
            self._log,
        )
        if not made.resize(shape):
            made.release()
            raise FrameError(
                f"frame is {shape[2]}x{shape[1]}; {self._path.name} takes {self._sizes()}: build "
                f"an engine for it: python -m convert.build_engine --size {shape[2]}x{shape[1]}"
            )
        return made

    def describe_layers(self) -> str:
        """Every layer as TensorRT's inspector has it, JSON; "" where there is no inspector."""
        if self._engine is None or not hasattr(self._engine, "create_engine_inspector"):
            return ""  # closed, or of the lean runtime
        inspector = self._engine.create_engine_inspector()
        return str(inspector.get_engine_information(self._module.LayerInformationFormat.JSON))

    def _sizes(self) -> str:
        sizes = self.facts.sizes
        if not sizes:
            return f"{self._sidecar.width}x{self._sidecar.height} only"
        (low, left), (high, right) = sizes["min"], sizes["max"]
        return f"{left}x{low} to {right}x{high}"

    def _refusal(self, what: str, advice: str = "") -> BackendError:
        return refusal(self._path, what, self._log, advice)

    def close(self) -> None:
        """Let go: engine before runtime before logger; safe to call twice.

        Every context has to be released before.
        """
        self._cache = self._config = None
        self._engine = None
        self._runtime = None
