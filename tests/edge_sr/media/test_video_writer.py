"""Video that is written: times, tags, pictures, and what is copied beside them."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import frame, info, make_clip, packets, picture
from films import frame_times

from edge_sr.media.frame import Color
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.file import VideoFile


def copy(clip: Path, output: Path, *, max_frames: int | None = None) -> VideoWriter:
    with VideoFile(clip) as source:
        writer = VideoWriter(output, source=source.info, copy_from=clip)
        for number, picture_ in enumerate(source):
            if number == max_frames:
                break
            writer.write(picture_)
        writer.finish()
    return writer


@pytest.mark.parametrize(
    ("ending", "time_base"),
    [
        ("mp4", Fraction(1, 30000)),
        ("mp4", Fraction(1, 1_000_000)),
        ("mp4", Fraction(1001, 30000)),
        ("mp4", Fraction(1, 25)),
        ("mov", Fraction(1, 90000)),
        ("mkv", Fraction(1, 1000)),
    ],
)
def test_variable_frame_times_survive(tmp_path: Path, ending: str, time_base: Fraction) -> None:
    pts = [0, 40, 41, 100, 1000, 1033, 5000, 5001]
    output = tmp_path / f"o.{ending}"
    writer = VideoWriter(output, source=info())
    for number, at in enumerate(pts):
        writer.write(frame(number, pts=at, time_base=time_base))
    writer.finish()
    assert frame_times(output) == [at * time_base for at in pts]
    with VideoFile(output) as source:
        assert source.info.time_base == Fraction(1, time_base.denominator)


def test_matroska_rounds_to_the_nearest_millisecond(tmp_path: Path) -> None:
    pts = [0, 1001, 2002, 9000, 9100]
    output = tmp_path / "o.mkv"
    writer = VideoWriter(output, source=info())
    for number, at in enumerate(pts):
        writer.write(frame(number, pts=at, time_base=Fraction(1, 30000)))
    writer.finish()
    found = frame_times(output)
    assert len(found) == len(pts)
    for a, b in zip(found, pts, strict=True):
        assert abs(a - Fraction(b, 30000)) <= Fraction(1, 2000)


def test_a_late_first_frame_stays_late(tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    writer = VideoWriter(output, source=info())
    for number in range(5):
        writer.write(frame(number, pts=1001 * (number + 7), time_base=Fraction(1, 30000)))
    writer.finish()
    assert frame_times(output) == [Fraction(1001 * (number + 7), 30000) for number in range(5)]


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize(
    "color",
    [
        Color(1, 1, 1, full_range=False),
        Color(6, 6, 6, full_range=False),
        Color(5, 5, 6, full_range=True),
        Color(9, 9, 14, full_range=False),
        Color(),
    ],
)
def test_colour_tags_read_back_equal(tmp_path: Path, color: Color, ending: str) -> None:
    output = tmp_path / f"o.{ending}"
    writer = VideoWriter(output, source=info())
    writer.write(frame(0, color=color))
    writer.finish()
    with VideoFile(output) as source:
        assert next(iter(source)).color == color


def test_untagged_sd_made_hd_is_tagged_so_that_its_colours_stay(tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    writer = VideoWriter(output, source=info(640, 360), preset="ultrafast")
    writer.write(frame(0, 1280, 720))
    writer.finish()
    with VideoFile(output) as source:
        assert next(iter(source)).color == Color(matrix=6, full_range=False)


def test_the_chroma_location_is_written(tmp_path: Path) -> None:
    """PyAV cannot read it: the stream's parameter sets must differ where the tag differs."""
    sets = []
    for location in (1, 3):
        output = tmp_path / f"{location}.mp4"
        writer = VideoWriter(output, source=info())
        writer.write(frame(0, color=Color(1, 1, 1, full_range=False, chroma_location=location)))
        writer.finish()
        with av.open(str(output)) as found:
            sets.append(found.streams.video[0].codec_context.extradata)
    assert sets[0] != sets[1]


