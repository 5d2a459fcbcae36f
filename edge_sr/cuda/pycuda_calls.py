"""pycuda's driver, and its errors, which it tells in words only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edge_sr.cuda.errors import CudaError, no_driver, status_of
from edge_sr.errors import BackendError

try:
    from pycuda import driver
except ModuleNotFoundError:
    raise
except ImportError as missing:  # it is linked to the driver's library
    if "libcuda.so" in str(missing):
        raise no_driver(missing) from missing
    raise BackendError(f"pycuda cannot be loaded ({missing}): build it for this CUDA") from missing

__all__ = ["driver", "error_of", "told"]


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Raise pycuda's errors as ours."""
    try:
        yield
    except driver.Error as error:
        raise error_of(doing, error) from error


def error_of(doing: str, error: Exception) -> CudaError:
    """A pycuda error as ours."""
    routine, _, words = str(error).partition(" failed: ")
    return CudaError(doing, words or routine, status=status_of(words), name=routine)
