"""The step of `device-check` for one engine: built, counted, compared, timed, run for long."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.check.options import Options
from bench.measure.gpu import (
    SETTINGS,
    Timing,
    agree,
    describe_layers,
    endure,
    sample_frames,
    time_frames,
)
from edge_sr import zoo
from edge_sr.errors import ModelFileError
from edge_sr.model.engine_facts import facts_of
from edge_sr.model.resolver import resolve
from edge_sr.model.sidecar import Sidecar, load_sidecar

Found = dict[str, Any]


def check_engine(options: Options, name: str, precision: str) -> Found:
    """Every check of one engine.

    Args:
        name: a shipped model's, or an engine file that was built before.
        precision: of the engine; "" for an engine file.

    Raises:
        EdgeSRError: it cannot be built, opened or run.
    """
    begun = time.perf_counter()
    onnx, card, engine = _files(options, name, precision)
    sidecar = load_sidecar(engine)
    ready_s = round(time.perf_counter() - begun, 1)
    facts = facts_of(sidecar).to_dict()
    columns = sidecar.width or options.size[0]
    rows = sidecar.height or options.size[1]
    given = sample_frames(columns, rows, sidecar.channels)
    described = describe_layers(engine, sidecar)
    agreement = agree(engine, sidecar, onnx, card, given)
    timings = [
        time_frames(engine, sidecar, given, graphs=graphs, slots=slots, frames=options.timed)
        for graphs, slots in SETTINGS
    ]
    endurance = endure(engine, sidecar, given, options.frames)
    lines = [
        f"{sidecar.precision}, ready after {ready_s:.1f} s: {facts_of(sidecar).built}",
        f"layers: {_counts(facts['census'])} ({facts['census_source']})",
        f"against ONNX Runtime on the CPU, {agreement.frames} frames: PSNR "
        f"{agreement.psnr_db:.1f} dB at worst ({agreement.least_db:g} wanted), largest difference "
        f"{agreement.max_difference} grey levels",
        f"{endurance.frames} frames: host memory {endurance.host_growth_mib:+.1f} MiB, GPU memory "
        f"{endurance.gpu_growth_mib:+.1f} MiB, left after closing "
        f"{endurance.gpu_left_mib:+.1f} MiB"
        + ("; shared memory, not judged" if endurance.integrated else "")
        + f"; {endurance.black} black and {endurance.constant} constant results",
        *sorted({note for one in timings for note in one.notes if not note.startswith("GPU time")}),
    ]
    return {
        "good": agreement.good and endurance.good,
        "lines": lines,
        "ready_s": ready_s,
        "facts": facts,
        "layers": described,
        "agreement": asdict(agreement),
        "timings": [asdict(one) for one in timings],
        "table": _table(timings),
        "endurance": asdict(endurance),
    }


def _table(timings: list[Timing]) -> list[list[str]]:
    """Rows of the page, the first one its heads."""
    heads = "graphs, slots, frame p50 ms, p99, latency p50 ms, p99, fps, GPU ms, submit µs, mJ"
    return [heads.split(", "), *(_row(one) for one in timings)]


def _row(one: Timing) -> list[str]:
    times = (one.p50_ms, one.p99_ms, one.latency_p50_ms, one.latency_p99_ms)
    return [
        "yes" if one.graphs else "no",
        str(one.slots),
        *(f"{time_ms:.3f}" for time_ms in times),
        f"{one.fps:.1f}",
        f"{one.gpu_ms:.3f}",
        f"{one.submit_us:.0f}",
        "no sensor" if one.frame_mj is None else f"{one.frame_mj:.1f}",
    ]


def _counts(census: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in census.items()) or "none counted"


def _files(options: Options, name: str, precision: str) -> tuple[Path, Sidecar, Path]:
    """The ONNX file to compare with, its facts, and the engine, built where it is not cached."""
    if not precision:
        engine = Path(name)
        return (*_source_of(engine), engine)
    onnx, card = zoo.find(name)
    resolved = resolve(onnx, card, backend="tensorrt", size=options.size, precision=precision)
    if resolved.sidecar.precision == "int8" and card.name in zoo.names():
        onnx, card = zoo.tensorrt_file(card.name)
    return onnx, card, resolved.path


def _source_of(engine: Path) -> tuple[Path, Sidecar]:
    """The ONNX file that an engine names as its source: beside it, or a shipped one."""
    name = load_sidecar(engine).made_from
    for path in (engine.with_name(name), zoo.FOLDER / name):
        if path.is_file():
            return path, load_sidecar(path)
    raise ModelFileError(
        f"{engine}: {name}, which it was made from, is not beside it: put it there to compare with"
    )
