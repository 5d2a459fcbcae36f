"""A TensorRT execution context: what a slot runs."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from edge_sr.backend.tensorrt.log import Log, refusal
from edge_sr.errors import BackendError


class Dims(Protocol):
    """A shape."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> int: ...


class ExecutionContext(Protocol):
    """The part of TensorRT's ``IExecutionContext`` that is used."""

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        """False where the engine does not take the shape."""
        ...

    def get_tensor_shape(self, name: str) -> Dims:
        """Shape of a tensor, for the input shape that was set."""
        ...

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Where a tensor is on the GPU; False where TensorRT refuses it."""
        ...

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Queue one inference; False where TensorRT refuses."""
        ...


class EngineContext:
    """Holds one execution context and checks what each of its calls returns."""

    def __init__(self, context: ExecutionContext | None, path: Path, log: Log) -> None:
        """Take a context that was just made.

        Raises:
            BackendError: none was made.
        """
        if context is None:
            advice = ": use smaller frames, or --slots 1"
            raise refusal(path, "makes no execution context of it", log, advice)
        self._context: ExecutionContext | None = context
        self._path, self._log = path, log

    @property
    def _open(self) -> ExecutionContext:
        if self._context is None:
            raise BackendError(f"{self._path}: the execution context is closed")
        return self._context

    def resize(self, shape: tuple[int, ...]) -> bool:
        """Take frames of this shape from now on; False if the engine does not."""
        return bool(self._open.set_input_shape("frame", shape))

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of "upscaled", for the frames that `resize` named."""
        shape = self._open.get_tensor_shape("upscaled")
        return tuple(shape[index] for index in range(len(shape)))

    def bind(self, frame: int, upscaled: int) -> None:
        """Set the GPU addresses of input and output."""
        for name, address in (("frame", frame), ("upscaled", upscaled)):
            if not self._open.set_tensor_address(name, address):
                raise refusal(self._path, f"takes no address for {name!r}", self._log)

    def enqueue(self, stream: int) -> None:
        """Queue one inference on a stream."""
        if not self._open.execute_async_v3(stream):
            raise refusal(self._path, "cannot run it", self._log)

    def release(self) -> None:
        """Let go of the context; safe to call twice."""
        self._context = None
