"""One command makes the shipped files from Keras files, with their figures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from convert import zoo as command
from edge_sr.model.sidecar import load_sidecar, write_sidecar
from tests.calibration.networks import save_pictures

pytest.importorskip("keras", reason="pip install 'edge-sr[convert]'")

ENDS = ("", ".int8", ".int8.trt")


@pytest.mark.slow
def test_a_model_is_made_measured_and_then_left_alone(
    tiny: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "BOUNDS_DB", (5.0,))
    monkeypatch.setattr(command, "MAX_LOSS_DB", 5.0)
    pretrained, zoo = tmp_path / "pretrained", tmp_path / "zoo"
    pretrained.mkdir()
    zoo.mkdir()
    shutil.copy(tiny["2"], pretrained / "tiny-x2.keras")
    (pretrained / "tiny-x2.keras.json").write_text('{"step": 7}')
    save_pictures(tmp_path / "Set2", 2)
    words = ["--images", str(tmp_path / "Set2"), "--pretrained", str(pretrained)]
    assert command.main([*words, "--output", str(zoo)]) == 0
    table = capsys.readouterr().out
    cards = [load_sidecar(zoo / f"tiny-x2{end}.onnx") for end in ENDS]
    for card in cards:
        assert card.training["step"] == 7
        figures = {"Set2_psnr_y_db", "Set2_ssim_y", "Set2_bicubic_psnr_y_db"}
        assert figures <= set(card.quality)
        assert f"{card.name}: Set2 " in table
    assert {card.made_from_sha256 for card in cards[1:]} == {cards[0].sha256}
    assert [card.precision for card in cards] == ["fp32", "int8", "int8"]
    before = {path: path.read_bytes() for path in zoo.iterdir()}
    monkeypatch.setattr(
        command, "quantise_network", lambda *_args, **_options: pytest.fail("again")
    )
    assert command.main([*words, "--output", str(zoo)]) == 0
    assert {path: path.read_bytes() for path in zoo.iterdir()} == before


def test_a_loss_beyond_the_bound_is_reported(tmp_path: Path) -> None:
    from dataclasses import replace

    from edge_sr import zoo

    for end, value in (("", 37.0), (".int8", 36.96), (".int8.trt", 36.9)):
        path = tmp_path / f"x2{end}.onnx"
        shutil.copy(zoo.FOLDER / f"edge-unet-s-x2{end}.onnx", path)
        card = load_sidecar(zoo.FOLDER / f"edge-unet-s-x2{end}.onnx")
        write_sidecar(path, replace(card, quality={"Set5_psnr_y_db": value}))
    files = [tmp_path / f"x2{end}.onnx" for end in ENDS]
    [line] = command.broken_bounds(files)
    assert line == "x2.int8.trt.onnx: Set5_psnr_y_db is 36.9, fp32 has 37.0"


def test_weights_that_are_missing_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["nothing-x2", "--pretrained", str(tmp_path), "--output", str(tmp_path)]
    assert command.main([*words, "--images", str(tmp_path)]) == 1
    assert "nothing-x2.keras: no such file; expected trained weights" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
