"""`--from`: finished weights go on with other pictures, by the recipe that made them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from training.finetune import PRETRAINED, find_weights, finetune_recipe
from training.recipe import RecipeError
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


def test_a_run_goes_on_from_another_and_resumes(tiny_recipe, photos, tmp_path, capsys):
    first = ["--recipe", str(tiny_recipe(steps=4)), "--data", str(photos)]
    assert main([*first, "--output", str(tmp_path / "first")]) == 0
    weights = str(tmp_path / "first" / "best.keras")
    fine = ["--from", weights, "--data", str(photos), "--output", str(tmp_path / "fine")]
    capsys.readouterr()
    assert main([*fine, "--steps", "3"]) == 0
    told = capsys.readouterr().err
    assert "started from" in told
    assert "before training: " in told
    rows = [json.loads(line) for line in (tmp_path / "fine/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 3]
    assert rows[0]["loss"] is None
    record = json.loads((tmp_path / "fine/best.keras.json").read_text())
    assert record["recipe"]["name"] == "tiny-fine"
    assert record["held_out_psnr_db"] == pytest.approx(max(r["psnr_db"] for r in rows), abs=1e-4)
    assert main([*fine, "--steps", "3", "--resume"]) == 0
    after = np.load(tmp_path / "fine/last.npz")
    assert int(after["step"]) == 3


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
