"""A recording that was written in fragments ends as a plain file, and is the same film."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import frame, info

from edge_sr.errors import MediaError
from edge_sr.media.mp4 import whole_index
from edge_sr.media.mp4.boxes import children, read_boxes
from edge_sr.media.sinks.writer import VideoWriter

TICK = Fraction(1, 90_000)
SIZE = (192, 144)  # columns, rows: of smaller ones x264 does not always make the same bytes


def write(
    path: Path, *, live: bool, count: int = 40, every: Fraction = Fraction(1, 25)
) -> list[str]:
    """A film whose frames come unevenly; as a recording of something live, or not."""
    source = replace(info(*SIZE), live=live, time_base=TICK)
    writer = VideoWriter(path, source=source, preset="veryfast")
    at = Fraction(3, 25)
    for number in range(count):
        writer.write(replace(frame(number, *SIZE), pts=round(at / TICK), time_base=TICK))
        at += every * (1 + number % 3)
    writer.finish()
    return list(writer.notices)


def facts(path: Path) -> tuple[object, ...]:
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        packets = [
            (item.pts, item.dts, item.size, item.is_keyframe)
            for item in film.demux(stream)
            if item.size
        ]
        shape = (stream.width, stream.height, stream.sample_aspect_ratio, stream.time_base)
        return packets, shape, stream.frames, stream.start_time


def shown(path: Path) -> tuple[list[int | None], np.ndarray]:
    with av.open(str(path)) as film:
        frames = list(film.decode(video=0))
        return [item.pts for item in frames], np.stack([item.to_ndarray() for item in frames])


def kinds(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return [kind for _, _, kind in children(file, 0, path.stat().st_size)]


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_it_is_the_film_that_ffmpeg_would_have_indexed(tmp_path: Path, ending: str) -> None:
    live, plain = tmp_path / f"live.{ending}", tmp_path / f"plain.{ending}"
    assert write(live, live=True) == []
    write(plain, live=False)
    assert kinds(live)[0] == b"ftyp"
    assert kinds(live)[-2:] == [b"mdat", b"moov"]
    assert not read_boxes(live).fragmented
    assert facts(live) == facts(plain)
    one, other = shown(live), shown(plain)
    assert one[0] == other[0]
    assert np.array_equal(one[1], other[1])
    with av.open(str(live)) as film, av.open(str(plain)) as same:
        assert abs((film.duration or 0) - (same.duration or 0)) < 200_000  # microseconds


def test_a_gap_in_decoding_does_not_make_it_longer(tmp_path: Path) -> None:
    """The end is that of the last frame shown, whatever lies between decoding times."""
    write(tmp_path / "slow.mp4", live=True, every=Fraction(2))
    data = (tmp_path / "slow.mp4").read_bytes()
    at = data.rindex(b"mvhd") + 4
    scale, lasts = (int.from_bytes(data[at + 12 + 4 * n : at + 16 + 4 * n], "big") for n in (0, 1))
    assert lasts / scale == pytest.approx(3 / 25 + 78 * 2 + 1 / 25, abs=1e-3)


def test_one_frame_and_seeking(tmp_path: Path) -> None:
    write(tmp_path / "one.mp4", live=True, count=1)
    assert len(shown(tmp_path / "one.mp4")[0]) == 1
    write(tmp_path / "long.mp4", live=True, count=600)
    with av.open(str(tmp_path / "long.mp4")) as film:
        stream = film.streams.video[0]
        film.seek(round(45 / stream.time_base), stream=stream)
        found = next(film.decode(stream)).time
        assert found is not None
        assert 5 < found <= 45  # the key frame before, not the beginning


def test_days_take_headers_of_64_bits(tmp_path: Path) -> None:
    """At 90,000 ticks a second 32 bits are thirteen hours."""
    path = tmp_path / "days.mp4"
    write(path, live=True, every=Fraction(900))
    assert shown(path)[0][-1] == round((78 * 900 + Fraction(3, 25)) / TICK)
    with av.open(str(path)) as film:
        assert (film.duration or 0) / 1e6 > 70 * 900
    data = path.read_bytes()
    heads = [data[data.rindex(kind) + 4] for kind in (b"mvhd", b"tkhd", b"mdhd", b"elst")]
    assert heads == [1, 1, 1, 1]  # versions


def test_places_beyond_4_gib_take_64_bits() -> None:
    runs = [whole_index._Run(0, at, np.array([[1, 2, 0, 0]], np.uint32)) for at in (8, 1 << 33)]
    tables = dict(whole_index._inner(whole_index._tables(runs)))
    assert b"stco" not in tables
    assert tables[b"co64"][-8:] == (1 << 33).to_bytes(8, "big")


def test_what_cannot_be_indexed_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp4"

    def refuse(_runs: object) -> bytes:
        raise ValueError("no such table")

    monkeypatch.setattr(whole_index, "_tables", refuse)
    (line,) = write(path, live=True)
    assert "another form (no such table); it stays in fragments" in line
    assert read_boxes(path).fragmented
    assert len(shown(path)[0]) == 40
    with pytest.raises(MediaError, match="another form"):
        whole_index.index_fragments(path)
