"""`build_engine --tiles` with NVIDIA's own builder: TensorRT-RTX builds without a GPU."""

from __future__ import annotations

import pytest

from edge_sr.model.engine_facts import facts_of, tiles_path
from edge_sr.model.sidecar import load_sidecar
from tests.convert.builds import Build, path_of

pytestmark = pytest.mark.slow

pytest.importorskip("tensorrt_rtx", reason="pip install 'edge-sr[dev]'")


@pytest.mark.parametrize(
    ("model", "words", "size"),
    [
        ("edge-unet-s-x2", ["--precision", "fp16", "--size", "1280x720"], (160, 160)),
        ("edge-unet-s-x1.5", ["--precision", "fp32", "--size", "640x360"], (160, 168)),
        ("edge-unet-m-x2", ["--precision", "int8", "--size", "1366x768"], (198, 192)),
        (
            "edge-unet-s-x2",
            ["--precision", "fp16", "--size", "640x360", "--bits", "10"],
            (160, 168),
        ),
    ],
    ids=str,
)
def test_a_tile_engine_of_a_shipped_model_builds(
    model: str, words: list[str], size: tuple[int, int], build: Build
) -> None:
    code, out, err = build(*words, "--tiles", model=model)
    assert code == 0, err
    path = path_of(out)
    card, whole = load_sidecar(tiles_path(path)), load_sidecar(path)
    facts = facts_of(card)
    assert (card.width, card.height) == size
    assert (card.output_width, card.output_height) == whole.output_size(*size)
    assert (card.bits, card.precision, card.ratio) == (whole.bits, whole.precision, whole.ratio)
    assert facts.batch == 16
    assert facts.census == facts_of(whole).census
    assert str(facts.verified).startswith("skipped: ")
