"""Tiny Keras models, made once: nothing here needs trained weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="pip install 'edge-sr[convert]'")


def shake(model: keras.Model, seed: int = 0) -> keras.Model:
    """Give every weight some noise, so that no branch of the network is silent."""
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.05, variable.shape))
    return model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """.keras files of small edge_unets: "2", "3/2" and "deep" (three levels)."""
    from training.models import edge_unet

    folder = tmp_path_factory.mktemp("keras")
    made = {
        "2": edge_unet(scale="2", width=4, lower_width=4, depth=1, lower_depth=1),
        "3/2": edge_unet(scale="3/2", width=4, lower_width=4, depth=1, lower_depth=1),
        "deep": edge_unet(scale="2", width=4, lower_width=4, depth=1, lower_depth=1, levels=3),
    }
    paths = {}
    for name, model in made.items():
        paths[name] = folder / f"tiny-{name.replace('/', '-')}.keras"
        shake(model).save(paths[name])
    return paths
