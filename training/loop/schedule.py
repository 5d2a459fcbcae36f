"""What changes from step to step: learning rate, averaging and loss, pure functions of the step."""

from __future__ import annotations

import numpy as np

from training.recipe import Recipe


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then cosine decay from ``learning_rate`` to ``final_rate``."""
    if step < recipe.warmup:
        return recipe.learning_rate * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    low, high = recipe.final_rate, recipe.learning_rate
    return float(low + (high - low) * (1 + np.cos(np.pi * min(done, 1.0))) / 2)


def average_decay(recipe: Recipe, step: int) -> float:
    """How much of the weights' moving average is kept; short at first, so that it starts right."""
    return min(recipe.ema, (1 + step) / (10 + step))


def is_l2(recipe: Recipe, step: int) -> bool:
    """Whether the loss is L2 by now, for PSNR; it begins as L1."""
    return step >= recipe.l2_from * recipe.steps


def train_dtype(recipe: Recipe, step: int) -> str:
    """What the convolutions are computed in by now: bfloat16 ends with ``bfloat16_until``."""
    return "bfloat16" if step < recipe.bfloat16_until * recipe.steps else "float32"
