"""Tags, titles, time codes, covers and edit lists, from one container to another."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from films import copy, film, sound_packets, times
from PIL import Image

from edge_sr.errors import MediaError
from edge_sr.media.mp4.boxes import hide_empty_tracks
from edge_sr.media.sources.file import VideoFile


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


def two_sounds(path: Path) -> Path:
    """A film with two AAC tracks, without a header beside them where the container is a stream."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sounds = [output.add_stream("aac", rate=48000, layout="mono") for _ in range(2)]
        sounds[0].metadata["language"], sounds[1].metadata["language"] = "ger", "fre"
        sounds[1].disposition = av.stream.Disposition.hearing_impaired
        packets = []
        for number in range(25):
            image = av.VideoFrame(64, 48, "yuv420p")
            image.pts, image.time_base = number, Fraction(1, 25)
            packets += stream.encode(image)
        packets += stream.encode(None)
        for sound in sounds:
            packets += sound_packets(sound, 25, 48000)
        for packet in sorted(packets, key=lambda item: item.dts * item.time_base):
            output.mux(packet)
    return path


def test_two_sounds_of_a_transport_stream_make_a_sound_matroska_file(tmp_path: Path) -> None:
    copy(two_sounds(tmp_path / "i.ts"), tmp_path / "o.mkv")
    data = (tmp_path / "o.mkv").read_bytes()
    with av.open(str(tmp_path / "o.mkv")) as found:
        tags = [stream.metadata["language"] for stream in found.streams.audio]
    assert tags == ["ger", "fre"]
    assert (len(times(tmp_path / "o.mkv")), len(times(tmp_path / "o.mkv", "audio"))) == (25, 96)
    rates = data.count(b"\xb5\x88\x40\xe7\x70\x00\x00\x00\x00\x00")  # SamplingFrequency 48000
    assert (rates, data.count(b"\x78\xb5\x88")) == (2, 0)  # nothing written over what follows


def test_the_language_is_kept_in_the_code_that_mov_knows(tmp_path: Path) -> None:
    clip = two_sounds(tmp_path / "i.mkv")
    assert (
        copy(clip, tmp_path / "o.mov")
        .notices[0]
        .endswith("role hearing impaired of audio stream 2 left out; .mov cannot hold that")
    )
    with av.open(str(tmp_path / "o.mov")) as found:
        assert [s.metadata["language"] for s in found.streams.audio] == ["ger", "fra"]


def test_roles_are_kept_in_mp4_and_matroska(tmp_path: Path) -> None:
    clip = two_sounds(tmp_path / "i.mkv")
    for ending in ("mp4", "mkv"):
        assert copy(clip, tmp_path / f"o.{ending}").notices == []
        with av.open(str(tmp_path / f"o.{ending}")) as found:
            role = found.streams.audio[1].disposition
        assert av.stream.Disposition.hearing_impaired in role


def test_a_language_that_a_container_cannot_hold_is_named(tmp_path: Path) -> None:
    def tag(output: Any) -> None:
        output.streams.audio[0].metadata["language"] = "de-CH"

    clip = film(tmp_path / "i.mkv", prepare=tag)
    (notice,) = copy(clip, tmp_path / "o.mp4").notices
    assert notice.endswith("language de-CH of audio stream 1 left out; .mp4 cannot hold that")


def test_tags_of_a_stream_are_kept_or_named(tmp_path: Path) -> None:
    def tag(output: Any) -> None:
        output.streams.audio[0].metadata["ARTIST"] = "Somebody"

    clip = film(tmp_path / "i.mkv", prepare=tag)
    (notice,) = copy(clip, tmp_path / "o.mp4").notices
    assert notice.endswith("tags ARTIST of audio stream 1 left out; .mp4 cannot hold that")
    assert copy(clip, tmp_path / "o.mkv").notices == []
    with av.open(str(tmp_path / "o.mkv")) as found:
        assert found.streams.audio[0].metadata["ARTIST"] == "Somebody"


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_titles_of_ogg_which_are_in_capitals_are_kept(tmp_path: Path, ending: str) -> None:
    def tag(output: Any) -> None:
        output.streams.audio[0].metadata.update({"TITLE": "Paper", "LANGUAGE": "ger"})

    clip = film(tmp_path / "i.ogv", video="libvpx", audio="libopus", prepare=tag)
    copy(clip, tmp_path / f"o.{ending}")
    with av.open(str(tmp_path / f"o.{ending}")) as found:
        tags = found.streams.audio[0].metadata
    assert (tags.get("title", tags.get("name")), tags["language"]) == ("Paper", "ger")


def test_windows_media_audio_does_not_go_into_mov_where_nothing_reads_it(tmp_path: Path) -> None:
    def slow(output: Any) -> None:
        output.streams.audio[0].bit_rate = 96_000

    clip = film(tmp_path / "i.asf", video="wmv2", audio="wmav2", prepare=slow)
    (notice,) = copy(clip, tmp_path / "o.mov").notices
    assert notice.endswith("(wmav2) left out; .mov cannot hold it: take .mkv, or --audio convert")


def test_the_shape_of_pixels_that_webm_does_not_get_is_named(tmp_path: Path) -> None:
    def squeeze(output: Any) -> None:
        output.streams.video[0].codec_context.sample_aspect_ratio = Fraction(64, 45)

    clip = film(tmp_path / "i.mp4", audio=None, prepare=squeeze)
    (notice,) = copy(clip, tmp_path / "o.webm").notices
    assert "the shape of a pixel, 64:45, is left out" in notice
    assert copy(clip, tmp_path / "o.mkv").notices == []


def test_a_cover_alone_and_an_unknown_codec_are_no_film(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.mkv", video="mpeg4")
    data = clip.read_bytes()
    (tmp_path / "u.mkv").write_bytes(data.replace(b"V_MPEG4/ISO/ASP", b"V_NOBODYKNOWSIT"))
    with pytest.raises(MediaError, match="its video is of a kind that FFmpeg has no decoder for"):
        VideoFile(tmp_path / "u.mkv")
    with av.open(str(tmp_path / "c.mkv"), "w") as output:
        add_cover(output)
        sound = output.add_stream("aac", rate=48000, layout="mono")
        output.mux(sound_packets(sound, 10, 48000))
    with pytest.raises(MediaError, match="found: audio, a cover picture"):
        VideoFile(tmp_path / "c.mkv")
