"""Batches from clips: right places, resumable, from files or extracted."""

from __future__ import annotations

import json
import threading
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import write_clip
from tests.training.test_train import arrays, interrupt_at
from training.data.extracted import read_extracted, split_extracted
from training.data.photos import DataError
from training.data.sampler import PatchSampler
from training.data.video_pairs import find_scenes
from training.data.video_sampler import VideoSampler, steps_of_block
from training.extract_pairs import main as extract
from training.train import main

HALVES = Fraction(3, 2)


@pytest.fixture
def sampler(clips):
    pairs, _ = find_scenes([clips], HALVES)

    def patches(found):
        return PatchSampler(found, HALVES, patch=(16, 16), batch=4, seed=1, gain_chance=0)

    return VideoSampler(pairs, seed=1, channels=1, patches=patches)


def test_batches_depend_on_seed_and_step_alone(sampler):
    sampler.steps = 3
    whole = list(sampler.batches(0, 8))
    later = list(sampler.batches(4, 8))
    assert len(whole) == 8
    for one, other in zip(whole[4:], later, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert len({low.tobytes() for low, _ in whole}) == 8
    assert len({tuple(sampler.frames_of(block)) for block in range(3)}) == 3
    scenes = {scene for block in range(9) for scene, _ in sampler.frames_of(block)}
    assert scenes == {0, 1, 2}


def test_a_block_takes_no_more_patches_than_its_frames_hold(sampler):
    clip = sampler.pairs[0]
    assert (clip.low.height, clip.low.width) == (96, 128)
    assert steps_of_block(clip, (96, 128), 1) == 8  # whole frames: each is seen once
    assert steps_of_block(clip, (96, 128), 16) == 1
    assert steps_of_block(clip, (48, 64), 4) == 8
    assert steps_of_block(clip, (4, 4), 1) == 128


def test_both_sides_show_the_same_place(sampler):
    for low, high in sampler.batches(0, 3):
        assert (low.shape, high.shape) == ((4, 16, 16, 1), (4, 24, 24, 1))
        for small, large in zip(low, high, strict=True):
            shrunk = np.asarray(
                Image.fromarray(large[..., 0].astype(np.uint8)).resize((16, 16), Image.BICUBIC),
                float,
            )
            assert np.corrcoef(shrunk.ravel(), small.ravel())[0, 1] > 0.97


def test_readers_end_with_the_batches(sampler):
    batches = sampler.batches(0, 100)
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]


@pytest.mark.slow
def test_a_run_on_clips_is_interrupted_and_resumes_exactly(
    tiny_recipe, clips, tmp_path, monkeypatch, capsys
):
    recipe = str(tiny_recipe(steps=6, scale="3/2"))
    whole = ["--recipe", recipe, "--pairs", str(clips), "--output", str(tmp_path / "whole")]
    assert main(whole) == 0
    broken = [*whole[:-1], str(tmp_path / "broken")]
    with monkeypatch.context() as patch:
        interrupt_at(patch, 3)
        assert main(broken) == 130
    assert main([*broken, "--resume"]) == 0
    expected = arrays(tmp_path / "whole")
    for name, value in arrays(tmp_path / "broken").items():
        if name != "recipe":
            np.testing.assert_allclose(value, expected[name], atol=1e-6, err_msg=name)
    record = json.loads((tmp_path / "whole" / "best.keras.json").read_text())
    assert len(record["scenes"]) == 2
    assert sorted(record["scenes"] + record["scenes_held_out"]) == ["bridge", "cat", "square"]
    assert record["frames"] == 40


def test_one_scene_holds_its_end_out(tiny_recipe, tmp_path, capsys):
    write_clip(tmp_path / "a_96p.mp4", 96, 128)
    write_clip(tmp_path / "a_144p.mp4", 144, 192)
    recipe = tiny_recipe(steps=2, scale="3/2")
    command = ["--recipe", str(recipe), "--pairs", str(tmp_path), "--output", str(tmp_path / "r")]
    assert main(command) == 0
    assert "one scene: its last 4 frames are held out" in capsys.readouterr().err
    large = tmp_path / "large.toml"
    large.write_text(recipe.read_text().replace("patch = 16", "patch = 100"))
    command[1], command[-1] = str(large), str(tmp_path / "large")
    assert main(command) == 1
    assert "128x96 is smaller than a patch; expected 100x100" in capsys.readouterr().err
    mixed = tmp_path / "mixed.toml"
    mixed.write_text("mixtures = 0.5\n" + recipe.read_text())
    command[1], command[-1] = str(mixed), str(tmp_path / "mixed")
    assert main(command) == 1
    assert "mixtures is 0.5; expected 0 with clips" in capsys.readouterr().err


def test_frames_are_extracted_and_trained_on(tiny_recipe, clips, tmp_path, capsys):
    frames = tmp_path / "frames"
    command = ["--pairs", str(clips), "--scale", "3/2", "--output", str(frames)]
    assert extract([*command, "--count", "12"]) == 0
    assert "12 pairs of 3 scenes" in capsys.readouterr().out
    pairs = read_extracted(frames, HALVES, 1)
    assert len(pairs) == 12
    assert pairs[0].name == "bridge@0.000s"
    train, held = split_extracted(pairs, 1)
    assert len({pair.name.partition("@")[0] for pair in held}) == 1
    assert len(train) + len(held) == 12
    recipe = str(tiny_recipe(steps=2, scale="3/2"))
    run = ["--recipe", recipe, "--pairs", str(frames), "--output", str(tmp_path / "run")]
    assert main(run) == 0
    assert extract(command) == 1
    assert "is not empty; choose another --output" in capsys.readouterr().err


def test_damaged_extractions_are_refused(clips, tmp_path):
    frames = tmp_path / "frames"
    command = ["--pairs", str(clips), "--scale", "3/2", "--output", str(frames), "--count", "3"]
    assert extract(command) == 0
    with pytest.raises(DataError, match=r"scale 3/2, 1 channels; expected 1, 3/2, 3"):
        read_extracted(frames, HALVES, 3)
    with pytest.raises(DataError, match=r"scale 3/2, 1 channels; expected 1, 2, 1"):
        read_extracted(frames, Fraction(2), 1)
    (frames / "000001-low.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"000001-low\.png: unreadable"):
        read_extracted(frames, HALVES, 1)
    (frames / "pairs.json").write_text("{}")
    with pytest.raises(DataError, match=r"pairs\.json: cannot be read"):
        read_extracted(frames, HALVES, 1)
