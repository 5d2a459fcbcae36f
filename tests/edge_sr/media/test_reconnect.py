"""Cables that are pulled: the schedule, the limit, rising times, and a quick end."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction

import pytest
from clips import frame, info
from clocks import HANG_S

from edge_sr.closing import Closing
from edge_sr.errors import MediaError
from edge_sr.media.frame import Frame
from edge_sr.media.sources.reconnect import Reconnecting, delays


class Cable(Closing):
    """Gives some frames, then breaks."""

    def __init__(self, count: int = 3, size: tuple[int, int] = (64, 48)) -> None:
        self.info = info(*size, name="camera 0", live=True)
        self.count, self.size, self.closed = count, size, 0

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self.count):
            yield frame(number, *self.size)
        raise MediaError("camera 0: No such device")

    def close(self) -> None:
        self.closed += 1


def no_wait() -> Iterator[float]:
    return itertools.repeat(0.0)


def test_the_schedule() -> None:
    first = list(itertools.islice(delays(), 22))
    assert first == [1.0] * 5 + [5.0] * 5 + [10.0] * 10 + [60.0] * 2


def test_it_comes_back_with_rising_times_and_one_size(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    cables = [Cable(), Cable(size=(96, 64)), Cable()]
    todo = list(cables)

    def opener() -> Cable:
        if not todo:
            raise MediaError("camera 0: cannot be opened")
        return todo.pop(0)

    found: list[Frame] = []
    with Reconnecting(opener, max_reconnect=2, waits=no_wait) as source:
        frames = iter(source)
        found += itertools.islice(frames, 9)
        assert source.trouble is None
        with pytest.raises(MediaError, match=r"cannot be opened; gave up after 2 attempts"):
            next(frames)
        assert source.trouble is not None
        assert source.trouble.reason == "camera 0: cannot be opened"
        assert source.trouble.wait_s() == 0
    assert source.reconnects == 2
    assert [item.y.shape for item in found] == [(48, 64)] * 9
    times = [item.pts for item in found]
    assert times == sorted(set(times))
    assert found[0].time_base == Fraction(1, 1_000_000)
    assert all(cable.closed for cable in cables)
    assert [item.discontinuity for item in found] == [False] * 3 + [True, False, False] * 2
    assert caplog.messages[0] == "camera 0: No such device; trying again in 0 s"


def test_the_first_failure_is_raised_at_once() -> None:
    def opener() -> Cable:
        raise MediaError("camera 9: found no /dev/video*")

    with pytest.raises(MediaError, match="found no"):
        Reconnecting(opener, waits=no_wait)


def test_no_attempts_means_the_error_itself() -> None:
    source = Reconnecting(Cable, max_reconnect=0)
    with pytest.raises(MediaError, match=r"No such device$"):
        list(source)


def test_closing_ends_a_long_wait(
    finishes: Callable[[Callable[[], list[Frame]]], list[Frame]],
) -> None:
    source = Reconnecting(Cable, waits=lambda: itertools.repeat(10 * HANG_S))
    threading.Timer(0.2, source.close).start()
    assert len(finishes(lambda: list(source))) == 3
    assert source.state == "reconnecting"
