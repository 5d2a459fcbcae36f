"""Progress on stderr: a bar with rate and ETA on a terminal, nothing in a pipe."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from edge_sr.errors import MissingDependencyError
from edge_sr.media.frame import StreamInfo
from edge_sr.pipeline.stats import Stats

T = TypeVar("T")
logger = logging.getLogger(__name__)
NAME_LIMIT = 24  # columns for the name of what is read
LIVE_FORMAT = "{desc}: {n_fmt} frames in {elapsed}{postfix}"


@contextlib.contextmanager
def frame_progress(
    info: StreamInfo, max_frames: int | None, kept: int = 0
) -> Iterator[Callable[[Stats], None]]:
    """A bar over frames, or a status line for a live source; call what it yields after each one.

    Args:
        kept: frames of an earlier job, which are not counted by `Stats`.
    """
    counts = [count for count in (info.frames, max_frames) if count is not None]
    total = min(counts) if counts else None
    look = {"bar_format": LIVE_FORMAT} if info.live and total is None else {}
    name = info.name if len(info.name) <= NAME_LIMIT else f"…{info.name[1 - NAME_LIMIT :]}"
    options = {"total": total, "unit": "frame", "desc": name, "dynamic_ncols": True}
    if kept:
        say(f"{kept} frames are there from before; going on after them")
    with _tqdm()(**options, **look, initial=kept, disable=_hidden()) as bar:

        def on_frame(stats: Stats) -> None:
            dropped = f"{stats.dropped} dropped" if stats.dropped else ""
            if look:
                ages = [stats.age.percentile(share) or 0 for share in (0.5, 0.99)]
                latency = "/".join(f"{age * 1000:.0f}" for age in ages)
                parts = [f"{stats.current_fps:.1f} fps", f"latency {latency} ms", dropped]
                bar.set_postfix_str(", ".join(filter(None, parts)), refresh=False)
            elif dropped:
                bar.set_postfix_str(dropped, refresh=False)
            bar.update(kept + stats.written - bar.n)

        yield on_frame


def item_progress(items: Iterable[T], *, total: int, unit: str) -> Iterator[T]:
    """A bar over a known number of items."""
    yield from _tqdm()(items, total=total, unit=unit, dynamic_ncols=True, disable=_hidden())


def say(text: str) -> None:
    """A line for the person at the keyboard; new code calls the logger itself."""
    logger.info("%s", text)


def _hidden() -> bool | None:
    """Whether no bar is drawn: with --quiet; None lets tqdm look for a terminal."""
    return None if logger.isEnabledFor(logging.INFO) else True


def _tqdm() -> Any:
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise MissingDependencyError("tqdm is not installed: pip install 'edge-sr[cpu]'") from error
    return tqdm
