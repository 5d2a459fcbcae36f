"""The published protocol, and bicubic as its witness."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from training.evaluate import main
from training.models import edge_unet, first_cnn, vdsr


def figures(text: str) -> dict[str, list[float]]:
    """Nine figures a picture: PSNR-Y, SSIM-Y, PSNR-RGB of network, bicubic, Lanczos."""
    lines = text.splitlines()[2:-1]
    return {
        line.split()[0]: [float(cell) if cell != "-" else np.nan for cell in line.split()[1:]]
        for line in lines
    }


@pytest.fixture
def bicubic_network(tmp_path):
    """Saves a network whose residual is zero."""

    def save(scale: str):
        model = edge_unet(scale=scale, width=2, lower_width=2, branches=False)
        head = model.get_layer("head")
        head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])
        model.save(tmp_path / "model.keras")
        return tmp_path / "model.keras"

    return save


@pytest.mark.parametrize("scale", ["2", "3/2"])
def test_a_network_that_is_bicubic_measures_as_bicubic(
    bicubic_network, tmp_path, picture, capsys, scale
):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, size in enumerate([(65, 91), (66, 90), (70, 99)]):  # odd sizes, odd halves
        Image.fromarray(picture(*size, seed=index)).save(folder / f"p{index}.png")
    assert main(["--model", str(bicubic_network(scale)), "--images", str(folder)]) == 0
    found = figures(capsys.readouterr().out)
    assert list(found) == ["p0.png", "p1.png", "p2.png", "mean"]
    everything = np.array(list(found.values()))
    assert everything.shape == (4, 9)
    np.testing.assert_allclose(everything[:, 0], everything[:, 3], atol=0.35)  # borders differ
    np.testing.assert_allclose(everything[:, 1], everything[:, 4], atol=0.005)
    np.testing.assert_allclose(everything[3], everything[:3].mean(axis=0), atol=1e-3)
    assert (everything[:, 6] != everything[:, 3]).all()


def test_grey_files_by_either_protocol(bicubic_network, tmp_path, picture, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(picture(64, 64)).save(folder / "color.png")
    Image.fromarray(picture(64, 64, seed=1)[..., 0]).save(folder / "grey.png")
    command = ["--model", str(bicubic_network("2")), "--images", str(folder)]
    found = {}
    for grey in ("luma", "rgb"):
        assert main([*command, "--grey", grey]) == 0
        out = capsys.readouterr().out
        assert f"2 pictures; grey files as {grey}; " in out
        found[grey] = figures(out)
    assert found["luma"]["color.png"] == found["rgb"]["color.png"]
    assert np.isnan(found["luma"]["grey.png"][2])
    assert not np.isnan(found["rgb"]["grey.png"][2])
    assert found["luma"]["mean"][2] == pytest.approx(found["luma"]["color.png"][2])
    gain = found["rgb"]["grey.png"][3] - found["luma"]["grey.png"][3]
    assert gain == pytest.approx(20 * np.log10(255 / 219), abs=0.15)


def test_degraded_inputs(bicubic_network, photos, capsys):
    command = ["--model", str(bicubic_network("2")), "--images", str(photos)]
    found = {}
    for how in ("", "jpeg = [20, 20]", "h264 = [40, 40]", "noise = 20.0"):
        assert main([*command, "--degrade", how]) == 0
        out = capsys.readouterr().out
        assert (f"inputs degraded by {how}; " in out) == bool(how)
        found[how] = figures(out)["mean"]
    clean = found.pop("")
    for degraded in found.values():
        assert all(degraded[i] < clean[i] - 0.3 for i in (0, 2, 3, 5, 6, 8))  # PSNR of all three
    assert main([*command, "--degrade", "jpeg = [50"]) == 1
    assert "--degrade: not TOML" in capsys.readouterr().err
    assert main([*command, "--degrade", "rain = 3"]) == 1
    assert "degrade: unknown key 'rain'" in capsys.readouterr().err


@pytest.mark.slow
def test_eight_looks_are_better_than_one(photos, capsys):
    command = ["--model", "edge-unet-s-x2", "--images", str(photos)]
    found = []
    for more in ([], ["--self-ensemble"]):
        assert main([*command, *more]) == 0
        found.append(figures(capsys.readouterr().out)["mean"])
    once, eight = found
    assert once[0] < eight[0] < once[0] + 1
    assert eight[3:] == once[3:]  # bicubic has one look


def test_what_cannot_be_measured(tmp_path, photos, capsys):
    def refused(model, images):
        assert main(["--model", str(model), "--images", str(images)]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert lines[-1].startswith("evaluation: ")
        return lines[-1]

    assert "no such file" in refused(tmp_path / "none.keras", photos)
    (tmp_path / "bad.keras").write_bytes(b"bad")
    assert "not a .keras file" in refused(tmp_path / "bad.keras", photos)
    assert "expected a .keras file or one of edge-unet-" in refused("edge-unet-q", photos)
    first_cnn().save(tmp_path / "fixed.keras")
    assert "expected (None, None, 1 or 3): any size" in refused(tmp_path / "fixed.keras", photos)
    vdsr(depth=2, width=2).save(tmp_path / "luma.keras")
    assert "no such folder" in refused(tmp_path / "luma.keras", tmp_path / "nowhere")
    (tmp_path / "tiny").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "tiny/dot.png")
    assert "no picture is large enough" in refused(tmp_path / "luma.keras", tmp_path / "tiny")