def test_pictures_and_pixel_shape_survive(tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    shape = Fraction(16, 11)
    writer = VideoWriter(output, source=info(sample_aspect_ratio=shape), crf=1)
    for number in range(10):
        writer.write(frame(number))
    line = writer.finish()
    assert line == f"{output}: 64x48, 0.40 s"
    with VideoFile(output) as source:
        found = list(source)
        assert source.info.sample_aspect_ratio == shape
        assert source.info.frame_rate == 25
    assert len(found) == 10
    for number, image in enumerate(found):
        assert np.abs(image.y.astype(int) - picture(number)).mean() < 2
        assert abs(float(image.u.mean()) - 100) < 2
        assert abs(float(image.v[:, -1].mean()) - 160) < 3


@pytest.mark.parametrize(("source", "target"), [("mp4", "mp4"), ("mp4", "mkv"), ("mkv", "mp4")])
def test_audio_packets_are_copied_bit_by_bit(tmp_path: Path, source: str, target: str) -> None:
    clip = make_clip(tmp_path / f"i.{source}", pts=range(25), audio_s=1)
    output = tmp_path / f"o.{target}"
    assert copy(clip, output).notices == []
    before, after = packets(clip, "audio"), packets(output, "audio")
    assert len(before) > 40
    assert [data for _, data in before] == [data for _, data in after]
    for (a, _), (b, _) in zip(before, after, strict=True):
        assert abs(a - b) <= Fraction(1, 1000)
    with av.open(str(output)) as found:
        assert found.streams.audio[0].metadata["language"] == "deu"


def test_audio_longer_than_the_video_is_kept_whole(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "i.mp4", pts=range(10), audio_s=2)
    copy(clip, tmp_path / "o.mp4")
    assert len(packets(tmp_path / "o.mp4", "audio")) == len(packets(clip, "audio"))


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_stopping_early_cuts_the_audio_at_the_last_frame(tmp_path: Path, ending: str) -> None:
    clip = make_clip(tmp_path / f"i.{ending}", pts=range(75), audio_s=3)
    output = tmp_path / f"o.{ending}"
    copy(clip, output, max_frames=25)
    end = packets(output, "audio")[-1][0]
    assert 1 - Fraction(1024, 48000) - Fraction(1, 1000) <= end < 1  # the packet that ends it
    assert len(packets(output, "video")) == 25


def test_the_audio_of_a_long_pause_after_the_last_frame_is_cut(tmp_path: Path) -> None:
    pts = [*range(25), *range(75, 100)]
    clip = make_clip(tmp_path / "i.mkv", pts=pts, audio_s=4, options={"bf": "0"})
    copy(clip, tmp_path / "o.mkv", max_frames=25)
    assert packets(tmp_path / "o.mkv", "audio")[-1][0] < Fraction(11, 10)


def test_audio_and_video_are_interleaved(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "i.mkv", pts=range(75), audio_s=3)
    output = tmp_path / "o.mkv"
    copy(clip, output)
    with av.open(str(output)) as found:
        kinds = [packet.stream.type for packet in found.demux() if packet.size]
    switches = sum(a != b for a, b in itertools.pairwise(kinds))
    assert switches > 50


def test_subtitles_are_copied_where_the_container_can_hold_them(tmp_path: Path) -> None:
    lines = [(0.1, 0.5, "one"), (0.6, 0.9, "two")]
    clip = make_clip(tmp_path / "i.mkv", pts=range(25), subtitles=lines)
    assert copy(clip, tmp_path / "o.mkv").notices == []
    found = [data for _, data in packets(tmp_path / "o.mkv", "subtitle")]
    assert found == [b"one", b"two"]


def test_text_subtitles_are_written_in_the_form_that_the_container_holds(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "i.mkv", pts=range(25), subtitles=[(0.1, 0.5, "one")])
    writer = copy(clip, tmp_path / "o.mp4")
    assert writer.notices == []
    shown = [data[2:] for _, data in packets(tmp_path / "o.mp4", "subtitle") if len(data) > 2]
    assert shown == [b"one"]


def test_the_title_of_the_file_is_kept(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "i.mp4", metadata={"title": "A walk"})
    copy(clip, tmp_path / "o.mp4")
    with av.open(str(tmp_path / "o.mp4")) as found:
        assert found.metadata["title"] == "A walk"


def test_odd_sizes_lose_the_last_row_and_column_and_say_so(tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    writer = VideoWriter(output, source=info(65, 49), crf=1)
    writer.write(frame(0, 65, 49))
    writer.finish()
    assert len(writer.notices) == 1
    assert "65x49 is written as 64x48" in writer.notices[0]
    with VideoFile(output) as source:
        found = next(iter(source))
    assert found.y.shape == (48, 64)
    assert np.abs(found.y.astype(int) - picture(0, 65, 49)[:48, :64]).mean() < 2


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_what_a_killed_job_has_written_can_be_played(tmp_path: Path, ending: str) -> None:
    writer = VideoWriter(tmp_path / f"o.{ending}", source=info(), preset="ultrafast")
    for number in range(125):
        writer.write(frame(number))
    cut = tmp_path / f"cut.{ending}"
    cut.write_bytes((tmp_path / f".o.{ending}.part").read_bytes())
    writer.finish()
    with av.open(str(cut)) as found:
        frames = [item.pts * item.time_base for item in found.decode(video=0)]
    assert frames == [Fraction(number, 25) for number in range(len(frames))]
    assert len(frames) >= 75  # at most two seconds are lost


def test_a_finished_mp4_is_a_plain_one(tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    writer = VideoWriter(output, source=info())
    for number in range(60):
        writer.write(frame(number))
    writer.finish()
    assert b"moof" not in output.read_bytes().partition(b"mdat")[0]
    with av.open(str(output)) as found:
        assert (found.streams.video[0].frames, found.duration) == (60, 2_400_000)


def test_hevc_is_written_when_asked_for(tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    writer = VideoWriter(output, source=info(), codec="libx265", preset="ultrafast", crf=30)
    for number in range(3):
        writer.write(frame(number))
    writer.finish()
    with av.open(str(output)) as found:
        assert found.streams.video[0].codec_context.name == "hevc"


def test_a_copy_source_without_audio_works(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "i.mp4")
    assert copy(clip, tmp_path / "o.mp4").frames == 10
