"""A TensorRT runtime on the CUDA double: an engine is an ONNX file that ONNX Runtime runs.

It keeps the rules of the real one that our runtime relies on, and notes a violation where the real
one would crash: order of destruction, one stream at a time per context, addresses that are bound.
"""

from __future__ import annotations

import ctypes
import enum
import functools
import json
import os
import weakref
from fractions import Fraction
from typing import Any

import double
import numpy as np

__version__ = os.environ.get("FAKE_TENSORRT_VERSION", "10.13.3.9")
MAGIC = b"FAKE PLAN\n"
refuse: dict[str, int] = {}  # "execute": fails once after so many calls; likewise "context"
batches: list[int] = []  # frames of each run of an engine that takes several
tiles = {"wrong": 0}  # what its results differ by from what they should be, at some pixels
kernels = {"once": 0, "always": 0}  # MiB that opening an engine takes and never gives back


def write_plan(
    onnx: bytes,
    size: tuple[int, int] | None,
    version: str = __version__,
    *,
    scale: str = "2",
    batches: tuple[int, int, int] | None = None,
) -> bytes:
    """An engine file: the ONNX file with the (columns, rows) that it takes, None for any.

    Args:
        batches: least, usual and largest of an engine that takes several frames at once.
    """
    facts = {"version": version, "size": size, "scale": scale, "batches": batches}
    head = json.dumps(facts)
    return MAGIC + head.encode() + b"\n" + onnx


class DataType(enum.Enum):
    FLOAT = 0
    UINT8 = 5


