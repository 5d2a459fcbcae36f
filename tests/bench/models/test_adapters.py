"""Rivals are described in TOML and run with uint8 frames in and out."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bench.models.adapters import prepare, read_rivals
from bench.models.contenders import Contender, find_contenders, open_contender
from edge_sr.errors import ModelFileError, UsageError

pytest.importorskip("onnxruntime", reason="pip install onnxruntime")

Save = Callable[..., Path]


def describe(path: Path, **keys: object) -> Path:
    toml = path.parent / "rivals.toml"
    lines = [f"{key} = {value!r}" for key, value in keys.items()]
    toml.write_text("[[model]]\nname = 'r'\n" + f"file = '{path.name}'\n" + "\n".join(lines))
    return toml


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize(("color", "channels"), [("rgb", 3), ("luma", 1)])
@pytest.mark.parametrize("peak", [1.0, 255])
def test_a_rival_takes_and_gives_frames(
    rival_file: Save, tmp_path: Path, layout: str, color: str, channels: int, peak: float
) -> None:
    file = rival_file(channels=channels, layout=layout)
    keys = {"layout": layout, "color": color, "range": peak, "scale": "2"}
    (rival,) = read_rivals(describe(file, **keys))
    path, sidecar = prepare(rival, tmp_path)
    assert sidecar.parameters == 4 * channels * channels * 9
    assert (sidecar.ratio, sidecar.channels) == (Fraction(2), channels)
    contender = Contender(
        kind="rival", path=str(path), file_bytes=1, sidecar=sidecar, backend="auto"
    )
    frame = np.random.default_rng(0).integers(0, 256, (1, 9, 13, channels), dtype=np.uint8)
    with open_contender(contender, 1) as upscaler:
        result = upscaler.backend.infer(frame)
    assert (result == frame.repeat(2, axis=1).repeat(2, axis=2)).all()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"range": 2.0}, "range is 2.0; expected 1.0 or 255"),
        ({"scale": "0"}, "scale is '0'; expected a fraction"),
        ({"layout": "chwn"}, "layout is 'chwn'; expected nchw or nhwc"),
        ({"color": "yuv"}, "color is 'yuv'; expected luma or rgb"),
        ({"channels": 3}, "expected the keys"),
    ],
)
def test_wrong_descriptions_say_what_is_wrong(
    tmp_path: Path, keys: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelFileError, match=message):
        read_rivals(describe(tmp_path / "x.onnx", **keys))


def test_files_that_are_no_descriptions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_rivals(tmp_path / "none.toml")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("models = 3")
    with pytest.raises(ModelFileError, match=r"\[\[model\]\] entries; found models"):
        read_rivals(wrong)
    wrong.write_text("= 3")
    with pytest.raises(ModelFileError, match="is not TOML"):
        read_rivals(wrong)


def test_our_description_of_the_peers_is_whole() -> None:
    rivals = read_rivals(Path(__file__).parents[3] / "bench/peers.toml")
    assert len(rivals) == 9
    assert {rival.scale for rival in rivals} == {"2"}


def test_contenders_are_models_rivals_and_floors(tmp_path: Path) -> None:
    def find(*models: str, precisions: tuple[str, ...] = ()) -> list[str]:
        found = find_contenders(
            models, [], backends=["auto"], precisions=precisions, folder=tmp_path
        )
        return [item.name for item in found]

    assert find("bicubic", "nearest") == ["bicubic-x2", "nearest-x2"]
    assert find("bicubic-x1.5", "edge-unet-s-x2") == ["edge-unet-s-x2", "bicubic-x1.5"]
    with pytest.raises(UsageError, match="named twice"):
        find("edge-unet-s-x2", "edge-unet-s-x2")
    with pytest.raises(UsageError, match="nothing to measure"):
        find("edge-unet-s-x2", precisions=("fp16",))
    with pytest.raises(UsageError, match=r"scale is 0\.5"):
        find("lanczos-x0.5")
