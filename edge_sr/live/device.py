"""Load, memory, temperature and power of the device, as far as it reports them."""

from __future__ import annotations

import contextlib
import importlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_sr.cuda import driver

FRESH_S = 1.0  # a reading is used for so long
GPU_LOADS = (  # a Jetson's, in tenths of a percent; the place differs with board and JetPack
    "sys/devices/gpu.0/load",
    "sys/devices/platform/gpu.0/load",
    "sys/class/devfreq/*.gpu/device/load",
    "sys/class/devfreq/*.ga10b/device/load",
)


class DeviceMeter:
    """Reads the machine at most once a second; what it does not report is left out."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Ask nothing yet.

        Args:
            root: where /sys is looked for.
        """
        self._root = root
        self._lock = threading.Lock()
        self._asked = False  # the libraries are loaded by the first reading
        self._psutil: Any = None
        self._nvml: tuple[Any, Any] | None = None
        self._read_at = 0.0
        self._found: dict[str, float | str] = {}

    def read(self) -> dict[str, float | str]:
        """Names with units, such as ``cpu_percent`` and ``gpu_temperature_c``, and their values."""
        with self._lock:
            if not self._asked:
                self._asked = True
                self._psutil, self._nvml = _optional("psutil"), nvml_card()
            if time.monotonic() - self._read_at > FRESH_S:
                self._found = {**self._system(), **self._board(), **self._gpu()}
                self._read_at = time.monotonic()
            return dict(self._found)

    def _system(self) -> dict[str, float | str]:
        if self._psutil is None:
            return {}
        memory = self._psutil.virtual_memory()
        own = self._psutil.Process()
        return {
            "cpu_percent": self._psutil.cpu_percent(),
            "memory_percent": memory.percent,
            "process_memory_mb": round(own.memory_info().rss / 1e6, 1),
            "process_threads": own.num_threads(),
        }

    def _board(self) -> dict[str, float | str]:
        """What the kernel shows: temperatures everywhere; load and power on a Jetson."""
        found: dict[str, float | str] = {}
        for zone in sorted((self._root / "sys/class/thermal").glob("thermal_zone*")):
            name, value = _text(zone / "type"), _number(zone / "temp")
            if name and value is not None and value > 0:
                key = name.lower().removesuffix("-thermal").removesuffix("-therm")
                found[f"{key.replace('-', '_').replace(' ', '_')}_temperature_c"] = value / 1000
        for place in GPU_LOADS:
            for path in self._root.glob(place):
                load = _number(path)
                if load is not None:
                    found["gpu_percent"] = load / 10
        for hwmon in sorted((self._root / "sys/class/hwmon").glob("hwmon*")):
            if _text(hwmon / "name") == "soctherm_oc":  # how often the board slowed itself down
                events = [_number(count) or 0 for count in hwmon.glob("oc*_event_cnt")]
                found["throttle_events"] = sum(events)
            if _text(hwmon / "name") != "ina3221":
                continue
            for label in sorted(hwmon.glob("in*_label")):
                index = label.name[2:-6]
                volts = _number(hwmon / f"in{index}_input")
                amperes = _number(hwmon / f"curr{index}_input")
                if volts is not None and amperes is not None:
                    name = (_text(label) or index).lower().replace(" ", "_")
                    found[f"{name}_power_w"] = round(volts * amperes / 1e6, 2)
        return found

    def _gpu(self) -> dict[str, float | str]:
        """An NVIDIA card through its driver."""
        if self._nvml is None:
            return {}
        nvml, card = self._nvml

        def memory() -> float:
            info = nvml.nvmlDeviceGetMemoryInfo(card)
            return round(100 * float(info.used / info.total), 1)

        def throttled() -> str:  # 1: idle
            return "yes" if nvml.nvmlDeviceGetCurrentClocksThrottleReasons(card) & ~1 else "no"

        readings: dict[str, Callable[[], float | str]] = {
            "gpu_percent": lambda: float(nvml.nvmlDeviceGetUtilizationRates(card).gpu),
            "gpu_memory_percent": memory,
            "gpu_temperature_c": lambda: float(nvml.nvmlDeviceGetTemperature(card, 0)),
            "gpu_power_w": lambda: round(nvml.nvmlDeviceGetPowerUsage(card) / 1000, 1),
            "throttled": throttled,
        }
        found: dict[str, float | str] = {}
        for name, read in readings.items():
            with contextlib.suppress(nvml.NVMLError):  # a Jetson's NVML knows some of them only
                found[name] = read()
        return found


def _optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError):  # NVIDIA's own raise RuntimeError without a driver
        return None


def nvml_card() -> tuple[Any, Any] | None:
    """NVML and its handle of the GPU that CUDA uses; None without a driver or the package."""
    nvml = _optional("pynvml")
    if nvml is None:
        return None
    try:
        nvml.nvmlInit()
        uuid = driver.gpu_uuid()
        with contextlib.suppress(nvml.NVMLError):  # a slice of a GPU (MIG) is not known by it
            return nvml, nvml.nvmlDeviceGetHandleByUUID(uuid)
        return nvml, nvml.nvmlDeviceGetHandleByIndex(0)
    except nvml.NVMLError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> float | None:
    try:
        return float(_text(path))
    except ValueError:
        return None
