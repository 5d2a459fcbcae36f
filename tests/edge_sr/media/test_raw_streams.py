"""Streams without times (raw H.264, HEVC), pipes of any container, and files that are cut off."""

from __future__ import annotations

import os
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import TextIO

import av
import pytest
from films import film

from edge_sr.errors import MediaError
from edge_sr.media.codec.y4m import Y4mSource
from edge_sr.media.protocols import Source
from edge_sr.media.sources.file import VideoFile
from edge_sr.media.sources.open import open_source
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.run import run_job


def raw(path: Path, codec: str, rate: Fraction, count: int = 12) -> Path:
    with av.open(str(path), "w", format=path.suffix[1:]) as output:
        options = {"x265-params": "log-level=none"} if codec == "libx265" else {"bf": "2"}
        stream = output.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(count):
            output.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        output.mux(stream.encode(None))
    return path


def open_with(monkeypatch: pytest.MonkeyPatch, pipe: TextIO) -> Source:
    monkeypatch.setattr(sys, "stdin", pipe)
    return open_source("-")


@pytest.mark.parametrize(("name", "codec"), [("i.h264", "libx264"), ("i.hevc", "libx265")])
def test_a_raw_stream_has_the_rate_that_it_says_or_the_one_given(
    tmp_path: Path, name: str, codec: str
) -> None:
    rate = Fraction(30000, 1001)
    clip = raw(tmp_path / name, codec, rate)
    for given, expected in ((None, rate), (Fraction(50), Fraction(50))):
        with VideoFile(clip, rate=given) as source:
            assert source.info.frame_rate == expected
            times = [item.pts * item.time_base for item in source]
            notices = source.notices
        assert len(times) == 12
        for number, at in enumerate(times):
            assert abs(at - number / expected) < Fraction(1, 1000)
        assert ["a raw stream, read at 29.97" in line for line in notices] == [True] * (not given)


def test_a_rate_for_a_file_with_times_is_not_used(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.mp4", count=5, audio=None)
    with VideoFile(clip, rate=Fraction(10)) as source:
        times = [item.pts * item.time_base for item in source]
        assert times == [Fraction(number, 25) for number in range(5)]
        assert source.notices == [f"{clip}: has times of its own; the frame rate given is not used"]


@pytest.mark.parametrize("name", ["i.ts", "i.mkv", "i.mp4", "i.y4m"])
def test_standard_input_takes_every_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    video = "rawvideo" if name.endswith("y4m") else "libx264"
    clip = film(tmp_path / name, count=10, audio=None, video=video)
    with clip.open() as pipe, open_with(monkeypatch, pipe) as source:
        assert isinstance(source, Y4mSource) == name.endswith("y4m")
        assert source.info.name == "standard input"
        assert len(list(source)) == 10


def test_strict_refuses_what_is_cut_off(tmp_path: Path) -> None:
    clip = tmp_path / "i.mp4"
    with av.open(
        str(clip), "w", container_options={"movflags": "frag_keyframe+empty_moov"}
    ) as output:
        stream = output.add_stream("libx264", rate=25, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(50):
            output.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        output.mux(stream.encode(None))
    data = clip.read_bytes()
    clip.write_bytes(data[: data.rindex(b"moof") - 100])
    with VideoFile(clip) as source:
        assert 5 <= len(list(source)) < 50
        assert any("was read up to there" in line for line in source.notices)
    with pytest.raises(MediaError, match="leave out --strict"):
        VideoFile(clip, strict=True)


def test_a_job_opens_a_named_pipe_once(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.ts", count=10)
    pipe = tmp_path / "pipe.ts"
    os.mkfifo(pipe)
    feed = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()), daemon=True)
    feed.start()
    result = run_job(JobSpec(input=str(pipe), output="null", model="auto", backend="nearest"))
    feed.join(10)
    assert result.written == 10
    assert not feed.is_alive()


def test_a_file_without_the_size_of_its_pictures_is_refused_for_that(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.mkv", count=5, audio=None, video="mpeg4")
    with av.open(str(clip)) as found, av.open(str(tmp_path / "i.ts"), "w") as output:
        stream = output.add_stream_from_template(found.streams.video[0])  # its header is left out
        for packet in [item for item in found.demux() if item.size]:
            packet.stream = stream
            output.mux(packet)
    with pytest.raises(MediaError, match="the size of its pictures are not in the file: copy it"):
        VideoFile(tmp_path / "i.ts")


@pytest.mark.parametrize("kind", ["422", "444", "411", "444alpha", "mono", "420p16"])
def test_yuv4mpeg_of_every_kind_may_come_in_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    size = {"422": 2, "444": 3, "411": Fraction(3, 2), "444alpha": 4, "mono": 1, "420p16": 3}[kind]
    data = b"FRAME\n" + b"\x80" * int(size * 16 * 8)
    clip = tmp_path / "i.y4m"
    clip.write_bytes(f"YUV4MPEG2 W16 H8 F25:1 Ip A1:1 C{kind}\n".encode() + 3 * data)
    with clip.open() as pipe, open_with(monkeypatch, pipe) as source:
        frames = list(source)
    assert len(frames) == 3
    assert {int(plane.mean()) for item in frames for plane in (item.y, item.u, item.v)} == {128}
