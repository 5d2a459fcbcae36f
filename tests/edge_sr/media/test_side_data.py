"""Side data of frames beside a kind that PyAV has no name for."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from edge_sr.media.hdr import frame_hdr
from edge_sr.media.orientation import Orientation, frame_orientation, lost_side_data
from edge_sr.media.side_data import side_data

WIDTH, HEIGHT = 32, 16
DISPLAY = struct.pack(">8HII", 34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450, 10_000_000, 50)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def hdr_png(exif: bytes) -> bytes:
    """A grey picture of 16 bits in PQ, with mastering data, light levels and Exif."""
    rows = b"".join(b"\0" + b"\x40\x00" * 3 * WIDTH for _ in range(HEIGHT))
    chunks = [
        chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)),
        chunk(b"cICP", bytes([9, 16, 0, 1])),
        chunk(b"mDCV", DISPLAY),
        chunk(b"cLLI", struct.pack(">II", 10_000_000, 4_000_000)),
        chunk(b"eXIf", exif),
        chunk(b"IDAT", zlib.compress(rows)),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> av.VideoFrame:
    exif = Image.Exif()
    exif[0x0112] = 5  # mirrored and turned
    path: Path = tmp_path_factory.mktemp("film") / "pq.mov"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "rgb48be"
        packet = av.Packet(hdr_png(exif.tobytes()[6:]))
        packet.stream, packet.pts, packet.dts = stream, 0, 0
        packet.time_base, packet.is_keyframe = Fraction(1, 25), True
        output.mux(packet)
    with av.open(str(path)) as found:
        decoded: av.VideoFrame = next(found.decode(video=0))
    with pytest.raises(ValueError, match="not a valid Type"):
        _ = decoded.side_data  # else this test shows nothing
    return decoded


def test_what_has_a_name_is_read(frame: av.VideoFrame) -> None:
    names = {"CONTENT_LIGHT_LEVEL", "DISPLAYMATRIX", "MASTERING_DISPLAY_METADATA"}
    assert side_data(frame).keys() >= names


def test_hdr_metadata_is_kept(frame: av.VideoFrame) -> None:
    found = frame_hdr(frame)
    assert found is not None
    assert found.mastering is not None
    assert found.light == (1000, 400)
    assert found.mastering.brightest == 1000
    assert found.mastering.red == (Fraction(17, 25), Fraction(8, 25))


def test_a_mirrored_picture_is_turned(frame: av.VideoFrame) -> None:
    assert frame_orientation(frame) == Orientation(transpose=True)


def test_what_is_lost_is_named(frame: av.VideoFrame) -> None:
    assert lost_side_data(frame) == ["the Exif data of its pictures"]
