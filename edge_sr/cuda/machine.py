"""What this machine is to TensorRT: its GPU, its driver, its Jetson release. Needs no package."""

from __future__ import annotations

import ctypes
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from edge_sr.model.engine_facts import Machine

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
RELEASE = Path("/etc/nv_tegra_release")
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
INTEGRATED, MAJOR, MINOR = 18, 75, 76  # CUdevice_attribute


@dataclass(frozen=True)
class Gpu:
    """The first CUDA device."""

    name: str
    compute_capability: str  # "8.7"
    cuda: str  # the newest CUDA that the driver takes: "12.6"
    integrated: bool  # shares the machine's memory, as on a Jetson


def find_gpu() -> tuple[Gpu | None, str]:
    """The GPU that CUDA programs get, or None and why there is none. Makes no context."""
    try:
        driver = ctypes.CDLL(LIBRARY)
    except OSError:
        return None, f"no CUDA driver ({LIBRARY} is not installed)"
    number = ctypes.c_int()
    status = driver.cuInit(0)
    if status == 0:
        status = driver.cuDeviceGetCount(ctypes.byref(number))
    if status == NO_DEVICE or (status == 0 and number.value == 0):
        return None, "the CUDA driver finds no GPU"
    if status:
        return None, f"the CUDA driver fails to start (error {status})"
    name = ctypes.create_string_buffer(256)
    device = ctypes.c_int()
    values = {key: ctypes.c_int() for key in (INTEGRATED, MAJOR, MINOR)}
    failed = [
        driver.cuDriverGetVersion(ctypes.byref(number)),
        driver.cuDeviceGet(ctypes.byref(device), 0),
        driver.cuDeviceGetName(name, len(name), device),
        *(driver.cuDeviceGetAttribute(ctypes.byref(v), k, device) for k, v in values.items()),
    ]
    if any(failed):
        return None, f"the CUDA driver does not tell its GPU (error {max(failed)})"
    capability = f"{values[MAJOR].value}.{values[MINOR].value}"
    told = name.value.decode(errors="replace")
    return Gpu(told, capability, cuda_version(number.value), bool(values[INTEGRATED].value)), ""


def cuda_version(number: int) -> str:
    """The driver's number as people write it: 12060 -> "12.6"."""
    return f"{number // 1000}.{number % 1000 // 10}"


def l4t_release(path: Path = RELEASE) -> str:
    """Jetson's board support package: "36.4.3"; "" on other machines."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""
    found = re.search(r"R(\d+).*?REVISION:\s*([\d.]+)", text)
    return f"{found[1]}.{found[2]}" if found else ""


def this_machine(flavour: str, version: str) -> Machine:
    """This machine with a TensorRT of this flavour and version."""
    gpu, _ = find_gpu()
    return Machine(
        flavour=flavour,
        version=version,
        gpu=gpu.name if gpu else "",
        compute_capability=gpu.compute_capability if gpu else "",
        cuda=gpu.cuda if gpu else "",
        l4t=l4t_release(),
    )
