"""`--from`: finished weights go on with other pictures, by the recipe that made them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edge_sr.cli.main import main as edge_sr
from training.data.photos import digest_of, find_images
from training.data.source import photo_source
from training.finetune import PRETRAINED, Gain, find_weights, finetune_recipe, finish
from training.loop.start import build_model
from training.loop.trainer import Trainer
from training.recipe import RecipeError, load_recipe
from training.train import main


@pytest.mark.parametrize("path", sorted(PRETRAINED.glob("*.keras")), ids=lambda path: path.stem)
def test_shipped_weights_can_be_gone_on_from(path):
    assert find_weights(path.stem) == path
    recipe = finetune_recipe(path, pictures=30, steps=7)
    assert (recipe.name, recipe.steps, recipe.held_out) == (f"{path.stem}-fine", 7, 6)
    assert recipe.start_from == str(path)
    assert (recipe.optimizer, recipe.revive, recipe.shrinks) == ("adam", False, "")
    assert (
        recipe.scale
        == json.loads(path.with_name(path.name + ".json").read_text())["recipe"]["scale"]
    )


@pytest.mark.slow
def test_a_run_goes_on_from_another_and_resumes(tiny_recipe, photos, tmp_path, capsys):
    first = ["--recipe", str(tiny_recipe(steps=4)), "--data", str(photos)]
    assert main([*first, "--output", str(tmp_path / "first")]) == 0
    weights = str(tmp_path / "first" / "best.keras")
    fine = ["--from", weights, "--data", str(photos), "--output", str(tmp_path / "fine")]
    capsys.readouterr()
    assert main([*fine, "--steps", "3"]) == 0
    printed = capsys.readouterr().err
    assert "started from" in printed
    assert "before training: " in printed
    rows = [json.loads(line) for line in (tmp_path / "fine/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 3]
    assert rows[0]["loss"] is None
    record = json.loads((tmp_path / "fine/best.keras.json").read_text())
    assert record["recipe"]["name"] == "tiny-fine"
    assert record["held_out_psnr_db"] == pytest.approx(max(r["psnr_db"] for r in rows), abs=1e-4)
    assert main([*fine, "--steps", "3", "--resume"]) == 0
    after = np.load(tmp_path / "fine/last.npz")
    assert int(after["step"]) == 3


@pytest.mark.slow
def test_a_recipe_beside_from_keeps_its_own_schedule(tiny_recipe, photos, tmp_path):
    first = ["--recipe", str(tiny_recipe(steps=4)), "--data", str(photos)]
    assert main([*first, "--output", str(tmp_path / "first")]) == 0
    second = ["--recipe", str(tiny_recipe(steps=4, scale="3/2", name="second"))]
    second += ["--from", str(tmp_path / "first/best.keras"), "--data", str(photos)]
    assert main([*second, "--output", str(tmp_path / "second")]) == 0
    record = json.loads((tmp_path / "second/best.keras.json").read_text())
    assert record["recipe"]["start_from"].endswith("first/best.keras")
    assert record["recipe"]["learning_rate"] == 1e-3


def test_what_cannot_be_gone_on_from(tmp_path, photos, capsys):
    with pytest.raises(RecipeError, match=r"no such weights; expected .* one of edge"):
        find_weights("edge-unet-q-x2")
    with pytest.raises(RecipeError, match=r"none.keras: no such file"):
        find_weights("none.keras")
    (tmp_path / "bare.keras").write_bytes(b"")
    with pytest.raises(RecipeError, match=r"bare.keras.json: No such file .*give a --recipe"):
        finetune_recipe(tmp_path / "bare.keras", pictures=9)
    for text in ("[]", "{}", "no", '{"recipe": 3}', '{"recipe": {"nome": "x"}}', '{"recipe": {}}'):
        (tmp_path / "bare.keras.json").write_text(text)
        with pytest.raises(RecipeError, match=r"bare.keras.json: "):
            finetune_recipe(tmp_path / "bare.keras", pictures=9)
    with pytest.raises(SystemExit) as usage:
        main(["--data", str(photos)])
    assert usage.value.code == 2
    assert "expected --recipe FILE, or --from NAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ((0.2, 0.25, 0.22), "gain: +0.223 dB on 3 held-out pictures, +0.200 to +0.250"),
        ((0.5, -0.1, 0.1), "no sure gain: +0.167 dB on 3 held-out pictures, -0.100 to +0.500; so"),
        ((0.3,), "no sure gain: +0.300 dB on 1 held-out pictures"),
        ((-0.2, -0.25, -0.22), "no sure gain: -0.223 dB"),
        ((0.001, 0.002, 0.001), "no gain: +0.001 dB on 3 held-out pictures"),
        ((0.0, 0.0, 0.0), "no gain: no step was better than the weights it started from"),
    ],
)
def test_a_gain_is_one_that_chance_does_not_explain(differences, verdict):
    assert Gain(differences).verdict().startswith(verdict)


def test_too_few_pictures_are_refused():
    with pytest.raises(RecipeError, match="5 pictures: expected at least 6, as 3 are held out"):
        finetune_recipe(find_weights("edge-unet-s-x2"), pictures=5)


def test_a_run_without_a_better_step_says_so(tiny_recipe, photos, tmp_path, capsys):
    words = ["--recipe", str(tiny_recipe(steps=2)), "--data", str(photos)]
    assert main([*words, "--output", str(tmp_path / "first")]) == 0
    weights = str(tmp_path / "first/best.keras")
    recipe = replace(load_recipe(tiny_recipe(steps=2)), start_from=weights)
    model = build_model(recipe)
    source = photo_source(recipe, model, [photos])
    assert source.facts["data_sha256"] == digest_of(find_images([photos]))
    assert finish(Trainer(recipe, model, source, tmp_path / "first")) == 0
    printed = capsys.readouterr().out
    assert "no gain: no step was better than the weights it started from" in printed
    assert printed.endswith(f"nothing was exported: use {weights} as before\n")
    assert not list((tmp_path / "first").glob("*.onnx"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_better_weights_become_files_that_run_takes(tiny_recipe, photos, tmp_path, capsys):
    pytest.importorskip("tf2onnx", reason="pip install 'edge-sr[convert]'")
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, steps in ((first, 2), (second, 12)):
        words = ["--recipe", str(tiny_recipe(steps=steps)), "--data", str(photos)]
        assert main([*words, "--output", str(folder)]) == 0
    recipe = replace(
        load_recipe(tiny_recipe(steps=12)), name="mine", start_from=str(first / "best.keras")
    )
    model = build_model(recipe)
    trainer = Trainer(recipe, model, photo_source(recipe, model, [photos]), second)
    capsys.readouterr()
    assert finish(trainer) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == f"next: edge-sr run film.mp4 --model {second}/mine.onnx"
    assert " dB on " in printed.splitlines()[0]
    with Image.open(second / "before-after.png") as picture:
        assert picture.size == (4 * 296 - 8, 308)
    Image.fromarray(np.full((30, 40, 3), 128, np.uint8)).save(tmp_path / "in.png")
    words = ["run", str(tmp_path / "in.png"), "-m", str(second / "mine.onnx")]
    assert edge_sr([*words, "-o", str(tmp_path / "out.png")]) == 0
