"""Reading an engine's precision back from what the inspector reports, in its own format."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from convert.engine.census import Census, check, in_words, of_inspector
from edge_sr.errors import BackendError


def layer(kind: str, format_: str, key: str = "Format/Datatype") -> dict[str, object]:
    return {"Name": "x", "LayerType": kind, "Inputs": [{"Name": "a", key: format_}], "Outputs": []}


def test_the_words_of_several_versions_are_understood() -> None:
    layers = [
        layer("CaskConvolution", "Half"),
        layer("CaskConvolution", "Thirty-two wide channel vectorized row major Int8 format"),
        layer("CaskDeconvolution", "Row major linear FP32"),
        layer("Convolution", "Channel major FP16 format where channel % 8 == 0"),
        layer("CaskConvolution", "Half", key="Datatype"),
        layer("Reformat", "Float"),
        layer("Shape", "Int64"),
        {"Name": "no inputs", "LayerType": "Constant", "Inputs": []},
    ]
    found = of_inspector(json.dumps({"Layers": [*layers, "a name alone"], "Bindings": ["x"]}))
    assert found.source == "inspector"
    assert found.convolutions == {"fp16": 3, "int8": 1, "fp32": 1}
    assert found.layers == {"fp16": 3, "int8": 1, "fp32": 2}


WANTED = Counter(int8=9, fp16=2)


@pytest.mark.parametrize(
    ("convolutions", "warned"),
    [
        ({"int8": 9, "fp16": 2}, 0),
        ({"int8": 8, "fp16": 2}, 0),  # one was fused beyond recognition
        ({}, 0),  # all were
        ({"fp16": 2}, 0),
        ({"int8": 8, "fp16": 3}, 1),  # 5 % of 11 layers is less than one: it was refused before
        ({"int8": 9, "fp32": 2}, 0),
        ({"int8": 1, "fp16": 8, "fp32": 2}, 8),
    ],
    ids=str,
)
def test_some_wider_convolutions_are_a_warning(convolutions: dict[str, int], warned: int) -> None:
    names = {kind: [f"{kind}-{place}" for place in range(n)] for kind, n in convolutions.items()}
    found = Census(convolutions, convolutions, "inspector", names)
    lines = check(found, WANTED, precision="int8")
    assert len(lines) == bool(warned)
    if warned:
        assert lines[0].startswith(f"warning: {warned} convolutions are wider than int8 (fp16-0")


@pytest.mark.parametrize("convolutions", [{"fp16": 11}, {"fp32": 11}, {"fp16": 9, "fp32": 2}])
def test_an_engine_without_its_precision_is_refused(convolutions: dict[str, int]) -> None:
    found = Census(convolutions, convolutions, "inspector")
    with pytest.raises(BackendError, match="the engine is not int8: its convolutions are"):
        check(found, WANTED, precision="int8")


def test_a_file_without_its_precision_is_refused() -> None:
    with pytest.raises(BackendError, match=r"has no fp16 convolution \(5 fp32\)"):
        check(Census({}, {}, "network"), Counter(fp32=5), precision="fp16")


def test_counts_are_listed_narrow_first() -> None:
    assert in_words({"fp32": 1, "int8": 9, "fp16": 0}) == "9 int8, 1 fp32"
    assert in_words({}) == "none"
