"""Networks that are looked at before one is trained for long: made by the workshop's commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.toml_file import read_toml
from edge_sr.children import run_module
from edge_sr.errors import ModelFileError
from edge_sr.model.sidecar import load_sidecar, sha256_of

RECIPE = """\
architecture = "edge_unet"
scale = "2"
steps = {steps}
batch = 16
patch = 48
seed = 1
optimizer = "muon"
learning_rate = 2e-3
l2_from = 1.0
shrinks = "0.6"
validate_every = {steps}

[options]
"""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A name and edge_unet's options."""

    name: str
    options: dict[str, int]


def read_candidates(path: Path) -> list[Candidate]:
    """One table a network, of whole numbers.

    Raises:
        ModelFileError: it cannot be read, or is of another kind.
    """
    found = []
    for name, options in read_toml(path).items():
        if not isinstance(options, dict) or not all(type(n) is int for n in options.values()):
            raise ModelFileError(f"{path}: {name}: expected a table of whole numbers")
        found.append(Candidate(name=name, options=options))
    if not found:
        raise ModelFileError(f"{path}: names no network")
    return found


def make(
    candidates: Sequence[Candidate], folder: Path, *, steps: int, data: Sequence[Path]
) -> list[Path]:
    """ONNX files of the networks: trained for ``steps``, or as they begin where there is no data.

    What is there already is kept; an interrupted training goes on.

    Raises:
        ModelFileError: a command failed; it has said why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    recipes = {item.name: folder / f"{item.name}.toml" for item in candidates}
    for item in candidates:
        lines = [f"{key} = {value}\n" for key, value in item.options.items()]
        recipes[item.name].write_text(RECIPE.format(steps=steps) + "".join(lines))
    missing = [item for item in candidates if not _done(folder, item, steps if data else 0)]
    if missing and not data:
        paths = [str(recipes[item.name]) for item in missing]
        _run("training.build", "--recipe", *paths, "--output", str(folder))
    for item in missing:
        source = folder / f"{item.name}.keras"
        if data:
            run = folder / item.name
            resume = ["--resume"] if (run / "last.npz").exists() else []
            folders = [str(path) for path in data]
            command = ["--recipe", str(recipes[item.name]), "--output", str(run), *resume]
            _run("training.train", *command, "--data", *folders)
            source = run / "best.keras"
        output = ["--output", str(folder / f"{item.name}.onnx"), "--force"]
        _run("convert.export_onnx", "--model", str(source), *output)
    return [folder / f"{item.name}.onnx" for item in candidates]


def make_int8(paths: Sequence[Path]) -> list[Path]:
    """int8 files beside the networks, whatever they lose: for their times. What is there is kept.

    Raises:
        ModelFileError: a command failed; it has said why.
    """
    found = []
    for path in paths:
        output = path.with_name(f"{path.stem}.int8.onnx")
        fresh = output.exists() and load_sidecar(output).made_from_sha256 == sha256_of(path)
        if not fresh:
            options = ["--output", str(output), "--allow-loss", "--force"]
            _run("convert.precision", "--model", str(path), "--to", "int8", *options)
        found.append(output)
    return found


def steps_of(path: Path) -> int:
    """How long the network of an ONNX file was trained."""
    return int(load_sidecar(path).training.get("step", 0))


def _done(folder: Path, item: Candidate, steps: int) -> bool:
    path = folder / f"{item.name}.onnx"
    if not path.exists():
        return False
    options = load_sidecar(path).training.get("recipe", {}).get("options", item.options)
    return steps_of(path) >= steps and options == item.options


def _run(module: str, *arguments: str) -> None:
    if run_module(module, arguments, capture_stderr=False).returncode:
        raise ModelFileError(f"python -m {module} failed for {arguments[1]}; see above")
