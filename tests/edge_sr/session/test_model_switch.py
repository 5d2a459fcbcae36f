"""Other models while running: by request, and by deadline with hysteresis."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from clips import frame

from edge_sr import Upscaler
from edge_sr.errors import UsageError
from edge_sr.session.ladder import BICUBIC, PATIENCE_S, WINDOW, Deadline
from edge_sr.session.model_switch import ModelSwitch
from edge_sr.types import Size


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def feed(policy: Deadline, clock: Clock, seconds: float, took_s: float) -> int:
    """Frames at 30 a second that each took so long."""
    for _ in range(round(seconds * 30)):
        clock.now += 1 / 30
        rung = policy.note(took_s)
    return rung


def test_too_slow_steps_down_at_once_and_never_below_the_last() -> None:
    clock = Clock()
    policy = Deadline(0.030, 3, clock=clock)
    assert [policy.note(0.050) for _ in range(WINDOW)][-1] == 1
    assert feed(policy, clock, 10, 0.050) == 2
    assert feed(policy, clock, 100, 0.050) == 2


def test_one_slow_frame_changes_nothing() -> None:
    policy = Deadline(0.030, 2, clock=Clock())
    assert {policy.note(0.5 if index == 3 else 0.010) for index in range(WINDOW)} == {0}


def test_going_up_is_tried_rarely_and_more_rarely_when_it_fails() -> None:
    clock = Clock()
    policy = Deadline(0.030, 2, clock=clock)
    times = {0: 0.050, 1: 0.010}  # the better model is too slow, the other has room
    changes = []
    rung = 0
    for _ in range(30 * 200):
        clock.now += 1 / 30
        new = policy.note(times[rung])
        if new != rung:
            changes.append((round(clock.now), new))
        rung = new
    ups = [at for at, where in changes if where == 0]
    assert ups[0] >= PATIENCE_S
    gaps = np.diff(ups)
    assert all(later > 1.5 * earlier for earlier, later in itertools.pairwise(gaps))
    assert len(ups) <= 5  # in 200 s


def test_a_load_that_goes_away_lets_the_model_come_back() -> None:
    clock = Clock()
    policy = Deadline(0.030, 2, clock=clock)
    assert feed(policy, clock, 1, 0.050) == 1
    assert feed(policy, clock, 30, 0.005) == 0
    assert feed(policy, clock, 30, 0.020) == 0


def test_a_request_takes_effect_at_the_next_frame_and_keeps_the_size() -> None:
    opened: list[str] = []

    def opener(name: str) -> Upscaler:
        opened.append(name)
        return Upscaler.open(name)

    picture = frame(0)
    with ModelSwitch(Upscaler.open("edge-unet-s-x2"), Size(128, 96), opener) as switch:
        ours = switch.upscale(picture)
        assert switch.facts.model == "edge-unet-s-x2"
        switch.request(BICUBIC)
        plain = switch.upscale(picture)
        assert switch.facts.model == BICUBIC
        switch.request("edge-unet-s-x2.int8")
        switch.request("edge-unet-s-x2.int8")  # before the first one was used
        small = switch.upscale(picture)
        facts = switch.facts
        assert (facts.model, facts.precision, facts.backend) == (
            "edge-unet-s-x2.int8",
            "int8",
            "onnxruntime",
        )
        with pytest.raises(UsageError, match="expected edge-unet"):
            switch.request("../../etc/passwd")
    assert ours.y.shape == plain.y.shape == small.y.shape == (96, 128)
    assert not np.array_equal(ours.y, plain.y)
    assert opened == ["edge-unet-s-x2.int8"] * 2


def test_a_deadline_steps_down_and_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="edge_sr")
    model = Upscaler.open("edge-unet-s-x2")
    with ModelSwitch(model, Size(128, 96), Upscaler.open, deadline_s=1e-6) as switch:
        for number in range(WINDOW + 1):
            switch.upscale(frame(number))
        assert switch.name != "edge-unet-s-x2"
    assert caplog.messages
    assert caplog.messages[0].startswith("down to ")
