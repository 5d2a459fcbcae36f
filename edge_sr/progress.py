"""Progress on stderr: a bar with rate and ETA on a terminal, nothing in a pipe."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from edge_sr.closing import Closing
from edge_sr.errors import MissingDependencyError
from edge_sr.extras import install_command
from edge_sr.pipeline.job import Progress

T = TypeVar("T")
logger = logging.getLogger(__name__)
NAME_LIMIT = 24  # columns for the name of what is read
LIVE_FORMAT = "{desc}: {n_fmt} frames in {elapsed}{postfix}"


class JobProgress(Closing):
    """The bar of `run_job`: frames or images done, or a status line for a live source.

    Give the object itself as ``progress``; it draws from the first call on, and after `close` a
    new bar from the next call on.
    """

    def __init__(self) -> None:
        self._bar: Any = None

    def __call__(self, report: Progress) -> None:
        """Show how far the job is."""
        if self._bar is None:
            self._bar = _open_bar(report)
        stats = report.stats
        dropped = f"{stats.dropped} dropped" if stats.dropped else ""
        if report.live and report.total is None:
            ages = [stats.age.percentile(share) or 0 for share in (0.5, 0.99)]
            latency = "/".join(f"{age * 1000:.0f}" for age in ages)
            parts = [f"{stats.current_fps:.1f} fps", f"latency {latency} ms", dropped]
            self._bar.set_postfix_str(", ".join(filter(None, parts)), refresh=False)
        elif dropped:
            self._bar.set_postfix_str(dropped, refresh=False)
        self._bar.update(report.done - self._bar.n)

    def close(self) -> None:
        """Leave the bar as it is; safe to call twice."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _open_bar(report: Progress) -> Any:
    look = {"bar_format": LIVE_FORMAT} if report.live and report.total is None else {}
    name = report.name
    if len(name) > NAME_LIMIT:
        name = f"…{name[1 - NAME_LIMIT :]}"
    return _tqdm()(
        total=report.total,
        unit=report.unit,
        desc=name,
        dynamic_ncols=True,
        initial=report.kept if report.unit == "frame" else 0,
        disable=_hidden(),
        **look,
    )


class FrameBar(Closing):
    """A bar over the frames of several films."""

    def __init__(self, name: str, total: int, done: int = 0) -> None:
        """Draw it.

        Args:
            total, done: frames; `done` are there from before.
        """
        self._bar = _tqdm()(
            total=total,
            unit="frame",
            desc=name,
            dynamic_ncols=True,
            initial=done,
            disable=_hidden(),
        )

    def add(self, frames: int) -> None:
        """So many more are done."""
        self._bar.update(frames)

    def close(self) -> None:
        """Leave the bar as it is; safe to call twice."""
        self._bar.close()


def item_progress(items: Iterable[T], *, total: int, unit: str) -> Iterator[T]:
    """A bar over a known number of items."""
    yield from _tqdm()(items, total=total, unit=unit, dynamic_ncols=True, disable=_hidden())


def _hidden() -> bool | None:
    """Whether no bar is drawn: with --quiet; None lets tqdm look for a terminal."""
    return None if logger.isEnabledFor(logging.INFO) else True


def _tqdm() -> Any:
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise MissingDependencyError(f"tqdm is not installed: {install_command('cpu')}") from error
    return tqdm
