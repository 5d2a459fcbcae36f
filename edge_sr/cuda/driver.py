"""The CUDA driver's library, asked through ctypes: which GPUs there are, and their memory.

Needs no Python package. Frames go through a binding instead, see `edge_sr.cuda.open_device`.

``python -m edge_sr.cuda.driver`` prints what `driver_facts` returns as JSON, for a process that
must survive a driver that hangs or crashes.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from edge_sr.errors import UsageError

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
NO_LIBRARY = 3  # exit code of the child process
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
INTEGRATED, MAJOR, MINOR = 18, 75, 76  # CUdevice_attribute

_held: dict[int, int] = {}  # index -> the driver's device, of primary contexts that are kept


@dataclass(frozen=True)
class Gpu:
    """The first CUDA device."""

    name: str
    compute_capability: str  # "8.7"
    cuda: str  # the newest CUDA that the driver takes: "12.6"
    integrated: bool  # shares the machine's memory, as on a Jetson


def cuda_version(number: int) -> str:
    """The driver's number as people write it: 12060 -> "12.6"."""
    return f"{number // 1000}.{number % 1000 // 10}"


def find_gpu() -> tuple[Gpu | None, str]:
    """The GPU that CUDA programs get, or None and why there is none. Makes no context."""
    driver = load_library()
    if driver is None:
        return None, f"no CUDA driver ({LIBRARY} is not installed)"
    count, why_not = _count(driver)
    if why_not:
        return None, f"the CUDA driver fails to start ({why_not})"
    if not count:
        return None, "the CUDA driver finds no GPU"
    version, device = ctypes.c_int(), ctypes.c_int()
    values = {key: ctypes.c_int() for key in (INTEGRATED, MAJOR, MINOR)}
    status, name = _name(driver, 0)
    failed = [
        status,
        driver.cuDriverGetVersion(ctypes.byref(version)),
        driver.cuDeviceGet(ctypes.byref(device), 0),
        *(driver.cuDeviceGetAttribute(ctypes.byref(v), k, device) for k, v in values.items()),
    ]
    if any(failed):
        return None, f"the CUDA driver does not describe its GPU (error {max(failed)})"
    capability = f"{values[MAJOR].value}.{values[MINOR].value}"
    return Gpu(name, capability, cuda_version(version.value), bool(values[INTEGRATED].value)), ""


def gpu_uuid() -> str:
    """The UUID of the GPU that CUDA programs get, as nvidia-smi writes it; "" where it is unknown.

    NVML counts GPUs in another order than CUDA, and knows nothing of CUDA_VISIBLE_DEVICES.
    """
    gpu, _ = find_gpu()
    driver = load_library()
    if gpu is None or driver is None or not hasattr(driver, "cuDeviceGetUuid_v2"):
        return ""
    device, uuid = ctypes.c_int(), ctypes.create_string_buffer(16)
    if driver.cuDeviceGet(ctypes.byref(device), 0) or driver.cuDeviceGetUuid_v2(uuid, device):
        return ""
    return f"GPU-{UUID(bytes=uuid.raw)}"


def free_mib() -> int | None:
    """Memory that the first GPU can still give, MiB; on a Jetson that is the machine's own."""
    gpu, _ = find_gpu()
    driver = load_library()
    if gpu is None or driver is None:
        return None
    context, free, total = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
    if driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0):
        return None
    try:
        if driver.cuCtxPushCurrent_v2(context):
            return None
        failed = driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
        driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
    finally:
        driver.cuDevicePrimaryCtxRelease_v2(0)
    if failed:
        return None
    found = free.value // 2**20
    return min(found, available_mib() or found) if gpu.integrated else found


def available_mib() -> int | None:
    """What /proc/meminfo calls available, MiB; None on other systems."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // 1024 for line in lines if "MemAvailable" in line), None)


def hold_primary_context(index: int = 0) -> None:
    """Keep a GPU's primary context until this process ends; does nothing the second time.

    Every open device retains the context for itself. Without one more reference, closing the last
    of them destroys the context, and the next one creates it again: it takes time, and the
    kernels of TensorRT are loaded again. A driver that refuses is no error here.
    """
    library = load_library()
    if library is None or index in _held:
        return
    device, context = ctypes.c_int(), ctypes.c_void_p()
    if library.cuDeviceGet(ctypes.byref(device), index):
        return
    if library.cuDevicePrimaryCtxRetain(ctypes.byref(context), device):
        return
    if not _held:
        atexit.register(release_primary_contexts)
    _held[index] = device.value


def release_primary_contexts() -> None:
    """Give back what `hold_primary_context` keeps; runs at exit."""
    library = load_library()
    while _held:
        _, device = _held.popitem()
        if library is not None:
            library.cuDevicePrimaryCtxRelease_v2(device)


def select_gpu(device: str) -> None:
    """Use one GPU in this process and its children: the only one that CUDA shows them.

    Call it before anything else asks CUDA: the driver reads the choice once.

    Args:
        device: a number as nvidia-smi counts, or a UUID or the beginning of one ("GPU-8f2a").

    Raises:
        UsageError: no number or UUID, or no such GPU.
    """
    number = device.isascii() and device.isdigit()
    if not number and not re.fullmatch(r"(GPU|MIG)-[0-9a-fA-F-]+(/\d+/\d+)?", device):
        raise UsageError(
            f"--device is {device!r}; expected a number, or a UUID as nvidia-smi -L has"
        )
    shown = [item for item in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if item]
    if number and shown:
        if int(device) >= len(shown):
            raise UsageError(
                f"--device is {device}; CUDA_VISIBLE_DEVICES shows {len(shown)} GPUs, from 0"
            )
        device = shown[int(device)]
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # as nvidia-smi counts
    os.environ["CUDA_VISIBLE_DEVICES"] = device
    gpu, why_not = find_gpu()
    if gpu is None:
        raise UsageError(f"--device {device}: {why_not}; nvidia-smi -L lists the GPUs")


def driver_facts() -> dict[str, Any] | None:
    """The driver's CUDA version and the names of all GPUs; None where there is no driver.

    {"cuda": "12.6", "names": ["Orin"]}, or {"error": "cuInit gives error 999"}.
    """
    driver = load_library()
    if driver is None:
        return None
    count, why_not = _count(driver)
    if why_not:
        return {"error": f"cuInit gives {why_not}"}
    version = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    names = [_name(driver, index)[1] for index in range(count)]
    return {"cuda": cuda_version(version.value), "names": names}


def load_library() -> ctypes.CDLL | None:
    """The driver's library, or None where there is none."""
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError:
        return None


def _count(driver: ctypes.CDLL) -> tuple[int, str]:
    """How many GPUs there are, and the driver's error, "" for none."""
    number = ctypes.c_int()
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(number))
    if status and status != NO_DEVICE:
        return 0, f"error {status}"
    return number.value, ""


def _name(driver: ctypes.CDLL, index: int) -> tuple[int, str]:
    """The driver's status, and the name of a GPU."""
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    status = driver.cuDeviceGet(ctypes.byref(device), index)
    status = status or driver.cuDeviceGetName(name, len(name), device)
    return status, name.value.decode(errors="replace")


def main() -> int:
    """0 with one line of JSON; 3 where there is no driver."""
    facts = driver_facts()
    if facts is None:
        return NO_LIBRARY
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
