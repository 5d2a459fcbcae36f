"""Rivals through the converter: a table of what precision costs, and who could not be converted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from lab import external_models
from lab.external_models import ExternalModel, render
from tests.calibration.networks import external_model

pytest.importorskip("onnxruntime", reason="pip install onnxruntime")


@pytest.mark.slow
def test_a_network_is_converted_and_judged_and_the_rest_goes_on(
    tmp_path: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    onnx.save(external_model(), tmp_path / "hers.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    entries = [f'[[model]]\nname = "{name}"\nfile = "{name}.onnx"\n' for name in ("broken", "hers")]
    (tmp_path / "rivals.toml").write_text("\n".join(entries))
    page = tmp_path / "page.md"
    page.write_text("# Head\n<!-- external-models -->\n<!-- /external-models -->\n")
    command = ["--rivals", str(tmp_path / "rivals.toml"), "--images", str(folder)]
    assert external_models.main([*command, "--max-loss-db", "5", "--write", str(page)]) == 1
    errors = capfd.readouterr().err
    assert "bench: broken: " in errors
    assert "cannot be made fp16; see above" in errors
    text = page.read_text()
    assert "broken" not in text
    assert "`--max-loss-db 5`" in text
    assert "1 of 2; 70% in int8" in text
    cells = next(line for line in text.splitlines() if line.startswith("| hers ")).split("|")
    fp16_db, cpu, tensorrt, held_out_db, loss_db, out, cpu_s = (
        float(cell.strip(" %")) for cell in cells[2:-1]
    )
    assert 40 < fp16_db < 120
    assert abs(held_out_db) < 5
    assert abs(loss_db) < 5
    assert 0 < cpu < 100  # its first layer reads three channels
    assert 0 < tensorrt <= 100
    assert 0 < out <= 2
    assert cpu_s > 0.5


def test_the_table_names_every_set() -> None:
    found = ExternalModel(
        name="a",
        fp16_db=61.04,
        held_out_loss_db=0.1,
        losses_db=(0.0512, -0.001),
        shares=(0.7049, 1.0),
        left_out=2,
        cpu_s=9.6,
    )
    lines = render([found], ["Set5", "Set14"], "closing line").splitlines()
    assert lines[0].startswith("| network | fp16, dB from fp32 | in int8, CPU | in int8, TensorRT ")
    assert lines[2] == "| a | 61.0 | 70 % | 100 % | 0.100 | 0.051 | -0.001 | 2 | 10 |"
    refused = replace(found, shares=(None, 0.8), held_out_loss_db=None, losses_db=(), left_out=None)
    lines += render([refused], ["Set5", "Set14"], "closing line").splitlines()
    assert lines[-3] == "| a | 61.0 | refused | 80 % | - | - | - | - | 10 |"
    assert lines[-1] == "closing line"
