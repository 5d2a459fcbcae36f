"""What cameras, recorders and archives write, copied: one small file of each kind."""

from __future__ import annotations

import io
import itertools
import os
import threading
from fractions import Fraction
from pathlib import Path

import av
import pytest
from clips import make_clip, picture
from films import RATE, copy, film, sound_packets, times
from PIL import Image

from edge_sr.errors import MediaError
from edge_sr.media.sources.file import VideoFile


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


@pytest.mark.parametrize("form", ["mpegts", "vob"])
def test_a_recording_of_television_begins_at_zero(tmp_path: Path, form: str) -> None:
    clip = film(tmp_path / "i", form=form, audio="mp2", video="mpeg2video", shift=50_000)
    copy(clip, tmp_path / "o.mp4")
    shown, sound = times(tmp_path / "o.mp4"), times(tmp_path / "o.mp4", "audio")
    assert min(*shown, *sound) == 0
    assert max(shown) - min(shown) == max(times(clip)) - min(times(clip))
    early = min(times(clip)) - min(times(clip, "audio"))
    assert abs(min(shown) - min(sound) - early) < Fraction(1, 1000)


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


def test_digitised_tape_has_its_own_frame_rate(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.dv", form="dv", count=8, video="dvvideo", audio=None, size=(720, 576))
    with VideoFile(clip) as found:
        assert found.info.frame_rate == RATE
    copy(clip, tmp_path / "o.mp4")
    assert len(times(tmp_path / "o.mp4")) == 8


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


def test_a_file_without_video_is_refused_by_name(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "i.mkv"), "w") as output:
        sound = output.add_stream("aac", rate=48000, layout="mono")
        for packet in sound_packets(sound, 10, 48000):
            output.mux(packet)
    with pytest.raises(MediaError, match=r"i\.mkv: has no video stream \(found: audio\)"):
        VideoFile(tmp_path / "i.mkv")


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
