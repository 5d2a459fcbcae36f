"""The first step of `device-check`: the machine, its driver, and which packages are here."""

from __future__ import annotations

from typing import Any

import msgspec

from bench.check.cuda_steps import current
from bench.measure.device import device_facts, device_state
from edge_sr.backend.tensorrt.loader import load_tensorrt
from edge_sr.cuda import driver
from edge_sr.cuda.machine import l4t_release
from edge_sr.errors import EdgeSRError
from edge_sr.extras import version_of
from edge_sr.model.engine_facts import FLAVOURS

PACKAGES = ("cuda-bindings", "cuda-python", "pycuda", "numpy", "nvidia-ml-py")
MIB = 2**20


def look_around() -> dict[str, Any]:
    """Facts, and why what is missing is missing.

    Raises:
        EdgeSRError: the GPU cannot be opened.
    """
    machine, state = device_facts(), device_state()
    with current() as device:
        free, total = device.memory()
        gpu = {
            "gpu": device.name,
            "compute_capability": device.compute_capability,
            "cuda": device.cuda,
            "uuid": driver.gpu_uuid(),
            "binding": device.binding,
            "graphs": device.graphs,
            "integrated": device.integrated,
            "total_mib": total // MIB,
            "free_mib": free // MIB,
        }
    versions = {name: found for name in PACKAGES if (found := version_of(name))}
    lines = [
        f"{gpu['gpu']}, compute capability {gpu['compute_capability']}, "
        f"{gpu['total_mib']} MiB ({gpu['free_mib']} free), driver for CUDA {gpu['cuda']}",
        f"through {gpu['binding']}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items()),
        f"{machine.cpu}, {machine.cores} cores, {machine.os}, Python {machine.python}, "
        f"edge-sr {machine.edge_sr}",
    ]
    if machine.gpus:
        lines.append(f"kernel driver {machine.gpus[0].driver_version}")
    if machine.board:
        lines.append(f"{machine.board}, L4T {l4t_release()}; power mode: {machine.power_mode}")
    return {
        "good": True,
        "lines": [*lines, *_tensorrts()],
        "gpu": gpu,
        "packages": versions,
        "machine": msgspec.to_builtins(machine),
        "state": msgspec.to_builtins(state),
    }


def _tensorrts() -> list[str]:
    """A line for each TensorRT: its version, or why it cannot be used."""
    lines = []
    for flavour, name in FLAVOURS.items():
        try:
            lines.append(f"{name} {load_tensorrt(flavour).__version__}")
        except EdgeSRError as error:
            lines.append(str(error))
    return lines
