"""One clock for all streams of a file: joined, set, wrapped and negative clocks."""

from __future__ import annotations

import itertools
from fractions import Fraction

from edge_sr.media.codec.timeline import BestEffort, Following, Timeline

TICK = Fraction(1, 90000)
WRAP = Fraction(2**33, 90000)
STEP = {0: Fraction(1, 25), 1: Fraction(24, 1000)}  # seconds of a packet of video and of audio


def placed(
    packets: list[tuple[int, Fraction]], *, restarts: bool = True
) -> list[tuple[int, Fraction]]:
    """(stream, our time) of packets given as (stream, the file's time)."""
    start = min(at for _, at in packets[:4])
    line = Timeline(start, restarts=restarts)
    return [
        (stream, at + line.offset(stream, at, STEP[stream], TICK, steady=True)[0])
        for stream, at in packets
    ]


def recording(start: Fraction | int, seconds: int = 2) -> list[tuple[int, Fraction]]:
    """Interleaved video and audio packets."""
    found = [
        (stream, start + n * step)
        for stream, step in STEP.items()
        for n in range(int(seconds / step))
    ]
    return sorted(found, key=lambda item: item[1])


def steps(found: list[tuple[int, Fraction]], stream: int) -> list[Fraction]:
    times = [at for number, at in found if number == stream]
    return [b - a for a, b in itertools.pairwise(times)]


def test_a_clock_without_cuts_is_left_alone() -> None:
    packets = recording(10, 60)
    assert placed(packets, restarts=False) == packets
    assert placed(recording(0, 60)) == recording(0, 60)


def test_a_clock_that_may_start_again_begins_at_zero() -> None:
    assert placed(recording(50_000, 60)) == recording(0, 60)
    line = Timeline(Fraction(50_000), restarts=True)
    assert line.offset(2, Fraction(49_999), Fraction(0), TICK, steady=False)[0] == -49_999


def test_joined_recordings_go_on_and_stay_in_step() -> None:
    for second in (Fraction(10), Fraction(0), Fraction(5000), Fraction(10) + WRAP):
        found = placed(recording(Fraction(10)) + recording(second))
        for stream in STEP:
            assert all(0 < step < Fraction(1, 5) for step in steps(found, stream)), second
        latest = [max(at for number, at in found if number == stream) for stream in STEP]
        assert abs(latest[0] - latest[1]) < Fraction(1, 10)


def test_a_constant_frame_rate_stays_one_where_recordings_are_joined() -> None:
    line = Timeline(Fraction(10), restarts=True)
    found, packets = (
        [],
        recording(Fraction(10)) + recording(Fraction(5000)) + recording(Fraction(3)),
    )
    for stream, at in packets:  # the sound is 16 ms longer than the picture
        add, _ = line.offset(stream, at, STEP[stream], TICK, steady=True, even=stream == 0)
        found.append((stream, at + add))
    assert set(steps(found, 0)) == {STEP[0]}
    assert all(0 < step <= 2 * STEP[1] for step in steps(found, 1))
    latest = [max(at for number, at in found if number == stream) for stream in STEP]
    assert abs(latest[0] - latest[1]) < STEP[0]


def test_the_last_packets_of_a_part_may_come_after_the_first_of_the_next() -> None:
    first, second = recording(Fraction(10)), recording(Fraction(10))
    late = first.pop()  # of the audio
    found = placed([*first, second[0], late, *second[1:]])
    for stream in STEP:
        assert all(0 < step < Fraction(1, 5) for step in steps(found, stream))


def test_sound_that_ends_after_the_first_picture_of_the_next_part_does_not_overlap() -> None:
    video = [(0, Fraction(10) + n * STEP[0]) for n in range(25)]
    sound = [(1, Fraction(99, 10) + n * STEP[1]) for n in range(48)]  # 0.152 s longer, in all
    packets = [*sound[:30], *video, *video[:5], *sound[30:], *video[5:], *sound]
    read: list[tuple[int, Fraction]] = []

    def ahead() -> list[Following]:
        rest = packets[len(read) :]
        return [Following(stream, at, STEP[stream], stream == 0) for stream, at in rest]

    line, found = Timeline(Fraction(99, 10), restarts=True, ahead=ahead), []
    for stream, at in packets:
        read.append((stream, at))
        even = stream == 0
        found.append(
            (stream, at + line.offset(stream, at, STEP[stream], TICK, steady=True, even=even)[0])
        )
    assert min(steps(found, 1)) >= STEP[1]
    assert max(steps(found, 1)) < STEP[1] + Fraction(3, 1000)
    assert set(steps(found, 0)) == {STEP[0], 5 * STEP[0]}


def test_times_before_zero_are_moved_together() -> None:
    found = placed(recording(Fraction(-3, 2)))
    assert min(at for _, at in found) == 0
    assert [a - b for (_, a), (_, b) in zip(found, recording(Fraction(-3, 2)), strict=True)] == [
        Fraction(3, 2)
    ] * len(found)


def test_a_stream_that_pauses_is_no_cut() -> None:
    packets = [item for item in recording(0, 60) if item[0] == 1 or not 5 < item[1] < 50]
    assert placed(packets) == packets


def test_a_long_pause_of_all_streams_is_kept_where_clocks_do_not_start_again() -> None:
    packets = recording(0) + recording(Fraction(3000))
    assert placed(packets, restarts=False) == packets
    assert max(at for _, at in placed(packets)) < 5


def test_the_first_packet_after_a_cut_is_marked() -> None:
    line = Timeline(Fraction(0), restarts=True)
    times = (0, 1, 2, 0, 1)
    cuts = [line.offset(0, Fraction(at), Fraction(1), TICK, steady=True)[1] for at in times]
    assert cuts == [False, False, False, True, False]


def test_subtitles_follow_the_part_that_they_belong_to() -> None:
    line = Timeline(Fraction(10), restarts=True)
    for at in (10, 11, 5000, 5001):
        line.offset(0, Fraction(at), Fraction(1), TICK, steady=True, even=True)
    assert 5001 + line.offset(2, Fraction(5001), Fraction(0), TICK, steady=False)[0] == 3
    assert 11 + line.offset(2, Fraction(11), Fraction(0), TICK, steady=False)[0] == 1


def test_decoding_times_are_taken_where_presentation_times_go_back() -> None:
    best = BestEffort(decoding_times=False)
    pts, dts = (0, 4, 1, 2, 8, 5, 6), (0, 1, 2, 3, 4, 5, 6)
    assert [best.choose(*pair) for pair in zip(pts, dts, strict=True)][2:] == [2, 3, 4, 5, 6]
    good = BestEffort(decoding_times=False)
    assert [good.choose(at, at - 2) for at in (2, 3, 5)] == [2, 3, 5]
    assert good.choose(None, None) is None


def test_frames_of_avi_come_at_their_decoding_times_from_the_first_on() -> None:
    best = BestEffort(decoding_times=True)
    pairs = [(1, 2), (4, 3), (3, 4), (5, 5), (2, 6), (96, None)]
    assert [best.choose(*pair) for pair in pairs] == [1, 2, 3, 4, 5, 6]
