"""From what the user named to things that can be opened and measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from bench.models.adapters import Rival, prepare
from bench.models.floors import FLOORS, floor_sidecar, open_floor
from bench.models.graph import Counts
from bench.models.params import count
from bench.records import Kind
from edge_sr import Upscaler, zoo
from edge_sr import backend as runtimes
from edge_sr.backend import open_backend
from edge_sr.errors import UsageError
from edge_sr.model.sidecar import Sidecar

BF16 = "-bf16"
BACKENDS = (*runtimes.BACKENDS, f"openvino{BF16}")  # the last: in bfloat16 what is not int8


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One model file, rival or floor on one backend. Plain facts: a child process can have them."""

    kind: Kind
    path: str | None  # of the file that is opened; None for a floor
    file_bytes: int  # of the file as it was given; 0 for a floor
    sidecar: Sidecar
    backend: str  # of BACKENDS, as it was asked for

    @property
    def name(self) -> str:
        """The sidecar's name, as the tables show it."""
        return self.sidecar.name


def open_contender(contender: Contender, threads: int) -> Upscaler:
    """Raises ModelFileError, BackendError, MissingDependencyError."""
    sidecar = contender.sidecar
    if contender.path is None:
        return Upscaler(open_floor(sidecar), sidecar)
    name = contender.backend.removesuffix(BF16)
    bf16 = name != contender.backend
    backend = open_backend(Path(contender.path), sidecar, backend=name, threads=threads, bf16=bf16)
    return Upscaler(backend, sidecar)


def count_contender(contender: Contender, width: int, height: int) -> Counts | None:
    """Parameters, MACs and bytes at a size; None for what is no ONNX file: a floor, an engine.

    Raises:
        ModelFileError: the graph cannot be counted.
    """
    if contender.path is None or Path(contender.path).suffix != ".onnx":
        return None
    return count(Path(contender.path), width, height)


def find_contenders(
    models: Sequence[str],
    rivals: Sequence[Rival],
    *,
    backends: Sequence[str],
    precisions: Sequence[str],
    folder: Path,
) -> list[Contender]:
    """Every named model on every backend, then the rivals, then the floors of the scales there.

    Args:
        models: zoo names, .onnx files, floors ("bicubic", or "bicubic-x1.5" for one scale).
        precisions: keep models of these only, and add shipped int8 files; empty for those named.
        folder: where rivals are written with frame input and output.

    Raises:
        ModelFileError: a file or name that does not exist or does not fit its sidecar.
        UsageError: nothing is left to measure, or two things have one name.
    """
    plain = [name for name in models if not _floor(name)]
    shipped = [f"{name}.int8" for name in plain if f"{name}.int8" in zoo.names("int8")]
    extra = [name for name in shipped if "int8" in precisions and name not in plain]
    found = []
    for name in [*plain, *extra]:
        path, sidecar = zoo.find(name)
        if precisions and sidecar.precision not in precisions:
            continue
        found += [
            Contender(
                kind="model",
                path=str(path),
                file_bytes=path.stat().st_size,
                sidecar=sidecar,
                backend=backend,
            )
            for backend in backends
        ]
    for rival in rivals:
        path, sidecar = prepare(rival, folder)
        size = rival.file.stat().st_size
        found.append(
            Contender(
                kind="rival", path=str(path), file_bytes=size, sidecar=sidecar, backend="auto"
            )
        )
    scales = sorted({item.sidecar.ratio for item in found}) or [Fraction(2)]
    for kind, asked in filter(None, map(_floor, models)):
        for scale in [asked] if asked else scales:
            card = floor_sidecar(kind, scale)
            found.append(
                Contender(kind="floor", path=None, file_bytes=0, sidecar=card, backend="auto")
            )
    if not found:
        raise UsageError("nothing to measure: no model named has one of the --precisions")
    seen: set[tuple[str, str]] = set()
    for item in found:
        if (item.name, item.backend) in seen:
            raise UsageError(f"{item.name}: named twice; give each model once")
        seen.add((item.name, item.backend))
    return found


def _floor(name: str) -> tuple[str, Fraction | None] | None:
    """("bicubic", 3/2) for "bicubic-x1.5", ("bicubic", None) for "bicubic", None for others."""
    match = re.fullmatch(rf"({'|'.join(FLOORS)})(?:-x(\d+(?:\.\d+)?))?", name)
    if not match:
        return None
    if not match[2]:
        return match[1], None
    scale = Fraction(match[2]).limit_denominator(100)
    if scale < 1:
        raise UsageError(f"{name}: the scale is {match[2]}; expected 1 or more")
    return match[1], scale
