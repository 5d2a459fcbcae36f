"""Fine-tuning on pictures of one's own: the recorded recipe, shortened, and how such a run ends."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from edge_sr.children import has_module, run_module
from edge_sr.extras import missing
from edge_sr.files import parse_json
from training.data.pairs import Pair
from training.loop.start import copy_weights
from training.loop.trainer import Trainer
from training.loop.validate import bicubic, upscale_pair, validation_scores
from training.recipe import Recipe, RecipeError, make_recipe

logger = logging.getLogger(__name__)
# Student's t, one-sided 95 %, by the number of pictures
T95 = {2: 6.31, 3: 2.92, 4: 2.35, 5: 2.13, 6: 2.02, 7: 1.94, 8: 1.89, 9: 1.86, 10: 1.83}
WORTH_DB = 0.005  # a smaller change of PSNR is none
CROP = 96  # rows and columns of the picture's crops
ENLARGED = 3  # times, with square pixels
PRETRAINED = Path(__file__).with_name("pretrained")
HELD = 3  # pictures that are held out, at least: their spread shows what is chance
FEWEST = 6  # pictures, so that some are left to train on
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
    "vivid": False,
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
        pictures: how many there are; a fifth of them is held out, at least 3, at most 16.

    Raises:
        RecipeError: no record lies beside the weights, or it is damaged; too few pictures.
    """
    if pictures < FEWEST:
        raise RecipeError(
            f"{pictures} pictures: expected at least {FEWEST}, as {HELD} are held out to find out "
            "whether fine-tuning helps; add pictures, or give a --recipe"
        )
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
    held = max(HELD, min(recipe.held_out, pictures // 5))
    short = SHORT | ({} if steps is None else {"steps": steps})
    try:
        return replace(recipe, name=name, start_from=str(weights), held_out=held, **short)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


@dataclass(frozen=True)
class Gain:
    """PSNR after minus before, dB, for each picture that was held out."""

    differences: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Of all pictures."""
        return sum(self.differences) / len(self.differences)

    @property
    def sure(self) -> bool:
        """Whether the mean is above 0 by more than chance explains (t test, 95 %)."""
        count = len(self.differences)
        if count < 2:
            return False
        spread = float(np.std(self.differences, ddof=1))
        return self.mean > T95.get(count, 1.8) * spread / math.sqrt(count) and self.mean > 0

    @property
    def worth_a_file(self) -> bool:
        """Whether somebody could want the new weights."""
        return abs(self.mean) >= WORTH_DB

    def verdict(self) -> str:
        """One line for the person."""
        count, low, high = len(self.differences), min(self.differences), max(self.differences)
        seen = f"{self.mean:+.3f} dB on {count} held-out pictures, {low:+.3f} to {high:+.3f}"
        if not any(self.differences):
            return f"no gain: no step was better than the weights it started from ({seen})"
        if not self.worth_a_file:
            return f"no gain: {seen}"
        if self.sure:
            return f"gain: {seen}"
        return f"no sure gain: {seen}; so few or so different pictures can give that by chance"


def finish(trainer: Trainer) -> int:
    """Compare the best weights with the ones before, export and calibrate them, say what to type.

    The figures are of the pictures that also chose the best step, so that they are a little kind.

    Returns:
        0; 1 where the better weights could not be exported.
    """
    recipe, output = trainer.recipe, trainer.output
    before = _results(trainer, recipe.start_from)
    after = _results(trainer, str(output / "best.keras"))
    gain = Gain(tuple(a - b for a, b in zip(after.scores, before.scores, strict=True)))
    print(gain.verdict())
    if not gain.worth_a_file:
        print(f"nothing was exported: use {recipe.start_from} as before")
        return 0
    picture = output / "before-after.png"
    draw_before_after(trainer.held, before.results, after.results, picture)
    print(f"{picture}: bicubic, before, after, original")
    model = output / f"{recipe.name}.onnx"
    exported = _run("convert.export_onnx", ["--model", str(output / "best.keras")], model)
    if not exported:
        return 1
    small = output / f"{recipe.name}.int8.onnx"
    _run("convert.precision", ["--model", str(model), "--to", "int8"], small)
    print(f"next: edge-sr run film.mp4 --model {model}")
    return 0


@dataclass(frozen=True)
class _Results:
    scores: list[float]  # PSNR in dB
    results: list[np.ndarray]  # uint8 (H, W, C)


def _results(trainer: Trainer, weights: str) -> _Results:
    """What weights make of the held-out pictures; the trainer's network has them afterwards."""
    model, scale = trainer.model, trainer.scale
    copy_weights(weights, model)
    scores = [ours for ours, _ in validation_scores(model, trainer.held, scale)]
    return _Results(scores, [upscale_pair(model, pair, scale)[2] for pair in trainer.held])


def _run(program: str, words: Sequence[str], output: Path) -> bool:
    """Make a file with a program of `convert`; False where that is not possible, and logged."""
    reason = "the package convert is not installed"
    if has_module("convert"):
        reason = missing(program)
    if reason:
        logger.warning("%s: not made; %s", output, reason)
        return False
    command = [*words, "--output", str(output), "--force"]
    done = run_module(program, command, capture_stdout=False, capture_stderr=False)
    if done.returncode:
        logger.warning("%s: not made; see above", output)
    return done.returncode == 0


def draw_before_after(
    pairs: Sequence[Pair],
    before: Sequence[np.ndarray],
    after: Sequence[np.ndarray],
    path: Path,
) -> None:
    """Write a PNG of crops side by side, from where the weights changed the result the most.

    Args:
        before, after: uint8 (H, W, C), of each pair.
    """
    changes = [np.abs(a.astype(float) - b).mean() for a, b in zip(after, before, strict=True)]
    index = int(np.argmax(changes))
    rows, columns, _ = after[index].shape
    target = pairs[index].high[:rows, :columns]
    top, left = _most_changed(np.abs(after[index].astype(float) - before[index]).mean(axis=2))
    plain = bicubic(pairs[index].low, pairs[index].high.shape)[:rows, :columns]
    parts = {"bicubic": plain, "before": before[index], "after": after[index], "original": target}
    side = CROP * ENLARGED
    sheet = Image.new("RGB", ((side + 8) * len(parts) - 8, side + 20), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (name, pixels) in enumerate(parts.items()):
        crop = pixels[top : top + CROP, left : left + CROP]
        image = Image.fromarray(crop[..., 0] if crop.shape[2] == 1 else crop).convert("RGB")
        size = (image.width * ENLARGED, image.height * ENLARGED)
        sheet.paste(image.resize(size, Image.Resampling.NEAREST), (number * (side + 8), 20))
        pen.text((number * (side + 8) + 2, 4), name, fill="black")
    sheet.save(path)


def _most_changed(change: np.ndarray) -> tuple[int, int]:
    """Top and left of the crop with the largest sum, among crops half a side apart."""
    rows, columns = change.shape
    places = [
        (top, left)
        for top in range(0, max(1, rows - CROP + 1), CROP // 2)
        for left in range(0, max(1, columns - CROP + 1), CROP // 2)
    ]
    sums = [change[top : top + CROP, left : left + CROP].sum() for top, left in places]
    return places[int(np.argmax(sums))]
