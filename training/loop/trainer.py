"""The training loop: batches in, weights, log and checkpoints out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from training.data.prefetch import Wait, ahead
from training.data.source import Source
from training.loop.bfloat16 import bfloat16_pays
from training.loop.checkpoint import State, append_log, save_model, save_record, save_state
from training.loop.curve import draw_curve
from training.loop.health import (
    DivergedError,
    dead_channels,
    stop_if_bicubic,
    stop_if_dead,
    worst_layer,
)
from training.loop.loss import load_teacher, make_loss
from training.loop.muon import make_optimizer
from training.loop.revive import revive
from training.loop.schedule import average_decay, is_l2, learning_rate, train_dtype
from training.loop.signals import stopped_by_signals
from training.loop.start import copy_weights
from training.loop.validate import validation_psnr
from training.models.layers import compute_in
from training.recipe import Recipe

logger = logging.getLogger(__name__)

WAIT_SHOWN = 0.05  # of the time spent waiting for data: more is said beside the progress bar


class Trainer:
    """One run: a recipe, its network, its pictures and a folder for what comes out of it."""

    def __init__(self, recipe: Recipe, model: keras.Model, source: Source, output: Path) -> None:
        self.recipe, self.model, self.output = recipe, model, output
        self.scale = Fraction(recipe.scale)
        self.sampler, self.held, self.facts = source.sampler, source.held, source.facts
        self.loss, self.teacher = make_loss(recipe), load_teacher(recipe, model)
        optimizer = make_optimizer(recipe, model)
        average = [keras.Variable(value) for value in model.trainable_variables]
        self.state = State(model, optimizer, average, recipe.digest())
        self._may_bfloat16 = recipe.bfloat16_until > 0 and bfloat16_pays()

    def start_from(self, path: str) -> list[str]:
        """Copy what fits from a ``.keras`` file, before the first step; returns the layers."""
        copied = copy_weights(path, self.model, self.recipe.fresh.split())
        if self.recipe.revive:
            revived = revive(self.model, self.held, seed=self.recipe.seed)
            logger.info("revived %d dead channels", revived)
        for slow, fast in zip(self.state.average, self.model.trainable_variables, strict=True):
            slow.assign(fast)
        return copied

    @tf.function  # type: ignore[untyped-decorator,unused-ignore]
    def _step(
        self, low: tf.Tensor, high: tf.Tensor, l2: tf.Tensor, decay: tf.Tensor, dtype: str
    ) -> tf.Tensor:
        model, state = self.model, self.state
        compute_in(model, dtype)  # traced once for each dtype
        with tf.GradientTape() as tape:
            made = model(low, training=True)
            loss = self.loss(made, high, l2)
            if self.teacher is not None:
                weight, taught = self.recipe.teacher_weight, self.teacher(low, training=False)
                loss = (1 - weight) * loss + weight * self.loss(made, taught, l2)
        gradients = tape.gradient(loss, model.trainable_variables)
        state.optimizer.apply(gradients, model.trainable_variables)
        for slow, fast in zip(state.average, model.trainable_variables, strict=True):
            slow.assign(slow * decay + fast * (1 - decay))
        compute_in(model, "float32")  # for validation and the files
        return loss

    def advance(self, low: np.ndarray, high: np.ndarray) -> float:
        """One step on one batch, float32 levels 0..255 (B, h, w, C) and high to match; its loss.

        Raises:
            DivergedError: the loss is not finite; the saved state is older and still good.
        """
        recipe, state = self.recipe, self.state
        state.optimizer.learning_rate.assign(learning_rate(recipe, state.step))
        l2 = tf.constant(is_l2(recipe, state.step))
        decay = tf.constant(average_decay(recipe, state.step), tf.float32)
        dtype = train_dtype(recipe, state.step) if self._may_bfloat16 else "float32"
        loss = float(self._step(low, high, l2, decay, dtype))
        state.step += 1
        if not np.isfinite(loss):
            raise DivergedError(
                f"loss is {loss} at step {state.step}; expected a number: "
                "lower learning_rate or clip_norm and start again"
            )
        return loss

    def run(self) -> None:
        """Train to the end of the recipe, or until SIGINT/SIGTERM; the state is saved either way.

        Raises:
            KeyboardInterrupt: stopped by a signal before the end.
            DivergedError: the loss is not finite, or validation fell far below bicubic.
            CheckpointError: the disk refuses a checkpoint.
        """
        recipe, state, stop, wait = self.recipe, self.state, threading.Event(), Wait()
        batches = ahead(self.sampler.batches(state.step, recipe.steps), stop)
        progress = tqdm(total=recipe.steps, initial=state.step, unit="step", smoothing=0.02)
        with stopped_by_signals(stop), progress, closing(batches):  # type: ignore[type-var]
            for low, high in wait.over(batches):
                state.losses.append(self.advance(low, high))
                progress.update()
                if state.step % recipe.validate_every == 0 or state.step == recipe.steps:
                    progress.set_postfix_str(self.validate(wait.share()))
                    wait.restart()
            if state.step < recipe.steps:
                save_state(self.output / "last.npz", state)
                logger.warning("stopped at step %d; go on with --resume", state.step)
                raise KeyboardInterrupt

    def validate(self, waited: float = 0.0) -> str:
        """Measure the averaged weights on the held-out pictures, log, save last and best.

        Args:
            waited: share of the time since the last validation that was spent waiting for data.

        Raises:
            DivergedError, CheckpointError: as `run`.
        """
        state = self.state
        loss = float(np.mean(state.losses)) if state.losses else None
        state.losses.clear()
        with self._averaged():
            psnr, bicubic = validation_psnr(self.model, self.held, self.scale)
            dead = dead_channels(self.model, self.held)
            lost = {name: int(found.sum()) for name, found in dead.items() if found.any()}
            units = sum(found.size for found in dead.values())
            best = psnr > state.best_psnr
            if best:
                state.best_psnr = psnr
                save_model(self.output / "best.keras", self.model)
                save_record(self.output / "best.keras.json", self._record(psnr, bicubic))
        row = {
            "step": state.step,
            "loss": loss,
            "psnr_db": psnr,
            "bicubic_db": bicubic,
            "best": best,
            "learning_rate": learning_rate(self.recipe, state.step),
            "data_wait": round(waited, 4),
            "dead_units": sum(lost.values()),
            "units": units,
            "dead": lost,
            "time": time.time(),
        }
        append_log(self.output / "log.jsonl", row)
        save_state(self.output / "last.npz", state)
        draw_curve(self.output / "log.jsonl", self.output / "curve.png")
        stop_if_dead(state.step, sum(lost.values()), units)
        if state.step >= 4 * self.recipe.validate_every:
            stop_if_bicubic(state.step, psnr, bicubic)
        waits = f"waits {waited:.0%} for data" if waited > WAIT_SHOWN else ""
        parts = (f"{psnr:.3f} dB (bicubic {bicubic:.3f})", waits, worst_layer(dead))
        return ", ".join(filter(None, parts))

    def _record(self, psnr: float, bicubic: float) -> dict[str, Any]:
        """How these weights came to be, for the sidecar of what is made from them."""
        return {
            "recipe": asdict(self.recipe),
            "recipe_sha256": self.state.recipe_digest,
            "step": self.state.step,
            "held_out_psnr_db": round(psnr, 4),
            "held_out_bicubic_db": round(bicubic, 4),
        } | self.facts

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The model with its averaged weights; the live ones come back at the end."""
        variables = self.model.trainable_variables
        live = [value.numpy() for value in variables]
        for variable, slow in zip(variables, self.state.average, strict=True):
            variable.assign(slow)
        try:
            yield
        finally:
            for variable, value in zip(variables, live, strict=True):
                variable.assign(value)
