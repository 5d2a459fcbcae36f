"""Which of a shipped model's files is taken, and why."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge_sr import Upscaler, zoo
from edge_sr.backend import ON_CPU, cpu
from edge_sr.errors import ModelFileError, UsageError
from edge_sr.model import precision
from edge_sr.model.fastest import Candidate, Measured
from edge_sr.model.sidecar import write_sidecar
from edge_sr.quality import psnr

TWO = Fraction(2)


def test_every_model_ships_an_int8_file_within_its_bound() -> None:
    assert zoo.names("int8") == [f"{name}.int8" for name in zoo.names()]
    cards = [zoo.find(name)[1] for name in zoo.names("int8")]
    cards += [zoo.tensorrt_file(name)[1] for name in zoo.names()]
    for card in cards:
        name = card.name
        assert card.precision == "int8"
        assert card.quality["int8_loss_db"] <= precision.MAX_LOSS_DB
        _, whole = zoo.find(name.partition(".int8")[0])
        assert card.made_from_sha256 == whole.sha256, "made from another fp32 file: convert again"
        sets = [key for key in whole.quality if key.endswith("_psnr_y_db")]
        for key in sets:
            assert whole.quality[key] - card.quality[key] <= 0.05, f"{name} {key}"


def test_precision_picks_the_file() -> None:
    assert zoo.find("edge-unet-s", Fraction(3, 2), precision="int8")[1].name.endswith("x1.5.int8")
    assert zoo.find("edge-unet-s-x2.int8")[1].precision == "int8"
    assert zoo.find("edge-unet-s-x2.int8", precision="fp32")[1].precision == "int8"
    with pytest.raises(ModelFileError, match=r"no fp16 file is shipped; make one: python -m conv"):
        zoo.find("edge-unet-s-x2", precision="fp16")
    with pytest.raises(UsageError, match="expected fp32, fp16, int8"):
        zoo.find("edge-unet-s-x2", precision="int4")
    with pytest.raises(ModelFileError, match="no such model"):
        zoo.find("edge-unet-q.int8")


Times = dict[str, tuple[float | None, float]]  # label -> seconds, dB lost by bfloat16
ALL = {
    "fp32 in ONNX Runtime": (1.0, 0.0),
    "fp32 in OpenVINO": (1.1, 0.0),
    "int8 in ONNX Runtime": (0.8, 0.0),
    "int8 in OpenVINO": (0.4, 0.0),
    "bf16 in OpenVINO": (0.5, 0.01),
    "int8-bf16 in OpenVINO": (0.3, 0.01),
}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A CPU, the runtimes installed on it, and what measuring them gives."""

    def become(
        times: Times, flags: str = "avx512_vnni avx512_bf16", installed: Sequence[str] = ON_CPU
    ) -> None:
        def measured(found: Sequence[Candidate], **_: object) -> tuple[list[Measured], bool]:
            return [Measured(item.label, *times[item.label]) for item in found], False

        monkeypatch.setattr("platform.machine", lambda: "x86_64")
        monkeypatch.setattr(cpu, "flags", lambda: frozenset(flags.split()))
        monkeypatch.setattr(precision, "installed_on_cpu", lambda: list(installed))
        monkeypatch.setattr(precision, "measure", measured)

    return become


def found(
    model: str = "edge-unet-s", wanted: str | None = "auto", backend: str = "auto"
) -> tuple[str, str]:
    """The combination that is chosen, and why."""
    choice = precision.find_model(
        model, TWO, precision=wanted, size=(640, 360), backend=backend, threads=1
    )
    item = Candidate(choice.path, choice.sidecar, choice.backend, choice.bf16)
    return item.label, choice.why


def test_auto_takes_the_fastest_and_says_by_how_much(machine: Callable[..., None]) -> None:
    machine(ALL)
    label, why = found()
    assert label == "int8-bf16 in OpenVINO"
    lost = zoo.find("edge-unet-s-x2.int8")[1].quality["int8_loss_db"] + 0.01
    text = f"takes 0.30 of the time of fp32 in ONNX Runtime here, and loses {lost:.3f} dB"
    assert why.startswith(f"{label}: {text}")


def test_auto_without_openvino_stays_in_onnx_runtime(machine: Callable[..., None]) -> None:
    machine(ALL, installed=["onnxruntime"])
    assert found()[0] == "int8 in ONNX Runtime"
    machine(ALL, installed=["openvino"])
    assert found()[0] == "int8-bf16 in OpenVINO"


def test_float32_stays_where_it_is_the_fastest(machine: Callable[..., None]) -> None:
    machine({**ALL, "fp32 in ONNX Runtime": (0.2, 0.0)})
    label, why = found()
    assert label == "fp32 in ONNX Runtime"
    assert "int8-bf16 in OpenVINO takes 1.50 of its time here" in why


