"""What this machine is, and the state it is in while it is measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.measure.power import power_w
from edge_sr import __version__
from edge_sr.backend.onnxruntime.backend import usable_cores

Facts = dict[str, object]
TOOLS = ("onnxruntime", "numpy", "onnx", "pillow", "tensorrt", "tensorrt-rtx-cu12")
GPU_FIELDS = ("name", "driver_version", "compute_cap", "memory.total", "power.limit")


def device_facts() -> Facts:
    """What does not change while the machine runs; absent facts are left out."""
    versions = {name: _version(name) for name in TOOLS}
    facts: Facts = {
        "cpu": _cpu_name(),
        "cores": usable_cores(),
        "machine": platform.machine(),
        "memory_mib": _memory_mib("MemTotal"),
        "os": _os_name(),
        "python": platform.python_version(),
        "edge_sr": __version__,
        "versions": {name: version for name, version in versions.items() if version},
        "board": _text(Path("/proc/device-tree/model")),
        "l4t": _text(Path("/etc/nv_tegra_release")),
        "power_mode": _command(["nvpmodel", "-q"]),
        "gpus": _gpus(),
    }
    return {name: value for name, value in facts.items() if value}


def device_name(facts: Facts) -> str:
    """One line that tells machines apart: "AMD EPYC, 2 cores"."""
    gpus = facts.get("gpus")
    parts = [str(facts.get("board") or facts.get("cpu")), f"{facts.get('cores')} cores"]
    if isinstance(gpus, list):
        parts += [str(gpu["name"]) for gpu in gpus]
    return ", ".join(parts)


def device_state() -> Facts:
    """What changes: time, load, clocks, heat, power, throttling; as far as it can be read."""
    state: Facts = {
        "utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "available_mib": _memory_mib("MemAvailable"),
        "cpu_mhz": _cpu_mhz(),
        "temperature_c": _temperature_c(),
        "power_w": power_w(),
        "throttle_count": _throttle_count(),
    }
    return {name: value for name, value in state.items() if value is not None}


def throttled(before: Facts, after: Facts) -> bool | None:
    """Whether the CPU slowed itself down in between; None where that cannot be read."""
    counts = [state.get("throttle_count") for state in (before, after)]
    return None if None in counts else counts[0] != counts[1]


def available_mib() -> int | None:
    """Memory that can still be taken, MiB."""
    return _memory_mib("MemAvailable")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    for line in (_text(Path("/proc/cpuinfo")) or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model", "Hardware"):
            return value.strip()
    return platform.processor() or platform.machine()


def _cpu_mhz() -> int | None:
    kilo = _text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"))
    if kilo:
        return int(kilo) // 1000
    for line in (_text(Path("/proc/cpuinfo")) or "").splitlines():
        if line.startswith("cpu MHz"):
            return round(float(line.partition(":")[2]))
    return None


def _temperature_c() -> float | None:
    """The hottest thermal zone."""
    found = [
        int(text) / 1000
        for path in Path("/sys/class/thermal").glob("thermal_zone*/temp")
        if (text := _text(path)) and text.lstrip("-").isdigit()
    ]
    return max(found, default=None)


def _throttle_count() -> int | None:
    files = Path("/sys/devices/system/cpu").glob("cpu*/thermal_throttle/core_throttle_count")
    found = [int(text) for path in files if (text := _text(path))]
    return sum(found) if found else None


def _memory_mib(field: str) -> int | None:
    for line in (_text(Path("/proc/meminfo")) or "").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) // 1024
    return None


def _os_name() -> str:
    for line in (_text(Path("/etc/os-release")) or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return (
                f"{line.partition('=')[2].strip(chr(34))}, {platform.system()} {platform.release()}"
            )
    return platform.platform()


def _gpus() -> list[dict[str, str]]:
    query = ["nvidia-smi", f"--query-gpu={','.join(GPU_FIELDS)}", "--format=csv,noheader"]
    lines = (_command(query) or "").splitlines()
    values = [[value.strip() for value in line.split(",")] for line in lines]
    return [
        dict(zip(GPU_FIELDS, row, strict=True)) for row in values if len(row) == len(GPU_FIELDS)
    ]


def _command(command: Sequence[str]) -> str | None:
    """What a program of the system says, or None where there is none or it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return None
