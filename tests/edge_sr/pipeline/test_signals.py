"""Signals while a package is loaded, and while a finished job is put in place."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clips import make_clip
from clocks import HANG_S

from edge_sr.cli.main import main
from edge_sr.errors import MissingDependencyError
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.file import VideoFile


@pytest.fixture(autouse=True)
def not_ignored() -> Iterator[None]:
    """A shell starts background jobs with SIGINT ignored; these tests want Python's own handler."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("early", [True, False])
def test_a_signal_after_the_last_frame_changes_nothing(
    early: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", pts=range(5), size=(64, 48))
    finish = VideoWriter.finish

    def interrupted(writer: VideoWriter, **options: Any) -> str:
        if early:
            signal.raise_signal(signal.SIGINT)
        line = finish(writer, **options)
        if not early:
            signal.raise_signal(signal.SIGINT)
        return line

    monkeypatch.setattr(VideoWriter, "finish", interrupted)
    output = tmp_path / "o.mp4"
    words = ["run", "--input", str(clip), "--output", str(output), "--backend", "nearest"]
    assert main(words) == 0
    with VideoFile(output) as film:
        assert sum(1 for _ in film) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "o.mp4"]


def test_an_interrupt_that_an_extension_module_swallows_is_still_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """NumPy's import_array gives ImportError, whatever was raised while it loaded."""

    def loads(_spec: object, **_options: object) -> int:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise MissingDependencyError("OpenCV is not installed")

    monkeypatch.setattr("edge_sr.cli.run.run_job", loads)
    words = ["run", "--input", "test://64x48", "--output", "null"]
    assert main(words) == 130
    assert capsys.readouterr().err == ""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def fails(_spec: object, **_options: object) -> int:
        raise MissingDependencyError("OpenCV is not installed")

    monkeypatch.setattr("edge_sr.cli.run.run_job", fails)
    assert main(words) == 1


BUSY = """
import atexit, sys, threading, time
from edge_sr.cli import main as cli
atexit.register(print, "taken down")
def main():
    print("interrupted")
    threading.Thread(target=time.sleep, args=(60,), name="{name}", daemon=True).start()
    return 130
cli.main = main
cli.run_process()
"""


@pytest.mark.parametrize(("name", "down"), [("edge-sr infer", False), ("another", True)])
def test_the_interpreter_is_not_taken_down_around_an_engine_at_work(name: str, down: bool) -> None:
    """ONNX Runtime, emulated, aborted a process that ended while a thread was inside it."""
    command = [sys.executable, "-c", BUSY.format(name=name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)
    assert done.returncode == 130, done.stderr
    assert done.stdout.splitlines() == ["interrupted", *["taken down"] * down]
