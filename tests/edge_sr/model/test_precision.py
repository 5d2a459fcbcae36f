"""Which of a shipped model's files is taken, and why."""

from __future__ import annotations

import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge_sr import Upscaler, zoo
from edge_sr.errors import ModelFileError, UsageError
from edge_sr.model import precision
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


@pytest.mark.parametrize(("seconds", "taken"), [([0.2, 0.1], "int8"), ([0.1, 0.2], "fp32")])
def test_auto_takes_the_faster(
    seconds: list[float], taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_times", lambda *_: seconds)
    choice = precision.choose("edge-unet-s", TWO, width=64, height=64)
    assert choice.sidecar.precision == taken
    assert choice.why.startswith(f"{taken}: int8 takes {seconds[1] / seconds[0]:.2f}")


def test_auto_measures_and_says_why() -> None:
    with Upscaler.open("edge-unet-s-x2", precision="auto", size=(64, 48), threads=1) as upscaler:
        assert upscaler.sidecar.precision in upscaler.why
        assert "of fp32's time here" in upscaler.why


def test_auto_leaves_a_named_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    source, _ = zoo.find("edge-unet-s-x2")
    for end in ("", ".json"):
        shutil.copy(f"{source}{end}", f"{path}{end}")
    assert precision.choose(str(path), TWO, width=64, height=64).path == path


def test_auto_does_not_trade_quality_for_speed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("edge-unet-s-x2", "edge-unet-s-x2.int8"):
        source, card = zoo.find(name)
        shutil.copy(source, tmp_path / source.name)
        if card.precision == "int8":
            card = replace(card, quality={"int8_loss_db": 0.2})
        write_sidecar(tmp_path / source.name, card)
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    choice = precision.choose("edge-unet-s-x2", TWO, width=64, height=64)
    assert (choice.sidecar.precision, choice.why) == (
        "fp32",
        "fp32: int8 has 0.200 dB lost, 0.05 allowed",
    )


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


def test_without_a_wish_it_is_fp32_on_a_cpu() -> None:
    with Upscaler.open("edge-unet-s-x2", backend="onnxruntime") as upscaler:
        assert upscaler.sidecar.precision == "fp32"
        assert upscaler.why == ""
