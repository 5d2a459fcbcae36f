"""The TensorRT of this process, under one name: ``from convert import trt``, ``trt.Builder(...)``.

TensorRT 10, 11 and TensorRT-RTX share one interface. `use` chooses which of them the name stands
for; mypy reads it as TensorRT 10.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from edge_sr.backend.tensorrt.loader import import_tensorrt
from edge_sr.cuda.machine import install_tensorrt
from edge_sr.errors import BackendError, MissingDependencyError

if TYPE_CHECKING:
    from tensorrt import *  # noqa: F403

_chosen: list[ModuleType] = []


def use(flavour: str) -> None:
    """Let this process's TensorRT be ``flavour``: "tensorrt" or "tensorrt-rtx".

    Raises:
        MissingDependencyError: it is not installed, or cannot be loaded.
    """
    _chosen[:] = [load(flavour)]


def load(flavour: str) -> ModuleType:
    """Import one flavour.

    Raises:
        MissingDependencyError: it is not installed, or cannot be loaded.
    """
    try:
        module = import_tensorrt(flavour)
    except BackendError as error:  # its libraries are missing or of another version
        raise MissingDependencyError(str(error)) from error
    if not hasattr(module, "Builder"):  # type stubs alone, or the runtime without the builder
        raise MissingDependencyError(
            f"{flavour} is installed without its builder: {install_tensorrt(flavour)}"
        )
    return module


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if not _chosen:
            raise AttributeError(f"no TensorRT was chosen yet: trt.use(...) before trt.{name}")
        return getattr(_chosen[0], name)
