"""Going on from finished weights with pictures of one's own: the recorded recipe, shortened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_sr.reading import parse_json
from training.recipe import Recipe, RecipeError, make_recipe

PRETRAINED = Path(__file__).with_name("pretrained")
# a tenth of the rate that made the weights: they move, and do not forget
SHORT: dict[str, Any] = {
    "steps": 2_000,
    "learning_rate": 1e-4,
    "final_rate": 1e-6,
    "warmup": 100,
    "validate_every": 200,
    "l2_from": 0.5,
    "loss": "l1",
    "teacher": "",
    "optimizer": "adam",
    "revive": False,
    "shrinks": "",
    "spread": 0.0,
    "phases": False,
    "mixtures": 0.0,
    "taught": 0.0,
    "drawn": 0.0,
}


def find_weights(name: str) -> Path:
    """A ``.keras`` file, or the one that ships under this name.

    Raises:
        RecipeError: there is neither.
    """
    if name.endswith(".keras"):
        if Path(name).is_file():
            return Path(name)
        raise RecipeError(f"{name}: no such file; expected a .keras file")
    path = PRETRAINED / f"{name}.keras"
    if not PRETRAINED.is_dir():
        raise RecipeError(
            f"{name}: the packaged edge-sr has no trained weights; give a .keras file, such as one "
            "of training/pretrained in a clone of the repository"
        )
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in PRETRAINED.glob("*.keras")))
        raise RecipeError(f"{name}: no such weights; expected a .keras file or one of {known}")
    return path


def finetune_recipe(weights: Path, *, pictures: int, steps: int | None = None) -> Recipe:
    """The recipe recorded beside the weights, with a short schedule that starts from them.

    Args:
        pictures: how many there are to train on; a fifth of them is held out, 16 at most.

    Raises:
        RecipeError: no record lies beside the weights, or it is damaged.
    """
    path = weights.with_name(weights.name + ".json")
    try:
        recorded = parse_json(path.read_text())["recipe"]
    except OSError as error:
        raise RecipeError(
            f"{path}: {error.strerror}; expected the training record of {weights.name}: "
            "put it there, or give a --recipe beside --from"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(f"{path}: not a training record ({error})") from error
    if not isinstance(recorded, dict):
        raise RecipeError(f"{path}: recipe is {recorded!r}; expected an object")
    recipe = make_recipe(recorded, str(path))
    name = f"{recipe.name if weights.stem == 'best' else weights.stem}-fine"
    held = max(1, min(recipe.held_out, pictures // 5))
    short = SHORT | ({} if steps is None else {"steps": steps})
    try:
        return replace(recipe, name=name, start_from=str(weights), held_out=held, **short)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error
