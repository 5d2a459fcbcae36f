"""Recording that is switched on and off while the run goes on."""

from __future__ import annotations

import threading
from pathlib import Path

from edge_sr.errors import MediaError, UsageError
from edge_sr.live.compare import CHOICES, compose
from edge_sr.live.snapshot import free_stem, make_folder
from edge_sr.media.frame import StreamInfo
from edge_sr.media.sinks.mailbox import Mailbox
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.pipeline.shot import Shot, ShotSink

WAITING = 8  # frames that may wait for the encoder before one is dropped


class Recorder(ShotSink):
    """Writes ``edge-sr-TIME.mp4`` while it is on; `start` and `stop` from any thread."""

    def __init__(self, folder: Path, *, source: StreamInfo) -> None:
        self._folder, self._source = folder, source
        self._lock = threading.Lock()
        self._file: Mailbox | None = None
        self._path: Path | None = None
        self._mode, self._divider = "after", 0.5
        self.frames = 0
        self.trouble = ""  # why the last recording ended by itself
        self.lines: list[str] = []  # what was recorded, for the end of the run

    @property
    def path(self) -> Path | None:
        """The file that is being written; None while it is off."""
        return self._path

    def start(self, mode: str = "after", divider: float = 0.5) -> Path:
        """Begin a new file, unless one is being written; returns its path.

        Args:
            mode: "after", or how before and after are compared: "split", "side" or "diff".
            divider: of "split".

        Raises:
            UsageError: no such mode.
            MediaError: nothing can be written there.
        """
        if mode not in ("after", *CHOICES):
            raise UsageError(f"recording: {mode!r}; expected after, {', '.join(CHOICES)}")
        with self._lock:
            self._mode, self._divider = mode, divider
            if self._path is None:
                make_folder(self._folder)
                path = self._folder / f"{free_stem(self._folder, ('.mp4',))}.mp4"
                writer = VideoWriter(path, source=self._source)
                self._file, self._path, self.frames = Mailbox(writer, size=WAITING), path, 0
                self.trouble = ""
            return self._path

    def stop(self) -> str:
        """End the file; returns a line with its name and length, "" if there is none.

        Raises:
            MediaError: it cannot be finished.
        """
        with self._lock:
            file, self._file, self._path = self._file, None, None
        if file is None:
            return ""
        if not self.frames:
            file.abort()
            return ""
        try:
            out = f", {file.dropped} left out" if file.dropped else ""
            line = f"{file.finish()} ({self.frames - file.dropped} frames{out})"
        except BaseException:
            file.abort()
            raise
        self.lines.append(line)
        return line

    def show(self, shot: Shot) -> None:
        """Record one frame if it is on; a recording that fails ends, and the run goes on."""
        with self._lock:
            if self._file is None:
                return
            whole = self._mode == "after"
            frame = shot.after if whole else compose(shot, self._mode, divider=self._divider)
            try:
                self._file.write(frame)
                self.frames += 1
                return
            except MediaError as error:
                self.trouble = f"the recording has ended: {error}"
                self.lines.append(self.trouble)
                file, self._file, self._path = self._file, None, None
        file.abort()

    def finish(self, *, complete: bool = True) -> str:  # noqa: ARG002 - a recording is what it is
        """End the file that is being written; one that cannot be finished is named."""
        try:
            self.stop()
        except MediaError as error:
            self.lines.append(f"the recording is lost: {error}")
        return "\n".join(self.lines)

    def abort(self) -> str:
        """Remove the file that is being written."""
        with self._lock:
            file, self._file, self._path = self._file, None, None
        return file.abort() if file is not None else ""