def test_what_cannot_run_is_left_out(machine: Callable[..., None]) -> None:
    machine({**ALL, "int8-bf16 in OpenVINO": (None, 0.0)})
    assert found()[0] == "int8 in OpenVINO"
    machine(dict.fromkeys(ALL, (None, 0.0)))
    assert found()[0] == "fp32 in ONNX Runtime"  # opening it gives the reason


def test_what_loses_too_much_is_left_out(machine: Callable[..., None]) -> None:
    machine({**ALL, "bf16 in OpenVINO": (0.1, 0.06), "int8-bf16 in OpenVINO": (0.1, 0.06)})
    assert found()[0] == "int8 in OpenVINO"


def test_a_cpu_without_the_instructions_has_fewer_choices(machine: Callable[..., None]) -> None:
    machine(ALL, flags="avx2 avx_vnni")
    assert found()[0] == "int8 in OpenVINO"
    machine(ALL, flags="avx2")  # its sums of int8 overflow in OpenVINO
    assert found()[0] == "int8 in ONNX Runtime"


def test_a_precision_that_is_given_is_kept(machine: Callable[..., None]) -> None:
    machine(ALL)
    assert found(wanted="fp32")[0] == "fp32 in ONNX Runtime"
    assert found(wanted="int8")[0] == "int8 in OpenVINO"
    assert found(wanted="bf16")[0] == "bf16 in OpenVINO"
    assert found(wanted="int8-bf16")[0] == "int8-bf16 in OpenVINO"
    assert found(wanted=None) == ("fp32 in ONNX Runtime", found(wanted=None)[1])
    with pytest.raises(UsageError, match="expected auto, fp32, bf16"):
        found(wanted="fp8")


def test_a_backend_that_is_given_is_kept(machine: Callable[..., None]) -> None:
    machine(ALL)
    assert found(backend="onnxruntime")[0] == "int8 in ONNX Runtime"
    assert found(backend="openvino")[0] == "int8-bf16 in OpenVINO"
    assert found(backend="openvino", wanted=None)[0] == "fp32 in OpenVINO"


def test_a_named_file_is_kept(machine: Callable[..., None], tmp_path: Path) -> None:
    machine(ALL)
    path = tmp_path / "mine.onnx"
    source, _ = zoo.find("edge-unet-s-x2")
    for end in ("", ".json"):
        shutil.copy(f"{source}{end}", f"{path}{end}")
    assert found(str(path))[0] == "bf16 in OpenVINO"
    assert found("edge-unet-s-x2.int8")[0] == "int8 in OpenVINO"


def test_auto_does_not_trade_quality_for_speed(
    machine: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("edge-unet-s-x2", "edge-unet-s-x2.int8"):
        source, card = zoo.find(name)
        shutil.copy(source, tmp_path / source.name)
        if card.precision == "int8":
            card = replace(card, quality={"int8_loss_db": 0.2})
        write_sidecar(tmp_path / source.name, card)
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    machine(ALL, installed=["onnxruntime"])
    label, why = found("edge-unet-s-x2")
    assert label == "fp32 in ONNX Runtime"
    assert "int8 has 0.200 dB lost, 0.05 allowed" in why


def test_small_frames_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "measure", lambda *_, **__: pytest.fail("measured"))
    with Upscaler.open("edge-unet-s-x2", precision="auto", size=(64, 48)) as upscaler:
        assert upscaler.backend.precision == "fp32"
        assert "64x48 is too small to be worth measuring" in upscaler.why


def test_int8_is_close_to_fp32() -> None:
    rows, columns = np.mgrid[0:64, 0:96]
    image = (128 + 100 * np.sin(rows / 5) * np.cos(columns / 7)).astype(np.uint8)
    with (
        Upscaler.open("edge-unet-s-x2") as whole,
        Upscaler.open("edge-unet-s-x2", precision="int8") as small,
    ):
        assert psnr(whole.upscale(image), small.upscale(image), border=2) > 40


def test_fp16_is_an_engines_precision_and_no_file_of_it_is_shipped() -> None:
    for backend in ("auto", "onnxruntime"):
        with pytest.raises(ModelFileError, match="no fp16 file is shipped; make one"):
            Upscaler.open("edge-unet-s-x2", precision="fp16", backend=backend)


def test_by_default_it_is_fp32_on_a_cpu() -> None:
    with Upscaler.open("edge-unet-s-x2", backend="onnxruntime") as upscaler:
        assert upscaler.sidecar.precision == "fp32"
        assert upscaler.why == ""
