"""How much memory the GPU can still give."""

from __future__ import annotations

import ctypes
from pathlib import Path

from edge_sr.cuda.machine import LIBRARY, find_gpu


def free_mib() -> int | None:
    """Memory that the first GPU can still give, MiB; on a Jetson that is the machine's own."""
    gpu, _ = find_gpu()
    if gpu is None:
        return None
    driver = ctypes.CDLL(LIBRARY)
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
    """What /proc/meminfo calls available, MiB."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // 1024 for line in lines if "MemAvailable" in line), None)
