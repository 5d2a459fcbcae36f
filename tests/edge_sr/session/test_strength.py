"""The strength dial: bicubic at 0, the network at 1, a line through both beyond."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from clips import frame as make_frame

from edge_sr import Upscaler
from edge_sr.cli.main import main
from edge_sr.errors import UsageError
from edge_sr.media.frame import Frame
from edge_sr.media.resample import enlarge
from edge_sr.media.stills.files import write_image
from edge_sr.session.model_switch import ModelSwitch
from edge_sr.session.strength import MOST, at_strength
from edge_sr.types import Size
from edge_sr.upscaler import open_nearest


def noise(*shape: int, seed: int = 0, bits: int = 8) -> np.ndarray:
    dtype = np.uint8 if bits == 8 else np.uint16
    return np.random.default_rng(seed).integers(0, 2**bits, shape).astype(dtype)


def bicubic(low: np.ndarray, ratio: Fraction, bits: int = 8) -> np.ndarray:
    rows, columns = (int(side * ratio) for side in low.shape[:2])
    at = float(1 / ratio - 1) / 2
    planes = [
        enlarge(np.ascontiguousarray(plane), (columns, rows), (ratio, ratio), (at, at),
                white=2**bits - 1)
        for plane in np.moveaxis(low, -1, 0)
    ]  # fmt: skip
    return np.stack(planes, axis=-1)


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.8, 1.2, MOST])
@pytest.mark.parametrize("ratio", [Fraction(2), Fraction(3, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_bicubic_and_so_much_of_the_rest(strength, ratio, channels):
    low = noise(34, 46, channels)
    high = noise(int(34 * ratio), int(46 * ratio), channels, seed=1)
    anchor = bicubic(low, ratio).astype(float)
    wanted = np.clip(anchor + strength * (high - anchor), 0, 255)
    made = at_strength(low, high, strength)
    assert made.dtype == np.uint8
    assert np.abs(made - wanted).max() <= 0.5001


@pytest.mark.parametrize("bits", [10, 16])
def test_more_bits_come_as_bytes(bits):
    low, high = noise(20, 24, 1, bits=bits), noise(40, 48, 1, seed=1, bits=bits)
    anchor = bicubic(low, Fraction(2), bits).astype(float)
    given, made = (item.view(np.uint8).reshape(*item.shape[:2], 2) for item in (low, high))
    found = at_strength(given, made, 1.3, bits=bits)
    assert found.shape == made.shape
    assert found.dtype == np.uint8
    wanted = np.clip(anchor + 1.3 * (high - anchor), 0, 2**bits - 1)
    assert np.abs(found.view(np.uint16) - wanted).max() <= 0.501


def test_at_one_it_is_the_networks_own_picture():
    low, high = noise(8, 8, 1), noise(16, 16, 1)
    assert at_strength(low, high, 1.0) is high


def test_a_size_that_no_short_filter_makes():
    low, high = np.full((30, 40, 1), 90, np.uint8), np.full((37, 50, 1), 100, np.uint8)
    assert (at_strength(low, high, 1.5) == 105).all()


def picture() -> Frame:
    """Of noise, 64x48."""
    made = make_frame(0, 64, 48)
    return replace(made, planes=(noise(48, 64), made.u, made.v))


@pytest.fixture(scope="module")
def upscaler():
    with open_nearest("edge-unet-s-x2", ratio=Fraction(2), backend="onnxruntime") as opened:
        yield opened


def test_a_session_follows_the_dial_from_frame_to_frame(upscaler):
    frame = picture()
    with upscaler.session((64, 48), strength=0.0) as session:
        assert session.strength == 0
        assert (session.upscale(frame).y == bicubic(frame.y[..., None], Fraction(2))[..., 0]).all()
        session.strength = 1.0
        whole = session.upscale(frame).y
        assert (whole == upscaler.upscale_frame(frame).y).all()
        session.strength = 0.5
        half = session.upscale(frame).y
        assert (half == upscaler.upscale_frame(frame, strength=0.5).y).all()
        assert (half != whole).any()
        with pytest.raises(UsageError, match=r"strength is 1\.6; expected 0 \(bicubic\) to 1\.5"):
            session.strength = 1.6
        assert session.strength == 0.5


def test_stills_follow_it_too(upscaler):
    image = noise(24, 32)
    none = upscaler.upscale(image, strength=0)
    assert (none == bicubic(image[..., None], Fraction(2))[..., 0]).all()
    with pytest.raises(UsageError, match=r"strength is -0\.1"):
        upscaler.upscale(image, strength=-0.1)


def test_another_model_keeps_the_strength(upscaler):
    frame = picture()

    def opener(name: str) -> Upscaler:
        return open_nearest(name, ratio=Fraction(2), backend="onnxruntime")

    first = opener("edge-unet-s-x2")
    with ModelSwitch(first, Size(128, 96), opener, strength=0.4) as switch:
        assert (switch.upscale(frame).y == upscaler.upscale_frame(frame, strength=0.4).y).all()
        switch.request("edge-unet-s-live-x2")
        switch.strength = 0
        assert (switch.upscale(frame).y == bicubic(frame.y[..., None], Fraction(2))[..., 0]).all()
        switch.request("bicubic")
        switch.upscale(frame)
        assert switch.strength == 0


def test_the_command_line_has_it_for_pictures_and_films(tmp_path, capsys):
    still, clip = tmp_path / "a.png", "test://64x48?frames=2"
    write_image(still, noise(24, 32), force=False)
    options = ["run", "-m", "edge-unet-s-x2", "--backend", "onnxruntime", "--strength"]
    for source, suffix in ((str(still), ".png"), (clip, ".mkv")):
        made = []
        for strength in ("0", "1"):
            output = tmp_path / f"{strength}{suffix}"
            assert main([*options, strength, source, "-o", str(output)]) == 0
            made.append(output.read_bytes())
        assert made[0] != made[1]
    with pytest.raises(SystemExit):
        main(["run", clip, "--strength", "2"])
    assert "'2'; expected a number from 0 to 1.5" in capsys.readouterr().err
