"""Whole small runs through the command line: resume, signals, and every way to go wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from training.data.sampler import PatchSampler
from training.loop import bfloat16
from training.loop import trainer as trainer_module
from training.loop.trainer import Trainer
from training.train import main

ROOT = Path(__file__).parents[2]


def run(recipe: Path, data: Path, output: Path, *more: str) -> int:
    arguments = ["--recipe", str(recipe), "--data", str(data), "--output", str(output)]
    return main([*arguments, *more])


def arrays(output: Path) -> dict[str, np.ndarray]:
    with np.load(output / "last.npz") as file:
        return {name: file[name] for name in file.files}


def rows(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """What SIGINT calls is called right after the given step."""
    advance = Trainer.advance

    def then_signal(self, low, high):
        loss = advance(self, low, high)
        if self.state.step == step:
            signal.getsignal(signal.SIGINT)(signal.SIGINT, None)
        return loss

    monkeypatch.setattr(Trainer, "advance", then_signal)


def test_a_run_leaves_model_state_and_log(tiny_recipe, photos, tmp_path, capsys):
    output = tmp_path / "run"
    assert run(tiny_recipe(), photos, output) == 0
    left = sorted(path.name for path in output.iterdir())
    assert left == ["best.keras", "best.keras.json", "curve.png", "last.npz", "log.jsonl"]
    log = rows(output)
    assert [row["step"] for row in log] == [4, 8]
    assert all(np.isfinite([row["loss"], row["psnr_db"], row["bicubic_db"]]).all() for row in log)
    assert all(0 <= row["data_wait"] <= 1 and row["units"] == 20 for row in log)
    best = max(row["psnr_db"] for row in log)
    assert f"best: {best:.3f} dB" in capsys.readouterr().out
    record = json.loads((output / "best.keras.json").read_text())
    assert record["held_out_psnr_db"] == pytest.approx(best, abs=1e-4)
    assert record["step"] in (4, 8)
    assert record["recipe"]["steps"] == 8
    model = keras.saving.load_model(output / "best.keras", compile=False, safe_mode=True)
    assert model(np.zeros((1, 16, 20, 1), np.float32)).shape == (1, 32, 40, 1)


@pytest.mark.parametrize("optimizer", ["adam", pytest.param("muon", marks=pytest.mark.slow)])
def test_an_interrupted_run_resumes_as_if_nothing_had_been(
    tiny_recipe, photos, tmp_path, monkeypatch, capsys, optimizer
):
    branches = "true" if optimizer == "muon" else "false"
    recipe = tiny_recipe(steps=200, more=f'optimizer = "{optimizer}"', branches=branches)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    recipe.write_text(recipe.read_text().replace("validate_every = 4", "validate_every = 90"))
    before = signal.getsignal(signal.SIGINT)
    assert run(recipe, photos, whole) == 0
    with monkeypatch.context() as patch:
        interrupt_at(patch, 133)
        assert run(recipe, photos, broken) == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert "stopped at step 133; go on with --resume" in capsys.readouterr().err
    assert int(arrays(broken)["step"]) == 133
    assert run(recipe, photos, broken) == 1
    assert "holds a run already; --resume it" in capsys.readouterr().err
    assert run(recipe, photos, broken, "--resume") == 0
    expected = arrays(whole)
    for name, value in arrays(broken).items():
        if name == "recipe":
            assert value == expected[name]
        else:
            np.testing.assert_allclose(value, expected[name], atol=1e-6, err_msg=name)
    for one, other in zip(rows(broken), rows(whole), strict=True):
        for key in set(other) - {"time", "data_wait"}:
            assert one[key] == pytest.approx(other[key], abs=1e-6), key


@pytest.mark.slow
@pytest.mark.parametrize(("slowdown", "first"), [(0.7, "bfloat16"), (8.0, "float32")])
def test_bfloat16_until_a_part_of_the_run_where_it_is_quick(
    slowdown, first, tiny_recipe, photos, tmp_path, monkeypatch, capsys
):
    used = []
    step = Trainer._step

    def watched(self, *args):
        used.append(args[-1])
        return step(self, *args)

    monkeypatch.setattr(Trainer, "_step", watched)
    monkeypatch.setattr(bfloat16, "bfloat16_slowdown", lambda: slowdown)
    recipe = tiny_recipe(steps=8, more="bfloat16_until = 0.75", branches="true")
    assert run(recipe, photos, tmp_path / "run") == 0
    assert used == [first] * 6 + ["float32"] * 2
    assert ("takes 8 times as long as float32" in capsys.readouterr().err) == (slowdown == 8.0)
    assert arrays(tmp_path / "run")["w0000"].dtype == np.float32


@pytest.mark.slow
def test_a_checkpoint_of_the_first_runs_resumes(tiny_recipe, photos, tmp_path, monkeypatch):
    """They kept no losses since the last validation."""
    recipe, output = tiny_recipe(steps=6), tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt_at(patch, 3)
        assert run(recipe, photos, output) == 130
    old = {name: value for name, value in arrays(output).items() if name != "losses"}
    np.savez(output / "last.npz", **old)
    assert run(recipe, photos, output, "--resume") == 0
    assert [row["step"] for row in rows(output)] == [4, 6]


def test_a_signal_while_it_waits_for_data_does_not_hang(tiny_recipe, photos, tmp_path, monkeypatch):
    sample = PatchSampler.sample

    def slow(self, step):
        if step == 2:
            signal.raise_signal(signal.SIGTERM)  # handled by the main thread, which is waiting
        return sample(self, step)

    monkeypatch.setattr(PatchSampler, "sample", slow)
    assert run(tiny_recipe(), photos, tmp_path / "run") == 130
    assert int(arrays(tmp_path / "run")["step"]) <= 2


def test_an_error_in_the_data_thread_is_not_swallowed(tiny_recipe, photos, tmp_path, monkeypatch):
    def broken(self, step):
        raise RuntimeError(f"no batch {step}")

    monkeypatch.setattr(PatchSampler, "sample", broken)
    with pytest.raises(RuntimeError, match="no batch 0"):
        run(tiny_recipe(), photos, tmp_path / "run")


def test_a_loss_that_is_no_number_stops_in_one_line(
    tiny_recipe, photos, tmp_path, monkeypatch, capsys
):
    sample = PatchSampler.sample

    def poisoned(self, step):
        low, high = sample(self, step)
        return low, high * (np.nan if step == 5 else 1)

    monkeypatch.setattr(PatchSampler, "sample", poisoned)
    output = tmp_path / "run"
    assert run(tiny_recipe(), photos, output) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("training: loss is nan at step 6; expected a number: lower learning_r")
    assert int(arrays(output)["step"]) == 4
    assert all(
        np.isfinite(value).all() for name, value in arrays(output).items() if name[0] in "we"
    )


@pytest.mark.slow
def test_dead_units_are_noticed(tiny_recipe, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(trainer_module, "validation_psnr", lambda *_: (30.0, 30.0))
    assert run(tiny_recipe(steps=20), photos, tmp_path / "run") == 1
    assert "30.00 dB after 16 steps, bicubic alone has 30.00" in capsys.readouterr().err


def test_a_full_disk_stops_in_one_line(tiny_recipe, photos, tmp_path, capsys):
    output = tmp_path / "run"
    output.mkdir()
    (output / "last.npz.part").symlink_to("/dev/full")
    assert run(tiny_recipe(), photos, output) == 1
    assert "last.npz: cannot be saved (No space left on device)" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["last.npz.part", "best.part.keras", "curve.png.part"])
def test_a_disk_that_fills_up_later_loses_nothing(
    tiny_recipe, photos, tmp_path, monkeypatch, capsys, name
):
    recipe, whole, output = tiny_recipe(), tmp_path / "whole", tmp_path / "run"
    assert run(recipe, photos, whole) == 0
    advance = Trainer.advance

    def then_full(self, low, high):
        if self.state.step == 5:
            self.state.best_psnr = 0.0  # so that there is something to save
            (output / name).symlink_to("/dev/full")
        return advance(self, low, high)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", then_full)
        assert run(recipe, photos, output) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("training: ")
    assert "cannot be saved (" in line
    assert "make room, then --resume" in line
    assert not (output / name).exists()
    keras.saving.load_model(output / "best.keras", compile=False, safe_mode=True)
    assert run(recipe, photos, output, "--resume") == 0
    expected = arrays(whole)
    for key, value in arrays(output).items():
        if key not in ("recipe", "best_psnr"):
            np.testing.assert_allclose(value, expected[key], atol=1e-6, err_msg=key)


def test_a_network_with_three_levels_validates_on_odd_photographs(tiny_recipe, photos, tmp_path):
    recipe = tiny_recipe(steps=2, scale="3/2")
    recipe.write_text(recipe.read_text() + "levels = 3\n")
    assert run(recipe, photos, tmp_path / "run") == 0


@pytest.mark.slow
def test_a_network_of_one_fixed_size(photos, tmp_path, picture):
    for index in range(4):
        rgb = picture(164, 330, seed=index)
        Image.fromarray(rgb).save(photos / f"large{index}.png")
    recipe = tmp_path / "fixed.toml"
    recipe.write_text(
        'architecture = "unet_2020"\nsteps = 2\nbatch = 1\nheld_out = 2\n'
        "[options]\nheight = 80\nwidth = 160\n"
    )
    assert run(recipe, photos, tmp_path / "run") == 0
    row = json.loads((tmp_path / "run" / "log.jsonl").read_text())
    assert row["psnr_db"] == pytest.approx(row["bicubic_db"], abs=0.5)


@pytest.mark.slow
def test_a_run_started_from_another(tiny_recipe, photos, tmp_path, capsys):
    first = tiny_recipe(steps=4, name="first")
    assert run(first, photos, tmp_path / "first") == 0
    more = f'start_from = "{tmp_path}/first/best.keras"'
    second = tiny_recipe(steps=4, scale="3/2", more=more, name="second")
    assert run(second, photos, tmp_path / "second") == 0
    # stem, down, one convolution before, below and after; the way up; the head does not fit
    assert "first/best.keras: 6 layers" in capsys.readouterr().err
    missing = tiny_recipe(more='start_from = "none.keras"', name="third")
    assert run(missing, photos, tmp_path / "third") == 1
    assert "start_from: none.keras: no such file" in capsys.readouterr().err
    fresh = tiny_recipe(steps=4, more=f'{more}\nfresh = "down1 no_such"', name="fourth")
    assert run(fresh, photos, tmp_path / "fourth") == 1
    assert "fresh: 'no_such' is no layer; expected some of [" in capsys.readouterr().err
    fresh.write_text(fresh.read_text().replace(" no_such", " head"))
    assert run(fresh, photos, tmp_path / "fifth") == 0
    assert "first/best.keras: 5 layers" in capsys.readouterr().err


def test_grey_from_mixtures_of_colours(tiny_recipe, photos, tmp_path, capsys):
    recipe = tiny_recipe(steps=2, more="mixtures = 0.7\nshrinks = '0.6'\nspread = 0.05")
    assert run(recipe, photos, tmp_path / "run") == 0
    rgb = tmp_path / "rgb.toml"
    rgb.write_text('architecture = "unet_2020"\nsteps = 2\nheld_out = 2\nmixtures = 0.5\n')
    assert run(rgb, photos, tmp_path / "rgb") == 1
    assert "mixtures is 0.5; expected 0, as the network takes RGB" in capsys.readouterr().err


def test_bad_input_is_one_line_and_no_trace(tiny_recipe, photos, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    good = tiny_recipe(name="good")
    cases = {
        "none.toml: No such file": (tmp_path / "none.toml", photos, tmp_path / "a"),
        "unknown key 'stepz'": (tiny_recipe(more="stepz = 1", name="b"), photos, tmp_path / "b"),
        "no such folder": (good, tmp_path / "nowhere", tmp_path / "c"),
        "no picture found": (good, tmp_path / "empty", tmp_path / "d"),
        "File exists; expected a run folder": (good, photos, tmp_path / "file"),
    }
    for expected, (recipe, data, output) in cases.items():
        assert run(recipe, data, output) == 1
        lines = [line for line in capsys.readouterr().err.splitlines() if line]
        assert len(lines) == 1
        assert lines[0].startswith("training: ")
        assert expected in lines[0]
    assert run(good, photos, tmp_path / "e", "--resume") == 1
    assert "no checkpoint to resume; start without --resume" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_itself(tmp_path):
    command = [sys.executable, "-m", "training.train", "--recipe", "none.toml", "--data", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line == "training: none.toml: No such file or directory; expected a TOML recipe"
    with pytest.raises(SystemExit) as usage:
        main(["--recipe", "x"])
    assert usage.value.code == 2
