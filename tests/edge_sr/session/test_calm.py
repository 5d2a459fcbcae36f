"""The filter that averages noise where nothing moves: what it gains, and that nothing trails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from edge_sr import Upscaler
from edge_sr.errors import UsageError
from edge_sr.pipeline.pipeline import Taken, upscale
from edge_sr.session.calm import LONGEST, NOISY, Calm, make_calm
from tests.edge_sr.media.clips import frame

SHAPE = (140, 204)  # no multiples of the filter's blocks


def scene(number: int = 0, *, moving: bool = False) -> np.ndarray:
    """Patches of grey as float, with a bright and a faint square that may move."""
    rng = np.random.default_rng(2)
    still = rng.uniform(60, 180, (10, 14)).repeat(16, 0).repeat(16, 1)[: SHAPE[0], : SHAPE[1]]
    at = 10 + 4 * number if moving else 10
    still[20:60, at : at + 40] = 220
    still[80:110, 150 - at : 180 - at] += 12
    return still


def noisy(picture: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)[..., None]


def mse(image: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean((image[..., 0] - truth) ** 2))


@pytest.mark.parametrize("sigma", [4, 10])
def test_noise_of_a_fixed_camera_is_averaged(sigma: float) -> None:
    calm, truth = Calm(), scene()
    results = [calm(noisy(truth, sigma, seed)) for seed in range(30)]
    gain_db = 10 * np.log10(mse(noisy(truth, sigma, 29), truth) / mse(results[-1], truth))
    assert gain_db > 5
    assert calm.noise == pytest.approx(sigma, rel=0.15)
    inner = np.stack(results[15:])[:, :136, :200, 0]
    assert inner.std(0).mean() < sigma / 2  # flicker


@pytest.mark.parametrize("sigma", [4, 10])
def test_nothing_trails_behind_what_moves(sigma: float) -> None:
    calm = Calm(1.0)
    before = after = 0.0
    for number in range(24):
        truth = scene(number, moving=True)
        image = noisy(truth, sigma, number)
        result = calm(image)
        if number > 12:
            at = 10 + 4 * number
            for part in (np.s_[16:64, at - 20 : at + 44], np.s_[76:114, 146 - at : 196 - at]):
                before += mse(image[part], truth[part])
                after += mse(result[part], truth[part])
    assert after < before


def test_clean_frames_are_left_alone() -> None:
    calm, image = Calm(), noisy(scene(), 0, 0)
    for _ in range(6):
        assert calm(image) is image
    assert calm.noise < NOISY
    assert not calm.active


def test_motion_everywhere_is_not_taken_for_noise() -> None:
    calm = Calm()
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for number in range(12):
        wave = 120 + 60 * np.sin((x + 2 * y + 3 * number) / 9)
        image = noisy(wave, 0, 0)
        assert calm(image) is image
    assert not calm.active


def test_strength_is_the_length_of_the_mean() -> None:
    truth, rest = scene(), []
    for strength in (0.0, 0.3, 1.0):
        calm = Calm(strength)
        results = [calm(noisy(truth, 6, seed)) for seed in range(4 * LONGEST)]
        rest.append(mse(results[-1], truth))
    assert rest[0] > 1.5 * rest[1] > 2 * rest[2]


def test_a_reset_forgets_and_a_skip_does_not() -> None:
    truth = scene()
    for forget, kept in ((Calm.reset, False), (Calm.skip, True)):
        calm = Calm(1.0)
        for seed in range(12):
            calm(noisy(truth, 6, seed))
        forget(calm)
        image = noisy(truth, 6, 20)
        assert (calm(image) is not image) == kept


def test_a_size_that_changes_and_one_that_is_too_small() -> None:
    calm = Calm(1.0)
    for seed in range(6):
        calm(noisy(scene(), 6, seed))
    other = noisy(scene()[:60, :90], 6, 0)
    assert calm(other) is other
    tiny = other[:4]
    assert calm(tiny) is tiny


def test_values_of_the_option() -> None:
    assert make_calm("off") is None
    assert make_calm("auto") is not None
    assert make_calm("0.5") is not None
    for wrong in ("loud", "2", "-1", ""):
        with pytest.raises(UsageError, match="expected off, auto, or a number from 0 to 1"):
            make_calm(wrong)


def test_a_session_filters_what_the_network_gets() -> None:
    truth = scene()[:64, :96]
    frames = []
    for number in range(12):
        y = noisy(truth, 8, number)[..., 0]
        item = frame(number, 96, 64)
        frames.append(replace(item, planes=(y, item.u, item.v)))

    def items() -> Iterator[Taken]:
        for number, item in enumerate(frames):
            yield Taken(number + (number > 8), item, 0.0)  # one was dropped

    flicker = []
    with Upscaler.open("edge-unet-s-x2", backend="nearest") as upscaler:
        for calm in ("off", "1"):
            with upscaler.session((96, 64), calm=calm) as session:
                shots = list(upscale(items(), session, lambda: 0))
            flicker.append(np.stack([shot.after.y for shot in shots[6:]]).std(0).mean())
    assert flicker[1] < flicker[0] / 1.5


@pytest.fixture(scope="module")
def network() -> Iterator[Upscaler]:
    with Upscaler.open("edge-unet-s-live-x2", backend="onnxruntime", threads=1) as opened:
        yield opened


def upscaled(
    network: Upscaler, truths: list[np.ndarray], sigma: float, calm: str
) -> list[np.ndarray]:
    """Luma of the results for noisy frames of these pictures, both (H, W)."""
    item, results = frame(0, *truths[0].shape[::-1]), []
    with network.session(item.size, calm=calm) as session:
        for number, truth in enumerate(truths):
            y = noisy(truth, sigma, number)[..., 0]
            results.append(session.upscale(replace(item, planes=(y, item.u, item.v))).y)
    return results


@pytest.mark.parametrize("sigma", [4, 10])
def test_the_result_of_a_network_is_better_and_calmer(network: Upscaler, sigma: float) -> None:
    truths = [scene()] * 14
    wanted = upscaled(network, truths[:1], 0, "off")[0]
    errors, flicker = [], []
    for calm in ("off", "auto"):
        results = upscaled(network, truths, sigma, calm)
        errors.append(mse(results[-1][..., None], wanted))
        flicker.append(np.stack(results[9:]).std(0).mean())
    assert 10 * np.log10(errors[0] / errors[1]) > 1
    assert flicker[1] < flicker[0] / 2


@pytest.mark.parametrize("sigma", [4, 10])
def test_nothing_trails_in_the_result_of_a_network(network: Upscaler, sigma: float) -> None:
    truths = [scene(number, moving=True) for number in range(16)]
    off, on = (upscaled(network, truths, sigma, calm) for calm in ("off", "1"))
    before = after = 0.0
    for number in range(12, 16):
        wanted = upscaled(network, truths[number : number + 1], 0, "off")[0]
        at = 2 * (10 + 4 * number)
        for part in (
            np.s_[32:128, at - 40 : at + 88],
            np.s_[152:228, 2 * 146 - at : 2 * 196 - at],
        ):
            before += mse(off[number][part][..., None], wanted[part])
            after += mse(on[number][part][..., None], wanted[part])
    assert after < before
