"""The newest frame for every browser: each gets frames as fast as its own connection takes them."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import OrderedDict

from edge_sr.errors import UsageError
from edge_sr.live.compare import compose
from edge_sr.media.screen import to_bgr, to_jpeg
from edge_sr.pipeline.shot import Shot
from edge_sr.pipeline.stats import Recent

KEPT = 8  # encoded pictures that several browsers may share
FROZEN = 4  # frames that are kept to be compared


class Hub:
    """Between the pipeline, which publishes and never waits, and the server's event loop."""

    def __init__(self, screen_age: Recent) -> None:
        """Between them.

        Args:
            screen_age: takes seconds from capture until a browser reported the frame as shown.
        """
        self.clients = 0
        self.over = False
        self.screen_age = screen_age
        self._lock = threading.Lock()  # of the pictures: one is encoded at a time
        self._pictures: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._number = 0
        self._shot: Shot | None = None
        self._frozen: OrderedDict[int, Shot] = OrderedDict()
        self._frozen_numbers = itertools.count(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news: asyncio.Event | None = None

    @property
    def taken_s(self) -> float | None:
        """When the newest frame was captured, on the clock of time.perf_counter."""
        return None if self._shot is None else self._shot.taken_s

    def attach(self) -> None:
        """Call once from the event loop that the browsers are served by."""
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()

    def publish(self, shot: Shot) -> None:
        """A new frame, from any thread; costs next to nothing."""
        self._shot, self._number = shot, self._number + 1
        self._call_wake()

    def end(self) -> None:
        """No more frames: every stream ends."""
        self.over = True
        self._call_wake()

    async def next(self, seen: int) -> tuple[int, Shot] | None:
        """The newest frame and its number, once that is not `seen`; None at the end."""
        while not self.over:
            news = self._news
            if self._shot is not None and self._number != seen:
                return self._number, self._shot
            if news is None:
                return None
            await news.wait()
        return None

    def freeze(self, shot: Shot | None = None) -> int:
        """Keep a frame, the newest without one given; returns its number.

        Raises:
            UsageError: no frame has come yet.
        """
        shot = shot or self._shot
        if shot is None:
            raise UsageError("no frame has come yet; try again in a moment")
        number = next(self._frozen_numbers)
        self._frozen[number] = shot
        while len(self._frozen) > FROZEN:
            self._frozen.popitem(last=False)
        return number

    def frozen(self, number: object) -> Shot:
        """A frame that is kept.

        Raises:
            UsageError: it is kept no longer.
        """
        found = self._frozen.get(number) if isinstance(number, int) else None
        if found is None:
            raise UsageError("this frame is kept no longer; freeze another one")
        return found

    def picture(
        self, number: int, shot: Shot, mode: str, divider: float, width: int | None
    ) -> bytes:
        """A frame as JPEG; browsers that ask for the same share it. Takes a while: use a thread."""
        key = (number, mode, round(divider, 3) if mode == "split" else 0, width)
        with self._lock:
            if key not in self._pictures:
                frame = compose(shot, mode, divider=divider, width=width)
                pixels = to_bgr(frame, rows=shot.after.y.shape[0])
                self._pictures[key] = to_jpeg(pixels)
                while len(self._pictures) > KEPT:
                    self._pictures.popitem(last=False)
            return self._pictures[key]

    def _call_wake(self) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            loop.call_soon_threadsafe(self._wake)
        except RuntimeError:
            return  # the loop was closed just now: nobody is left to wake

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        if news is not None:
            news.set()
