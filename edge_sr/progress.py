"""Progress on stderr: a bar with rate and ETA on a terminal, nothing in a pipe."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from .errors import MissingDependencyError
from .live.pipeline import Stats
from .video.frame import StreamInfo

T = TypeVar("T")


@contextlib.contextmanager
def frame_progress(info: StreamInfo, max_frames: int | None) -> Iterator[Callable[[Stats], None]]:
    """A bar over frames; call what it yields after each one."""
    tqdm = _tqdm()
    counts = [count for count in (info.frames, max_frames) if count is not None]
    total = min(counts) if counts else None
    with tqdm(total=total, unit="frame", desc=info.name, dynamic_ncols=True, disable=None) as bar:

        def on_frame(stats: Stats) -> None:
            if stats.dropped:
                bar.set_postfix_str(f"{stats.dropped} dropped", refresh=False)
            bar.update(stats.written - bar.n)

        yield on_frame


def item_progress(items: Iterable[T], *, total: int, unit: str) -> Iterator[T]:
    """A bar over a known number of items."""
    tqdm = _tqdm()
    yield from tqdm(items, total=total, unit=unit, dynamic_ncols=True, disable=None)


def _tqdm() -> type:
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise MissingDependencyError("tqdm is not installed: pip install 'edge-sr[cpu]'") from error
    return tqdm
