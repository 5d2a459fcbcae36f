"""A window as a sink of frames."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError, MissingDependencyError
from edge_sr.extras import install_command
from edge_sr.media.color import yuv_to_rgb
from edge_sr.media.frame import Frame
from edge_sr.media.libraries import load_cv2
from edge_sr.media.planes import reduce_frame
from edge_sr.media.protocols import SinkBase

QUIT_KEYS = (27, ord("q"))  # Esc


class WindowSink(SinkBase):
    """Shows frames as they come; q, Esc or the window's own button close it (see `closed`).

    All calls must come from one thread; on macOS from the main one.
    """

    def __init__(self, *, title: str = "edge-sr") -> None:
        """Check that a window can be opened; it opens at the first frame.

        Raises:
            MissingDependencyError: this OpenCV has no windows, or there is no screen.
        """
        self._cv2 = load_cv2()
        check_screen(self._cv2, sys.platform, os.environ)
        self.title = title
        self._closed = False
        self.frames = 0
        self._open = False

    @property
    def closed(self) -> bool:
        """Whether the user has closed the window."""
        return self._closed

    def write(self, frame: Frame) -> None:
        """Show one frame, unless the window was closed.

        Raises:
            MediaError: the window system refuses.
        """
        if self._closed:
            return
        self.present(np.ascontiguousarray(yuv_to_rgb(reduce_frame(frame))[..., ::-1]))

    def present(self, pixels: NDArray[np.uint8]) -> int:
        """Show uint8 (H, W, 3) BGR and let the window live; returns the key pressed, 255 for none.

        Raises:
            MediaError: the window system refuses.
        """
        try:
            if not self._open:
                plain = self._cv2.WINDOW_NORMAL | self._cv2.WINDOW_GUI_NORMAL  # no toolbar
                self._cv2.namedWindow(self.title, plain)
                self._cv2.resizeWindow(self.title, *_fitting(pixels.shape[1], pixels.shape[0]))
                self._open = True
            self._cv2.imshow(self.title, pixels)
            key = self._cv2.waitKey(1) & 0xFF
            visible = self._cv2.getWindowProperty(self.title, self._cv2.WND_PROP_VISIBLE) >= 1
        except self._cv2.error as error:
            raise MediaError(f"window: cannot be shown ({error.err}); leave out --show") from error
        self.frames += 1
        self._closed = key in QUIT_KEYS or not visible
        return int(key)

    def idle(self) -> None:
        """Let the window live while no frame comes."""
        if self._open and not self._closed:
            self._closed = self._cv2.waitKey(1) & 0xFF in QUIT_KEYS

    def finish(self, *, complete: bool = True) -> str:  # noqa: ARG002 - a window shows, keeps nothing
        """Close the window. Returns a line with the count."""
        self._destroy()
        return f"window: {self.frames} frames shown"

    def abort(self) -> str:
        """Close the window."""
        self._destroy()
        return ""

    def _destroy(self) -> None:
        if self._open:
            self._open = False
            try:
                self._cv2.destroyWindow(self.title)
            except self._cv2.error:
                return  # the person has closed it already


def check_screen(cv2: Any, platform: str, environment: Mapping[str, str]) -> None:
    """Whether windows can be shown here.

    Raises:
        MissingDependencyError: they cannot; says what to do.
    """
    gui = re.search(r"GUI:\s*(\S+)", cv2.getBuildInformation())
    if gui is None or gui[1] == "NONE":
        raise MissingDependencyError(
            "this OpenCV has no windows: pip uninstall opencv-python-headless, then "
            f"{install_command('window')}; or leave out --show and give --output FILE"
        )
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    if platform == "linux" and not any(environment.get(name) for name in screens):
        raise MissingDependencyError(
            "no screen: neither DISPLAY nor WAYLAND_DISPLAY is set; give --output FILE instead"
        )


def _fitting(width: int, height: int, limit: tuple[int, int] = (1600, 900)) -> tuple[int, int]:
    """A window size with the picture's shape that fits on most screens."""
    shrink = min(1.0, limit[0] / width, limit[1] / height)
    return max(1, round(width * shrink)), max(1, round(height * shrink))
