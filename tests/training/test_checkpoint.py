"""Checkpoints: back as they were, whole or not at all, and refused where they do not belong."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest

from training.loop.checkpoint import (
    CheckpointError,
    State,
    append_log,
    load_state,
    save_model,
    save_state,
)
from training.models import vdsr
from training.models.open import open_model


def tiny_state(*, width: int = 2, digest: str = "d" * 64) -> State:
    model = vdsr(depth=2, width=width)
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(width)
    for variable in [*model.variables, *optimizer.variables[2:]]:
        variable.assign(rng.random(variable.shape).astype(np.float32))
    average = [keras.Variable(value + 1) for value in model.trainable_variables]
    return State(model, optimizer, average, digest, step=7, best_psnr=33.5)


@pytest.fixture
def state() -> State:
    return tiny_state()


@pytest.fixture
def saved(tmp_path: Path, state: State) -> Path:
    path = tmp_path / "last.npz"
    save_state(path, state)
    return path


def test_everything_comes_back(saved, state):
    again = State(vdsr(depth=2, width=2), keras.optimizers.Adam(), [], "d" * 64)
    again.optimizer.build(again.model.trainable_variables)
    again.average = [keras.Variable(value) for value in again.model.trainable_variables]
    load_state(saved, again)
    assert (again.step, again.best_psnr) == (7, 33.5)
    expected = state.arrays()
    assert list(again.arrays()) == list(expected)
    for name, value in again.arrays().items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_a_saved_model_is_compressed_and_the_same(tmp_path):
    model = vdsr(depth=3, width=32)
    model.save(tmp_path / "stored.keras")
    save_model(tmp_path / "a.keras", model)
    assert (tmp_path / "a.keras").stat().st_size < (tmp_path / "stored.keras").stat().st_size
    for ours, theirs in zip(
        open_model(tmp_path / "a.keras").get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_the_names_are_those_of_running_jobs(saved):
    with np.load(saved) as file:
        assert set(file.files) >= {"w0000", "o0000", "e0000", "step", "best_psnr", "recipe"}


def test_files_that_do_not_belong(saved, state, tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint to resume; start without --resume"):
        load_state(tmp_path / "none.npz", state)
    with pytest.raises(CheckpointError, match="made by another recipe"):
        load_state(saved, tiny_state(digest="e" * 64))
    with pytest.raises(CheckpointError, match="do not fit this model"):
        load_state(saved, tiny_state(width=3))


@pytest.mark.parametrize("kept", [0, 3, 100, 0.5, 0.99])
def test_a_damaged_file_is_named(saved, state, kept):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(kept * len(whole)) if kept < 1 else kept])
    with pytest.raises(CheckpointError, match=r"last\.npz: damaged checkpoint .*start again"):
        load_state(saved, state)


def test_a_flipped_byte_is_noticed(saved, state):
    data = bytearray(saved.read_bytes())
    data[200] ^= 0xFF
    saved.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="damaged checkpoint"):
        load_state(saved, state)


def full_disk(*_args: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("refusing", ["replace", "fsync"])
def test_a_full_disk_leaves_the_old_checkpoint(saved, state, tmp_path, monkeypatch, refusing):
    save_model(tmp_path / "best.keras", state.model)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(os, refusing, full_disk)
    state.step = 8
    with pytest.raises(CheckpointError, match=r"No space left on device.*intact.*--resume"):
        save_state(saved, state)
    with pytest.raises(CheckpointError, match="No space left"):
        save_model(tmp_path / "best.keras", state.model)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_write_that_fails_half_way(saved, state, tmp_path):
    save_model(tmp_path / "best.keras", state.model)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name in ("last.npz.part", "best.part.keras"):
        (tmp_path / name).symlink_to("/dev/full")  # every write to it: no space left
    state.step = 8
    with pytest.raises(CheckpointError, match=r"cannot be saved .No space left"):
        save_state(saved, state)
    with pytest.raises(CheckpointError, match=r"cannot be saved .No space left"):
        save_model(tmp_path / "best.keras", state.model)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_log_that_cannot_be_written(tmp_path):
    append_log(tmp_path / "log.jsonl", {"step": 1})
    append_log(tmp_path / "log.jsonl", {"step": 2})
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n'
    with pytest.raises(CheckpointError, match="cannot be written"):
        append_log(tmp_path / "none" / "log.jsonl", {})
