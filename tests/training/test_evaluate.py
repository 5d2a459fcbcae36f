"""The published protocol, and bicubic's published figure as its witness."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from training.evaluate import main
from training.models import edge_unet, first_cnn, vdsr


@pytest.mark.parametrize("scale", ["2", "3/2"])
def test_a_network_that_is_bicubic_measures_as_bicubic(tmp_path, picture, capsys, scale):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, size in enumerate([(65, 91), (66, 90), (70, 99)]):  # odd sizes, odd halves
        Image.fromarray(picture(*size, seed=index)).save(folder / f"p{index}.png")
    model = edge_unet(scale=scale, width=2, lower_width=2, branches=False)
    head = model.get_layer("head")
    head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])
    model.save(tmp_path / "model.keras")
    assert main(["--model", str(tmp_path / "model.keras"), "--images", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["picture", "p0", "p1", "p2", "mean"]
    figures = np.array([line.split()[1:] for line in lines[1:]], float)
    np.testing.assert_allclose(figures[:, 0], figures[:, 1], atol=0.35)  # the borders differ
    np.testing.assert_allclose(figures[3], figures[:3].mean(axis=0), atol=1e-3)


def test_what_cannot_be_measured(tmp_path, photos, capsys):
    def refused(model, images):
        assert main(["--model", str(model), "--images", str(images)]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert lines[-1].startswith("evaluation: ")
        return lines[-1]

    assert "no such file" in refused(tmp_path / "none.keras", photos)
    first_cnn().save(tmp_path / "rgb.keras")
    assert "expected (None, None, 1): luma" in refused(tmp_path / "rgb.keras", photos)
    vdsr(depth=2, width=2).save(tmp_path / "luma.keras")
    assert "no such folder" in refused(tmp_path / "luma.keras", tmp_path / "nowhere")
