"""What comes beside the pictures of any file: sound, subtitles, chapters, fonts, tags."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from clips import make_clip
from films import copy, film, times
from PIL import Image


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_aac_of_a_transport_stream_fits_into_every_container(tmp_path: Path, ending: str) -> None:
    clip = film(tmp_path / "i.ts", form="mpegts")
    writer = copy(clip, tmp_path / f"o.{ending}")
    assert writer.notices == []
    assert len(times(tmp_path / f"o.{ending}", "audio")) == len(times(clip, "audio"))
    with av.open(str(tmp_path / f"o.{ending}")) as found:
        assert sum(1 for _ in found.decode(audio=0)) > 90


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_chapters_are_kept(tmp_path: Path, ending: str) -> None:
    def chapters(output: Any) -> None:
        output.set_chapters(
            [
                {
                    "id": n,
                    "start": 1000 * n,
                    "end": 1000 * n + 1000,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": f"Part {n}"},
                }
                for n in range(2)
            ]
        )

    clip = film(tmp_path / "i.mkv", prepare=chapters)
    copy(clip, tmp_path / f"o.{ending}")
    with av.open(str(tmp_path / f"o.{ending}")) as found:
        assert [part["metadata"]["title"] for part in found.chapters()] == ["Part 0", "Part 1"]


@pytest.mark.parametrize(
    ("codec", "ending", "rate"),
    [("pcm_mulaw", "mov", 8000), ("adpcm_ima_wav", "avi", 44100), ("wmav2", "asf", 44100)],
)
def test_matroska_takes_all_sound_that_ffmpeg_writes_to_it(
    tmp_path: Path, codec: str, ending: str, rate: int
) -> None:
    def quality(output: Any) -> None:
        output.streams.audio[0].codec_context.bit_rate = 96000

    clip = film(tmp_path / f"i.{ending}", video="mpeg4", audio=codec, rate=rate, prepare=quality)
    writer = copy(clip, tmp_path / "o.mkv")
    assert writer.notices == []
    with av.open(str(tmp_path / "o.mkv")) as found:
        assert found.streams.audio[0].codec_context.name == codec
    with av.open(str(clip)) as before, av.open(str(tmp_path / "o.mkv")) as after:
        assert [bytes(p) for p in before.demux(audio=0)] == [bytes(p) for p in after.demux(audio=0)]


def test_what_cannot_be_held_is_named_with_the_container_that_can(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.avi", video="mpeg4", audio="adpcm_ima_wav", rate=44100)
    notices = copy(clip, tmp_path / "o.mp4").notices
    assert [line.partition(": ")[2] for line in notices] == [
        "audio stream 1 (adpcm_ima_wav) left out; .mp4 cannot hold it: take .mkv or .mov, "
        "or --audio convert"
    ]


def test_subtitles_of_mp4_become_those_of_matroska_and_back(tmp_path: Path) -> None:
    lines = [(0.1, 0.5, "one"), (0.6, 0.9, "two")]
    clip = make_clip(tmp_path / "i.mkv", pts=range(25), subtitles=lines)
    for name in ("a.mp4", "b.mkv"):
        assert copy(clip, tmp_path / name).notices == []
        clip = tmp_path / name
    with av.open(str(clip)) as found:
        given = [p for p in found.demux(subtitles=0) if p.size]
        assert [(bytes(p), float(p.pts * p.time_base)) for p in given] == [
            (b"one", 0.1),
            (b"two", 0.6),
        ]


def test_the_first_frames_have_their_sound_wherever_it_is_in_the_file(tmp_path: Path) -> None:
    """Half a second of video, then its sound: editors write so."""
    plain = film(tmp_path / "a.mkv", video="mpeg4")
    clip = tmp_path / "i.mkv"
    with (
        av.open(str(plain)) as found,
        av.open(str(clip), "w", container_options={"max_interleave_delta": "1"}) as output,
    ):
        made = {s.index: output.add_stream_from_template(s) for s in found.streams}
        for packet in sorted(
            (p for p in found.demux() if p.size),
            key=lambda p: (int(2 * p.pts * p.time_base), p.stream.type == "audio"),
        ):
            packet.stream = made[packet.stream_index]
            output.mux(packet)
    copy(clip, tmp_path / "o.mkv", frames=12)
    assert len(times(tmp_path / "o.mkv")) == 12
    assert 20 <= len(times(tmp_path / "o.mkv", "audio")) <= 25


@pytest.mark.parametrize("codec", ["ac3", "eac3", "aac"])
def test_sound_that_begins_after_the_last_frame_is_left_out(tmp_path: Path, codec: str) -> None:
    clip = film(tmp_path / "i.mkv", audio=codec, audio_shift=1)
    notices = copy(clip, tmp_path / "o.mp4", frames=20).notices
    assert len(times(tmp_path / "o.mp4")) == 20
    assert notices == [f"{clip}: audio stream 1 ({codec}) left out; it has no packet up to the end"]


@pytest.mark.parametrize(("code", "kept"), [("01:00:00:05", True), ("01:00:00;05", False)])
def test_a_time_code_that_does_not_fit_the_rate_is_named(
    tmp_path: Path, code: str, kept: bool
) -> None:
    clip = make_clip(tmp_path / "i.mkv", metadata={"timecode": code})
    notices = copy(clip, tmp_path / "o.mp4").notices
    assert (notices == []) == kept
    with av.open(str(tmp_path / "o.mp4")) as found:
        assert (found.streams.video[0].metadata.get("timecode") == code) == kept


def test_fonts_and_covers_are_kept_or_named(tmp_path: Path) -> None:
    png = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(png, "PNG")

    def attach(output: Any) -> None:
        output.add_attachment("letters.ttf", "font/ttf", b"not really a font")
        output.add_attachment("cover.png", "image/png", png.getvalue())

    clip = film(tmp_path / "i.mkv", prepare=attach)
    assert copy(clip, tmp_path / "o.mkv").notices == []
    with av.open(str(tmp_path / "o.mkv")) as found:
        assert [s.name for s in found.streams if s.type == "attachment"] == ["letters.ttf"]
        assert len(found.streams.video) == 2
    notices = copy(clip, tmp_path / "o.mp4").notices
    assert ["attachment" in line for line in notices] == [True]
    with av.open(str(tmp_path / "o.mp4")) as found:
        cover = [s for s in found.streams.video if s.disposition.value & 1024]
        assert len(cover) == 1


def test_tags_and_languages_of_every_stream_are_kept(tmp_path: Path) -> None:
    def tag(output: Any) -> None:
        output.metadata["creation_time"] = "2024-05-06T07:08:09.000000Z"
        output.streams.video[0].metadata["language"] = "fra"
        output.streams.audio[0].metadata["title"] = "The director"

    clip = film(tmp_path / "i.mkv", prepare=tag)
    copy(clip, tmp_path / "o.mkv")
    with av.open(str(tmp_path / "o.mkv")) as found:
        assert found.metadata["creation_time"].startswith("2024-05-06T07:08:09")
        assert found.streams.video[0].metadata["language"] == "fra"
        assert found.streams.audio[0].metadata["title"] == "The director"


@pytest.mark.parametrize("codec", ["adpcm_ima_wav", "adpcm_ms"])
def test_sound_whose_packets_a_container_cannot_hold_is_named(tmp_path: Path, codec: str) -> None:
    """FFmpeg writes the header of such a .mov, and fails at the first packet."""
    clip = film(tmp_path / "i.avi", video="mpeg4", audio=codec, rate=44100)
    notices = copy(clip, tmp_path / "o.mov").notices
    assert len(notices) == 1
    assert "left out; .mov cannot hold it: take .mkv" in notices[0]
    assert len(times(tmp_path / "o.mov")) == 50
