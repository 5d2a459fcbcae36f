"""One `bench run`: which parts are missing, measure them, keep each as soon as it is there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure.device import device_facts, device_name
from bench.measure.lane import Plan
from bench.measure.timing import pinned
from bench.models.contenders import Contender
from bench.quality.clip import Clip
from bench.quality.images import ImageSet
from bench.rows import SCHEMA, Row, add_losses, key_of, write_rows
from edge_sr.errors import BackendError, FrameError, ModelFileError

# what one model may raise while the others go on
MODEL_ERRORS = (BackendError, FrameError, ModelFileError)
Size = tuple[int, int]  # columns, rows of a model's input, pixels


@dataclass(kw_only=True)
class Bench:
    """What to measure, and the rows so far."""

    contenders: Sequence[Contender]
    sizes: Sequence[Size]
    sets: Sequence[ImageSet]
    clip: Clip | None
    threads: int
    plan: Plan
    output: Path
    rows: list[Row] = field(default_factory=list)  # of earlier runs too, other devices' included
    failures: list[str] = field(default_factory=list)  # a line each; the run goes on
    facts: dict[str, object] = field(default_factory=device_facts)

    def run(self) -> None:
        """Measure what is missing. Everything finished is in the file when this returns or raises.

        Raises:
            MediaError: the rows cannot be written.
            KeyboardInterrupt: finished parts are kept.
        """
        from bench.measure.quality import measure_clips, measure_set
        from bench.measure.speed import measure_speed

        for images in self.sets:
            for line in images.left_out:
                self.fail(f"left out: {line}")
        with pinned(self.threads) as cores:
            for size in self.sizes:
                measure_speed(self, size, cores)
            for images in self.sets:
                measure_set(self, images)
            if self.clip is not None:
                measure_clips(self, self.clip)
        self.save()

    def row(self, item: Contender, size: Size) -> Row:
        """The row of a contender at a size, made if it is not there yet."""
        fresh = _blank(item, size, self.threads, self.facts)
        for row in self.rows:
            if key_of(row) == key_of(fresh):
                return row
        self.rows.append(fresh)
        return fresh

    def rows_of(self, item: Contender) -> list[Row]:
        """The rows of a contender, one a size."""
        return [self.row(item, size) for size in self.sizes]

    def ours(self) -> list[Row]:
        """The rows of this run, in the order the contenders were named."""
        return [row for item in self.contenders for row in self.rows_of(item)]

    def fail(self, line: str) -> None:
        """Note what did not work, once, and say it."""
        if line not in self.failures:
            self.failures.append(line)
            note(line)

    def save(self) -> None:
        """Write the rows that hold a result."""
        add_losses(self.rows)
        held = [row for row in self.rows if row["latency"] or row["quality"] or row["video"]]
        write_rows(
            self.output, held + [row for row in self.rows if row["error"] and row not in held]
        )


def note(text: str) -> None:
    """Words for the person at the keyboard, on stderr."""
    print(f"bench: {text}", file=sys.stderr)


def _blank(item: Contender, size: Size, threads: int, facts: dict[str, object]) -> Row:
    card = item.sidecar
    return {
        "schema": SCHEMA,
        "name": card.name,
        "kind": item.kind,
        "architecture": card.architecture,
        "precision": card.precision,
        "color": card.color,
        "scale": card.scale,
        "backend": item.backend,
        "width": size[0],
        "height": size[1],
        "threads": threads,
        "device_name": device_name(facts),
        "sha256": card.sha256,
        "made_from": card.made_from,
        "made_from_sha256": card.made_from_sha256,
        "calibration_sha256": card.calibration_sha256,
        "file_bytes": item.file_bytes,
        "parameters": card.parameters,
        "macs": None,
        "activation_bytes": None,
        "layers": None,
        "peak_mib": None,
        "latency": None,
        "error": None,
        "quality": {},
        "video": {},
        "device": facts,
    }
