"""Sessions: order, errors, frame times, what is remembered, and that two share nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from clocks import Clock
from fakes.sessions import (
    RememberingUpscaler,
    SlottedNearest,
    as_session,
    flat,
    level,
    nearest_sidecar,
    remembering_session,
)

from edge_sr.backend.nearest import NearestBackend
from edge_sr.errors import BackendError, FrameError
from edge_sr.media.frame import Frame
from edge_sr.session.base import Session
from edge_sr.session.ladder import BICUBIC
from edge_sr.session.model_switch import ModelSwitch
from edge_sr.types import Size
from edge_sr.upscaler import Upscaler

SIZE = Size(16, 8)


def seen(session: Session, *frames: Frame) -> list[int]:
    """What the session remembered when it took each frame."""
    return [level(session.upscale(frame)) for frame in frames]


def test_reset_forgets() -> None:
    session = remembering_session()
    assert seen(session, flat(10), flat(20)) == [0, 10]
    session.reset()
    assert seen(session, flat(30), flat(40)) == [0, 30]


def test_a_frame_marked_as_a_discontinuity_resets() -> None:
    session = remembering_session()
    marked = replace(flat(20), discontinuity=True)
    assert seen(session, flat(10), marked, flat(30)) == [0, 0, 20]


def test_another_size_resets_and_results_have_it() -> None:
    session = remembering_session()
    assert seen(session, flat(10)) == [0]
    result = session.upscale(flat(20, Size(32, 16)))
    assert (level(result), result.size) == (0, Size(64, 32))
    assert seen(session, flat(30, Size(32, 16)), flat(40)) == [20, 0]


def test_another_model_remembers_nothing() -> None:
    models = iter([RememberingUpscaler(), RememberingUpscaler()])
    first = next(models)
    name = first.sidecar.name
    with ModelSwitch(first, Size(32, 16), lambda _name: next(models)) as switch:
        assert seen(switch, flat(10), flat(20)) == [0, 10]
        switch.request(name)
        assert seen(switch, flat(30), flat(40)) == [0, 30]
        switch.reset()
        assert seen(switch, flat(50)) == [0]
        switch.request(BICUBIC)
        assert seen(switch, flat(60)) == [60]  # the frame itself, larger
        switch.reset()  # nothing to forget


@pytest.mark.parametrize("slots", [1, 2])
def test_two_sessions_of_one_model_share_nothing(slots: int) -> None:
    upscaler = RememberingUpscaler(slots)
    one, other = upscaler.session(SIZE), upscaler.session(SIZE)
    found: list[tuple[str, int, int]] = []
    for number in range(1, 6):
        one.submit(flat(number, pts=number))
        other.submit(flat(100 + number, pts=100 + number))
        found += [("other", (done := other.collect()).pts, level(done))]
        found += [("one", (done := one.collect()).pts, level(done))]
        if number == 3:
            one.reset()
    assert [item[1:] for item in found if item[0] == "one"] == [
        (1, 0),
        (2, 1),
        (3, 2),
        (4, 0),
        (5, 4),
    ]
    assert [item[1:] for item in found if item[0] == "other"] == [
        (101, 0),
        *((100 + number, 100 + number - 1) for number in range(2, 6)),
    ]


def slotted(slots: int = 2) -> Upscaler:
    sidecar = nearest_sidecar()
    return Upscaler(SlottedNearest(sidecar, slots), sidecar)


def noise(seed: int, size: Size = SIZE) -> Frame:
    y = np.random.default_rng(seed).integers(0, 256, (size.height, size.width), np.uint8)
    frame = flat(0, size, pts=seed)
    return replace(frame, planes=(y, frame.u, frame.v))


def same(frame: Frame, seed: int, size: Size = SIZE) -> bool:
    """Whether a frame is `noise(seed)` twice as large."""
    wanted = noise(seed, size).y.repeat(2, axis=0).repeat(2, axis=1)
    return frame.pts == seed and np.array_equal(frame.y, wanted)


def test_results_are_kept_apart_whoever_collects_first_and_whatever_the_size() -> None:
    upscaler = slotted(3)
    one, other, large = (upscaler.session(SIZE) for _ in range(3))
    one.submit(noise(1))
    one.submit(noise(2))
    other.submit(noise(3))
    large.submit(noise(4, Size(32, 16)))  # the others' results are fetched before
    other.submit(noise(5))
    assert same(other.collect(), 3)
    assert np.array_equal(upscaler.upscale(noise(6).y), noise(6).y.repeat(2, 0).repeat(2, 1))
    kept = one.collect()
    one.submit(noise(7))
    assert same(kept, 1)  # it is ours: no later frame writes into it
    assert same(one.collect(), 2)
    assert same(one.collect(), 7)
    assert same(large.collect(), 4, Size(32, 16))
    assert same(other.collect(), 5)


def test_a_closed_session_leaves_its_frames_to_nobody() -> None:
    upscaler = slotted()
    one, other = upscaler.session(SIZE), upscaler.session(SIZE)
    one.submit(noise(1))
    other.submit(noise(2))
    one.close()
    one.close()
    assert one.in_flight == 0
    assert same(other.collect(), 2)
    one.submit(noise(3))  # a session that is empty can go on
    assert same(one.collect(), 3)


def test_after_an_error_no_frame_is_in_flight() -> None:
    upscaler = slotted()
    backend = upscaler.backend
    assert isinstance(backend, SlottedNearest)
    one, other = upscaler.session(SIZE), upscaler.session(SIZE)
    one.submit(noise(1))
    other.submit(noise(2))
    backend.fails = True
    with pytest.raises(BackendError, match="gone"):
        one.collect()
    backend.fails = False
    assert one.in_flight == 0
    with pytest.raises(BackendError, match="lost when the backend failed"):
        other.collect()
    assert other.in_flight == 0
    one.submit(noise(3))
    assert same(one.collect(), 3)


def test_a_frame_that_the_model_refuses_ends_the_flight() -> None:
    session = slotted().session(SIZE)
    session.submit(noise(1))
    tiny = replace(flat(0, Size(2, 2)))
    with pytest.raises(BackendError, match="size changed with frames in flight"):
        session.submit(tiny)
    assert session.in_flight == 1
    session.collect()
    with pytest.raises(FrameError, match="2x2"):
        session.submit(tiny)
    assert session.in_flight == 0


@pytest.mark.parametrize("make", [slotted, lambda: slotted(1)])
def test_more_frames_than_the_depth_are_refused(make: Callable[[], Upscaler]) -> None:
    session = make().session(SIZE)
    assert session.facts.model == "edge-unet-s-x2"
    for number in range(session.depth):
        session.submit(noise(number))
    with pytest.raises(BackendError, match="in flight; collect one first"):
        session.submit(noise(9))
    assert session.in_flight == session.depth
    for number in range(session.depth):
        assert same(session.collect(), number)
    with pytest.raises(BackendError, match="no frame is in flight"):
        session.collect()


def test_a_frames_time_leaves_out_the_wait_for_the_frame_before(clock: Clock) -> None:
    class Timed(SlottedNearest):
        """Each frame takes 3 s from when the one before is done."""

        def collect(self) -> np.ndarray:
            clock.sleep(3)
            return super().collect()

    sidecar = nearest_sidecar()
    session = Upscaler(Timed(sidecar), sidecar).session(SIZE)
    session.submit(noise(1))
    clock.sleep(1)
    session.submit(noise(2))
    session.collect()
    assert session.frame_s == pytest.approx(4)
    session.collect()
    assert session.frame_s == pytest.approx(3)


def test_tiles_belong_to_the_session() -> None:
    sidecar = nearest_sidecar()
    whole = Upscaler(NearestBackend(sidecar), sidecar, tile=0)
    tiled = Upscaler(NearestBackend(sidecar), sidecar, tile=64)
    size = Size(150, 70)
    session = tiled.session(size)
    assert session.depth == 1
    result = session.upscale(noise(1, size))
    np.testing.assert_array_equal(result.y, whole.upscale_frame(noise(1, size)).y)
    assert Upscaler(SlottedNearest(sidecar), sidecar, tile=64).session(size).depth == 1


def test_a_function_is_a_session() -> None:
    def fails(_frame: Frame) -> Frame:
        raise BackendError("broken")

    def frames() -> Iterator[Frame]:
        yield from (flat(1, pts=1), flat(2, pts=2))

    session = as_session()
    assert [session.upscale(frame).pts for frame in frames()] == [1, 2]
    session.reset()
    assert session.notices == ()
    broken = as_session(fails)
    broken.submit(flat(1))
    with pytest.raises(BackendError, match="broken"):
        broken.collect()
    assert broken.in_flight == 0
