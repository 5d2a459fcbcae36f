"""Films whose last packets are damaged or cut off: every picture that can be decoded comes."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
from films import film, times

from edge_sr.errors import MediaError
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources import decoding
from edge_sr.media.sources.file import VideoFile

DEEP = {"bf": "4", "g": "60", "b_strategy": "0", "b-pyramid": "normal"}


def cut_film(folder: Path, ending: str, keep: float = 0.97) -> Path:
    whole = film(folder / f"i.{ending}", audio=None, options=DEEP, size=(128, 96))
    data = whole.read_bytes()
    data = data[: data.rindex(b"idx1")] if ending == "avi" else data
    whole.write_bytes(data[: int(len(data) * keep)])
    return whole


def film_with_damage(folder: Path, last: int, count: int) -> tuple[Path, int]:
    """A film of which some packets up to the last but some are zeros, and its packets."""
    whole = film(folder / "i.avi", audio=None, options=DEEP, size=(128, 96))
    with av.open(str(whole)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(whole.read_bytes())
    for at, size in places[len(places) - last - count : len(places) - last]:
        data[at + 8 : at + 8 + size] = bytes(size)
    whole.write_bytes(data)
    return whole, len(places)


def decodable(path: Path) -> int:
    """Pictures that a decoder without threads gives, however often it fails."""
    found: list[Any] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "SLICE"
        for packet in container.demux(stream):
            with contextlib.suppress(av.FFmpegError):
                found += stream.decode(packet if packet.size else None)
    return len(found)


@pytest.mark.parametrize("ending", ["avi", "ts", "mkv", "h264"])
def test_a_film_that_is_cut_off_gives_every_picture_that_can_be_decoded(
    tmp_path: Path, ending: str
) -> None:
    clip = cut_film(tmp_path, ending)
    with VideoFile(clip) as found:
        times = [frame.pts for frame in found]
    assert len(times) == decodable(clip)
    assert sorted(set(times)) == times


def test_pictures_after_damage_among_the_last_packets_are_kept(tmp_path: Path) -> None:
    whole, packets = film_with_damage(tmp_path, last=2, count=1)
    with VideoFile(whole) as found:
        assert sum(1 for _ in found) == decodable(whole) == packets - 2
        assert found.damaged >= 1
        assert "last frames" not in "".join(found.notices)


def test_a_stream_of_which_nothing_is_known_and_nothing_decodes(tmp_path: Path) -> None:
    """VP9 has no headers beside its packets; of these FFmpeg finds no pixel format, either."""
    whole = film(tmp_path / "i.webm", audio=None, video="libvpx-vp9", count=3)
    damaged = tmp_path / "d.webm"
    with av.open(str(whole)) as container, av.open(str(damaged), "w") as out:
        stream = out.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.size:
                broken = av.Packet(b"\x49" * packet.size)
                broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
                broken.stream, broken.is_keyframe = stream, packet.is_keyframe
                out.mux(broken)
    with pytest.raises(MediaError, match=r"can be decoded$"):  # other headers would not help
        VideoFile(damaged)


def test_last_pictures_that_are_lost_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "LONGEST_TAIL", 5)  # too few for a group of pictures
    clip, _ = film_with_damage(tmp_path, last=0, count=3)
    with VideoFile(clip) as found:
        assert sum(1 for _ in found) <= decodable(clip)
        assert "so that its last frames are lost" in "".join(found.notices)


def test_sound_that_begins_too_late_for_a_pipe_is_named(tmp_path: Path) -> None:
    first = film(tmp_path / "1.ts", form="mpegts", audio=None).read_bytes()
    second = film(tmp_path / "2.ts", form="mpegts", audio="mp2").read_bytes()
    stuffing = (b"\x47\x1f\xff\x10" + bytes(184)) * 32_000  # more than FFmpeg looks at
    output = tmp_path / "o.mkv"
    pipe = io.BytesIO(first + stuffing + second)
    with VideoFile(Path("input"), stream=pipe) as found:
        writer = VideoWriter(output, source=found.info, copy_from=found.beside, preset="ultrafast")
        for frame in found:
            writer.write(frame)
        writer.finish()
    assert "audio stream 1 (mp2) left out; it begins too late" in "".join(writer.notices)
    assert len(times(output)) == 100


class Shown:
    """A decoder, and its stream, that shows all packets but some."""

    thread_type, flags = "", 0

    def __init__(self, hidden: set[int]) -> None:
        self.hidden, self.codec_context = hidden, self

    def decode(self, packet: Any) -> list[Any]:
        if packet is None or packet.opaque[0] in self.hidden:
            return []
        return [SimpleNamespace(pts=packet.pts, opaque=packet.opaque, is_corrupt=False)]


@pytest.mark.parametrize(("last", "damaged"), [(99, 0), (89, 2)])
def test_pictures_that_are_never_shown_are_not_missing(last: int, damaged: int) -> None:
    """VP8 and VP9 have packets that later pictures refer to, with the time of the next picture."""
    hidden = {40, 88, 90, 98} if last == 99 else {40, 88, 90, 91}
    packets = [
        SimpleNamespace(pts=number, is_keyframe=False, size=9, opaque=None)
        for number in range(100 if last == 99 else 92)
    ]
    found = decoding.Decoding(Shown(hidden))
    shown = [frame.pts for frame in found.pictures(packets)]
    assert shown[-1] == last
    assert (found.damaged, found.cut_short) == (damaged, damaged > 0)