class TensorIOMode(enum.Enum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class ILogger:
    class Severity(enum.Enum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3
        VERBOSE = 4

    def log(self, severity: Severity, msg: str) -> None:
        raise NotImplementedError


def _due(name: str) -> bool:
    """Whether the call that `refuse` names fails now."""
    if name not in refuse:
        return False
    refuse[name] -= 1
    if refuse[name] < 0:
        del refuse[name]
        return True
    return False


class Runtime:
    def __init__(self, logger: ILogger) -> None:
        self._logger = logger
        self._engines: weakref.WeakSet[Any] = weakref.WeakSet()

    def deserialize_cuda_engine(self, plan: bytes) -> ICudaEngine | None:
        log, severity = self._logger.log, ILogger.Severity
        log(severity.INFO, f"Loaded engine size: {len(plan) >> 20} MiB")
        if not plan.startswith(MAGIC):
            log(severity.ERROR, "IRuntime::deserializeCudaEngine: Error Code 1: magic tag failed.")
            return None
        head, _, onnx = plan[len(MAGIC) :].partition(b"\n")
        facts = json.loads(head)
        if facts["version"] != __version__:
            log(severity.ERROR, f"Version tag does not match: {facts['version']} vs {__version__}")
            return None
        for kind, mib in kernels.items():
            if mib:
                address = ctypes.c_uint64()
                assert double.LIBRARY.cuMemAlloc_v2(ctypes.byref(address), mib << 20) == 0
            if kind == "once":
                kernels[kind] = 0
        engine = ICudaEngine(onnx, facts, self._logger)
        self._engines.add(engine)
        return engine

    def __del__(self) -> None:
        if len(self._engines):
            double.violate("runtime destroyed before its engine", "tensorrt")


@functools.cache
def _session(onnx: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])


class ICudaEngine:
    num_io_tensors = 2
    device_memory_size_v2 = 1 << 20

    def __init__(self, onnx: bytes, facts: dict[str, Any], logger: ILogger) -> None:
        self.session = _session(onnx)
        self.size: tuple[int, int] | None = facts["size"]
        self.batches: list[int] | None = facts["batches"]
        self.scale = Fraction(facts["scale"])
        self.logger = logger
        self.contexts: weakref.WeakSet[Any] = weakref.WeakSet()

    def get_tensor_name(self, index: int) -> str:
        return ("frame", "upscaled")[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return {"frame": TensorIOMode.INPUT, "upscaled": TensorIOMode.OUTPUT}[name]

    def get_tensor_dtype(self, name: str) -> DataType:
        return DataType.UINT8

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        columns, rows = self.size or (-1, -1)
        tensors = self.session.get_inputs() if name == "frame" else self.session.get_outputs()
        channels = tensors[0].shape[3]
        batch = -1 if self.batches else 1
        return self.grown(name, (batch, rows, columns, channels))

    def grown(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a tensor for an input of ``shape``."""
        batch, rows, columns, channels = shape
        if name == "frame" or rows < 0:
            return shape
        return (batch, int(rows * self.scale), int(columns * self.scale), channels)

    def get_tensor_profile_shape(self, name: str, index: int) -> list[tuple[int, ...]]:
        channels = self.session.get_inputs()[0].shape[3]
        if self.size:
            columns, rows = self.size
            return [(batch, rows, columns, channels) for batch in self.batches or (1, 1, 1)]
        return [(1, 4, 4, channels), (1, 64, 64, channels), (1, 720, 1280, channels)]

    def create_engine_inspector(self) -> EngineInspector:
        return EngineInspector()

    def create_execution_context(self, config: object = None) -> IExecutionContext | None:
        if _due("context"):
            self.logger.log(ILogger.Severity.ERROR, "Requested amount of GPU memory (1 MiB) failed")
            return None
        context = IExecutionContext(self)
        self.contexts.add(context)
        return context

    def __del__(self) -> None:
        if len(getattr(self, "contexts", ())):
            double.violate("engine destroyed before its context", "tensorrt")


class LayerInformationFormat(enum.Enum):
    JSON = 1


class EngineInspector:
    def get_engine_information(self, layer_format: LayerInformationFormat) -> str:
        return json.dumps({"Layers": [{"Name": "conv", "LayerType": "CaskConvolution"}]})


class IExecutionContext:
    def __init__(self, engine: ICudaEngine) -> None:
        self._engine = weakref.ref(engine)
        self._shape = engine.get_tensor_shape("frame")
        self._addresses: dict[str, int] = {}
        self._state = {"queued": 0, "alive": 1, "stream": 0}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        engine = self._engine()
        low, _, high = engine.get_tensor_profile_shape(name, 0)
        if not all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True)):
            engine.logger.log(ILogger.Severity.ERROR, "setInputShape: Error Code 3: API Usage")
            return False
        self._shape = tuple(shape)
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._engine().grown(name, self._shape)

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        engine, state = self._engine(), self._state
        if _due("execute"):
            engine.logger.log(ILogger.Severity.ERROR, "enqueueV3: Error Code 1: Cuda Driver ()")
            return False
        if os.environ.get("FAKE_TENSORRT_NOOP"):
            return True
        if state["queued"] and state["stream"] != stream:
            double.violate("one context on two streams at once", "tensorrt")
        tensors = []
        for name in ("frame", "upscaled"):
            shape = self.get_tensor_shape(name)
            if min(shape) < 1:
                double.violate("an input shape that was not set", "tensorrt")
                return False
            start = double.LIBRARY.double_map(self._addresses.get(name, 0), int(np.prod(shape)))
            if not start:
                return False
            memory = (ctypes.c_uint8 * int(np.prod(shape))).from_address(start)
            tensors.append((self._addresses[name], np.frombuffer(memory, np.uint8).reshape(shape)))
        session, batched = engine.session, engine.batches is not None

        def work() -> None:
            state["queued"] = 0
            assert state["alive"], "the execution context is gone"
            for address, view in tensors:
                assert double.LIBRARY.double_map(address, view.size), "memory was freed"
            (_, frame), (_, upscaled) = tensors
            upscaled[...] = session.run(None, {"frame": frame.copy()})[0]
            if batched:
                batches.append(frame.shape[0])
                upscaled[:, ::5, ::5] ^= np.uint8(tiles["wrong"])

        state.update(stream=stream)
        return double.enqueue(stream, work)

    def __del__(self) -> None:
        self._state["alive"] = 0
