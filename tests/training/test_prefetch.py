"""The thread that runs ahead: order, errors, and no hang when it is stopped."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
from clocks import HANG_S

from training.data.prefetch import Wait, ahead


def test_order_and_end():
    assert list(ahead(range(20), threading.Event(), depth=3)) == list(range(20))


def test_an_error_reaches_the_consumer():
    def items():
        yield 1
        raise OSError("the disk went away")

    found = ahead(items(), threading.Event())
    assert next(found) == 1
    with pytest.raises(OSError, match="went away"):
        next(found)


def test_a_stop_frees_a_consumer_that_waits():
    stop = threading.Event()

    def items():
        assert stop.wait(HANG_S)
        yield 1

    threading.Timer(0.1, stop.set).start()
    with closing(ahead(items(), stop)) as found:
        assert list(found) == []


def test_closing_ends_the_thread():
    def endless():
        while True:
            yield 1

    with closing(ahead(endless(), threading.Event(), depth=2)) as found:
        assert next(found) == 1
    assert "ahead" not in [thread.name for thread in threading.enumerate()]


def test_waiting_is_counted_apart_from_working(clock):
    def items():
        for number in range(2):
            clock.sleep(3)
            yield number

    wait = Wait()
    for _ in wait.over(items()):
        clock.sleep(1)
    assert wait.share() == pytest.approx(6 / 8)
    wait.restart()
    clock.sleep(5)
    assert wait.share() == 0
