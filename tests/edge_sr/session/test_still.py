"""Stillness: the same results for less work, nothing left behind, and nothing kept by mistake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from fakes.sessions import SlottedNearest, flat, nearest_sidecar
from numpy.typing import NDArray

from edge_sr.backend.nearest import NearestBackend
from edge_sr.errors import BackendError, UsageError
from edge_sr.media.frame import Frame, PixelFormat
from edge_sr.session.base import Session
from edge_sr.session.blocks import BlockWatch
from edge_sr.session.ladder import BICUBIC
from edge_sr.session.model_switch import ModelSwitch
from edge_sr.session.network import DirectNetwork, ModelRunner
from edge_sr.session.plan import CostModel
from edge_sr.session.still import LONGEST, PATIENCE, StillNetwork, parse_still
from edge_sr.types import Size
from edge_sr.upscaler import Upscaler

SIZE = Size(640, 376)  # not a multiple of a block
Luma = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def by_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles are taken or not by their pixels alone: no times of this machine."""
    for name in ("note_whole", "note_tiles", "note_refused"):
        monkeypatch.setattr(CostModel, name, lambda *_: None)


def open_nearest(slots: int = 1) -> Upscaler:
    sidecar = nearest_sidecar()
    return Upscaler(
        SlottedNearest(sidecar, slots) if slots > 1 else NearestBackend(sidecar), sidecar
    )


def background(seed: int = 0, size: Size = SIZE) -> Luma:
    return np.random.default_rng(seed).integers(0, 256, (size.height, size.width), np.uint8)


def frame(luma: Luma, pts: int = 0) -> Frame:
    return replace(
        flat(0, Size.of_shape(luma.shape), pts),
        planes=(luma, *flat(0, Size.of_shape(luma.shape)).planes[1:]),
    )


def enlarged(luma: Luma) -> Luma:
    return luma.repeat(2, axis=0).repeat(2, axis=1)


def moving(count: int = 8, size: Size = SIZE) -> Iterator[Luma]:
    """A white square that moves over a picture that holds still, to the frame's edges and over."""
    for number in range(count):
        luma = background(size=size)
        luma[40 * number : 40 * number + 30, 90 * number : 90 * number + 24] = 255
        yield luma


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("size", [SIZE, Size(384, 216), Size(321, 181)])
def test_exact_gives_what_whole_frames_give(slots: int, size: Size) -> None:
    session = open_nearest(slots).session(size, still="exact")
    shares = []
    for luma in [*moving(size=size), background(1, size), background(1, size), *moving(size=size)]:
        result = session.upscale(frame(luma))
        assert np.array_equal(result.y, enlarged(luma))
        shares.append(session.computed)
    assert shares[0] == 1.0
    assert size != SIZE or all(0 < share < 0.7 for share in shares[1:6])
    assert shares[8] == 1.0, "another scene"
    assert shares[9] == 0.0, "the same again"


