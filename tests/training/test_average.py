"""The mean of networks: of their weights, of their records, and what has none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training.average import main
from training.models import edge_unet
from training.models.open import open_model

TINY = {"width": 4, "lower_width": 4, "depth": 1, "lower_depth": 1}


@pytest.fixture
def networks(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.keras" for name in "abc"]
    for value, path in zip((1.0, 2.0, 6.0), paths, strict=True):
        model = edge_unet(**TINY)  # type: ignore[arg-type]
        model.set_weights([np.full_like(weight, value) for weight in model.get_weights()])
        model.save(path)
    paths[0].with_name("a.keras.json").write_text('{"recipe": {"name": "a"}, "step": 7}')
    return paths


def test_the_mean_of_three(networks: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "mean.keras"
    assert main([*map(str, networks), "--output", str(output)]) == 0
    assert all(np.all(weight == 3.0) for weight in open_model(output).get_weights())
    record = json.loads((tmp_path / "mean.keras.json").read_text())
    assert record["recipe"] == {"name": "a"}
    assert [part.get("step") for part in record["mean_of"]] == [7, None, None]
    assert len({part["sha256"] for part in record["mean_of"]}) == 3
    assert main([*map(str, networks), "--output", str(output)]) == 1  # exists
    assert main([*map(str, networks), "--output", str(output), "--force"]) == 0


def test_what_has_no_mean(
    networks: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.keras"
    edge_unet(**TINY | {"width": 5}).save(other)  # type: ignore[arg-type]
    output = tmp_path / "mean.keras"
    assert main([str(networks[0]), str(other), "--output", str(output)]) == 1
    assert "network 2 has other weights than the first" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([str(networks[0]), "--output", str(output)])
    with pytest.raises(SystemExit, match="2"):
        main([*map(str, networks), "--output", str(tmp_path / "mean.h5")])
    networks[0].with_name("a.keras.json").write_text("[1]")
    assert main([*map(str, networks), "--output", str(output)]) == 1
    assert "not a training record" in capsys.readouterr().err
    assert not output.exists()
