"""Figures on compressed video: Lanczos gains nothing over itself, and coding costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.data.photos import DataError
from training.evaluate_video import (
    Figure,
    by_viewers,
    clip_psnr,
    doubled,
    each_clip,
    gains,
    main,
    measure,
)
from training.scenes import proxy_clips
from training.scenes.proxy_clips import (
    FRAMES,
    MEASURED,
    ProxyClip,
    coded_lows,
    photo_clips,
    real_clips,
)
from training.train import main as train

Picture = Callable[..., np.ndarray]


@pytest.fixture
def clip(picture: Picture) -> ProxyClip:
    scene = picture(96, 300, 1)[..., 0]
    return ProxyClip("a", [scene[:64, 4 * index : 4 * index + 96] for index in range(FRAMES)])


def nearest(batch: np.ndarray) -> np.ndarray:
    return batch.repeat(2, axis=1).repeat(2, axis=2)


def test_the_truth_itself_is_perfect_and_a_copy_of_pixels_is_not(clip: ProxyClip) -> None:
    lows = [frame[::2, ::2] for frame in clip.frames[:2]]
    assert clip_psnr(clip.frames[:2], clip.frames[:2]) == np.inf
    assert clip_psnr(doubled(nearest, lows), clip.frames[:2]) < 40


def test_coding_costs_and_every_network_sees_the_same_frames(clip: ProxyClip) -> None:
    figures = measure({"nearest": nearest, "twice": nearest}, [clip], [None, 20, 38])
    assert [item.rate for item in figures] == [None, None, 20, 20, 38, 38]
    floors = [item.lanczos_db for item in figures]
    assert floors[0] == floors[1] > floors[2] > floors[4]
    assert all(item.gain_db < 0 for item in figures[:4])
    assert figures[0].psnr_db == figures[1].psnr_db


def test_moments_are_taken_from_the_middle_of_a_stream(clip: ProxyClip) -> None:
    lows = [frame[::2, ::2] for frame in clip.frames]
    clean, coded = coded_lows(lows, None), coded_lows(lows, 30)
    assert len(clean) == len(coded) == len(MEASURED)
    np.testing.assert_array_equal(clean[1], lows[MEASURED[1]])
    assert (coded[1] != clean[1]).any()


def test_tables_show_means_least_and_every_clip() -> None:
    figures = [Figure("m", "a", 14, 31.0, 30.0), Figure("m", "b", 14, 29.5, 30.0)]
    assert "| m | +0.25 (-0.50) |" in gains(figures, [14])
    assert "| b | CRF 14 | 30.00 | -0.50 |" in each_clip(figures, [14])
    assert "not coded" in gains([Figure("m", "a", None, 31.0, 30.0)], [None])


def test_vmaf_is_measured_of_lanczos_too(clip: ProxyClip) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="pip install 'edge-sr[vmaf]'")
    figures = measure({"nearest": nearest}, [clip], [38], by_vmaf=True)
    assert [item.model for item in figures] == ["lanczos", "nearest"]
    assert figures[0].gain_db == 0
    assert all(item.vmaf is not None and 0 < item.vmaf < 100 for item in figures)
    assert f"| nearest | {figures[1].vmaf:.1f} ({figures[1].vmaf_neg:.1f}) |" in by_viewers(
        figures, [38]
    )


def test_moving_crops_are_always_the_same(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_clips, "SIZE", (48, 64))
    names = frozenset({"photo1", "photo2"})
    first, again = (photo_clips([photos], names, 2) for _ in range(2))
    assert len(first[0].frames) == FRAMES
    assert first[0].frames[0].shape == (48, 64)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(np.stack(one.frames), np.stack(two.frames))
    with pytest.raises(DataError, match="holds none of the 1 held-out pictures"):
        photo_clips([photos], frozenset({"other"}), 1)


def test_folders_without_clips_and_short_clips_are_refused(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.mp4"):
        real_clips(tmp_path)
    with pytest.raises(DataError, match="has 20 frames; expected at least 24"):
        real_clips(clips)


def test_the_command_measures_a_trained_network(
    photos: Path,
    tmp_path: Path,
    tiny_recipe: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(proxy_clips, "SIZE", (48, 64))
    run = tmp_path / "small"
    assert train(["--recipe", str(tiny_recipe()), "--data", str(photos), "--output", str(run)]) == 0
    names = tmp_path / "held.txt"
    names.write_text("[print]\nphoto1\n")
    figures = tmp_path / "figures.json"
    where = ["--photos", str(photos), "--list", str(names), "--crops", "1", "--json", str(figures)]
    assert main(["--models", str(run / "best.keras"), *where, "--crf", "20", "--each"]) == 0
    found = json.loads(figures.read_text())
    assert found[0]["model"] == "small"
    assert found[0]["gain_db"] == pytest.approx(found[0]["psnr_db"] - found[0]["lanczos_db"])
    assert "| small |" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--models", "edge-unet-s-x2"])
