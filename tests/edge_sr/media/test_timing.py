from __future__ import annotations

from fractions import Fraction

from edge_sr.media.codec.timeline import Timestamps

MS = Fraction(1, 1000)


def test_good_times_pass_untouched() -> None:
    times = Timestamps(MS, Fraction(25))
    given = [5, 6, 40, 41, 5000, 100000]
    assert [times.next(at) for at in given] == given
    assert times.repaired == 0


def test_missing_times_follow_the_frame_rate() -> None:
    times = Timestamps(MS, Fraction(25))
    assert [times.next(at) for at in (None, None, 100, None)] == [0, 40, 100, 140]
    assert times.repaired == 3


def test_a_frame_s_own_duration_comes_before_the_rate() -> None:
    times = Timestamps(MS, Fraction(25))
    assert [times.next(None, 10), times.next(None, 10)] == [0, 10]


def test_equal_and_slightly_earlier_times_are_moved_one_tick_on() -> None:
    times = Timestamps(MS, Fraction(25))
    assert [times.next(at) for at in (0, 40, 40, 30, 80)] == [0, 40, 41, 42, 80]
    assert times.repaired == 2


def test_a_jump_back_is_flagged_on_the_frame_after_it() -> None:
    times = Timestamps(MS, Fraction(25))
    flags = [(times.next(at), times.jumped)[1] for at in (9000, 9040, 9030, 0, 40)]
    assert flags == [False, False, False, True, False]


def test_a_jump_back_moves_all_that_follows() -> None:
    times = Timestamps(MS, Fraction(25))
    assert [times.next(at) for at in (9000, 9040, 0, 40, 100)] == [9000, 9040, 9080, 9120, 9180]
    assert times.repaired == 1


def test_an_unknown_rate_counts_as_25() -> None:
    times = Timestamps(MS, None)
    assert [times.next(None), times.next(None)] == [0, 40]


def test_a_step_back_of_a_second_is_still_a_small_disorder() -> None:
    times = Timestamps(MS, Fraction(25))
    assert [times.next(at) for at in (9040, 9000, 8041, 9100)] == [9040, 9041, 9042, 9100]
    assert times.repaired == 2


def test_a_step_back_of_more_than_a_second_is_a_jump() -> None:
    times = Timestamps(MS, Fraction(25))
    assert [times.next(at) for at in (9040, 8039, 8079)] == [9040, 9080, 9120]
    assert times.repaired == 1


def test_frames_shorter_than_a_tick_are_a_tick_apart() -> None:
    times = Timestamps(Fraction(1, 25), Fraction(100))
    assert [times.next(None), times.next(None)] == [0, 1]
