"""What an engine's sidecar says of where it runs: strict, and compared with a machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_sr.errors import ModelFileError
from edge_sr.model.engine_facts import EngineFacts, Machine, tile_sides, tiles_path

ORIN = Machine(
    flavour="tensorrt",
    version="10.3.0.26",
    gpu="Orin",
    compute_capability="8.7",
    cuda="12.6",
    l4t="36.4.3",
)
ON_ORIN = EngineFacts(
    flavour="tensorrt",
    version="10.3.0.26",
    gpu="Orin",
    compute_capabilities=("8.7",),
    cuda="12.6",
    l4t="36.4.3",
    options={"optimization_level": 3},
    census={"fp16": 12},
    census_source="inspector",
    onnx_sha256="ab" * 32,
)
PORTABLE = replace(
    ON_ORIN,
    flavour="tensorrt-rtx",
    version="1.7.1.116",
    gpu="",
    cuda="",
    l4t="",
    compute_capabilities=("8.0", "8.6", "8.9", "12.0"),
    options={"portable": True},
    census_source="network",
)
CARD = Machine(
    flavour="tensorrt-rtx", version="1.7.1.116", gpu="RTX", compute_capability="12.0", cuda="13.0"
)


def test_facts_survive_json() -> None:
    facts = replace(ON_ORIN, sizes={"min": (64, 64), "opt": (720, 1280), "max": (1080, 1920)})
    assert EngineFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


def test_a_tile_engine_says_its_batch_and_no_other_engine_does() -> None:
    """Sidecars from before tile engines have no such fields; those of others have none now."""
    plain = ON_ORIN.to_dict()
    assert not {"batch", "rim"} & set(plain)
    assert EngineFacts.from_dict(plain) == ON_ORIN
    assert (ON_ORIN.batch, ON_ORIN.rim) == (1, 0)
    tiles = replace(ON_ORIN, batch=16, rim=32)
    found = json.loads(json.dumps(tiles.to_dict()))
    assert (found["batch"], found["rim"]) == (16, 32)
    assert EngineFacts.from_dict(found) == tiles


def test_a_tile_that_ends_where_the_frame_ends_begins_at_a_multiple_of_16() -> None:
    assert tile_sides(720, 1280, 16) == (160, 160)
    assert tile_sides(1080, 1366, 32) == (200, 198)
    assert tiles_path(Path("a/x.fp16.engine")) == Path("a/x.fp16.tiles.engine")


@pytest.mark.parametrize(
    "change",
    [
        {"flavour": "openvino"},
        {"version": "10"},
        {"version": 10.3},
        {"gpu": None},
        {"compute_capabilities": []},
        {"compute_capabilities": ["87"]},
        {"cuda": "twelve"},
        {"census": {"fp16": -1}},
        {"census": ["fp16"]},
        {"census_source": "hope"},
        {"onnx_sha256": "ab"},
        {"sizes": {"opt": [1, 2]}},
        {"sizes": {"min": [90, 90], "opt": [64, 64], "max": [64, 64]}},
        {"sizes": {"min": 4, "opt": 4, "max": 4}},
        {"batch": 0},
        {"batch": "16", "rim": 16},
        {"rim": 0, "batch": 16},
        {"rim": 20, "batch": 16},
        {"rim": 16},
        {"verified": "trust me"},
        {"surprise": 1},
    ],
    ids=str,
)
def test_a_wrong_field_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError, match=f"engine.*{next(iter(change))}"):
        EngineFacts.from_dict(ON_ORIN.to_dict() | change)


def test_a_missing_field_and_no_engine_at_all_are_refused() -> None:
    with pytest.raises(ModelFileError, match="says nothing of an engine"):
        EngineFacts.from_dict({})
    for key in ON_ORIN.to_dict():
        rest = {name: value for name, value in ON_ORIN.to_dict().items() if name != key}
        with pytest.raises(ModelFileError, match=f"missing or unknown fields: {key}"):
            EngineFacts.from_dict(rest)


@pytest.mark.parametrize(
    "change",
    [
        {"flavour": "tensorrt-rtx"},
        {"version": "10.3.0.30"},
        {"version": "11.0.0.1"},
        {"gpu": "NVIDIA RTX A2000"},
        {"compute_capability": "8.6"},
        {"compute_capability": ""},
        {"cuda": "13.2"},
    ],
    ids=str,
)
def test_what_must_not_be_opened_is_named_in_one_line(change: dict[str, str]) -> None:
    assert ON_ORIN.mismatch(ORIN) is None
    seen = ON_ORIN.mismatch(replace(ORIN, **change)) or ""
    assert seen.startswith("built with TensorRT 10.3.0.26 on Orin with CUDA 12.6; this machine is")
    assert str(next(iter(change.values()))).replace("tensorrt-rtx", "TensorRT-RTX") in seen


def test_a_patch_of_the_driver_or_of_jetpack_does_not_matter() -> None:
    assert ON_ORIN.mismatch(replace(ORIN, cuda="12.8", l4t="36.4.7")) is None


def test_a_portable_engine_fits_newer_gpus_and_only_its_own_version() -> None:
    assert PORTABLE.mismatch(CARD) is None
    assert PORTABLE.mismatch(replace(CARD, compute_capability="12.1")) is None
    seen = str(PORTABLE.mismatch(replace(CARD, compute_capability="7.5")))
    assert seen.startswith(
        "built with TensorRT-RTX 1.7.1.116 for GPUs of compute capability 8.0 and"
    )
    assert PORTABLE.mismatch(replace(CARD, version="1.6.0.1"))
    chosen = replace(PORTABLE, options={}, compute_capabilities=("8.6",))
    assert chosen.mismatch(CARD)
    assert chosen.mismatch(replace(CARD, compute_capability="8.6")) is None


def test_a_version_compatible_engine_fits_newer_versions_of_its_major() -> None:
    engine = replace(ON_ORIN, options={"version_compatible": True})
    assert engine.mismatch(replace(ORIN, version="10.16.2.10")) is None
    assert engine.mismatch(replace(ORIN, version="10.0.1.6"))
    assert engine.mismatch(replace(ORIN, version="11.4.0.106"))
