"""Facts about this machine, and its state while models are measured on it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.measure.power import power_w
from bench.records import DeviceFacts, DeviceState, Gpu
from edge_sr import __version__
from edge_sr.backend.cpu import usable_cores

TOOLS = ("onnxruntime", "openvino", "numpy", "onnx", "pillow", "tensorrt", "tensorrt-rtx-cu12")
GPU_FIELDS = ("name", "driver_version", "compute_cap", "memory.total", "power.limit")


def device_facts() -> DeviceFacts:
    """What does not change while this machine runs."""
    versions = {name: _version(name) for name in TOOLS}
    return DeviceFacts(
        cpu=_cpu_name(),
        cores=usable_cores(),
        machine=platform.machine(),
        memory_mib=_memory_mib("MemTotal"),
        os=_os_name(),
        python=platform.python_version(),
        edge_sr=__version__,
        versions={name: version for name, version in versions.items() if version},
        board=_text(Path("/proc/device-tree/model")) or None,
        l4t=_text(Path("/etc/nv_tegra_release")) or None,
        power_mode=_command(["nvpmodel", "-q"]),
        gpus=tuple(_gpus()),
    )


def device_state() -> DeviceState:
    """Time, load, clocks, temperature, power and throttling now."""
    return DeviceState(
        utc=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        load_1min=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        available_mib=available_mib(),
        cpu_mhz=_cpu_mhz(),
        temperature_c=_temperature_c(),
        power_w=power_w(),
        throttle_count=_throttle_count(),
    )


def throttled(before: DeviceState, after: DeviceState) -> bool | None:
    """Whether the CPU slowed itself down in between; None where that cannot be read."""
    if before.throttle_count is None or after.throttle_count is None:
        return None
    return before.throttle_count != after.throttle_count


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


def _gpus() -> list[Gpu]:
    query = ["nvidia-smi", f"--query-gpu={','.join(GPU_FIELDS)}", "--format=csv,noheader"]
    lines = (_command(query) or "").splitlines()
    values = [[value.strip() for value in line.split(",")] for line in lines]
    return [
        msgspec.convert(dict(zip(GPU_FIELDS, row, strict=True)), Gpu)
        for row in values
        if len(row) == len(GPU_FIELDS)
    ]


def _command(command: Sequence[str]) -> str | None:
    """The output of a system program; None where it is missing or fails."""
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
