"""A bounded queue between two stages of the pipeline."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
POLL_S = 0.1  # how soon a waiting stage notices that it should stop


class End:
    """Stands in a queue for "no more frames", with the error that ended them, if one did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class FrameQueue(Generic[T]):
    """Waits when it is full, or drops its oldest; gives up when the run stops."""

    def __init__(self, halted: Callable[[], bool], *, size: int, newest_wins: bool) -> None:
        self.size, self.newest_wins = size, newest_wins
        self.dropped = 0
        self._halted = halted
        self._items: deque[T | End] = deque()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T | End) -> None:
        """Wait for room, or take the place of the item that waits longest; the end does not."""
        with self._changed:
            if self.newest_wins and not isinstance(item, End):
                while len(self._items) >= self.size:
                    self._items.popleft()
                    self.dropped += 1
            elif not self._wait_room():
                return
            self._items.append(item)
            self._changed.notify_all()

    def wait_room(self) -> bool:
        """Wait until an item could be put at once; False when the run stops."""
        with self._changed:
            return self._wait_room()

    def _wait_room(self) -> bool:
        while len(self._items) >= self.size:
            if self._halted():
                return False
            self._changed.wait(POLL_S)
        return not self._halted()

    def items(self, on_idle: Callable[[], None] | None = None) -> Iterator[T]:
        """Items until the end; raises what ended them. Returns silently when the run stops.

        Args:
            on_idle: called about ten times a second while nothing comes.
        """
        while True:
            item: T | End | None = None
            with self._changed:
                if not self._items:
                    self._changed.wait(POLL_S)
                if self._items:
                    item = self._items.popleft()
                    self._changed.notify_all()
            if item is None:
                if self._halted():
                    return
                if on_idle:
                    on_idle()
            elif isinstance(item, End):
                if item.error is not None:
                    raise item.error
                return
            else:
                yield item
