"""What the CPU of this machine has: cores, and instructions that decide between kernels."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
X86 = ("x86_64", "amd64")
BF16 = {"avx512_bf16", "amx_bf16", "bf16"}  # of Intel and AMD; of Arm


def usable_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_x86() -> bool:
    """Whether it is an Intel or AMD CPU of 64 bits."""
    return platform.machine().lower() in X86


def flags(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """Names of instruction sets as Linux has them, "avx2"; empty where they cannot be read."""
    return frozenset(_field(cpuinfo, "flags", "Features").split())


def name(cpuinfo: Path = CPUINFO) -> str:
    """The CPU's name; the kind of machine, "aarch64", where it has none."""
    return _field(cpuinfo, "model name") or platform.machine()


def _field(cpuinfo: Path, *names: str) -> str:
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in names:
            return value.strip()
    return ""
