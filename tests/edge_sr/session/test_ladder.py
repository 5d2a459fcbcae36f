"""Which models a run may change to, and in which order it steps down."""

from __future__ import annotations

from fractions import Fraction

from edge_sr import Upscaler, list_models
from edge_sr.session.ladder import BICUBIC, choices, ladder


def test_shipped_models_are_listed_with_their_facts() -> None:
    found = [(facts.ratio, facts.precision) for facts in list_models() if facts.color == "luma"]
    assert {(Fraction(2), "fp32"), (Fraction(2), "int8"), (Fraction(3, 2), "fp32")} <= set(found)


def test_choices_have_one_scale_and_end_in_bicubic() -> None:
    found = choices(Fraction(3, 2))
    assert found[-1] == BICUBIC
    assert "edge-unet-s-x1.5" in found
    assert all("x2" not in name for name in found)


def test_the_ladder_goes_down_to_bicubic() -> None:
    with Upscaler.open("edge-unet-s-x2") as upscaler:
        steps = ladder(upscaler.sidecar)
    assert (steps[0], steps[-1]) == ("edge-unet-s-x2", BICUBIC)


def test_the_ladder_keeps_the_flavour() -> None:
    with Upscaler.open("edge-unet-m-x2") as upscaler:
        assert ladder(upscaler.sidecar) == ["edge-unet-m-x2", "edge-unet-s-x2", BICUBIC]
    for flavour in ("live", "vivid"):
        with Upscaler.open(f"edge-unet-m-{flavour}") as upscaler:
            steps = [f"edge-unet-{size}-{flavour}-x2" for size in "ms"]
            assert ladder(upscaler.sidecar) == [*steps, BICUBIC]
