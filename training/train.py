"""Train a network by a recipe: ``python -m training.train --recipe FILE --data FOLDER``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from edge_sr.cli.common import exit_codes, make_parser

# oneDNN's convolutions train these networks three times faster on CPUs where TensorFlow leaves
# it off (measured: 220 -> 78 ms a step); it must be set before TensorFlow is imported
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from training.data.photos import find_images
from training.data.source import Source, photo_source
from training.data.video_source import video_source
from training.finetune import find_weights, finetune_recipe, finish
from training.loop.checkpoint import CheckpointError, load_state
from training.loop.start import build_model
from training.loop.trainer import Trainer
from training.recipe import Recipe, load_recipe
from training.scenes.pool_source import pool_source

logger = logging.getLogger(__name__)

MakeSource = Callable[[Recipe, keras.Model], Source]
MANY = 1000  # frames of clips are not counted: enough to hold out what the recipe says

EXAMPLES = """\
example:
  python -m training.train --recipe training/recipes/vdsr-x2.toml --data photos/
  python -m training.train --recipe training/recipes/vdsr-x2.toml --data photos/ --resume
  python -m training.train --from edge-unet-s-x2 --data my_photos/
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m training.train",
        "Train a super-resolution network by a recipe.",
        examples=EXAMPLES,
    )
    parser.add_argument("--recipe", type=Path, help="a TOML file")
    parser.add_argument(
        "--from",
        dest="weights",
        metavar="NAME",
        help="go on from shipped weights or a .keras file; without --recipe by the recipe that "
        "made them, shortened",
    )
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", type=Path, nargs="+", help="folders of photographs")
    data.add_argument(
        "--pairs",
        type=Path,
        nargs="+",
        help="instead, folders of NAME_720p.mp4 and NAME_1080p.mp4 (for x1.5), two clips a scene",
    )
    data.add_argument("--pool", type=Path, help="instead, what training.make_pool wrote")
    parser.add_argument(
        "--pool-held", type=Path, metavar="POOL", help="with --pool, the pool to be judged on"
    )
    parser.add_argument("--taught", type=Path, metavar="FOLDER", help="pictures of training.teach")
    parser.add_argument("--drawn", type=Path, metavar="FOLDER", help="pictures of training.draw")
    parser.add_argument("--output", type=Path, help="run folder (default: runs/RECIPE-NAME)")
    parser.add_argument("--resume", action="store_true", help="go on from OUTPUT/last.npz")
    parser.add_argument("--steps", type=int, help="instead of the recipe's number of steps")
    return parser


def open_output(folder: Path, *, resume: bool) -> Path:
    """Make the run folder; a run that is there already needs ``resume``, and the other way round.

    Raises:
        CheckpointError: the folder cannot be made, or does not agree with ``resume``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"{folder}: {error.strerror}; expected a run folder: choose another --output"
        ) from error
    state = folder / "last.npz"
    if state.exists() and not resume:
        raise CheckpointError(f"{folder}: holds a run already; --resume it or choose --output")
    if resume and not state.exists():
        raise CheckpointError(f"{state}: no checkpoint to resume; start without --resume")
    return state


def chosen_recipe(
    recipe: Path | None, weights: str | None, data: list[Path] | None, steps: int | None
) -> Recipe:
    """The recipe that the command line asks for; ``data`` is None for clips.

    Raises:
        RecipeError, DataError: it cannot be used, or there is nothing to train on.
    """
    if recipe is not None:
        found = load_recipe(recipe, steps=steps)
        return replace(found, start_from=str(find_weights(weights))) if weights else found
    pictures = MANY if data is None else len(find_images(data))
    return finetune_recipe(find_weights(weights or ""), pictures=pictures, steps=steps)


def train(
    recipe: Recipe, make_source: MakeSource, output: Path, *, resume: bool, judge_first: bool
) -> Trainer:
    """Run a recipe to its end; raises what `Trainer.run` raises.

    Args:
        make_source: opens the data for the recipe and its network.
        judge_first: the weights it starts from stand as the best until training beats them.
    """
    state = open_output(output, resume=resume)
    model = build_model(recipe)
    trainer = Trainer(recipe, model, make_source(recipe, model), output)
    if resume:
        load_state(state, trainer.state)
    elif recipe.start_from:
        names = trainer.start_from(recipe.start_from)
        logger.info("started from %s: %d layers", recipe.start_from, len(names))
        if judge_first:
            logger.info("before training: %s", trainer.validate())
    trainer.run()
    return trainer


@exit_codes("training")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the run is complete, 1 when it failed, 130 when it was interrupted."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.recipe is None and args.weights is None:
        parser.error("expected --recipe FILE, or --from NAME")
    if (args.taught or args.drawn) and not args.data:
        parser.error("expected --taught and --drawn with --data; clips and pools have none")
    if (args.pool is None) != (args.pool_held is None):
        parser.error("expected --pool and --pool-held together")
    if args.pool and args.recipe is None:
        parser.error("expected --recipe FILE with --pool")
    recipe = chosen_recipe(args.recipe, args.weights, args.data, args.steps)
    output = args.output or Path("runs") / recipe.name
    make_source: MakeSource = partial(
        photo_source, folders=args.data, taught=args.taught, drawn=args.drawn
    )
    if args.pairs is not None:
        make_source = partial(video_source, folders=args.pairs)
    if args.pool is not None:
        make_source = partial(pool_source, pool=args.pool, held=args.pool_held)
    fine = args.recipe is None
    trainer = train(recipe, make_source, output, resume=args.resume, judge_first=fine)
    print(f"best: {trainer.state.best_psnr:.3f} dB, {output / 'best.keras'}")
    return finish(trainer) if fine else 0


if __name__ == "__main__":
    sys.exit(main())
