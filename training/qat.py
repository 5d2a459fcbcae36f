"""Quantisation-aware training: weights and clips that know they will be rounded to int8.

The rounded network learns to give what the float network gives, not the photographs: a few
thousand steps on whatever pictures are at hand then move it nowhere else.

``python -m training.qat --model FILE.keras --plan layers.json --data photos/ --output runs/x``
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.model.sidecar import sha256_of
from training.data.pairs import load_pairs
from training.data.photos import find_images, fitting, split_held_out
from training.data.sampler import PatchSampler
from training.loop.checkpoint import save_model, save_record
from training.loop.validate import validation_psnr
from training.models import collapse, is_edge_unet
from training.models.open import open_model
from training.models.sizes import model_scale, size_multiple
from training.quantization.fake_quant import fake_quantised
from training.quantization.places import Places, QatError, load_plan

logger = logging.getLogger(__name__)

CLIP_NORM = 0.5
WARMUP = 100  # steps
HELD_OUT = 16  # pictures
EXAMPLES = """\
example:
  python -m calibration.sensitivity --model x2.onnx --output layers.json
  python -m training.qat --model x2.keras --plan layers.json --data photos/ --output runs/x2-qat
  python -m convert.export_onnx --model runs/x2-qat/best.keras --output x2-qat.onnx
  python -m convert.precision --model x2-qat.onnx --to int8 \\
      --plan runs/x2-qat/best.plan.json --output x2-qat.int8.onnx
"""


class Qat:
    """One run: a plain network, the same one rounded, and pictures."""

    def __init__(
        self, source: Path, plan: dict[str, Any], data: list[Path], *, rate: float, seed: int
    ) -> None:
        trained = open_model(source)
        if not is_edge_unet(trained):
            raise QatError(f"{source}: is no edge_unet; the stage knows the places of that only")
        self.teacher, self.plain = trained, collapse(trained)
        self.scale: Fraction = model_scale(trained)
        self.places = Places.of(plan, self.plain)
        try:
            self.model = fake_quantised(
                self.plain, self.places.layers, self.places.clips, self.places.float_adds
            )
        except ValueError as error:
            raise QatError(str(error)) from error
        self.optimizer = keras.optimizers.Adam(rate, global_clipnorm=CLIP_NORM)
        self.optimizer.build(self.model.trainable_variables)
        self._load_data(data, seed)

    def _load_data(self, folders: list[Path], seed: int) -> None:
        patch, multiple = (48, 48), max(2, size_multiple(self.plain))
        paths, left_out = fitting(find_images(folders), self.scale, patch=patch, multiple=multiple)
        train, held = split_held_out(paths, HELD_OUT, seed)
        pairs, more = load_pairs(train, self.scale, multiple=multiple)
        self.held, most = load_pairs(held, self.scale, multiple=multiple)
        for line in left_out + more + most:
            logger.warning("left out: %s", line)
        self.sampler = PatchSampler(pairs, self.scale, patch=patch, batch=16, seed=seed)

    @tf.function  # type: ignore[untyped-decorator,unused-ignore]
    def _step(self, low: tf.Tensor) -> tf.Tensor:
        variables = self.model.trainable_variables
        wanted = self.teacher(low, training=False)
        with tf.GradientTape() as tape:
            error = (self.model(low, training=True) - wanted) / 255
            loss = tf.reduce_mean(tf.square(error))
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def train(self, steps: int, output: Path, *, every: int) -> tuple[float, float]:
        """Returns held-out PSNR in dB of the rounded network before and after (the best).

        Raises:
            QatError: the loss is not finite.
            CheckpointError: the disk refuses.
        """
        rate = float(self.optimizer.learning_rate.numpy())
        before = best = validation_psnr(self.model, self.held, self.scale)[0]
        self._save(output, 0, before, before)
        bar = tqdm(range(steps), unit="step", smoothing=0.02, disable=None)
        for step in bar:
            done = step / steps
            warm = min(1.0, (step + 1) / WARMUP)
            self.optimizer.learning_rate.assign(rate * warm * (1 + np.cos(np.pi * done)) / 2)
            loss = float(self._step(self.sampler.sample(step)[0]))
            if not np.isfinite(loss):
                raise QatError(f"loss is {loss} at step {step}; lower --rate")
            if (step + 1) % every == 0 or step + 1 == steps:
                psnr = validation_psnr(self.model, self.held, self.scale)[0]
                bar.set_postfix_str(f"{psnr:.3f} dB (before: {before:.3f})")
                if psnr > best:
                    best = psnr
                    self._save(output, step + 1, before, best)
        return before, best

    def _save(self, output: Path, step: int, before: float, psnr: float) -> None:
        """The plain network with the weights as they are now, and the plan with its clips."""
        for layer in self.plain.layers:
            layer.set_weights(self.model.get_layer(layer.name).get_weights())
        save_model(output / "best.keras", self.plain)
        record = {"step": step, "held_out_before_db": before, "held_out_psnr_db": psnr}
        save_record(output / "best.keras.json", {"qat": record})
        plan = {
            "layers": sorted(self.places.layers),
            "clips": self.places.trained(self.model),
            "float_residuals": sorted(f"{name}_add" for name in self.places.float_adds),
        }
        content = {"keras_sha256": sha256_of(output / "best.keras"), "plan": plan}
        save_record(output / "best.plan.json", content)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m training.qat",
        "Train on from finished weights with int8 rounding in the network.",
        examples=EXAMPLES,
    )
    parser.add_argument("--model", type=Path, required=True, help="a trained edge_unet, .keras")
    parser.add_argument("--plan", type=Path, required=True, help="of calibration.sensitivity")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="photographs")
    parser.add_argument("--output", type=Path, required=True, help="run folder")
    parser.add_argument("--steps", type=int, default=4000, help="default: 4000")
    parser.add_argument("--rate", type=float, default=1e-4, help="learning rate (default: 1e-4)")
    parser.add_argument("--validate-every", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    return parser


@exit_codes("qat")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the run is complete, 1 when it failed, 130 when it was interrupted."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.steps < 1 or args.validate_every < 1 or args.rate <= 0:
        parser.error("--steps, --validate-every and --rate must be above 0")
    plan = load_plan(args.plan)
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise QatError(f"{args.output}: cannot be written ({error.strerror})") from error
    stage = Qat(args.model, plan, args.data, rate=args.rate, seed=args.seed)
    before, after = stage.train(args.steps, args.output, every=args.validate_every)
    print(f"int8 {before:.3f} dB before, {after:.3f} dB after, {args.output / 'best.keras'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
