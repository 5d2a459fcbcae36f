"""A source that is opened again when it breaks: 1 s x5, 5 s x5, 10 s x10, then every 60 s."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from edge_sr.errors import MediaError
from edge_sr.media.chroma import resize_frame
from edge_sr.media.frame import Frame
from edge_sr.media.protocols import Source, SourceBase, Trouble
from edge_sr.media.sources.sound import LiveSound, Sound

logger = logging.getLogger(__name__)
SCHEDULE = ((5, 1.0), (5, 5.0), (10, 10.0))  # attempts, seconds before each
FOREVER_S = 60.0
TIME_BASE = Fraction(1, 1_000_000)


def delays() -> Iterator[float]:
    """Seconds before the first, the second, ... attempt; without end."""
    for attempts, seconds in SCHEDULE:
        yield from itertools.repeat(seconds, attempts)
    yield from itertools.repeat(FOREVER_S)


class Reconnecting(SourceBase):
    """A live source that survives a pulled cable: size, name and rising times stay the same.

    The first frame after a break has `Frame.discontinuity` set.
    """

    def __init__(
        self,
        opener: Callable[[], Source],
        *,
        max_reconnect: int | None = None,
        waits: Callable[[], Iterator[float]] = delays,
        sound: LiveSound | None = None,
    ) -> None:
        """Open the source for the first time; a failure is not tried again.

        What broke, and when the next attempt is, is logged.

        Args:
            opener: opens it, also later.
            max_reconnect: attempts in a row before giving up; None for no limit, 0 for none.
            waits: the seconds before each attempt.
            sound: what the connections put their sound into.

        Raises:
            MediaError: it cannot be opened.
        """
        self._opener, self._waits, self._heard = opener, waits, sound
        self._max = max_reconnect
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._source = opener()
        self.info = replace(self._source.info, time_base=TIME_BASE)
        self._state = "running"
        self._reconnects = 0
        self._trouble: Trouble | None = None

    @property
    def state(self) -> str:
        """ "running" or "reconnecting"."""
        return self._state

    @property
    def reconnects(self) -> int:
        """How often it came back."""
        return self._reconnects

    @property
    def sound(self) -> Sound | None:
        """That of all connections."""
        return self._heard if self._heard is not None and self._heard.present else None

    @property
    def trouble(self) -> Trouble | None:
        """Why it broke, and when the next attempt is."""
        return self._trouble if self._state == "reconnecting" else None

    @property
    def notices(self) -> Sequence[str]:
        """Those of the connection that is open now."""
        return self._source.notices

    def __iter__(self) -> Iterator[Frame]:
        """Frames until `close`; a source that is not live may also end.

        Raises:
            MediaError: it broke and could not be opened again in `max_reconnect` attempts.
        """
        start, last = time.perf_counter(), -1
        waits, attempts = self._waits(), 0
        broken = False  # whether the next frame is the first one after a break
        while not self._stop.is_set():
            why = f"{self.info.name}: ended"
            try:
                for frame in self._source:
                    if self._stop.is_set():
                        return
                    if self._state != "running" or attempts:
                        self._state, waits, attempts = "running", self._waits(), 0
                    taken = frame.taken_s or time.perf_counter()
                    last = max(last + 1, int((taken - start) * 1_000_000))
                    yield replace(
                        self._fit(frame),
                        pts=last,
                        time_base=TIME_BASE,
                        taken_s=taken,
                        discontinuity=broken or frame.discontinuity,
                    )
                    broken = False
                if not self.info.live:
                    return
            except MediaError as error:
                why = str(error)
            broken = True
            while not self._stop.is_set():
                self._state = "reconnecting"
                if self._max is not None and attempts >= self._max:
                    tried = f"; gave up after {attempts} attempts" if attempts else ""
                    raise MediaError(f"{why}{tried}")
                attempts += 1
                delay = next(waits)
                self._trouble = Trouble(why, time.monotonic() + delay)
                logger.info("%s; trying again in %g s", why, delay)
                try:
                    if self._reopen(delay):
                        break
                except MediaError as error:
                    why = str(error)

    def close(self) -> None:
        """Close the source, and stop waiting for it."""
        self._stop.set()
        with self._lock:
            self._source.close()

    def _reopen(self, delay: float) -> bool:
        """Close the broken source, wait, open it again; False when closed meanwhile."""
        self._source.close()
        if self._stop.wait(delay):
            return False
        fresh = self._opener()
        with self._lock:  # `close` may come while a connection is being made
            self._source = fresh
            if self._stop.is_set():
                fresh.close()
                return False
        self._reconnects += 1
        return True

    def _fit(self, frame: Frame) -> Frame:
        if frame.size == self.info.size:
            return frame
        return resize_frame(frame, self.info.width, self.info.height)
