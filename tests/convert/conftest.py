"""Tiny Keras models, made once: nothing here needs trained weights; and the builder of engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.convert.builds import Build

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

    keras.utils.set_random_seed(1)  # of other weights, some are too far from int8
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


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def build(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Build:
    """Run the command in a cache that the tests of this file share."""
    from convert.build_engine import main

    monkeypatch.setenv("XDG_CACHE_HOME", str(home))

    def start(*words: str, model: str = "edge-unet-s-x2") -> tuple[int, str, str]:
        code = main(["--model", model, "--flavour", "tensorrt-rtx", *words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return start
