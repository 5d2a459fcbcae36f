"""A sealed sidecar of an engine may not be changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_sr.errors import ModelFileError
from edge_sr.model.engine_facts import facts_of, seal
from edge_sr.model.sidecar import Sidecar
from tests.edge_sr.model.test_engine_facts import ON_ORIN


def sidecar() -> Sidecar:
    return Sidecar(
        name="x",
        architecture="unknown",
        scale="2",
        color="luma",
        width=64,
        height=48,
        output_width=128,
        output_height=96,
        precision="fp16",
        parameters=1,
        macs_720p=1,
        sha256="ab" * 32,
        made_from="x.onnx",
        made_from_sha256="cd" * 32,
    )


def test_a_sealed_sidecar_may_not_be_changed() -> None:
    closed = seal(sidecar(), ON_ORIN)
    assert facts_of(closed) == ON_ORIN
    for changed in (
        replace(closed, width=66),
        replace(closed, engine=closed.engine | {"gpu": "Thor"}),
        replace(closed, engine=closed.engine | {"seal": "00" * 32}),
    ):
        with pytest.raises(ModelFileError, match="its sidecar was changed"):
            facts_of(changed)
