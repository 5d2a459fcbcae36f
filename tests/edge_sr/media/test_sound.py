"""The sound of a source: pieces on the clock of the frames, and what is published of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from claps import claps, write_claps

from edge_sr.cli.main import main
from edge_sr.media.sources.file import VideoFile
from edge_sr.media.sources.open import Paced
from edge_sr.media.sources.sound import RATE, Blocks, FileSound, LiveSound, Samples

SYNC_S = 0.06  # a frame and a half


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_claps(tmp_path_factory.mktemp("sound") / "claps.mkv", 4)


def starts(pieces: list[Samples]) -> list[float]:
    """When it becomes loud."""
    found, quiet_since = [], 0.0
    for piece in pieces:
        for number in np.flatnonzero(np.abs(piece.data[:, 0]) > 3000):
            at = piece.taken_s + number / RATE
            if at - quiet_since > 0.3:
                found.append(at)
            quiet_since = at
    return found


def test_the_sound_of_a_film_comes_at_the_time_of_its_frames(film: Path) -> None:
    listener = FileSound(film, moved_s=Fraction(0), zero=lambda: 100.0).listen()
    first = listener.take(100.1) + listener.take(101.5)
    assert starts(first) == pytest.approx([100, 101], abs=SYNC_S)
    assert max(piece.taken_s for piece in first) <= 101.5
    assert starts(listener.take(200)) == pytest.approx([102, 103], abs=SYNC_S)
    assert listener.take(300) == []
    listener.close()


def test_who_listens_later_hears_from_there(film: Path) -> None:
    listener = FileSound(film, moved_s=Fraction(0), zero=lambda: 100.0).listen()
    assert starts(listener.take(103.4)) == pytest.approx([103], abs=SYNC_S)
    listener.close()


def test_before_the_first_frame_there_is_none(film: Path) -> None:
    assert FileSound(film, moved_s=Fraction(0), zero=lambda: None).listen().take(5.0) == []


def test_a_film_at_its_own_pace_has_its_sound_and_a_silent_one_has_none(film: Path) -> None:
    with Paced(VideoFile(film)) as source:
        frame = next(iter(source))
        assert source.sound is not None
        assert frame.taken_s is not None
        listener = source.sound.listen()
        pieces = listener.take(frame.taken_s) + listener.take(frame.taken_s + 1.3)
        assert starts(pieces) == pytest.approx([frame.taken_s, frame.taken_s + 1], abs=SYNC_S)


def test_a_live_sound_is_kept_for_those_who_listen_and_not_for_ever(film: Path) -> None:
    import av

    sound = LiveSound()
    assert not sound.present
    with av.open(str(film)) as container:
        stream = container.streams.audio[0]
        sound.connect(stream)
        listener = sound.listen()
        for packet in container.demux(stream):
            sound.add(packet, 50 + float((packet.pts or 0) * packet.time_base))
        assert starts(listener.take(52.5)) == pytest.approx([50, 51, 52], abs=SYNC_S)
        listener.add(Samples(70.0, np.zeros((10, 2), np.int16)))
        assert [piece.taken_s for piece in listener.take(99)] == [70.0]
        listener.close()
        container.seek(0)
        for packet in container.demux(stream):
            sound.add(packet, 90.0)
        assert listener.take(999) == []


def piece(at: float, length: int, level: int = 1) -> Samples:
    return Samples(at, np.full((length, 2), level, np.int16))


def test_blocks_have_no_gaps() -> None:
    blocks = Blocks(1000, 10.0)
    assert list(blocks.add(piece(9.99, 960))) == []  # half of it is before the beginning
    found = list(blocks.add(piece(10.01, 1000)))
    assert [number for number, _ in found] == [0]
    found = list(blocks.add(piece(10.01 + 1000 / RATE + 0.5, 1000, 2)))  # half a second is missing
    numbers = [number for number, _ in found]
    assert numbers == list(range(1000, 1000 + 1000 * len(numbers), 1000))
    levels = np.concatenate([block[:, 0] for _, block in found])
    assert np.flatnonzero(levels == 2)[0] + 1000 == pytest.approx(
        (0.51 + 1000 / RATE) * RATE, abs=9
    )
    again = list(blocks.add(piece(10.2, 5000, 3)))  # heard already
    assert again == []
    later = list(blocks.add(piece(40.0, 2000, 4)))  # after a long break: no half a minute of zeros
    assert [number for number, _ in later] == [30 * RATE, 30 * RATE + 1000]


@pytest.mark.slow
def test_what_is_published_is_heard_when_it_is_seen(film: Path, tmp_path: Path) -> None:
    playlist = tmp_path / "live.m3u8"
    assert main(["run", str(film), "--backend", "nearest", "--publish", str(playlist)]) == 0
    seen, heard = claps(playlist)
    assert len(seen) == len(heard) == 4
    assert np.abs(np.subtract(seen, heard)).max() < SYNC_S
