"""Video quality: a clip alone, a pair, and pairs that do not belong together."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bench.models.floors import floor_sidecar, open_floor
from bench.quality import clip as clip_module
from bench.quality.clip import Clip, at_rates, measure_clip, read_clip, shrink_clip
from edge_sr import Upscaler
from edge_sr.errors import FrameError, MediaError, UsageError
from edge_sr.media.frame import Frame

av = pytest.importorskip("av", reason="pip install av")


def save(path: Path, frames: int, size: tuple[int, int]) -> Path:
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for _ in range(frames):
            picture = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture)):
                output.mux(packet)
        for packet in stream.encode():
            output.mux(packet)
    return path


def frames(count: int, size: int, *, flicker: int = 0) -> tuple[Frame, ...]:
    plane = np.full((size, size), 100, np.uint8)
    half = np.full((size // 2, size // 2), 128, np.uint8)
    return tuple(
        Frame((plane + flicker * (n % 2), half, half), n, Fraction(1, 25)) for n in range(count)
    )


def nearest() -> Upscaler:
    card = floor_sidecar("nearest", Fraction(2))
    return Upscaler(open_floor(card), card)


def test_an_hr_clip_is_shrunk_and_measured(tmp_path: Path) -> None:
    clip = read_clip(save(tmp_path / "hr.mkv", 5, (66, 50)), None, 3)
    assert len(clip.high) == 3
    made = shrink_clip(clip, Fraction(2))
    assert made.high[0].y.shape == (48, 64)
    assert made.low is not None
    assert made.low[0].y.shape == (24, 32)
    assert made.low[0].u.shape == (12, 16)
    score = measure_clip(nearest(), made)
    assert score.frames == 3
    assert score.flicker > 0


def test_flicker_is_what_the_truth_does_not_do() -> None:
    still, blinking = frames(4, 64), frames(4, 32, flicker=6)
    score = measure_clip(nearest(), Clip(name="c", sha256="", high=still, low=blinking))
    assert score.flicker == pytest.approx(6)
    both = Clip(name="c", sha256="", high=frames(4, 64, flicker=6), low=blinking)
    assert measure_clip(nearest(), both).flicker == 0


def test_a_pair_of_different_length_is_refused(tmp_path: Path) -> None:
    high, low = save(tmp_path / "hr.mkv", 4, (64, 48)), save(tmp_path / "lr.mkv", 3, (32, 24))
    with pytest.raises(MediaError, match=r"hr\.mkv has 4 frames and lr\.mkv 3"):
        read_clip(high, low, 2)


def test_a_pair_of_another_ratio_is_refused(tmp_path: Path) -> None:
    high, low = save(tmp_path / "hr.mkv", 2, (64, 48)), save(tmp_path / "lr.mkv", 2, (32, 24))
    clip = read_clip(high, low, 2)
    assert shrink_clip(clip, Fraction(2)) is clip
    with pytest.raises(FrameError, match=r"is 32x24 and 64x48; a x1\.5 model makes 48x36"):
        shrink_clip(clip, Fraction(3, 2))


def test_a_clip_is_measured_at_every_rate(tmp_path: Path) -> None:
    (whole,) = at_rates(read_clip(save(tmp_path / "hr.mkv", 3, (64, 48)), None, 3), [])
    assert whole.crf is None
    clips = at_rates(whole, [10, 40])
    assert [clip.name for clip in clips] == ["hr.mkv at CRF 10", "hr.mkv at CRF 40"]
    plain, fine, coarse = (shrink_clip(clip, Fraction(2)) for clip in (whole, *clips))
    lost = [
        np.mean([np.abs(a.y.astype(int) - b.y).mean() for a, b in zip(plain.low, low, strict=True)])
        for low in (fine.low, coarse.low)
    ]
    assert 0 < lost[0] < lost[1]
    assert [frame.y.shape for frame in coarse.low] == [(24, 32)] * 3
    assert coarse.low[2].pts == plain.low[2].pts
    pair = Clip(name="p", sha256="", high=frames(2, 32), low=frames(2, 16))
    with pytest.raises(UsageError, match="give --video one file"):
        at_rates(pair, [20])


def test_vmaf_is_measured_of_coded_clips_where_there_is_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clip,) = at_rates(read_clip(save(tmp_path / "hr.mkv", 2, (64, 48)), None, 2), [30])
    small = shrink_clip(clip, Fraction(2))
    monkeypatch.setattr(clip_module, "ffmpeg_path", lambda: None)
    assert measure_clip(nearest(), small).vmaf is None
    monkeypatch.setattr(clip_module, "ffmpeg_path", lambda: str(tmp_path / "none"))
    with pytest.raises(MediaError, match="VMAF was not measured"):
        measure_clip(nearest(), small)
