"""What screens show, and what is saved for later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import frame, info
from fakes.sessions import a_shot

from edge_sr.errors import MediaError, UsageError
from edge_sr.live.compare import MODES, compose
from edge_sr.live.recorder import Recorder
from edge_sr.live.snapshot import save_snapshot
from edge_sr.live.window import draw_overlay, overlay_lines
from edge_sr.media.color import yuv_to_rgb
from edge_sr.media.frame import Color
from edge_sr.media.screen import to_bgr, to_jpeg
from edge_sr.media.sources.file import VideoFile
from edge_sr.media.stills.files import read_image
from edge_sr.pipeline.shot import Shot


def shot_of(number: int) -> Shot:
    return Shot(frame(number), frame(number), 0.0, 0.0)


def test_split_changes_at_the_divider() -> None:
    shot = a_shot()
    for divider, at in ((0.25, 32), (0.5, 64), (-1.0, 0), (2.0, 128)):
        y = compose(shot, "split", divider=divider).y
        assert (y[:, : max(at - 2, 0)] == 60).all()
        assert (y[:, at + 2 :] == 180).all()


def test_the_other_views() -> None:
    shot = a_shot()
    side = compose(shot, "side")
    assert side.y.shape == (96, 256)
    assert (side.y[:, :128] == 60).all()
    pair = compose(shot, "pair", width=64)
    assert pair.y.shape == (96, 64)
    assert (pair.y[:48] == 60).all()
    assert (pair.y[48:] == 180).all()
    assert (compose(shot, "diff").y == 235).all()  # 120 levels apart, amplified
    assert (compose(shot, "before").y == 60).all()
    assert compose(shot, "after") is shot.after
    with pytest.raises(UsageError, match="expected after"):
        compose(shot, "sideways")
    assert "pair" in MODES


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full", [False, True])
def test_screens_see_nearly_the_colours_of_the_exact_conversion(matrix: int, full: bool) -> None:
    color = Color(matrix=matrix, primaries=1, transfer=1, full_range=full, chroma_location=1)
    smooth = frame(3, 128, 96, color=color)
    exact, quick = yuv_to_rgb(smooth).astype(int), to_bgr(smooth)[..., ::-1].astype(int)
    apart = np.abs(exact - quick)[4:-4, 4:-4]
    assert apart.mean() < 2
    assert to_jpeg(to_bgr(smooth))[:2] == b"\xff\xd8"


def test_the_overlay_is_drawn_inside() -> None:
    facts = {"fps": 29.97, "dropped": 3, "age_p50_ms": 33.2, "age_p99_ms": None}
    lines = overlay_lines({**facts, "model": "m", "precision": "fp32", "backend": "b"})
    assert lines[:2] == ["30.0 fps, 3 dropped", "latency p50 33 ms, p99 - ms"]
    pixels = np.full((200, 400, 3), 100, np.uint8)
    draw_overlay(pixels, lines)
    assert pixels.max() > 200  # an ARM's anti-aliasing does not reach 255
    assert (pixels[150:] == 100).all()


def test_a_snapshot_is_before_and_after(tmp_path: Path) -> None:
    first, second = save_snapshot(a_shot(), tmp_path), save_snapshot(a_shot(), tmp_path)
    assert len({*first, *second}) == 4
    before, after = (read_image(path).pixels for path in first)
    assert before.shape == after.shape == (96, 128, 3)
    assert int(before.mean()) < int(after.mean())
    assert len(save_snapshot(a_shot(), tmp_path / "made" / "here")) == 2
    with pytest.raises(MediaError, match="cannot be made"):
        save_snapshot(a_shot(), first[0] / "under a file")


def test_a_recording_that_fails_ends_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_writer: object, _frame: object) -> None:
        raise MediaError("No space left on device")

    recorder = Recorder(tmp_path, source=info(live=True))
    monkeypatch.setattr("edge_sr.media.sinks.writer.VideoWriter.write", fail)
    recorder.start()
    for number in range(1000):
        recorder.show(shot_of(number))
        if recorder.path is None:
            break
    assert recorder.path is None
    assert recorder.trouble == "the recording has ended: No space left on device"
    assert recorder.finish() == recorder.trouble
    recorder.start()
    assert recorder.trouble == ""
    recorder.abort()


def test_recording_goes_on_and_off(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, source=info(live=True))
    recorder.show(shot_of(0))  # off: nothing
    path = recorder.start()
    assert recorder.start() == path
    for number in range(8):
        recorder.show(shot_of(number))
    line = recorder.stop()
    assert path.name in line
    assert recorder.path is None
    assert recorder.stop() == ""
    with VideoFile(path) as found:
        assert len(list(found)) == 8
    recorder.start()
    assert recorder.finish() == line  # nothing came: no file
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
