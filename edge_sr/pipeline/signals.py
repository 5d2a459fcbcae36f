"""SIGINT and SIGTERM end a run early and cleanly."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


class SignalStop(threading.Event):
    """A stop event that SIGINT and SIGTERM set while `listening`.

    ``signal`` is the number of the first one, None where there was none. A second signal ends the
    process at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.signal: int | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the two signals; outside the main thread, which alone may, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {name: signal.signal(name, self._handle) for name in STOPPING}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.signal = number
        self.set()


@contextlib.contextmanager
def remember_interrupt() -> Iterator[list[int]]:
    """SIGINT raises KeyboardInterrupt as ever, and is listed.

    While an extension module is loaded, NumPy makes an ImportError of it, which looks as if a
    package were not installed.
    """
    caught: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        signal.default_int_handler(number, frame)

    before = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not main or before is not signal.default_int_handler:
        yield caught  # ignored, or somebody else's
        return
    signal.signal(signal.SIGINT, on_signal)
    try:
        yield caught
    finally:
        signal.signal(signal.SIGINT, before)
