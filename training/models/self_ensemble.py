"""Eight results of one network, for a picture turned and mirrored, averaged: better, and slower.

Timofte et al., "Seven ways to improve example-based single image super resolution", 2016; Lim et
al., "Enhanced deep residual networks for single image super-resolution", 2017, gave it its name.
"""

from __future__ import annotations

import numpy as np

from edge_sr.backend import Backend


class SelfEnsemble:
    """A backend around a backend of any frame size, that takes eight looks at every frame."""

    name = "self-ensemble"
    notices: tuple[str, ...] = ()

    def __init__(self, inner: Backend) -> None:
        self.inner, self.device, self.precision = inner, inner.device, inner.precision

    def infer(self, frame: np.ndarray) -> np.ndarray:
        """uint8 (1, H, W, C) -> uint8 (1, H*scale, W*scale, C): the mean of eight 8-bit results.

        H and W must both be such that the network makes whole pixels of them, turned or not.
        """
        looks = []
        for turns in range(4):
            turned = np.rot90(frame, turns, axes=(1, 2))
            for mirror in (1, -1):
                made = self.inner.infer(np.ascontiguousarray(turned[:, :, ::mirror]))
                looks.append(np.rot90(made[:, :, ::mirror], -turns, axes=(1, 2)))
        return np.rint(np.mean(looks, axis=0, dtype=np.float32)).astype(np.uint8)

    def close(self) -> None:
        self.inner.close()
