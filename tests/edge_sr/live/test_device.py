"""What boards and cards report, by doubles: no Jetson and no NVIDIA card is here."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from edge_sr.live import device
from edge_sr.live.device import DeviceMeter


def put(root: Path, path: str, text: str) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"{text}\n")


@pytest.mark.parametrize(
    "load", ["sys/devices/gpu.0/load", "sys/class/devfreq/17000000.gpu/device/load"]
)
def test_a_jetson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: str) -> None:
    monkeypatch.setattr(device, "_optional", lambda _name: None)
    put(tmp_path, "sys/class/thermal/thermal_zone0/type", "gpu-thermal")
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "51500")
    put(tmp_path, "sys/class/thermal/thermal_zone1/type", "broken")
    put(tmp_path, "sys/class/thermal/thermal_zone1/temp", "none")
    put(tmp_path, load, "873")
    for name, text in {"name": "ina3221", "in1_label": "VDD_IN", "in1_input": "5000",
                       "curr1_input": "2400"}.items():  # fmt: skip
        put(tmp_path, f"sys/class/hwmon/hwmon3/{name}", text)
    for name, text in {"name": "soctherm_oc", "oc1_event_cnt": "2", "oc3_event_cnt": "1"}.items():
        put(tmp_path, f"sys/class/hwmon/hwmon4/{name}", text)
    assert DeviceMeter(tmp_path).read() == {
        "gpu_temperature_c": 51.5,
        "gpu_percent": 87.3,
        "vdd_in_power_w": 12.0,
        "throttle_events": 3,
    }


def test_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NVMLError(Exception):
        pass

    card = types.SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetUtilizationRates=lambda _card: types.SimpleNamespace(gpu=64),
        nvmlDeviceGetMemoryInfo=lambda _card: types.SimpleNamespace(used=2, total=8),
        nvmlDeviceGetTemperature=lambda _card, _kind: 70,
        nvmlDeviceGetPowerUsage=lambda _card: 151_000,
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda _card: 0x20,
    )
    monkeypatch.setattr(device, "_optional", {"pynvml": card}.get)
    monkeypatch.setattr(device.driver, "gpu_uuid", lambda: "GPU-1")
    found = DeviceMeter(tmp_path).read()
    assert (found["gpu_percent"], found["gpu_power_w"], found["throttled"]) == (64, 151, "yes")
    assert found["gpu_memory_percent"] == 25

    def fail(_card: object) -> None:
        raise NVMLError

    monkeypatch.setattr(card, "nvmlDeviceGetUtilizationRates", fail)
    found.pop("gpu_percent")  # NVMLError_NotSupported: a Jetson's NVML and a MIG slice
    assert DeviceMeter(tmp_path).read() == found


@pytest.mark.parametrize(
    ("uuid", "known", "card"),
    [("GPU-1", ("GPU-1",), "GPU-1"), ("MIG-1", (), 0), ("", (), 0)],
)
def test_the_card_is_the_one_that_cuda_uses(
    monkeypatch: pytest.MonkeyPatch, uuid: str, known: tuple[str, ...], card: object
) -> None:
    """NVML's first card may be another one: it knows nothing of --device."""

    class NVMLError(Exception):
        pass

    def by_uuid(asked: str) -> str:
        if asked not in known:
            raise NVMLError
        return asked

    nvml = types.SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=by_uuid,
        nvmlDeviceGetHandleByIndex=lambda index: index,
    )
    monkeypatch.setattr(device, "_optional", {"pynvml": nvml}.get)
    monkeypatch.setattr(device.driver, "gpu_uuid", lambda: uuid)
    assert device.nvml_card() == (nvml, card)


@pytest.mark.parametrize("error", ["ImportError", "OSError", "RuntimeError"])
def test_a_package_that_does_not_load_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    (tmp_path / "pynvml.py").write_text(f"raise {error}('no driver')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    assert "gpu_percent" not in DeviceMeter(tmp_path).read()


def test_this_machine_reports_something() -> None:
    pytest.importorskip("psutil", reason="pip install 'edge-sr[serve]'")
    meter = DeviceMeter()
    first = meter.read()
    assert 0 < float(first["memory_percent"]) < 100
    assert meter.read() == first  # within a second: not asked again
