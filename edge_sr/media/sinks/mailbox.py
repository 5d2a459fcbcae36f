"""A sink in a thread of its own, so that a slow one never slows the others."""

from __future__ import annotations

import threading
from collections import deque

from edge_sr.errors import MediaError
from edge_sr.media.frame import Frame
from edge_sr.media.protocols import Sink, WrappedSink

FINISH_S = 10.0  # how long finishing waits for the last frame to be written


class Mailbox(WrappedSink):
    """Takes frames at once and hands them to a sink as fast as that one goes; the newest win.

    What the sink raises is raised by the next `write`, or by `finish`.
    """

    def __init__(self, sink: Sink, *, size: int = 1) -> None:
        """Start the thread.

        Args:
            size: frames that may wait; the oldest is dropped for a newer one.
        """
        super().__init__(sink)
        self.dropped = 0
        self._frames: deque[Frame] = deque()
        self._size = size
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._over = False
        self._thread = threading.Thread(target=self._run, name="edge-sr sink", daemon=True)
        self._thread.start()

    @property
    def notices(self) -> list[str]:
        """What the sink has to say, and how many frames it missed."""
        found = list(self._sink.notices)
        if self.dropped:
            found.append(f"{type(self._sink).__name__}: too slow for {self.dropped} frames")
        return found

    def idle(self) -> None:
        """Nothing: the sink works in another thread."""

    def write(self, frame: Frame) -> None:
        """Leave one frame for the sink; never waits.

        Raises:
            MediaError: what the sink raised at an earlier frame.
        """
        with self._changed:
            if self._error is not None:
                raise self._error
            while len(self._frames) >= self._size:
                self._frames.popleft()
                self.dropped += 1
            self._frames.append(frame)
            self._changed.notify_all()

    def finish(self, *, complete: bool = True) -> str:
        """Let the sink write what waits, then finish it.

        Raises:
            MediaError: what the sink raised, or it does not come to an end.
        """
        self._end()
        if self._error is not None:
            raise self._error
        if self._thread.is_alive():
            kind = type(self._sink).__name__
            raise MediaError(f"{kind}: still busy {FINISH_S:g} s after the end; it is left alone")
        return self._sink.finish(complete=complete)

    def abort(self) -> str:
        """Stop the thread and the sink."""
        with self._changed:
            self._frames.clear()
        self._end()
        return "" if self._thread.is_alive() else self._sink.abort()

    def _end(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join(FINISH_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._frames and not self._over:
                    self._changed.wait()
                if not self._frames:
                    return
                frame = self._frames.popleft()
            try:
                self._sink.write(frame)
            except BaseException as error:  # noqa: BLE001 - raised again by the next write
                with self._changed:
                    self._error = error
                    self._frames.clear()
                return
