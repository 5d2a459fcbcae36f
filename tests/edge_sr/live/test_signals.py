"""A signal that comes while a finished job is put in place."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from clips import make_clip

from edge_sr.cli import main
from edge_sr.video.file import VideoFile
from edge_sr.video.writer import VideoWriter


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
