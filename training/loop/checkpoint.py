"""Training state on disk: whole or not at all, without pickle."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge_sr.errors import EdgeSRError


class CheckpointError(EdgeSRError):
    """A checkpoint cannot be read or does not belong to this run."""


@dataclass
class State:
    """Everything that changes while training."""

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    average: list[keras.Variable]  # exponential moving average of model.trainable_variables
    recipe_digest: str
    step: int = 0  # steps done
    best_psnr: float = 0.0  # dB on the held-out pictures
    losses: list[float] = field(default_factory=list)  # since the last validation

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything by name, as `save_state` writes it; but for the losses."""
        groups = {"w": self.model.variables, "o": self.optimizer.variables, "e": self.average}
        found = {
            f"{group}{index:04d}": variable.numpy()
            for group, variables in groups.items()
            for index, variable in enumerate(variables)
        }
        found["step"] = np.asarray(self.step)
        found["best_psnr"] = np.asarray(self.best_psnr)
        found["recipe"] = np.asarray(self.recipe_digest)
        return found


@contextmanager
def whole(path: Path, part: Path) -> Iterator[None]:
    """What is written to ``part`` inside becomes ``path``, complete and on disk, or nothing does.

    Raises:
        CheckpointError: the disk refuses; the old ``path`` is untouched.
    """
    try:
        yield
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        reason = error.strerror or error
        raise CheckpointError(
            f"{path}: cannot be saved ({reason}); what was there before is intact: "
            "make room, then --resume"
        ) from error


def save_state(path: Path, state: State) -> None:
    """Write the state; the old file stays until the new one is complete and on disk."""
    part = path.with_name(path.name + ".part")
    with whole(path, part), part.open("wb") as file:
        np.savez(file, **state.arrays(), losses=np.asarray(state.losses))  # type: ignore[arg-type]


def load_state(path: Path, state: State) -> None:
    """Fill ``state`` from a file written by `save_state`.

    Raises:
        CheckpointError: the file is missing or damaged, or was made by another recipe or model.
    """
    try:
        # opened here: of a damaged file np.load would leave its own handle open
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no checkpoint to resume; start without --resume") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path}: damaged checkpoint ({error}); remove it to start again"
        ) from error
    if str(found.get("recipe")) != state.recipe_digest:
        raise CheckpointError(
            f"{path}: made by another recipe (--steps counts too); expected this run's own: "
            "use the same recipe, or another --output to start again"
        )
    losses = found.pop("losses", np.zeros(0))  # the first runs did not keep them
    expected = state.arrays()
    if {name: value.shape for name, value in found.items()} != {
        name: value.shape for name, value in expected.items()
    }:
        raise CheckpointError(
            f"{path}: its variables do not fit this model, made by other code; "
            "use another --output to start again"
        )
    groups = {"w": state.model.variables, "o": state.optimizer.variables, "e": state.average}
    for group, variables in groups.items():
        for index, variable in enumerate(variables):
            variable.assign(found[f"{group}{index:04d}"])
    state.step = int(found["step"])
    state.best_psnr = float(found["best_psnr"])
    state.losses = losses.tolist()


def save_model(path: Path, model: keras.Model) -> None:
    """Write a ``.keras`` file; the old one stays until the new one is complete and on disk."""
    part = path.with_name(path.stem + ".part.keras")
    with whole(path, part):
        model.save(part)
        _deflate(part)


def _deflate(path: Path) -> None:
    """Compress a ``.keras`` file, a zip archive that Keras only stores into: a tenth less."""
    with zipfile.ZipFile(path) as archive:
        files = {item.filename: archive.read(item) for item in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def save_record(path: Path, record: dict[str, Any]) -> None:
    """Write how a model came to be as JSON, beside it; whole or not at all.

    Raises:
        CheckpointError: the disk refuses.
    """
    part = path.with_name(path.name + ".part")
    with whole(path, part):
        part.write_text(json.dumps(record, indent=2) + "\n")


def append_log(path: Path, row: dict[str, Any]) -> None:
    """Add one JSON line.

    Raises:
        CheckpointError: the disk refuses.
    """
    try:
        with path.open("a") as log:
            log.write(json.dumps(row) + "\n")
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be written ({error.strerror}); make room, then --resume"
        ) from error
