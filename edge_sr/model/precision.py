"""Choosing fp32 or int8 on the machine at hand: by measuring both, not by belief."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from edge_sr import zoo
from edge_sr.backend import open_backend
from edge_sr.errors import ModelFileError
from edge_sr.model.resolver import Settled, settle
from edge_sr.model.sidecar import Sidecar

CHOICES = ("auto", "fp32", "fp16", "int8")
MAX_LOSS_DB = 0.05  # PSNR-Y: an int8 file that loses more is not chosen for its speed
STRIP_ROWS = 192  # of the frame: enough to rank two files of one network
RUNS = 4  # of each file, taking turns, after one to warm up


@dataclass(frozen=True)
class Choice:
    """The file chosen, and why in one line for the user."""

    path: Path
    sidecar: Sidecar
    why: str


def choose(
    model: str,
    ratio: Fraction,
    *,
    width: int,
    height: int,
    backend: str = "auto",
    threads: int | None = None,
) -> Choice:
    """The faster of a shipped model's fp32 and int8 files whose measured loss is small enough.

    Both run on a strip of the frame, ``width`` columns by at most 192 rows, in turns.

    Raises:
        ModelFileError, BackendError, MissingDependencyError: as opening a model does.
    """
    path, sidecar = zoo.find(model, ratio)
    if Path(model).suffix in (".onnx", ".engine") or sidecar.precision != "fp32":
        return Choice(path, sidecar, f"{sidecar.precision}: the file that was named")
    try:
        small, facts = zoo.find(model, ratio, precision="int8")
    except ModelFileError:
        return Choice(path, sidecar, "fp32: no int8 file is shipped")
    lost = facts.quality.get("int8_loss_db")
    if lost is None or lost > MAX_LOSS_DB:
        told = "an unknown loss" if lost is None else f"{lost:.3f} dB lost"
        return Choice(path, sidecar, f"fp32: int8 has {told}, {MAX_LOSS_DB:g} allowed")
    times = _times([(path, sidecar), (small, facts)], width, height, backend, threads)
    told = f"int8 takes {times[1] / times[0]:.2f} of fp32's time here"
    if times[1] < times[0]:
        return Choice(small, facts, f"int8: {told}, and loses {lost:.3f} dB")
    return Choice(path, sidecar, f"fp32: {told}")


def find_model(
    model: str,
    ratio: Fraction,
    *,
    precision: str | None,
    size: tuple[int, int],
    backend: str,
    threads: int | None = None,
    bits: int = 8,
) -> Settled:
    """The file that is to be opened for a model, and with which backend.

    Args:
        precision: of CHOICES; None for fp16 with TensorRT and fp32 else.
        size: (columns, rows) of the frames to come.
        bits: of their samples. Above 8 the wide variant of an ``.onnx`` file is opened, where it
            has luma; RGB models and engines that were named are opened as they are.

    Raises:
        ModelFileError, BackendError, MissingDependencyError, UsageError.
    """
    if precision == "auto" and backend != "tensorrt" and not model.endswith(".engine"):
        choice = choose(
            model, ratio, width=size[0], height=size[1], backend=backend, threads=threads
        )
        path, sidecar, why, wanted = choice.path, choice.sidecar, choice.why, None
    else:
        why, wanted = "", None if precision == "auto" else precision
        source = wanted or "fp32"
        if source == "fp16" and backend in ("auto", "tensorrt"):
            source = "fp32"  # an fp16 engine is built from it
        path, sidecar = zoo.find(model, ratio, precision=source)
    engine = wanted or "fp16"
    if sidecar.precision != "fp32" or why:
        engine = sidecar.precision
    sidecar = _variant(path, sidecar, bits)
    settled = settle(path, sidecar, backend=backend, size=size, precision=engine)
    if wanted == "fp16" and settled.backend != "tensorrt":
        path, sidecar = zoo.find(model, ratio, precision=wanted)
        settled = replace(settled, path=path, sidecar=_variant(path, sidecar, bits))
    return replace(settled, why="; ".join(filter(None, [why, settled.why])))


def _variant(path: Path, sidecar: Sidecar, bits: int) -> Sidecar:
    """The facts of what is opened for samples of so many bits."""
    fixed = bits == 8 or path.suffix == ".engine" or sidecar.channels != 1
    return sidecar if fixed else sidecar.widened(bits)


def _times(
    files: list[tuple[Path, Sidecar]], width: int, height: int, backend: str, threads: int | None
) -> list[float]:
    """Median seconds of each file on a strip of noise."""
    rows = min(height, STRIP_ROWS)
    opened = [open_backend(path, card, backend=backend, threads=threads) for path, card in files]
    strip = np.random.default_rng(0).integers(
        0, 256, (1, rows, width, files[0][1].channels), np.uint8
    )
    taken: list[list[float]] = [[] for _ in opened]
    try:
        for turn in range(RUNS + 1):
            for place, item in enumerate(opened):
                start = time.perf_counter()
                item.infer(strip)
                if turn:
                    taken[place].append(time.perf_counter() - start)
    finally:
        for item in opened:
            item.close()
    return [float(np.median(values)) for values in taken]
