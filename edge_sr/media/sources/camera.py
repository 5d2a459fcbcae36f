"""Cameras as a source of frames."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

from edge_sr.errors import MediaError
from edge_sr.media.frame import Color, Frame, Planes, StreamInfo
from edge_sr.media.libraries import load_cv2
from edge_sr.media.protocols import SourceBase
from edge_sr.media.sources.capture import (
    Device,
    Opened,
    device_name,
    format_name,
    open_capture,
    parse_device,
    quiet,
)
from edge_sr.media.sources.pictures import BGR, converter

logger = logging.getLogger(__name__)
Taken = tuple[int, Planes, Color]  # nanoseconds of perf_counter, and what was taken then
TIME_BASE = Fraction(1, 1_000_000)
PAUSE_S = 0.01  # between attempts when the camera gives nothing
STALL_S = 2.0  # without a picture after the first: the camera has stalled
CLOSE_S = 1.0  # how long a camera that hangs is waited for when it is closed


class Camera(SourceBase):
    """A camera through OpenCV; frames carry the time at which they were taken from it.

    A thread reads the camera, so that one that hangs can be noticed; only its newest frame waits.
    It also gives the camera back, as soon as the driver lets it. Damaged pictures are left out.
    Sizes are cut to even numbers. The driver may give another size than it was asked for: `info`
    says what came.
    """

    def __init__(
        self,
        device: int | str | os.PathLike[str] = 0,
        *,
        width: int = 1280,
        height: int = 720,
        fps: float = 30,
        stall_s: float = 5.0,
        opener: Callable[[Device, int, int, float], Opened] = open_capture,
    ) -> None:
        """Open the camera and wait for its first frame.

        Args:
            device: a number, or a path such as /dev/video0.
            width, height, fps: asked of the driver.
            stall_s: no first frame for so long is an error; later ones may take two frame times,
                at least 2 s, and never longer than this.
            opener: opens the device; tests bring their own.

        Raises:
            MediaError: it cannot be opened, or gives no frame.
            MissingDependencyError: OpenCV is not installed.
        """
        self._device = parse_device(device)
        self._stall_s = stall_s
        self._frames: queue.Queue[Taken] = queue.Queue(1)
        self._stop = threading.Event()
        self._failure = ""
        self._capture, layout, size = opener(self._device, width, height, fps)
        self._convert = converter(layout, size)
        self._thread = threading.Thread(target=self._read, name="edge-sr camera", daemon=True)
        self._thread.start()
        try:
            self._first = self._wait("gives no picture")
        except BaseException:
            self.close()
            raise
        assert self._first is not None  # noqa: S101 - only `close` ends the wait without a frame
        rows, columns = self._first[1][0].shape
        self._start, self._last = self._first[0], -1
        self.info = StreamInfo(
            name=device_name(self._device),
            width=columns,
            height=rows,
            time_base=TIME_BASE,
            frame_rate=self._rate(),
            frames=None,
            live=True,
        )
        self.given = self._given(f"{width}x{height} at {fps:g} fps", layout)
        patience = max(2 / float(self.info.frame_rate or 30), STALL_S)
        self._stall_s = min(stall_s, patience)

    def __iter__(self) -> Iterator[Frame]:
        """Frames until `close`.

        Raises:
            MediaError: no frame came for `stall_s` seconds, or one has another size.
        """
        while not self._stop.is_set():
            taken = self._first or self._wait("stopped giving pictures")
            self._first = None
            if taken is not None:
                yield self._to_frame(*taken)

    def close(self) -> None:
        """Give the camera back; one that hangs is waited for no longer than a second."""
        self._stop.set()
        self._thread.join(CLOSE_S)

    def _read(self) -> None:
        """Runs in the thread: keep the newest frame in the queue; release the camera at the end."""
        damaged = 0
        with quiet(load_cv2()):
            try:
                while not self._stop.is_set():
                    ok, image = self._capture.read()
                    taken = time.perf_counter_ns()
                    if not ok or image is None or image.size == 0:
                        self._stop.wait(PAUSE_S)
                    elif found := self._convert(image):
                        self._put((taken, *found))
                    else:
                        damaged += 1
                        if damaged == 1:
                            self._note("a damaged picture was left out; check its cable and hub")
            except Exception as error:  # noqa: BLE001 - handed to the one that waits
                self._failure = f" ({error})"
            finally:
                self._capture.release()
        if damaged > 1:
            self._note(f"{damaged} damaged pictures were left out")

    def _note(self, text: str) -> None:
        logger.info("%s: %s", device_name(self._device), text)

    def _put(self, item: Taken) -> None:
        """Wait with this frame instead of an older one."""
        with contextlib.suppress(queue.Empty):  # it may have been taken just now
            self._frames.get_nowait()
        self._frames.put_nowait(item)  # only this thread puts

    def _wait(self, what: str) -> Taken | None:
        """The next picture and when it was taken, within `stall_s` seconds; None when closed."""
        deadline = time.perf_counter() + self._stall_s
        while True:
            dead = not self._thread.is_alive()
            with contextlib.suppress(queue.Empty):
                return self._frames.get(timeout=0.05)
            if self._stop.is_set():
                return None
            if dead or time.perf_counter() > deadline:
                break
        name = device_name(self._device)
        waited = self._failure or f" for {self._stall_s:g} s"
        raise MediaError(f"{name}: {what}{waited}; check its cable, and whether it is in use")

    def _rate(self) -> Fraction | None:
        cv2 = load_cv2()
        found = self._capture.get(cv2.CAP_PROP_FPS)
        return Fraction(found).limit_denominator(1001) if 0.1 <= found <= 1000 else None

    def _given(self, asked: str, layout: str) -> str:
        """What the driver gives, in words, and what it was asked for where that is another."""
        rate = self.info.frame_rate
        found = f"{self.info.width}x{self.info.height}"
        found += f" at {float(rate):g} fps" if rate else ""
        name = layout
        if layout == BGR:  # made by OpenCV of what it also knows
            name = format_name(self._capture.get(load_cv2().CAP_PROP_FOURCC))
        other = "" if found == asked else f" (asked for {asked})"
        return f"{self.info.name}: gives {found}{f', {name}' if name else ''}{other}"

    def _to_frame(self, taken_ns: int, planes: Planes, color: Color) -> Frame:
        rows, columns = planes[0].shape
        if (columns, rows) != (self.info.width, self.info.height):
            first = f"{self.info.width}x{self.info.height}"
            raise MediaError(f"{self.info.name}: frame is {columns}x{rows}; the first was {first}")
        self._last = max(self._last + 1, (taken_ns - self._start) // 1000)
        return Frame(planes, self._last, TIME_BASE, color, taken_s=taken_ns / 1e9)
