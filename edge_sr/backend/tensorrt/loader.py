"""The TensorRT package of a flavour: which one is installed, and its import."""

from __future__ import annotations

from types import ModuleType

from edge_sr.cuda.machine import install_tensorrt
from edge_sr.errors import BackendError, MissingDependencyError
from edge_sr.extras import load_failure
from edge_sr.model.engine_facts import FLAVOURS

OLDEST = 10


def load_tensorrt(flavour: str, *, lean: bool = False) -> ModuleType:
    """The TensorRT of a flavour, of a version that edge-sr can use; imports it.

    Args:
        flavour: "tensorrt" or "tensorrt-rtx".
        lean: take the lean runtime where the full one is missing.

    Raises:
        MissingDependencyError: it is not installed.
        BackendError: it is installed and cannot be used.
    """
    found = import_tensorrt(flavour, lean=lean)
    major = int(found.__version__.split(".")[0])
    if flavour == "tensorrt" and major < OLDEST:
        raise BackendError(
            f"TensorRT is {found.__version__}; {OLDEST}.0 or later is needed: on a Jetson that is "
            "JetPack 6.1 or later"
        )
    return found


def import_tensorrt(flavour: str, *, lean: bool = False) -> ModuleType:
    """As `load_tensorrt`, of any version.

    Raises:
        MissingDependencyError: it is not installed.
        BackendError: it is installed and cannot be loaded.
    """
    try:
        return _import(flavour, lean)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{FLAVOURS[flavour]} is not installed ({error}): {install_tensorrt(flavour)}"
        ) from error
    except (ImportError, OSError, RuntimeError) as error:  # a library is missing or does not fit
        name = FLAVOURS[flavour]
        if known := load_failure(flavour, str(error)):
            raise BackendError(f"{name} {known[0]}: {known[1]}") from error
        advice = install_tensorrt(flavour)
        raise BackendError(f"{name} cannot be loaded ({error}): {advice}") from error


def installed_flavour() -> tuple[str, str]:
    """(flavour, version) of the TensorRT that can be used here; the full one before RTX.

    Raises:
        MissingDependencyError: none is installed.
        BackendError: the one that is here cannot be loaded, or is too old.
    """
    broken: BackendError | None = None
    for flavour in FLAVOURS:
        try:
            return flavour, str(load_tensorrt(flavour).__version__)
        except MissingDependencyError:
            continue
        except BackendError as error:  # the other one may do
            broken = broken or error
    if broken is not None:
        raise broken
    raise MissingDependencyError(f"no TensorRT is installed: {install_tensorrt()}")


def _import(flavour: str, lean: bool) -> ModuleType:
    if flavour == "tensorrt-rtx":
        import tensorrt_rtx

        return _whole(tensorrt_rtx)
    try:
        import tensorrt

        return _whole(tensorrt)
    except ModuleNotFoundError:
        if not lean:
            raise
        import tensorrt_lean

        return _whole(tensorrt_lean)


def _whole(module: ModuleType) -> ModuleType:
    """Type stubs alone make an empty package of the same name: that is not it."""
    if not hasattr(module, "Runtime"):
        raise ModuleNotFoundError(f"No module named {module.__name__!r}")
    return module