@pytest.mark.parametrize("slots", [1, 2])
def test_frames_of_a_busy_stretch_are_not_all_compared(
    slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    load = BlockWatch.load

    def counted(watch: BlockWatch, image: Luma) -> None:
        compared.append(place)
        load(watch, image)

    monkeypatch.setattr(BlockWatch, "load", counted)
    session = open_nearest(slots).session(SIZE, still="exact")
    for place in range(120):
        result = session.upscale(frame(background(place), place))
        assert np.array_equal(result.y, enlarged(background(place)))
    assert compared[: PATIENCE + 1] == list(range(PATIENCE + 1))  # the first, and four in vain
    late = [place for place in compared if place > 60]
    assert len(late) <= 2 * (60 // (LONGEST + 2) + 1)
    shares = []
    for _ in range(LONGEST + 3):  # it holds still: that is seen after as many frames at most
        result = session.upscale(frame(background(1)))
        assert np.array_equal(result.y, enlarged(background(1)))
        shares.append(session.computed)
    assert shares[-1] == 0.0
    session.reset()
    for place in range(8):
        session.upscale(frame(background(place)))
    session.reset()  # a cut: what comes is compared at once
    shares = [session.upscale(frame(background(1))) and session.computed for _ in range(2)]
    assert shares == [1.0, 0.0]


def test_frames_in_flight_are_each_of_their_own_image() -> None:
    session = open_nearest(2).session(SIZE, still="exact")
    images = [*moving(), background(5), *moving()]
    found = []
    for luma in images:
        if session.in_flight == session.depth:
            found.append(session.collect())
        session.submit(frame(luma))
    while session.in_flight:
        found.append(session.collect())
    for result, luma in zip(found, images, strict=True):
        assert np.array_equal(result.y, enlarged(luma))


@pytest.mark.parametrize("still", ["3", "auto"])
def test_a_moving_object_over_noise_leaves_nothing_behind(still: str) -> None:
    rng = np.random.default_rng(2)
    session = open_nearest().session(SIZE, still=still)
    calm = background().astype(int) // 2 + 60
    for number in range(12):
        luma = calm + rng.integers(-1, 2, calm.shape)
        luma[20 * number : 20 * number + 60, 40 * number : 40 * number + 50] = 230
        luma = luma.astype(np.uint8)
        result = session.upscale(frame(luma))
        apart = np.abs(result.y.astype(int) - enlarged(luma))
        assert apart.max() <= 4
        if number:
            assert session.computed < 1.0


def test_a_slow_change_is_followed() -> None:
    """What is kept is corrected by what its input differs by."""
    session = open_nearest().session(SIZE, still="3")
    shares = []
    for level in range(40, 80):
        luma = np.full(SIZE[::-1], level, np.uint8)
        assert (session.upscale(frame(luma)).y == level).all()
        shares.append(session.computed)
    assert shares == [1.0, 0.0, 0.0, 0.0] * 10


def test_a_faint_object_that_is_never_computed_leaves_nothing_behind() -> None:
    session = open_nearest().session(SIZE, still="16")
    empty = np.full(SIZE[::-1], 90, np.uint8)
    session.upscale(frame(empty))
    for number in range(6):
        luma = empty.copy()
        luma[100:140, 60 * number : 60 * number + 40] += 12
        result = session.upscale(frame(luma))
        apart = np.abs(result.y.astype(int) - enlarged(luma))
        assert session.computed == 0.0
        assert apart.max() <= 5, "at its edges: bicubic is not nearest"
        apart[196:284, max(0, 120 * number - 4) : 120 * number + 84] = 0
        assert not apart.any(), "nothing where it was before"


def test_with_a_limit_what_is_computed_is_that_of_whole_frames() -> None:
    """Beside it, differences are added: they do not reach into it."""
    rng = np.random.default_rng(4)
    session = open_nearest().session(SIZE, still="5")
    session.upscale(frame(background() // 2 + np.uint8(60)))
    luma = background() // 2 + np.uint8(60) + rng.integers(0, 5, SIZE[::-1], np.uint8)
    luma[160:192, 320:352] = 255
    result = session.upscale(frame(luma))
    assert 0 < session.computed < 0.1
    assert np.array_equal(result.y[320:384, 640:704], enlarged(luma)[320:384, 640:704])


def test_colour_models_are_corrected_in_colour() -> None:
    sidecar = replace(nearest_sidecar(), color="rgb")
    network = StillNetwork(
        DirectNetwork((runner := ModelRunner(NearestBackend(sidecar), sidecar)).run_whole),
        runner,
        SIZE,
        "4",
    )
    first = np.full((*SIZE[::-1], 3), (50, 100, 150), np.uint8)
    for add in [(0, 0, 0), (3, 0, 2), (0, 4, 1)]:
        network.submit(first + np.array(add, np.uint8))
        found = network.collect()
        assert (found == np.array([50, 100, 150]) + add).all()
    assert network.computed == 0.0


def test_auto_keeps_nothing_that_a_smooth_picture_would_lose() -> None:
    """One level is much where the network errs by less."""
    session = open_nearest().session(SIZE, still="auto")
    smooth = (np.add.outer(np.arange(376), np.arange(640)) // 8).astype(np.uint8)
    session.upscale(frame(smooth))
    assert np.array_equal(session.upscale(frame(smooth + np.uint8(1))).y, enlarged(smooth + 1))


def test_lost_frames_and_marks_of_a_seek_change_nothing() -> None:
    """What is kept is compared with the image itself: a gap needs no whole frame."""
    session = open_nearest().session(SIZE, still="exact")
    for luma in list(moving())[::3]:
        session.reset()
        result = session.upscale(replace(frame(luma), discontinuity=True))
        assert np.array_equal(result.y, enlarged(luma))
    assert session.computed < 1.0


def test_another_size_and_another_model_begin_with_a_whole_frame() -> None:
    session = open_nearest().session(SIZE, still="exact")
    other = Size(480, 270)
    for size in (SIZE, other, SIZE):
        for _ in range(2):
            result = session.upscale(frame(background(0, size)))
            assert np.array_equal(result.y, enlarged(background(0, size)))
    models = iter([open_nearest(), open_nearest()])
    first = next(models)
    with ModelSwitch(first, Size(1280, 752), lambda _: next(models), still="exact") as switch:
        shares = [share_of(switch, background()) for _ in range(2)]
        switch.request(first.sidecar.name)
        shares += [share_of(switch, background()) for _ in range(2)]
        assert shares == [1.0, 0.0, 1.0, 0.0]
        switch.request(BICUBIC)
        assert share_of(switch, background()) == 1.0


def share_of(session: Session, luma: Luma) -> float:
    session.upscale(frame(luma))
    return session.computed


def test_after_a_failure_the_next_frame_is_whole() -> None:
    upscaler = open_nearest(2)
    session = upscaler.session(SIZE, still="exact")
    images = list(moving())
    session.upscale(frame(images[0]))
    backend = upscaler.backend
    assert isinstance(backend, SlottedNearest)
    backend.fails = True
    with pytest.raises(BackendError, match="the GPU is gone"):
        session.upscale(frame(images[1]))
    backend.fails = False
    assert np.array_equal(session.upscale(frame(images[2])).y, enlarged(images[2]))
    assert session.computed == 1.0


def test_results_that_were_given_stay_as_they_were() -> None:
    session = open_nearest().session(SIZE, still="exact")
    images = list(moving())
    results = [session.upscale(frame(luma)) for luma in images]
    for result, luma in zip(results, images, strict=True):
        assert np.array_equal(result.y, enlarged(luma))
        with pytest.raises(ValueError, match="read-only"):
            result.y[0, 0] = 0


def test_chroma_that_changes_is_made_again() -> None:
    session = open_nearest().session(SIZE, still="exact")
    first = frame(background())
    u, v = (
        np.full_like(plane, level) for plane, level in zip(first.planes[1:], (60, 70), strict=True)
    )
    other = replace(first, planes=(first.y, u, v))
    whole = open_nearest().session(SIZE)
    for item in (first, other, other, first):
        found, wanted = session.upscale(item), whole.upscale(item)
        assert all(np.array_equal(*pair) for pair in zip(found.planes, wanted.planes, strict=True))


def test_samples_of_10_bits() -> None:
    sidecar = nearest_sidecar().widened(10)
    session = Upscaler(NearestBackend(sidecar), sidecar).session(SIZE, still="2")
    base = np.random.default_rng(0).integers(40, 900, SIZE[::-1], np.uint16)
    chroma = np.full((188, 320), 512, np.uint16)
    for number in range(4):
        luma = base + np.uint16(7 * (number % 2))  # less than two levels of 8 bits
        luma[50:90, 40 * number : 40 * number + 30] = 1000
        planes = (luma, chroma, chroma)
        result = session.upscale(
            Frame(planes, number, Fraction(1, 25), format=PixelFormat(bits=10))
        )
        assert np.abs(result.y.astype(int) - enlarged(luma)).max() <= 8
    assert session.computed < 0.7


def test_small_frames_and_models_of_one_size_are_computed_as_a_whole() -> None:
    session = open_nearest().session(Size(64, 48), still="exact")
    for _ in range(2):
        assert share_of(session, background(0, Size(64, 48))) == 1.0
    facts = replace(nearest_sidecar(), width=640, height=376)
    fixed = Upscaler(NearestBackend(facts), facts).session(SIZE, still="exact")
    assert [share_of(fixed, background()) for _ in range(2)] == [1.0, 1.0]
    assert "every frame is computed as a whole: edge-unet-s-x2 takes" in "".join(fixed.notices)


@pytest.mark.parametrize("text", ["off", "exact", "auto", "0", "64"])
def test_what_still_may_be(text: str) -> None:
    assert parse_still(text) == text


@pytest.mark.parametrize("text", ["", "on", "-1", "65", "1.5", "²"])
def test_what_still_may_not_be(text: str) -> None:
    with pytest.raises(UsageError, match="expected off, exact, auto, or grey levels of 0 to 64"):
        open_nearest().session(SIZE, still=text)
