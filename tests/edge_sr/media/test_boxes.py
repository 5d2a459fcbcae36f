"""A file that was cut off is recognised before any work is done."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import pytest
from clips import frame, info
from films import film

from edge_sr.errors import MediaError
from edge_sr.media.codec.containers import missing_end
from edge_sr.media.mp4.boxes import missing_bytes
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.file import VideoFile


def box(kind: bytes, payload: bytes, *, claims: int | None = None) -> bytes:
    return struct.pack(">I4s", claims if claims is not None else 8 + len(payload), kind) + payload


def large(kind: bytes, payload: bytes, *, claims: int) -> bytes:
    return struct.pack(">I4sQ", 1, kind, claims) + payload


def riff(claims: int, kind: bytes = b"AVI ") -> bytes:
    return struct.pack("<4sI4s", b"RIFF", claims, kind)


MATROSKA = bytes.fromhex("1A45DFA3 84 00000000 18538067")  # what stands before the segment's size
HEAD = box(b"ftyp", b"isom0000")


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (HEAD + box(b"moov", b"x" * 20) + box(b"mdat", b"y" * 50), 0),
        (HEAD + box(b"mdat", b"y" * 50, claims=100), 42),
        (HEAD + large(b"mdat", b"y" * 50, claims=5_000_000_000), 5_000_000_000 - 66),
        (HEAD + box(b"mdat", b"y" * 50, claims=0), 0),  # "to the end of the file"
        (HEAD + b"\x00\x00\x00", 0),  # a few stray bytes at the end
        (MATROSKA + b"\x88" + bytes(3), 0),  # another matter, see below
        (b"", 0),
    ],
)
def test_bytes_that_a_box_claims_beyond_the_end(tmp_path: Path, data: bytes, missing: int) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(data)
    assert missing_bytes(path) == missing


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (MATROSKA + b"\x88" + bytes(8), 0),
        (MATROSKA + b"\x88" + bytes(3), 5),
        (MATROSKA + bytes.fromhex("01FFFFFFFFFFFFFF") + bytes(3), 0),  # a live stream
        (MATROSKA + bytes.fromhex("4FA0") + bytes(3), 4000 - 3),
        (MATROSKA[:6], 0),
        (riff(5000) + bytes(88), 5008 - 100),
        (riff(92 + 8) + bytes(88), 0),  # as some programs count
        (riff(92) + bytes(88), 0),
        (riff(0) + bytes(88), 0),  # as a program leaves it that was killed
        (riff(0x7FFFFFFF) + bytes(88), 0),
        (riff(5000, b"WAVE") + bytes(88), 0),
        (HEAD + box(b"mdat", b"y" * 50, claims=100), 0),
        (b"", 0),
    ],
)
def test_bytes_that_avi_and_matroska_claim_beyond_the_end(
    tmp_path: Path, data: bytes, missing: int
) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    assert missing_end(path) == missing


@pytest.mark.parametrize("ending", ["avi", "mkv"])
def test_a_cut_off_film_that_can_be_read_up_to_there_says_so(tmp_path: Path, ending: str) -> None:
    whole = film(tmp_path / f"i.{ending}", video="mpeg4")
    with VideoFile(whole) as found:
        assert sum(1 for _ in found) == 50
        assert found.notices == []
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) * 2 // 3])
    with VideoFile(whole) as found:
        assert 20 < sum(1 for _ in found) < 50
        assert "bytes are missing at its end; it was read up to there" in found.notices[0]
    with pytest.raises(MediaError, match="leave out --strict"):
        VideoFile(whole, strict=True)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_cut_off_film_with_its_index_in_front_is_refused(tmp_path: Path, share: float) -> None:
    ours, whole = tmp_path / "ours.mp4", tmp_path / "whole.mp4"
    writer = VideoWriter(ours, source=info())
    for number in range(10):
        writer.write(frame(number))
    writer.finish()
    index_first = {"movflags": "+faststart"}
    with av.open(str(ours)) as read, av.open(str(whole), "w", container_options=index_first) as out:
        stream = out.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    data = whole.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(MediaError, match=r"cut\.mp4: (cut off|not a video)"):
        VideoFile(cut)
    with VideoFile(whole) as source:
        assert len(list(source)) > 0
