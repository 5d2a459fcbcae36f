"""H.264 as fragments of MP4 for Media Source, one fragment a frame.

FFmpeg's own muxer gives a fragment out when the next frame comes, which is one frame too late.
"""

from __future__ import annotations

import re
import struct

START_CODE = re.compile(rb"\x00\x00\x00?\x01")
SPS, PPS = 7, 8
MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
KEY_FLAGS, OTHER_FLAGS = 0x02000000, 0x01010000
MILLISECONDS = 1000
# a frame stands until the next one; browsers drop what follows after more than twice the duration
SHOWN_MS = 2000


def fragment(
    data: bytes,
    number: int,
    time_ms: int,
    *,
    key: bool,
    size: tuple[int, int],
) -> bytes:
    """One access unit in Annex B form as moof and mdat.

    Args:
        number: of the fragment, from 1.
        key: it can be decoded without those before; the header of the stream comes first then.
        size: columns and rows of the picture.
    """
    units = [unit for unit in START_CODE.split(data) if unit]
    head = header(units, size) if key else b""
    kept = [unit for unit in units if unit[0] & 31 not in (SPS, PPS)]
    sample = b"".join(struct.pack(">I", len(unit)) + unit for unit in kept)
    flags = KEY_FLAGS if key else OTHER_FLAGS

    def moof(offset: int) -> bytes:
        trun = _full("trun", 0, 0x701, struct.pack(">Ii", 1, offset),
                     struct.pack(">III", SHOWN_MS, len(sample), flags))  # fmt: skip
        tfhd = _full("tfhd", 0, 0x020000, struct.pack(">I", 1))
        tfdt = _full("tfdt", 1, 0, struct.pack(">Q", time_ms))
        return _box("moof", _full("mfhd", 0, 0, struct.pack(">I", number)),
                    _box("traf", tfhd, tfdt, trun))  # fmt: skip

    return head + moof(len(moof(0)) + 8) + _box("mdat", sample)


def header(units: list[bytes], size: tuple[int, int]) -> bytes:
    """ftyp and moov of a stream without an end, from its parameter sets."""
    (sps, pps) = (next(unit for unit in units if unit[0] & 31 == kind) for kind in (SPS, PPS))
    columns, rows = size
    avcc = _box(
        "avcC",
        bytes([1, *sps[1:4], 0xFF, 0xE1]),
        struct.pack(">H", len(sps)), sps, b"\x01", struct.pack(">H", len(pps)), pps,
    )  # fmt: skip
    avc1 = _box(
        "avc1",
        struct.pack(">6xH16xHHIIIH32xHh", 1, columns, rows, 0x480000, 0x480000, 0, 1, 24, -1),
        avcc,
    )
    empty = struct.pack(">I", 0)
    table = _box(
        "stbl",
        _full("stsd", 0, 0, struct.pack(">I", 1), avc1),
        *(_full(kind, 0, 0, empty) for kind in ("stts", "stsc")),
        _full("stsz", 0, 0, empty, empty),
        _full("stco", 0, 0, empty),
    )
    data = _box("dinf", _full("dref", 0, 0, struct.pack(">I", 1), _full("url ", 0, 1)))
    media = _box("minf", _full("vmhd", 0, 1, bytes(8)), data, table)
    track = _box(
        "trak",
        _full("tkhd", 0, 3, struct.pack(">5I8x4H", 0, 0, 1, 0, 0, 0, 0, 0, 0), MATRIX,
              struct.pack(">II", columns << 16, rows << 16)),
        _box("mdia",
             _full("mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, MILLISECONDS, 0, 0x55C4, 0)),
             _full("hdlr", 0, 0, bytes(4), b"vide", bytes(12), b"\x00"),
             media),
    )  # fmt: skip
    movie = _full("mvhd", 0, 0, struct.pack(">IIIIIH10x", 0, 0, MILLISECONDS, 0, 0x10000, 0x100),
                  MATRIX, bytes(24), struct.pack(">I", 2))  # fmt: skip
    extends = _box("mvex", _full("trex", 0, 0, struct.pack(">5I", 1, 1, 0, 0, 0)))
    return _box("ftyp", b"iso5\x00\x00\x02\x00iso5iso6mp41") + _box("moov", movie, track, extends)


def _box(kind: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind.encode() + body


def _full(kind: str, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)
