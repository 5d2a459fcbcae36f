"""The film that comes with the package."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from edge_sr.errors import UsageError
from edge_sr.media.sources.clip import CLIP, DemoClip
from edge_sr.media.sources.open import open_source


def test_it_begins_again_with_rising_times() -> None:
    with open_source("test://clip?frames=140") as source:
        info = source.info
        assert (info.width, info.height, info.frame_rate, info.frames) == (640, 360, 25, 140)
        frames = list(source)
    times = [frame.pts * frame.time_base for frame in frames]
    assert times == [Fraction(number, 25) for number in range(140)]
    assert [number for number, frame in enumerate(frames) if frame.discontinuity] == [132]
    assert (frames[0].y == frames[132].y).all()
    assert np.ptp(frames[0].y) > 150  # a picture, not a colour


def test_it_has_no_end_unless_it_is_given_one() -> None:
    clip = DemoClip.from_url("test://clip?live=1")
    assert (clip.info.frames, clip.info.live) == (None, True)
    assert len(list(itertools.islice(clip, 3))) == 3
    assert CLIP.stat().st_size < 500_000


@pytest.mark.parametrize("url", ["test://clips", "test://clip?frames=0", "test://clip?speed=2"])
def test_other_forms_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"expected a form like test://clip\?"):
        DemoClip.from_url(url)
