"""What cameras, recorders and archives write, copied: one small file of each kind."""

from __future__ import annotations

import io
import itertools
import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from clips import make_clip, picture
from films import RATE, copy, film, sound_packets, times
from PIL import Image

from edge_sr.errors import MediaError
from edge_sr.media.sources.file import VideoFile


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_aac_of_a_transport_stream_fits_into_every_container(tmp_path: Path, ending: str) -> None:
    clip = film(tmp_path / "i.ts", form="mpegts")
    writer = copy(clip, tmp_path / f"o.{ending}")
    assert writer.notices == []
    assert len(times(tmp_path / f"o.{ending}", "audio")) == len(times(clip, "audio"))
    with av.open(str(tmp_path / f"o.{ending}")) as found:
        assert sum(1 for _ in found.decode(audio=0)) > 90


@pytest.mark.parametrize("name", ["12:30:00.mp4", "http:x.mp4", "concat:a|b.mp4", "-x.mp4"])
def test_a_name_is_never_taken_for_an_address(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "plain.mp4").rename(tmp_path / name)
    copy(Path(name), Path(f"2{name}"))
    assert len(times(tmp_path / f"2{name}")) == 10


def test_exif_in_the_pictures_of_a_camera_is_no_obstacle(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[0x010F] = "Somebody"
    with av.open(str(tmp_path / "i.avi"), "w") as output:
        stream = output.add_stream("mjpeg", rate=RATE)
        stream.codec_context.width, stream.codec_context.height = 64, 48
        stream.codec_context.pix_fmt = "yuvj420p"
        for number in range(5):
            data = io.BytesIO()
            Image.fromarray(picture(number)).convert("RGB").save(data, "JPEG", exif=tags)
            packet = av.Packet(data.getvalue())
            packet.stream, packet.time_base = stream, Fraction(1, RATE)
            packet.pts = packet.dts = number
            output.mux(packet)
    with VideoFile(tmp_path / "i.avi") as found:
        assert len(list(found)) == 5


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_b_frames_of_avi_are_evenly_spaced(tmp_path: Path, codec: str) -> None:
    clip = film(tmp_path / "i.avi", audio=None, video=codec, options={"bf": "2"})
    with VideoFile(clip) as found:
        at = [item.pts * item.time_base for item in found]
        assert found.notices == []
    assert len(at) == 50
    assert {b - a for a, b in itertools.pairwise(at)} == {Fraction(1, RATE)}


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
@pytest.mark.parametrize("second", [0, 10, 300])
def test_joined_recordings_keep_all_their_sound(tmp_path: Path, ending: str, second: int) -> None:
    parts = [
        film(tmp_path / f"{n}.ts", form="mpegts", audio="mp2", shift=at).read_bytes()
        for n, at in enumerate((10, second))
    ]
    clip = tmp_path / "i.ts"
    clip.write_bytes(b"".join(parts))
    output = tmp_path / f"o.{ending}"
    with VideoFile(clip) as found:
        assert [item.discontinuity for item in found].count(True) == 1
    copy(clip, output)
    sound, shown = times(output, "audio"), times(output)
    assert len(sound) >= len(times(clip, "audio")) - 2
    assert abs(max(sound) - max(shown)) < Fraction(15, 100)
    assert max(shown) - min(shown) < 4.3


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_sound_of_joined_recordings_does_not_overlap(tmp_path: Path, ending: str) -> None:
    part = film(tmp_path / "1.ts", form="mpegts", rate=44100).read_bytes()
    clip, output = tmp_path / "i.ts", tmp_path / f"o.{ending}"
    clip.write_bytes(part * 3)
    assert copy(clip, output).notices == []
    sound = times(output, "audio")
    assert len(sound) == len(times(clip, "audio"))
    steps = [b - a for a, b in itertools.pairwise(sorted(sound))]
    assert min(steps) >= Fraction(1024, 44100) - Fraction(1, 1000)
    assert max(steps) < Fraction(3, 10)


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_a_recording_across_the_wrap_of_its_clock_is_whole(tmp_path: Path, ending: str) -> None:
    clip = film(
        tmp_path / "i.ts", form="mpegts", audio="mp2", shift=Fraction(2**33, 90000) - Fraction(3, 2)
    )
    copy(clip, tmp_path / f"o.{ending}")
    shown = times(tmp_path / f"o.{ending}")
    assert (len(shown), min(shown) >= 0, max(shown) - min(shown)) == (50, True, Fraction(49, RATE))


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


def test_digitised_tape_has_its_own_frame_rate(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.dv", form="dv", count=8, video="dvvideo", audio=None, size=(720, 576))
    with VideoFile(clip) as found:
        assert found.info.frame_rate == RATE
    copy(clip, tmp_path / "o.mp4")
    assert len(times(tmp_path / "o.mp4")) == 8


@pytest.mark.parametrize(("code", "kept"), [("01:00:00:05", True), ("01:00:00;05", False)])
def test_a_time_code_that_does_not_fit_the_rate_is_named(
    tmp_path: Path, code: str, kept: bool
) -> None:
    clip = make_clip(tmp_path / "i.mkv", metadata={"timecode": code})
    notices = copy(clip, tmp_path / "o.mp4").notices
    assert (notices == []) == kept
    with av.open(str(tmp_path / "o.mp4")) as found:
        assert (found.streams.video[0].metadata.get("timecode") == code) == kept


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    data = film(tmp_path / "i.ts", form="mpegts", audio="mp2").read_bytes()
    pipe = tmp_path / "pipe.ts"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
    feeder.start()
    copy(pipe, tmp_path / "o.mkv")
    feeder.join(10)
    assert len(times(tmp_path / "o.mkv")) == 50
    assert len(times(tmp_path / "o.mkv", "audio")) > 80


@pytest.mark.parametrize("ending", ["nut", "avi"])
def test_packets_without_data_repeat_the_picture(tmp_path: Path, ending: str) -> None:
    plain = film(tmp_path / "a.mkv", audio=None, video="mpeg4", count=30)
    clip = tmp_path / f"i.{ending}"
    with av.open(str(plain)) as found, av.open(str(clip), "w") as output:
        stream = output.add_stream_from_template(found.streams.video[0])
        for number, packet in enumerate(p for p in found.demux() if p.size):
            data = b"" if number % 5 == 3 else bytes(packet)
            made = av.Packet(data)
            made.stream, made.time_base = stream, packet.time_base
            made.pts, made.dts, made.is_keyframe = packet.pts, packet.dts, packet.is_keyframe
            output.mux(made)
    with VideoFile(clip) as found:
        assert len(list(found)) >= 24


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


def test_a_file_without_video_is_refused_by_name(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "i.mkv"), "w") as output:
        sound = output.add_stream("aac", rate=48000, layout="mono")
        for packet in sound_packets(sound, 10, 48000):
            output.mux(packet)
    with pytest.raises(MediaError, match=r"i\.mkv: has no video stream \(found: audio\)"):
        VideoFile(tmp_path / "i.mkv")


@pytest.mark.parametrize("codec", ["adpcm_ima_wav", "adpcm_ms"])
def test_sound_whose_packets_a_container_cannot_hold_is_named(tmp_path: Path, codec: str) -> None:
    """FFmpeg writes the header of such a .mov, and fails at the first packet."""
    clip = film(tmp_path / "i.avi", video="mpeg4", audio=codec, rate=44100)
    notices = copy(clip, tmp_path / "o.mov").notices
    assert len(notices) == 1
    assert "left out; .mov cannot hold it: take .mkv" in notices[0]
    assert len(times(tmp_path / "o.mov")) == 50


def test_a_fragmented_mp4_is_read_up_to_where_the_camera_lost_power(tmp_path: Path) -> None:
    whole = tmp_path / "a.mp4"
    with av.open(
        str(whole), "w", container_options={"movflags": "frag_keyframe+empty_moov"}
    ) as output:
        stream = output.add_stream("mpeg4", rate=RATE, options={"g": "5"})
        stream.codec_context.width, stream.codec_context.height = 64, 48
        for number in range(30):
            image = av.VideoFrame.from_ndarray(picture(number), "gray").reformat(format="yuv420p")
            image.pts, image.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(image))
        output.mux(stream.encode(None))
    data = whole.read_bytes()
    clip = tmp_path / "i.mp4"
    clip.write_bytes(data[: data.rindex(b"moof") + 200])
    with VideoFile(clip) as found:
        assert 10 <= len(list(found)) < 30
        assert "bytes are missing at its end; it was read up to there" in found.notices[0]


def test_what_is_known_of_an_hdr_film_and_not_kept_is_named(tmp_path: Path) -> None:
    options = {
        "x265-params": "log-level=none:max-cll=1000,400:master-display="
        "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    }
    clip = film(tmp_path / "i.mp4", count=3, video="libx265", audio=None, options=options)
    with VideoFile(clip) as found:
        assert found.notices == [f"{clip}: not kept: HDR mastering data, HDR light levels"]


def test_frames_of_another_size_are_counted(tmp_path: Path) -> None:
    parts = [
        film(tmp_path / f"{n}.ts", form="mpegts", audio=None, size=size, shift=10)
        for n, size in enumerate([(64, 48), (96, 64)])
    ]
    clip = tmp_path / "i.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    with VideoFile(clip) as found:
        frames = list(found)
        assert {item.size for item in frames} == {(64, 48)}
        assert any("frames of other sizes were fitted to 64x48" in line for line in found.notices)
