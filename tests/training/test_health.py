"""Dead channels are counted, and a run that has lost most of them stops."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from training.data.pairs import make_pair
from training.loop import trainer as trainer_module
from training.loop.curve import draw_curve, read_log
from training.loop.health import dead_channels, worst_layer
from training.models import edge_unet, first_cnn
from training.train import main


def dead_units(model, pairs):
    found = dead_channels(model, pairs).values()
    return sum(int(dead.sum()) for dead in found), sum(dead.size for dead in found)


@pytest.mark.parametrize("branches", [True, False])
def test_dead_channels_are_counted(picture, branches):
    model = edge_unet(width=4, lower_width=4, depth=1, lower_depth=1, branches=branches)
    pairs = [make_pair(picture(64, 80), Fraction(2))]
    before, units = dead_units(model, pairs)
    assert units == 4 * 5  # stem, one encoder, down, one lower, one decoder; the head has no ReLU
    layer = model.get_layer("decode0_0")
    alive = layer.output.shape[-1]
    weights = layer.get_weights()
    bias = next(i for i, value in enumerate(weights) if value.shape == (4,) and not value.any())
    weights[bias] = np.array([-1e6, -1e6, 1e3, 1e3], np.float32)
    layer.set_weights(weights)
    assert alive == 4
    assert before <= dead_units(model, pairs)[0] <= before + 2
    assert dead_units(model, pairs)[0] >= 2


def test_a_network_of_one_size_is_looked_at_whole(picture):
    pairs = [make_pair(picture(1080, 1920), Fraction(3, 2), channels=3)]
    assert dead_units(first_cnn(), pairs)[1] == 128 + 150 + 192


def test_a_run_with_mostly_dead_units_stops(tiny_recipe, photos, tmp_path, monkeypatch, capsys):
    dead = {"a": np.arange(10) < 7, "b": np.arange(10) < 4}
    monkeypatch.setattr(trainer_module, "dead_channels", lambda *_: dead)
    output = tmp_path / "run"
    command = ["--recipe", str(tiny_recipe()), "--data", str(photos), "--output", str(output)]
    assert main(command) == 1
    assert "11 of 20 units are dead after 4 steps; lower learning_rate" in capsys.readouterr().err


@pytest.mark.slow
def test_a_layer_that_has_lost_many_is_named(tiny_recipe, photos, tmp_path, monkeypatch, capsys):
    assert worst_layer({}) == ""
    assert worst_layer({"a": np.arange(16) < 3, "b": np.zeros(4, bool)}) == ""
    dead = {"a": np.arange(16) < 3, "b": np.arange(4) < 1, "c": np.zeros(8, bool)}
    assert worst_layer(dead) == "1 of 4 channels of b are dead"
    monkeypatch.setattr(trainer_module, "dead_channels", lambda *_: dead)
    output = tmp_path / "run"
    command = ["--recipe", str(tiny_recipe()), "--data", str(photos), "--output", str(output)]
    assert main(command) == 0
    assert "dB (bicubic" in (said := capsys.readouterr().err)
    assert "1 of 4 channels of b are dead" in said
    row = json.loads((output / "log.jsonl").read_text().splitlines()[-1])
    assert (row["dead_units"], row["units"], row["dead"]) == (4, 28, {"a": 3, "b": 1})


def test_the_curve_takes_the_later_of_two_rows_of_a_step(tmp_path):
    rows = [
        {"step": step, "loss": loss, "psnr_db": psnr, "bicubic_db": 30.0}
        for step, loss, psnr in [(0, None, 29.0), (8, 0.02, 31.0), (4, 0.1, 30.5), (8, 0.03, 31.5)]
    ]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [(row["step"], row["psnr_db"]) for row in read_log(log)] == [
        (0, 29.0),
        (4, 30.5),
        (8, 31.5),
    ]
    draw_curve(log, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "curve.png.part").exists()
