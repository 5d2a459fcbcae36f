"""What one `bench run` measures, and the rows so far."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure.device import device_facts
from bench.measure.lane import Plan
from bench.models.contenders import Contender
from bench.quality.clip import Clip
from bench.quality.images import ImageSet
from bench.records import DeviceFacts, Row
from bench.rows import add_losses, write_rows
from edge_sr.errors import BackendError, FrameError, MediaError, ModelFileError

logger = logging.getLogger(__name__)
# what one model may raise while the others go on
MODEL_ERRORS = (BackendError, FrameError, MediaError, ModelFileError)
Columns = tuple[int, int]  # columns, rows of a model's input, pixels


@dataclass(kw_only=True)
class Bench:
    """Models, sizes, pictures and clips; rows of earlier runs and other devices are kept."""

    contenders: Sequence[Contender]
    sizes: Sequence[Columns]
    sets: Sequence[ImageSet]
    clips: Sequence[Clip]
    threads: int
    plan: Plan
    output: Path
    facts: DeviceFacts = field(default_factory=device_facts)
    failures: list[str] = field(default_factory=list)  # a line each; the run goes on
    _rows: dict[tuple[object, ...], Row] = field(default_factory=dict)

    def put(self, rows: Iterable[Row]) -> None:
        """Add rows; each replaces the row of its key."""
        self._rows.update((row.key, row) for row in rows)

    def row(self, item: Contender, size: Columns) -> Row:
        """The row of a contender at a size; an empty one if nothing was measured yet."""
        fresh = _empty_row(item, size, self.threads, self.facts)
        return self._rows.setdefault(fresh.key, fresh)

    def rows_of(self, item: Contender) -> list[Row]:
        """The rows of a contender, one a size."""
        return [self.row(item, size) for size in self.sizes]

    def ours(self) -> list[Row]:
        """The rows of this run, in the order the contenders were named."""
        return [row for item in self.contenders for row in self.rows_of(item)]

    def fail(self, line: str) -> None:
        """Record and log once what could not be measured."""
        if line not in self.failures:
            self.failures.append(line)
            logger.warning("%s", line)

    def save(self) -> None:
        """Write the rows that hold a result, then those that hold an error.

        Raises:
            MediaError: the file cannot be written.
        """
        self.put(add_losses(list(self._rows.values())))
        rows = list(self._rows.values())
        failed = [row for row in rows if row.error and not row.measured]
        write_rows(self.output, [*(row for row in rows if row.measured), *failed])


def _empty_row(item: Contender, size: Columns, threads: int, facts: DeviceFacts) -> Row:
    card = item.sidecar
    return Row(
        name=card.name,
        kind=item.kind,
        architecture=card.architecture,
        precision=card.precision,
        color=card.color,
        scale=card.scale,
        backend=item.backend,
        width=size[0],
        height=size[1],
        threads=threads,
        device_name=facts.name,
        sha256=card.sha256,
        made_from=card.made_from,
        made_from_sha256=card.made_from_sha256,
        calibration_sha256=card.calibration_sha256,
        file_bytes=item.file_bytes,
        parameters=card.parameters,
        device=facts,
    )
