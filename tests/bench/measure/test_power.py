"""Watts from the board, from the driver, or from nowhere."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measure import power
from bench.measure.power import Meter, board_power_w


@pytest.fixture(autouse=True)
def forget_nvml() -> Iterator[None]:
    power._nvml.cache_clear()
    yield
    power._nvml.cache_clear()


def sensor(folder: Path, rails: dict[str, tuple[str, str]]) -> Path:
    """A hwmon tree as JetPack has it."""
    chip = folder / "hwmon1"
    chip.mkdir(parents=True)
    for number, (label, (millivolt, milliampere)) in enumerate(rails.items(), start=1):
        (chip / f"in{number}_label").write_text(f"{label}\n")
        (chip / f"in{number}_input").write_text(f"{millivolt}\n")
        (chip / f"curr{number}_input").write_text(f"{milliampere}\n")
    return folder


def test_a_jetsons_input_rail_is_read(tmp_path: Path) -> None:
    rails = {"VDD_CPU_GPU_CV": ("5000", "900"), "VDD_IN": ("19000", "421")}
    assert board_power_w(sensor(tmp_path, rails)) == 8.0


def test_a_silent_or_broken_sensor_is_no_power(tmp_path: Path) -> None:
    assert board_power_w(tmp_path) is None
    assert board_power_w(sensor(tmp_path, {"VDD_IN": ("19000", "")})) is None


def test_the_driver_is_asked_where_the_board_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = types.ModuleType("pynvml")
    answers = iter([42_500, None])

    class NVMLError(Exception):
        pass

    def usage(_: object) -> int:
        answer = next(answers)
        if answer is None:
            raise NVMLError
        return answer

    fake.__dict__.update(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetPowerUsage=usage,
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(power, "board_power_w", lambda: None)
    assert power.power_w() == 42.5
    assert power.power_w() is None


@pytest.mark.parametrize("error", ["ImportError", "OSError", "RuntimeError"])
def test_without_a_driver_there_is_no_power(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: str
) -> None:
    (tmp_path / "pynvml.py").write_text(f"raise {error}('no driver')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.setattr(power, "board_power_w", lambda: None)
    threads = threading.active_count()
    with Meter() as meter:
        assert threading.active_count() == threads, "nothing to read, nobody reads"
    assert meter.watts is None


def test_the_meter_reads_while_the_work_is_done() -> None:
    seen = threading.Event()
    values = iter([1.0, 10.0])

    def read() -> float:
        value = next(values, 20.0)
        if value == 20.0:
            seen.set()
        return value

    with Meter(read) as meter:
        assert seen.wait(5)
        during = meter.watts
    assert during is not None
    assert meter.watts is not None
    assert 10 <= meter.watts <= 20, "the first reading only asks whether there is a sensor"
