"""Watts, where the board or the driver reports them, sampled while the work is being done."""

from __future__ import annotations

import contextlib
import functools
import statistics
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from edge_sr.live.device import nvml_card

HWMON = Path("/sys/class/hwmon")
RAILS = ("VDD_IN", "VIN_SYS_5V0", "VDD_GPU_SOC")  # of a Jetson's INA3221, the whole board first
INTERVAL = 0.05  # seconds between two readings


def power_w() -> float | None:
    """Watts now: into the board on a Jetson, of the GPU in use elsewhere; None without a sensor."""
    board = board_power_w()
    return board if board is not None else _gpu_power_w()


def board_power_w(hwmon: Path = HWMON) -> float | None:
    """Watts of a Jetson's input rail by its INA3221: millivolts times milliamperes."""
    labels = {_text(path): path for path in sorted(hwmon.glob("hwmon*/in*_label"))}
    for rail in RAILS:
        if rail in labels:
            number = labels[rail].name.removeprefix("in").removesuffix("_label")
            parts = [
                _text(labels[rail].with_name(f"{kind}{number}_input")) for kind in ("in", "curr")
            ]
            if all(part.isdigit() for part in parts):
                return round(int(parts[0]) * int(parts[1]) / 1e6, 2)
    return None


def _gpu_power_w() -> float | None:
    read = _nvml()
    return read() if read is not None else None


@functools.cache
def _nvml() -> Callable[[], float | None] | None:
    """A reader of the GPU's watts through NVML (nvidia-ml-py), or None without a driver."""
    found = nvml_card()
    if found is None:
        return None
    nvml, card = found

    def read() -> float | None:
        with contextlib.suppress(nvml.NVMLError):  # boards without a sensor
            return float(nvml.nvmlDeviceGetPowerUsage(card)) / 1000
        return None

    return read


class Meter:
    """Mean watts over a block of work, read beside it; reads nothing where there is no sensor.

    >>> with Meter() as meter:
    ...     work()
    >>> meter.watts  # None without a sensor
    """

    def __init__(self, read: Callable[[], float | None] = power_w) -> None:
        self._read = read
        self._values: list[float] = []
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def watts(self) -> float | None:
        """Mean of the readings, W."""
        return statistics.fmean(self._values) if self._values else None

    def __enter__(self) -> Meter:
        if self._read() is not None:
            self._thread = threading.Thread(target=self._sample, name="power", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _sample(self) -> None:
        while True:
            value = self._read()
            if value is not None:
                self._values.append(value)
            if self._done.wait(INTERVAL):
                return


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""
