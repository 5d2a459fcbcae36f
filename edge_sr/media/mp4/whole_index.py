"""The index of a long recording, made at its end, so that it takes no memory before.

FFmpeg keeps 72 bytes a frame for the index of an mp4, 8 MB in an hour at 30 frames a second. A
recording of one video track is written in fragments alone, which need none; here they become the
one mdat of a plain file, and the index of all frames follows.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError
from edge_sr.media.mp4.boxes import children

U32 = 1 << 32
# of tfhd and trun
DURATION, SIZE, FLAGS = 0x8, 0x10, 0x20
TRUN_OFFSET, TRUN_FIRST = 0x1, 0x4
COLUMNS = (0x100, 0x200, 0x400, 0x800)  # duration, size, flags and offset of each sample
NOT_KEY = 0x10000
INSIDE = (b"trak", b"mdia", b"minf", b"stbl", b"edts")  # boxes that are made again from theirs
TIMED = {b"mvhd": ("II", "I"), b"tkhd": ("II", "II"), b"mdhd": ("II", "I")}
OWN = (b"stts", b"stsc", b"stsz", b"stco", b"stss", b"ctts", b"co64")
MDAT_HEAD = 16  # bytes of its header with a size of 64 bits


@dataclass(frozen=True)
class _Run:
    """The samples of one fragment."""

    start: int  # decoding time of the first one, in the track's time scale
    at: int  # of its first byte in the file
    samples: NDArray[np.uint32]  # columns as COLUMNS


def index_fragments(path: Path) -> None:
    """Turn an mp4 or mov of fragments with one track into a plain one, with its index last.

    Until its header is written over the file can be played as fragments, and after that as a plain
    file.

    Raises:
        MediaError: it is none that `edge-sr` writes, or there is no room for the index; it is as
            it was.
        OSError: it cannot be read or written.
    """
    with path.open("r+b") as file:
        outer = list(children(file, 0, path.stat().st_size))
        try:
            movie, movie_end = next((at, end) for at, end, kind in outer if kind == b"moov")
            runs = [_run(file, at, end) for at, end, kind in outer if kind == b"moof"]
            last = max(end for _, end, kind in outer if kind == b"mdat")
            index = _movie(_read(file, movie, movie_end), runs)
        except (StopIteration, ValueError, KeyError, struct.error) as error:
            raise MediaError(f"{path}: its fragments have another form ({error})") from error
        try:
            file.seek(last)
            file.write(index)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            os.ftruncate(file.fileno(), last)
            raise MediaError(f"{path}: no room for its index ({error.strerror})") from error
        file.seek(movie)
        file.write(struct.pack(">I4sQ", 1, b"mdat", last - movie))


def _read(file: BinaryIO, begin: int, end: int) -> bytes:
    file.seek(begin)
    return file.read(end - begin)


def _inner(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type and the content of each box."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            raise ValueError(f"a {kind!r} of {size} bytes")
        yield kind, data[at + 8 : at + size]
        at += size


def _run(file: BinaryIO, begin: int, end: int) -> _Run:
    """The samples of a moof."""
    parts = dict(_inner(dict(_inner(_read(file, begin, end)[8:]))[b"traf"]))
    flags = struct.unpack_from(">I", parts[b"tfhd"])[0]
    names = [bit for bit in (DURATION, SIZE, FLAGS) if flags & bit]
    given = struct.unpack_from(f">{len(names)}I", parts[b"tfhd"], 8)
    usual = dict(zip(names, given, strict=True))
    start = struct.unpack_from(">Q", parts[b"tfdt"], 4)[0]
    trun = parts[b"trun"]
    flags, count = struct.unpack_from(">II", trun)
    flags &= 0xFFFFFF
    place = struct.unpack_from(">i", trun, 8)[0]
    at = 12
    samples = np.zeros((count, 4), np.uint32)
    samples[:, :3] = [usual.get(bit, 0) for bit in (DURATION, SIZE, FLAGS)]
    if flags & TRUN_FIRST:
        samples[0, 2] = struct.unpack_from(">I", trun, at)[0]
        at += 4
    columns = [number for number, bit in enumerate(COLUMNS) if flags & bit]
    table = np.frombuffer(trun, ">u4", count * len(columns), at).reshape(count, -1)
    samples[:, columns] = table
    if not flags & TRUN_OFFSET or not count:
        raise ValueError("a run without an offset")
    return _Run(start, begin + place, samples)


def _movie(fragmented: bytes, runs: list[_Run]) -> bytes:
    """The moov of a plain file, from that of the fragments and what is in them."""
    for run, after in pairwise(runs):
        others = int(run.samples[:-1, 0].sum(dtype=np.int64))
        run.samples[-1, 0] = max(after.start - run.start - others, 0)
    tables = _tables(runs)
    found = dict(_inner(fragmented[8:]))
    inside = dict(_inner(dict(_inner(found[b"trak"]))[b"mdia"]))
    media_scale, scale = (struct.unpack_from(">I", part, 12)[0]
                          for part in (inside[b"mdhd"], found[b"mvhd"]))  # fmt: skip
    delay, begin = _edited(found[b"trak"])
    media = max(map(_last, runs)) + int(runs[-1].samples[-1, 0]) - begin
    shown = media * scale // media_scale
    lasts = {b"mvhd": shown + delay, b"tkhd": shown + delay, b"mdhd": media, b"elst": shown}
    return _box(b"moov", _again(fragmented[8:], lasts, tables))


def _last(run: _Run) -> int:
    """When the last frame of a fragment is shown, in the time scale of the track."""
    durations, shifts = run.samples[:, 0].astype(np.int64), run.samples[:, 3].astype(np.int32)
    return int((run.start + np.cumsum(durations) - durations + shifts).max())


def _edited(track: bytes) -> tuple[int, int]:
    """How long nothing is shown, in the time scale of the movie, and the time that comes then."""
    edits = dict(_inner(dict(_inner(track)).get(b"edts", b""))).get(b"elst", bytes(8))
    found = list(struct.iter_unpack(">IiI", edits[8:]))
    begin = max((begin for _, begin, _ in found), default=0)
    return sum(lasts for lasts, begin, _ in found if begin == -1), max(begin, 0)


def _again(data: bytes, lasts: dict[bytes, int], tables: bytes) -> bytes:
    """Boxes with their durations filled in, and the tables of all samples."""
    out = []
    for kind, body in _inner(data):
        if kind in OWN or kind == b"mvex":
            continue
        new = body
        if kind in INSIDE:
            new = _again(body, lasts, tables) + (tables if kind == b"stbl" else b"")
        elif kind in TIMED:
            new = _timed(body, *TIMED[kind], lasts[kind])
        elif kind == b"elst":
            new = _edits(body, lasts[kind])
        out.append(_box(kind, new))
    return b"".join(out)


def _timed(body: bytes, times: str, between: str, lasts: int) -> bytes:
    """A header with another duration: of 64 bits where that is needed."""
    form = f">{times}{between}I"
    values = struct.unpack_from(form, body, 4)[:-1]
    rest, flags = body[4 + struct.calcsize(form) :], body[1:4]
    if lasts < U32:
        return b"\x00" + flags + struct.pack(form, *values, lasts) + rest
    form = f">{times.replace('I', 'Q')}{between}Q"
    return b"\x01" + flags + struct.pack(form, *values, lasts) + rest


def _edits(body: bytes, lasts: int) -> bytes:
    """An edit list whose last entry shows all that there is."""
    edits = [list(edit) for edit in struct.iter_unpack(">IiI", body[8:])]
    edits[-1][0] = lasts
    form, version = (">IiI", b"\x00") if lasts < U32 else (">QqI", b"\x01")
    return version + body[1:8] + b"".join(struct.pack(form, *edit) for edit in edits)


def _tables(runs: list[_Run]) -> bytes:
    """Durations, key frames, offsets, chunks and sizes of all samples."""
    samples = np.concatenate([run.samples for run in runs])
    durations, sizes, flags, shifts = samples.T
    counts = np.array([len(run.samples) for run in runs], np.uint32)
    places = np.array([run.at for run in runs], np.uint64)
    keys = np.flatnonzero(flags & NOT_KEY == 0) + 1
    chunks = _counted(counts)  # how many in a row have as many samples
    first = np.cumsum([0, *chunks[:-1, 0]]) + 1
    out = [_table(b"stts", _counted(durations))]
    if len(keys) < len(samples):
        out.append(_table(b"stss", keys[:, None]))
    if shifts.any():
        below = bool((shifts >= 1 << 31).any())  # signed from version 1 on
        out.append(_table(b"ctts", _counted(shifts), version=int(below)))
    out.append(_table(b"stsc", np.stack([first, chunks[:, 1], np.ones(len(chunks))], axis=1)))
    out.append(_box(b"stsz", struct.pack(">III", 0, 0, len(samples)) + _bytes(sizes)))
    long = places.max() >= U32
    head = struct.pack(">II", 0, len(places))
    data = places.astype(">u8").tobytes() if long else _bytes(places)
    out.append(_box(b"co64" if long else b"stco", head + data))
    return b"".join(out)


def _counted(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Rows of how often a value comes in a row, and the value."""
    starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    lengths = np.diff(np.append(starts, len(values)))
    return np.stack([lengths.astype(np.uint32), values[starts]], axis=1)


def _table(kind: bytes, rows: NDArray[np.generic], *, version: int = 0) -> bytes:
    return _box(kind, struct.pack(">B3xI", version, len(rows)) + _bytes(rows))


def _bytes(values: NDArray[np.generic]) -> bytes:
    return values.astype(">u4").tobytes()


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body
