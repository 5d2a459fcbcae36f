"""Work done one thread ahead of the one who needs it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
POLL_S = 0.2  # how long either side sleeps before it looks at the events again


class Wait:
    """How much of the time since `restart` was spent waiting for items."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start to count again."""
        self.began, self.waited = time.perf_counter(), 0.0

    def share(self) -> float:
        """0..1"""
        return self.waited / max(time.perf_counter() - self.began, 1e-9)

    def over(self, items: Iterator[T]) -> Iterator[T]:
        """The same items, timed."""
        while True:
            begun = time.perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                self.waited += time.perf_counter() - begun
            yield item


class _Failed:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error  # None: there is nothing more


def ahead(items: Iterable[T], stop: threading.Event, *, depth: int = 8) -> Iterator[T]:
    """Yield ``items``, made in a thread that runs at most ``depth`` ahead.

    Ends early once ``stop`` is set, even while it waits. What goes wrong in the thread is raised
    here. Close the generator (``contextlib.closing``) to be sure that the thread has ended.
    """
    ready: queue.Queue[T | _Failed] = queue.Queue(depth)
    closed = threading.Event()

    def put(item: T | _Failed) -> None:
        while not (stop.is_set() or closed.is_set()):
            with suppress(queue.Full):
                ready.put(item, timeout=POLL_S)
                return

    def produce() -> None:
        try:
            for item in items:
                put(item)
                if stop.is_set() or closed.is_set():
                    return
            put(_Failed(None))
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, who raises it
            put(_Failed(error))
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = threading.Thread(target=produce, name="ahead", daemon=True)
    thread.start()
    try:
        while not stop.is_set():
            try:
                item = ready.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if not isinstance(item, _Failed):
                yield item
            elif item.error is None:
                return
            else:
                raise item.error
    finally:
        closed.set()
        thread.join(timeout=10)
