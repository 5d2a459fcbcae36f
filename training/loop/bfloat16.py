"""Whether bfloat16 is worth it here: without AVX-512 it is many times slower than float32."""

from __future__ import annotations

import logging
import time

import tensorflow as tf

logger = logging.getLogger(__name__)

SLOW = 1.5  # times float32's: well above the 0.6 to 0.8 of processors that are made for it
TRIES = 3


def bfloat16_pays() -> bool:
    """Whether a recipe's ``bfloat16_until`` is to be followed on this machine; if not, logs it."""
    slowdown = bfloat16_slowdown()
    if slowdown > SLOW:
        logger.warning(
            "bfloat16 takes %.0f times as long as float32 on this processor: bfloat16_until is "
            "ignored, all of the run is float32",
            slowdown,
        )
    return slowdown <= SLOW


def bfloat16_slowdown() -> float:
    """Time of a 3x3 convolution and its gradients in bfloat16, divided by that in float32.

    The best of three each; a second or two where it is slow.
    """
    return _best_s("bfloat16") / _best_s("float32")


def _best_s(dtype: str) -> float:
    pictures, kernel = tf.ones((4, 48, 48, 32), dtype), tf.ones((3, 3, 32, 32), dtype)
    times = []
    for _ in range(TRIES):
        begun = time.perf_counter()
        with tf.GradientTape() as tape:
            tape.watch([pictures, kernel])
            made = tf.nn.conv2d(pictures, kernel, 1, "SAME")
        for gradient in tape.gradient(made, [pictures, kernel]):
            gradient.numpy()  # waits for it
        times.append(time.perf_counter() - begun)
    return min(times)
