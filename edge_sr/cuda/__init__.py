"""CUDA, as far as edge-sr needs it, through whichever Python binding is installed."""

from __future__ import annotations

import os

from edge_sr.cuda import driver
from edge_sr.cuda.cuda_python import CudaPythonDevice
from edge_sr.cuda.protocol import Device
from edge_sr.cuda.pycuda import PycudaDevice
from edge_sr.errors import MissingDependencyError, UsageError
from edge_sr.extras import CUDA_PYTHON, PIP

BINDINGS = ("cuda-python", "pycuda")  # in the order of preference
PACKAGES = {"cuda-python": CUDA_PYTHON, "pycuda": "pycuda"}
VARIABLE = "EDGE_SR_CUDA"

__all__ = ["BINDINGS", "Device", "open_device"]


def open_device(binding: str | None = None, *, index: int = 0) -> Device:
    """Open a GPU: initialise the driver and retain the device's primary context.

    Args:
        binding: one of BINDINGS; None for EDGE_SR_CUDA, or else the first that is installed.
        index: which GPU, as CUDA counts them.

    Raises:
        UsageError: no such binding.
        MissingDependencyError: the binding, or any, is not installed.
        CudaError: there is no driver, no GPU, or it refuses.
    """
    wanted = binding or os.environ.get(VARIABLE) or None
    if wanted is not None and wanted not in BINDINGS:
        raise UsageError(f"{VARIABLE} is {wanted!r}; expected {' or '.join(BINDINGS)}")
    for name in (wanted,) if wanted else BINDINGS:
        try:
            device = _open(name, index)
            driver.hold_primary_context(index)
            return device
        except ModuleNotFoundError as error:
            missing = error
    raise MissingDependencyError(
        f"no Python binding for CUDA ({missing}): {PIP} {CUDA_PYTHON}"
        if wanted is None
        else f"{wanted} is not installed ({missing}): {PIP} {PACKAGES[wanted]}, or unset {VARIABLE}"
    ) from missing


def _open(name: str, index: int) -> Device:
    return PycudaDevice(index) if name == "pycuda" else CudaPythonDevice(index)
