"""The window of a live run: before and after, figures and keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import EdgeSRError
from edge_sr.live.compare import compose
from edge_sr.live.control import RunControl
from edge_sr.media.color import yuv_to_rgb
from edge_sr.media.libraries import load_cv2
from edge_sr.media.sinks.window import WindowSink
from edge_sr.pipeline.shot import Shot, ShotSink

KEYS = "keys: c compare, o figures, [ ] or mouse divider, s snapshot, r record, q quit"
CYCLE = ("after", "split", "side", "diff", "before")
STEP = 0.05  # of the width that a key moves the divider


class LiveWindow(ShotSink):
    """Shows before and after as the run's view requires; keys and the mouse change the view.

    All calls must come from one thread; on macOS from the main one.
    """

    def __init__(self, *, title: str, control: RunControl) -> None:
        """As `WindowSink`."""
        self._window = WindowSink(title=title)
        self._control = control
        self._width = 1
        self._message = KEYS

    @property
    def closed(self) -> bool:
        """Whether the user has closed the window."""
        return self._window.closed

    @property
    def message(self) -> str:
        """The keys, then what the last key did."""
        return self._message

    def show(self, shot: Shot) -> None:
        """Show one frame, unless the window was closed.

        Raises:
            MediaError: the window system refuses.
        """
        if self.closed:
            return
        view = self._control.view
        frame = compose(shot, view.mode, divider=view.divider)
        pixels = yuv_to_rgb(frame, height=shot.after.y.shape[0])[..., ::-1].copy()
        if view.overlay:
            draw_overlay(pixels, overlay_lines(self._control.facts()))
        self._width = pixels.shape[1]
        first = self._window.frames == 0
        self._press(self._window.present(pixels))
        if first:
            load_cv2().setMouseCallback(self._window.title, self._mouse)

    def idle(self) -> None:
        """Let the window live while no frame comes."""
        self._window.idle()

    def finish(self, *, complete: bool = True) -> str:
        """Close the window. Returns a line with the count."""
        return self._window.finish(complete=complete)

    def abort(self) -> str:
        """Close the window."""
        return self._window.abort()

    def _press(self, key: int) -> None:
        view = self._control.view
        try:
            if key == ord("c"):
                view.mode = CYCLE[(CYCLE.index(view.mode) + 1) % len(CYCLE)]
            elif key == ord("o"):
                view.overlay = not view.overlay
            elif key in (ord("["), ord("]")):
                step = STEP if key == ord("]") else -STEP
                view.divider = min(1.0, max(0.0, view.divider + step))
            elif key == ord("s"):
                self._message = f"saved {', '.join(self._control.snapshot())}"
            elif key == ord("r"):
                recorder = self._control.recorder
                on = recorder.path is not None
                self._message = recorder.stop() if on else f"recording {recorder.start()}"
        except EdgeSRError as error:
            self._message = str(error)  # a snapshot that fails does not end the run

    def _mouse(self, event: int, x: int, _y: int, flags: int, _data: Any) -> None:
        """Drag the divider with the left button."""
        cv2 = load_cv2()
        if event == cv2.EVENT_LBUTTONDOWN or flags & cv2.EVENT_FLAG_LBUTTON:
            self._control.view.divider = min(1.0, max(0.0, x / self._width))


def overlay_lines(facts: Mapping[str, object]) -> list[str]:
    """The lines of the overlay, from the facts of a `RunControl`."""

    def ms(name: str) -> str:
        value = facts.get(name)
        return f"{value:.0f}" if isinstance(value, (int, float)) else "-"

    return [
        f"{facts['fps']:.1f} fps, {facts['dropped']} dropped",
        f"latency p50 {ms('age_p50_ms')} ms, p99 {ms('age_p99_ms')} ms",
        f"{facts['model']} ({facts['precision']}) on {facts['backend']}",
    ]


def draw_overlay(pixels: NDArray[np.uint8], lines: Sequence[str]) -> None:
    """Write lines on a darkened box in the top left of a uint8 (H, W, 3) picture, in place."""
    cv2 = load_cv2()
    scale = max(0.4, pixels.shape[0] / 1080)
    thick, font = max(1, round(scale * 1.5)), cv2.FONT_HERSHEY_SIMPLEX
    step, edge = round(34 * scale), round(16 * scale)
    width = max(cv2.getTextSize(line, font, scale, thick)[0][0] for line in lines)
    box = pixels[edge // 2 : edge // 2 + step * len(lines) + edge, edge // 2 : width + 2 * edge]
    np.floor_divide(box, 3, out=box)
    for index, line in enumerate(lines):
        at = (edge, edge // 2 + step * (index + 1))
        cv2.putText(pixels, line, at, font, scale, (255, 255, 255), thick, cv2.LINE_AA)
