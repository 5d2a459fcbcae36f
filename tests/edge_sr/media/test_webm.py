"""WebM with VP9 and AV1, and these two in other containers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from clips import frame, info
from films import copy, film, times

from edge_sr.errors import MediaError
from edge_sr.media.codec.unfinished import Unfinished
from edge_sr.media.sinks.writer import VideoWriter


def write(path: Path, codec: str, count: int = 6) -> VideoWriter:
    writer = VideoWriter(path, source=info(), codec=codec, preset="ultrafast")
    for number in range(count):
        writer.write(frame(number))
    writer.finish()
    return writer


def test_webm_is_vp9_with_the_sound_that_it_holds(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.mkv", count=20, audio="libopus")
    assert copy(clip, tmp_path / "o.webm").notices == []
    with av.open(str(tmp_path / "o.webm")) as found:
        assert [s.codec_context.codec.canonical_name for s in found.streams] == ["vp9", "opus"]
        assert found.format.name == "matroska,webm"
    assert times(tmp_path / "o.webm") == times(clip)
    assert len(times(tmp_path / "o.webm", "audio")) == len(times(clip, "audio"))


def test_what_webm_cannot_hold_is_named(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.mp4", count=10)
    (notice,) = copy(clip, tmp_path / "o.webm").notices
    assert notice.endswith(".webm cannot hold it: take .mkv or .mov or .mp4, or --audio convert")


@pytest.mark.parametrize("name", ["o.webm", "o.mkv", "o.mp4"])
@pytest.mark.parametrize("codec", ["vp9", "av1"])
def test_new_codecs_keep_every_time(tmp_path: Path, codec: str, name: str) -> None:
    write(tmp_path / name, codec)
    with av.open(str(tmp_path / name)) as found:
        assert found.streams.video[0].codec_context.codec.canonical_name == codec
        at = [frame.pts * frame.time_base for frame in found.decode(video=0)]
    assert at == [Fraction(number, 25) for number in range(6)]


@pytest.mark.parametrize("codec", ["vp9", "av1"])
def test_an_unfinished_file_of_new_codecs_can_be_taken_over(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "o.mkv"
    write(path, codec)
    assert len(list(Unfinished(path, path, 6).packets())) == 6


def test_codecs_that_do_not_fit_are_refused_first(tmp_path: Path) -> None:
    for name, codec, message in (
        ("o.webm", "libx264", "WebM holds VP9 and AV1"),
        ("o.mov", "av1", "holds neither VP9 nor AV1"),
    ):
        with pytest.raises(MediaError, match=message):
            write(tmp_path / name, codec)
    assert list(tmp_path.iterdir()) == []
