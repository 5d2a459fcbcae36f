"""The window of a live run: compare, figures and keys."""

from __future__ import annotations

from typing import Any

from edge_sr.errors import EdgeSRError
from edge_sr.live.compare import compose
from edge_sr.live.control import Desk
from edge_sr.live.overlay import draw_overlay, overlay_lines
from edge_sr.media.color import yuv_to_rgb
from edge_sr.media.sinks.window import WindowSink
from edge_sr.pipeline.shot import Shot

KEYS = "keys: c compare, o figures, [ ] or mouse divider, s snapshot, r record, q quit"
CYCLE = ("after", "split", "side", "diff", "before")
STEP = 0.05  # of the width that a key moves the divider


class LiveWindow(WindowSink):
    """Shows before and after as the desk's view says; keys and the mouse change it."""

    def __init__(self, *, title: str, desk: Desk) -> None:
        """As `WindowSink`."""
        super().__init__(title=title)
        self._desk = desk
        self._width = 1
        self.said = KEYS  # the last thing to tell the person, for the caller to print

    def show(self, shot: Shot) -> None:
        """Show one frame, unless the window was closed.

        Raises:
            MediaError: the window system refuses.
        """
        if self.closed:
            return
        view = self._desk.view
        frame = compose(shot, view.mode, divider=view.divider)
        pixels = yuv_to_rgb(frame, height=shot.after.y.shape[0])[..., ::-1].copy()
        if view.overlay:
            draw_overlay(pixels, overlay_lines(self._desk.facts()))
        self._width = pixels.shape[1]
        first = not self._open
        self._press(self.present(pixels))
        if first:
            self._cv2.setMouseCallback(self.title, self._mouse)

    def _press(self, key: int) -> None:
        view = self._desk.view
        try:
            if key == ord("c"):
                view.mode = CYCLE[(CYCLE.index(view.mode) + 1) % len(CYCLE)]
            elif key == ord("o"):
                view.overlay = not view.overlay
            elif key in (ord("["), ord("]")):
                step = STEP if key == ord("]") else -STEP
                view.divider = min(1.0, max(0.0, view.divider + step))
            elif key == ord("s"):
                self.said = f"saved {', '.join(self._desk.snapshot())}"
            elif key == ord("r"):
                recorder = self._desk.recorder
                self.said = recorder.stop() if recorder.path else f"recording {recorder.start()}"
        except EdgeSRError as error:
            self.said = str(error)  # a snapshot that fails does not end the run

    def _mouse(self, event: int, x: int, _y: int, flags: int, _data: Any) -> None:
        """Drag the divider with the left button."""
        left = self._cv2.EVENT_FLAG_LBUTTON
        if event == self._cv2.EVENT_LBUTTONDOWN or flags & left:
            self._desk.view.divider = min(1.0, max(0.0, x / self._width))
