"""Estimates are arithmetic on counts and peaks, and say that they are estimates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.models.graph import Counts, Layer, Tensor
from bench.models.roofline import LABEL, Device, bound, read_devices
from edge_sr.errors import UsageError

DEVICE = Device(key="d", name="d", fp16_tflops=1, int8_tops=2, gbps=1, source="made up")


def layer(macs: int, elements: int, *, item_bytes: int = 4, int8: bool = False) -> Layer:
    tensor = Tensor(shape=(elements,), item_bytes=item_bytes)
    return Layer(
        name="l", op="Conv", macs=macs, read=(tensor,), written=(tensor,), weights=(), int8=int8
    )


def counts(*layers: Layer) -> Counts:
    return Counts(width=1, height=1, parameters=0, macs=0, activation_bytes=0, layers=tuple(layers))


def test_each_layer_takes_the_longer_of_arithmetic_and_bytes() -> None:
    net = counts(layer(5_000_000, 1000), layer(1000, 1_000_000))
    found = bound(net, DEVICE, "fp16")
    assert found.total_ms == pytest.approx(0.01 + 4)  # 10^7 operations at 10^12; 4 MB at 1 GB/s
    assert found.bytes_bind == pytest.approx(4 / 4.01)
    assert found.fps == pytest.approx(1000 / 4.01)
    assert found.moved_mb == pytest.approx(4.004)
    half = bound(net, DEVICE, "int8")
    assert half.total_ms == pytest.approx(found.total_ms / 2)


def test_an_int8_file_keeps_its_own_mix() -> None:
    net = counts(layer(0, 1000, item_bytes=4), layer(5_000_000, 1000, item_bytes=1, int8=True))
    found = bound(net, DEVICE, "int8")
    assert found.moved_mb == pytest.approx(0.004 + 0.002)
    assert found.arithmetic_ms == pytest.approx(0.005)


def test_every_device_has_rates_and_a_source() -> None:
    devices = read_devices()
    assert {"orin-nano-super", "orin-nx", "agx-orin", "thor", "rtx-4060"} <= set(devices)
    for device in devices.values():
        assert device.fp16_tflops > 0
        assert device.gbps > 0
        assert len(device.source) > 20
    with pytest.raises(UsageError, match="has no int8 arithmetic"):
        bound(counts(layer(1, 1)), devices["jetson-nano"], "int8")


def test_everything_printed_is_called_an_estimate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["roofline", "--device", "orin-nano-super", "--models", "edge-unet-s-x2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(LABEL)
    assert lines[3].endswith(f"({LABEL})")
    assert len(lines) == 6
    assert (
        main(["roofline", "--tflops", "1", "--gbps", "1", "--models", "edge-unet-s-x2", "--json"])
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found["label"] == LABEL
    assert [item["precision"] for item in found["models"]] == ["fp16"]
    assert all(item["label"] == LABEL for item in found["models"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "abacus"], "expected one of jetson-nano"),
        (["--tflops", "1"], "give --device NAME"),
        (["--device", "thor", "--gbps", "3"], "both given"),
        (["--device", "thor", "--models", "bicubic"], "has no layers"),
    ],
)
def test_wrong_options_are_usage_errors(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["roofline", *options]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_model_fails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    missing = str(tmp_path / "none.onnx")
    assert main(["roofline", "--device", "thor", "--models", missing]) == 1
    assert "no such file" in capsys.readouterr().err
