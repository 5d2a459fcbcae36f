"""Pictures without a truth: what they are, who answers, and that a run learns from them."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from training.data.pairs import Pair, make_pair
from training.data.sampler import PatchSampler
from training.models.self_ensemble import SelfEnsemble
from training.teach import inputs, main
from training.train import main as train

PATCH = (16, 16)


class Nearest:
    """Doubles every pixel, and adds what depends on where in the frame it is."""

    name, device, precision = "nearest", "CPU", "fp32"

    def __init__(self, slope: float = 0.0) -> None:
        self.slope, self.shapes = slope, []

    def infer(self, frame):
        self.shapes.append(frame.shape)
        made = frame.repeat(2, axis=1).repeat(2, axis=2).astype(np.float32)
        return np.rint(made + self.slope * np.arange(made.shape[2])[:, None]).astype(np.uint8)

    def close(self) -> None:
        pass


def test_eight_looks_are_turned_back(picture):
    frame = picture(24, 36, 3)[None]
    inner = Nearest()
    made = SelfEnsemble(inner).infer(frame)
    assert np.array_equal(made, frame.repeat(2, axis=1).repeat(2, axis=2))
    assert sorted(inner.shapes) == [(1, 24, 36, 3)] * 4 + [(1, 36, 24, 3)] * 4


def test_what_depends_on_the_direction_averages_out(picture):
    frame = np.full((1, 32, 32, 1), 100, np.uint8)
    assert np.ptp(Nearest(0.5).infer(frame)) == 32
    assert np.ptp(SelfEnsemble(Nearest(0.5)).infer(frame)) <= 1


def test_a_small_photo_comes_as_it_is_and_turned(picture):
    photo = Image.fromarray(picture(96, 128))
    whole, turned = inputs(photo, "a", channels=1)
    assert whole.shape == (96, 128, 1)
    assert whole.dtype == np.uint8
    assert turned.shape[0] == turned.shape[1] < 96 * 0.6
    again = list(inputs(photo, "a", channels=1))
    assert all(np.array_equal(a, b) for a, b in zip(again, (whole, turned), strict=True))
    assert [item.shape for item in inputs(photo, "b", channels=1)][1] != turned.shape


def test_a_large_photo_comes_as_three_copies(picture):
    found = list(inputs(Image.fromarray(picture(600, 1200)), "a", channels=3))
    assert len(found) == 3
    assert all(item.shape[2] == 3 for item in found)
    first, second, third = (item.shape for item in found)
    assert first[0] == first[1]
    assert third[0] == third[1]
    assert second[1] > second[0]
    assert 0.2 * 600 < second[0] < 0.5 * 600


def test_turned_copies_have_no_corners_of_nothing():
    white = Image.new("RGB", (300, 200), (255, 255, 255))
    for name in "abcdefgh":
        assert min(item.min() for item in inputs(white, name, channels=3)) == 255


def test_its_part_of_the_patches_is_drawn(picture):
    own = make_pair(picture(64, 64), Fraction(2))
    flat = Pair("x@0", np.full((640, 640, 1), 7, np.uint8), np.full((320, 320, 1), 7, np.uint8))
    for part in (0.25, 0.75):
        sampler = PatchSampler(
            [own], Fraction(2), patch=PATCH, batch=8, seed=1, gain_chance=0,
            taught=[flat], taught_part=part,
        )  # fmt: skip
        lows = np.concatenate([sampler.sample(step)[0] for step in range(100)])
        drawn = np.mean(np.ptp(lows, axis=(1, 2, 3)) == 0)
        assert abs(drawn - part) < 0.05


@pytest.fixture
def taught(photos, tmp_path, capsys):
    folder = tmp_path / "taught"
    command = ["--model", "edge-unet-s-x2", "--data", str(photos), "--output", str(folder)]
    assert main(command) == 0
    assert "12 pairs of 6 photographs" in capsys.readouterr().out
    return folder


def test_a_run_learns_from_them_and_says_of_whom(taught, photos, tiny_recipe, tmp_path, capsys):
    manifest = json.loads((taught / "pairs.json").read_text())
    assert manifest["teacher"] == "edge-unet-s-x2"
    assert len(manifest["pairs"]) == 12
    with Image.open(taught / manifest["pairs"][0]["high"]) as high:
        assert high.mode == "L"
        assert high.size == (192, 144)

    recipe = ["--recipe", str(tiny_recipe(more="taught = 0.4")), "--data", str(photos)]
    run = tmp_path / "run"
    assert train([*recipe, "--taught", str(taught), "--output", str(run)]) == 0
    record = json.loads((run / "best.keras.json").read_text())
    assert record["pictures"] == 4
    assert record["pictures_held_out"] == 2
    assert record["pictures_taught"] == 8  # those of the two held out are not among them
    assert record["teacher_sha256"] == manifest["teacher_sha256"]

    capsys.readouterr()
    assert train([*recipe, "--output", str(tmp_path / "none")]) == 1
    assert "taught is 0.4; expected --taught with the folder that" in capsys.readouterr().err
    other = ["--recipe", str(tiny_recipe(name="plain")), "--data", str(photos)]
    assert train([*other, "--taught", str(taught), "--output", str(tmp_path / "none")]) == 1
    assert "taught is 0; expected more than 0" in capsys.readouterr().err


def test_bad_input_is_one_line(taught, photos, tmp_path, capsys):
    (photos / "broken.png").write_bytes(b"no picture")
    command = ["--model", "edge-unet-s-x2", "--data", str(photos), "--output"]
    assert main([*command, str(taught)]) == 1
    assert "is not empty; choose another --output" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "more")]) == 0
    said = capsys.readouterr()
    assert "left out" in said.err
    assert "12 pairs of 6 photographs" in said.out  # the broken one is none
    assert main([*command, str(photos / "photo0.png" / "x")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert main(["--model", "nothing", *command[2:], str(tmp_path / "other")]) == 1
    assert "nothing" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_frames_of_clips_are_not_taught(taught, photos, tiny_recipe, tmp_path, capsys):
    manifest = taught / "pairs.json"
    facts = json.loads(manifest.read_text())
    del facts["teacher"]
    manifest.write_text(json.dumps(facts))
    recipe = ["--recipe", str(tiny_recipe(more="taught = 0.4")), "--data", str(photos)]
    assert train([*recipe, "--taught", str(taught), "--output", str(tmp_path / "run")]) == 1
    assert "names no teacher" in capsys.readouterr().err
