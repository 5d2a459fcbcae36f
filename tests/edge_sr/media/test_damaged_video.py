"""Video files that are damaged, cut off, missing, or no video: one line each, and no wrong end."""

from __future__ import annotations

import os
from pathlib import Path

import av
import pytest
from clips import make_clip, make_sound
from films import read

from edge_sr.errors import MediaError
from edge_sr.media.sources.file import VideoFile


def test_damage_among_the_last_frames_is_reported(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "i.mp4", pts=range(30))
    with av.open(str(clip)) as found:
        packets = [(packet.pos, packet.size) for packet in found.demux(video=0) if packet.size]
    with clip.open("r+b") as file:
        file.seek(packets[-2][0])
        file.write(b"\x7f\xff\xff\xff")  # the length of a NAL unit
    with VideoFile(clip) as source:
        count = sum(1 for _ in source)
        assert count < 30
        assert "1 damaged packets or frames" in source.notices[0]


def test_a_damaged_packet_is_counted_and_left_out(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "d.mp4", pts=range(20), options={"bf": "0", "g": "1"})
    with av.open(str(clip)) as found:
        victim = [packet for packet in found.demux(video=0) if packet.size][7]
    data = bytearray(clip.read_bytes())
    data[victim.pos : victim.pos + victim.size] = b"\xff" * victim.size
    clip.write_bytes(bytes(data))
    with VideoFile(clip) as source:
        pts = [frame.pts for frame in source]
        assert source.damaged == 1
        assert source.notices == [f"{clip}: 1 damaged packets or frames"]
    step = victim.duration
    assert pts == [step * number for number in range(20) if number != 7]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.mp4", b"this is no video\n" * 50, "not a video file that can be read"),
        ("empty.mp4", b"", "is empty"),
        ("noise.mkv", bytes(range(256)) * 40, "not a video file that can be read"),
    ],
)
def test_what_is_no_video_is_named_in_one_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MediaError, match=message) as caught:
        VideoFile(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_mp4_cut_before_its_index_is_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "whole.mp4")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[: clip.read_bytes().index(b"moov")])
    with pytest.raises(MediaError, match=r"cut\.mp4: not a video file that can be read"):
        VideoFile(cut)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no\.mp4: no such file"):
        VideoFile(tmp_path / "no.mp4")
    with pytest.raises(MediaError, match="is a folder"):
        VideoFile(tmp_path)


def test_sound_without_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"has no video stream \(found: audio\)"):
        VideoFile(make_sound(tmp_path / "s.m4a"))


def test_truncated_files_end_or_raise_our_error(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mkv").read_bytes()
    cut = tmp_path / "cut.mkv"
    counts = []
    for percent in range(5, 100, 10):
        cut.write_bytes(whole[: len(whole) * percent // 100])
        try:
            counts.append(len(read(cut)))
        except MediaError as error:
            assert "cut.mkv" in str(error)  # noqa: PT017
            counts.append(0)
    assert counts[0] == 0
    assert 0 < counts[-1] <= 10


def test_a_file_that_is_cut_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "x.mkv", pts=range(40))
    with VideoFile(path) as source:
        frames = iter(source)
        next(frames)
        os.truncate(path, path.stat().st_size - 1)
        with pytest.raises(MediaError, match=r"x\.mkv: was cut from"):
            list(frames)


def test_a_file_that_is_removed_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "x.mkv", pts=range(40))
    with VideoFile(path) as source:
        frames = iter(source)
        next(frames)
        path.unlink()
        assert sum(1 for _ in frames) == 39
