"""Tags, titles, time codes, covers and edit lists, from one container to another."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from films import copy, film, times
from PIL import Image

from edge_sr.media.codec.boxes import hide_empty_tracks


def add_cover(output: Any) -> None:
    png = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(png, "PNG")
    output.add_attachment("cover.png", "image/png", png.getvalue())


def test_a_cover_leaves_no_empty_track_in_mp4(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.mkv", prepare=add_cover)
    assert copy(clip, tmp_path / "o.mp4").notices == []
    with av.open(str(tmp_path / "o.mp4")) as found:
        kinds = [(s.type, s.disposition.value & 1024) for s in found.streams]
    assert kinds == [("video", 0), ("audio", 0), ("video", 1024)]


def test_a_file_without_an_empty_track_stays_as_it_is(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.mp4")
    before = clip.read_bytes()
    hide_empty_tracks(clip)
    assert clip.read_bytes() == before


def test_a_cover_that_mov_cannot_hold_is_named(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.mkv", prepare=add_cover)
    (notice,) = copy(clip, tmp_path / "o.mov").notices
    assert notice.endswith(".mov cannot hold a cover picture of type png: take .mkv or .mp4")


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_titles_of_streams_survive_mp4(tmp_path: Path, ending: str) -> None:
    def tag(output: Any) -> None:
        output.streams.audio[0].metadata["title"] = "The director"

    clip = film(tmp_path / "i.mkv", prepare=tag)
    copy(copy(clip, tmp_path / "a.mp4").path, tmp_path / f"o.{ending}")
    with av.open(str(tmp_path / f"o.{ending}")) as found:
        tags = found.streams.audio[0].metadata
    assert tags.get("title", tags.get("name")) == "The director"


def test_tags_that_a_container_cannot_hold_are_named(tmp_path: Path) -> None:
    def tag(output: Any) -> None:
        output.metadata.update({"title": "Sea", "camera_serial": "17"})

    clip = film(tmp_path / "i.mkv", prepare=tag)
    (notice,) = copy(clip, tmp_path / "o.mp4").notices
    assert notice.endswith("tags CAMERA_SERIAL left out; .mp4 cannot hold them")
    assert copy(clip, tmp_path / "o.mkv").notices == []


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_the_time_code_track_of_mov_is_kept(tmp_path: Path, ending: str) -> None:
    def tag(output: Any) -> None:
        output.metadata["timecode"] = "01:00:00:00"

    clip = film(tmp_path / "i.mov", prepare=tag)
    assert copy(clip, tmp_path / f"o.{ending}").notices == []
    with av.open(str(tmp_path / f"o.{ending}")) as found:
        tags = {**found.metadata, **found.streams.video[0].metadata}
    assert {k.lower(): v for k, v in tags.items()}["timecode"] == "01:00:00:00"


def test_sound_that_an_edit_list_cuts_off_is_not_in_matroska(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.mp4", shift=Fraction(-1), options={"g": "5", "bf": "0"})
    assert copy(clip, tmp_path / "o.mkv").notices == []
    assert min(times(tmp_path / "o.mkv", "audio")) > Fraction(-1, 20)
    assert abs(len(times(tmp_path / "o.mkv", "audio")) - 48) <= 2


def test_text_subtitles_of_mp4_are_white(tmp_path: Path) -> None:
    srt = tmp_path / "i.srt"
    srt.write_text("1\n00:00:00,100 --> 00:00:00,900\nhello\n\n")

    def add(output: Any) -> None:
        with av.open(str(srt)) as found:
            output.add_stream_from_template(found.streams[0])

    clip = film(tmp_path / "i.mkv", prepare=add)
    copy(clip, tmp_path / "o.mp4")
    with av.open(str(tmp_path / "o.mp4")) as found:
        header = bytes(found.streams.subtitles[0].codec_context.extradata)
    assert header[26:30] == b"\xff\xff\xff\xff"  # colour of the text: red, green, blue, opaque
