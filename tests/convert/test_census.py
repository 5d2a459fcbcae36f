"""Reading an engine's precision back from what the inspector tells, in TensorRT's own words."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from convert.engine.census import Census, check, of_inspector, tell
from edge_sr.errors import BackendError


def layer(kind: str, told: str, key: str = "Format/Datatype") -> dict[str, object]:
    return {"Name": "x", "LayerType": kind, "Inputs": [{"Name": "a", key: told}], "Outputs": []}


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
    ("convolutions", "good"),
    [
        ({"int8": 9, "fp16": 2}, True),
        ({"int8": 8, "fp16": 2}, True),  # one was fused beyond recognition
        ({}, True),  # all were
        ({"fp16": 2}, True),
        ({"int8": 7, "fp16": 4}, False),
        ({"fp16": 11}, False),
        ({"int8": 9, "fp32": 2}, False),
        ({"fp32": 11}, False),
    ],
    ids=str,
)
def test_wider_than_the_file_is_refused(convolutions: dict[str, int], good: bool) -> None:
    found = Census(convolutions, convolutions, "inspector")
    if good:
        check(found, WANTED, precision="int8")
    else:
        with pytest.raises(BackendError, match="the engine is not int8: its convolutions are"):
            check(found, WANTED, precision="int8")


def test_a_file_without_its_precision_is_refused() -> None:
    with pytest.raises(BackendError, match=r"has no fp16 convolution \(5 fp32\)"):
        check(Census({}, {}, "network"), Counter(fp32=5), precision="fp16")


def test_counts_are_told_narrow_first() -> None:
    assert tell({"fp32": 1, "int8": 9, "fp16": 0}) == "9 int8, 1 fp32"
    assert tell({}) == "none"
