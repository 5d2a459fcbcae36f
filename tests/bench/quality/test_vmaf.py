"""VMAF: equal clips have the most, blurred ones less, sharpened ones less by NEG."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image, ImageFilter

from bench.quality.vmaf import ffmpeg_path, vmaf
from edge_sr.errors import MediaError


def clip(frames: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(40, 216, (24, 40), dtype=np.uint8))
    scene = np.asarray(small.resize((240, 144), Image.Resampling.BICUBIC))
    return [scene[:, 4 * index : 4 * index + 192] for index in range(frames)]


def filtered(kind: ImageFilter.Filter) -> list[np.ndarray]:
    return [np.asarray(Image.fromarray(np.ascontiguousarray(x)).filter(kind)) for x in clip()]


@pytest.fixture
def ffmpeg() -> str:
    """The program that has libvmaf."""
    found = ffmpeg_path()
    if found is None:
        pytest.skip("pip install 'edge-sr[vmaf]'")
    return found


def test_equal_clips_have_the_most_and_blur_costs(ffmpeg: str) -> None:
    best = vmaf(clip(), clip(), ffmpeg)
    assert min(best) > 95
    blurred = vmaf(filtered(ImageFilter.GaussianBlur(2)), clip(), ffmpeg)
    assert max(blurred) < min(best) - 20


def test_only_the_plain_model_rewards_sharpening(ffmpeg: str) -> None:
    soft = filtered(ImageFilter.GaussianBlur(1))
    sharpened = [
        np.asarray(Image.fromarray(x).filter(ImageFilter.UnsharpMask(2, 120, 0))) for x in soft
    ]
    before, after = vmaf(soft, clip(), ffmpeg), vmaf(sharpened, clip(), ffmpeg)
    assert after[0] - before[0] > after[1] - before[1] + 1


def test_a_program_that_fails_is_reported() -> None:
    with pytest.raises(MediaError, match="VMAF was not measured"):
        vmaf(clip(), clip(), sys.executable)


def test_clips_that_do_not_match_are_refused() -> None:
    for other in (clip(3), [frame[:-2] for frame in clip()]):
        with pytest.raises(ValueError, match="of one shape with even sides"):
            vmaf(other, clip(), "ffmpeg")
    odd = [frame[:-1] for frame in clip()]
    with pytest.raises(ValueError, match="of one shape with even sides"):
        vmaf(odd, odd, "ffmpeg")


def test_the_missing_package_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert ffmpeg_path() is None
