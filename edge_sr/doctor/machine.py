"""The machine: Python, system, board, driver, power mode, memory and disk."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from edge_sr.doctor.line import Line

LOW_DISK_GB = 1.0
# L4T releases from this on -> the JetPack they belong to; from 36.4 on TensorRT is 10 or later
JETPACKS = (
    ((39,), "7.2"), ((38, 4), "7.1"), ((38, 2), "7.0"), ((36, 5), "6.2.2"), ((36, 4, 4), "6.2.1"),
    ((36, 4, 3), "6.2"), ((36, 4), "6.1"), ((36, 3), "6.0"), ((35,), "5"), ((32,), "4"),
)  # fmt: skip
OLDEST = (36, 4)


def lines(root: Path = Path("/")) -> list[Line]:
    """Facts about the machine; `root` is where its files are looked for."""
    return [
        _python(),
        Line("machine", "system", "note", f"{platform.system()} {platform.release()}, "
             f"{platform.machine()}, {os.cpu_count()} cores"),
        *_jetson(root),
        _driver(root),
        *_power_mode(root),
        *_memory(root),
        _disk(Path.cwd()),
    ]  # fmt: skip


def _python() -> Line:
    found = f"{platform.python_version()} ({sys.executable})"
    return Line("machine", "Python", "ok", found)


def _jetson(root: Path) -> list[Line]:
    """Board and L4T release; nothing on other machines."""
    release, board = root / "etc/nv_tegra_release", root / "proc/device-tree/model"
    if not release.is_file():
        return []
    name = board.read_text().rstrip("\0\n") if board.is_file() else "Jetson"
    match = re.search(r"R(\d+).*?REVISION:\s*([\d.]+)", release.read_text())
    if not match:
        return [Line("machine", "Jetson", "note", f"{name}, of an unknown L4T release")]
    numbers = tuple(int(part) for part in f"{match[1]}.{match[2]}".split(".") if part)
    jetpack = next((pack for first, pack in JETPACKS if numbers >= first), "")
    found = f"{name}, L4T {'.'.join(map(str, numbers))}"
    found += f", JetPack {jetpack}" if jetpack else ""
    if numbers < OLDEST:
        advice = "sudo sdkmanager  # JetPack 6.1 or later; this one's TensorRT is below 10"
        return [Line("machine", "Jetson", "gap", found, advice)]
    return [Line("machine", "Jetson", "ok", found)]


def _driver(root: Path) -> Line:
    """The NVIDIA kernel driver, as the kernel reports it."""
    path = root / "proc/driver/nvidia/version"
    if path.is_file():
        match = re.search(r"Kernel Module\S*\s+(?:for \S+\s+)?([\d.]+)", path.read_text())
        return Line("machine", "NVIDIA driver", "ok", match[1] if match else "loaded")
    if (root / "etc/nv_tegra_release").is_file():
        return Line("machine", "NVIDIA driver", "ok", "part of L4T")
    cards = [p for p in (root / "sys/bus/pci/devices").glob("*/vendor") if _is_nvidia_display(p)]
    if cards:
        advice = "sudo ubuntu-drivers install"
        return Line("machine", "NVIDIA driver", "gap", "a card is here, no driver loaded", advice)
    return Line("machine", "NVIDIA driver", "note", "none, and no NVIDIA card: CPU only")


def _is_nvidia_display(vendor: Path) -> bool:
    try:
        kind = vendor.with_name("class").read_text()
        return vendor.read_text().strip() == "0x10de" and kind.startswith("0x03")
    except OSError:
        return False


def _power_mode(root: Path) -> list[Line]:
    """A Jetson's power mode; nothing elsewhere."""
    if shutil.which("nvpmodel") is None:
        return []
    try:
        done = subprocess.run(
            ["nvpmodel", "-q"],  # noqa: S607 - the board's own tool, found in PATH just now
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
        match = re.search(r"Power Mode:\s*(\S+)", done.stdout)
    except (OSError, subprocess.TimeoutExpired):  # it waits for its service, or may not be run
        match = None
    if not match:
        return [Line("machine", "power mode", "gap", "not known", "sudo nvpmodel -q")]
    path = root / "etc/nvpmodel.conf"
    fastest = fastest_mode(path.read_text(errors="replace") if path.is_file() else "")
    if fastest is None:
        if match[1].startswith("MAXN"):
            return [Line("machine", "power mode", "ok", match[1])]
        found = f"{match[1]}; the modes of this board are not known"
        return [Line("machine", "power mode", "gap", found, "sudo nvpmodel -p --verbose")]
    number, name = fastest
    if match[1] != name:
        advice = f"sudo nvpmodel -m {number} && sudo jetson_clocks"
        return [Line("machine", "power mode", "gap", f"{match[1]}; {name} is the fastest", advice)]
    return [Line("machine", "power mode", "ok", match[1])]


def fastest_mode(conf: str) -> tuple[int, str] | None:
    """The number and name of the fastest power mode in the text of /etc/nvpmodel.conf.

    Numbers differ from board to board: MAXN is 0 on an AGX Orin, MAXN_SUPER is 2 on an Orin Nano
    Super. Without a MAXN the mode of the most watts is the fastest; None where none is named.
    """
    found = re.findall(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=([^\s>]+)", conf)
    modes = [(int(number), name) for number, name in found]
    ranks = {mode: _rank(mode[1]) for mode in modes}
    best = max(modes, key=lambda mode: ranks[mode], default=None)
    return best if best and ranks[best] > (0, 0) else None


def _rank(name: str) -> tuple[int, int]:
    """MAXN variants first, the longest name (MAXN_SUPER) before MAXN; then by watts."""
    if name.startswith("MAXN"):
        return 1, len(name)
    watts = re.search(r"(\d+)W", name)
    return 0, int(watts[1]) if watts else 0


def _memory(root: Path) -> list[Line]:
    path = root / "proc/meminfo"
    if not path.is_file():
        return []
    kib = {key: int(value) for key, value in re.findall(r"(\w+):\s+(\d+) kB", path.read_text())}
    free, total = (kib.get(key, 0) / 2**20 for key in ("MemAvailable", "MemTotal"))
    return [Line("machine", "memory", "note", f"{free:.1f} of {total:.1f} GiB free")]


def _disk(folder: Path) -> Line:
    free = shutil.disk_usage(folder).free / 1e9
    if free < LOW_DISK_GB:
        advice = f"du -xh {folder} | sort -h | tail"
        return Line("machine", "disk", "gap", f"{free:.1f} GB free here", advice)
    return Line("machine", "disk", "ok", f"{free:.1f} GB free here")
