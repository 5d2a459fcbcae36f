"""The process of a step: what it prints for a parent that reads one line."""

from __future__ import annotations

import io
import json
import sys

import pytest

from bench.check import step
from edge_sr.errors import BackendError, EdgeSRError, MissingDependencyError

GIVEN = {
    "options": {"size": [64, 48], "frames": 10, "timed": 5},
    "engine": "edge-unet-s-x2",
    "precision": "fp16",
}


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (
            MissingDependencyError("no TensorRT is installed"),
            {"skipped": "no TensorRT is installed"},
        ),
        (BackendError("refused"), {"good": False, "lines": ["refused"]}),
    ],
    ids=["nothing to run it with", "it fails"],
)
def test_an_error_is_a_line_of_json(
    error: EdgeSRError,
    found: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[tuple[object, ...]] = []

    def fail(*words: object) -> None:
        asked.append(words)
        raise error

    monkeypatch.setattr(step, "check_engine", fail)
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(GIVEN)))
    assert step.main("engine") == 0
    assert json.loads(capsys.readouterr().out) == found
    (options, *named) = asked[0]
    assert options == step.Options(size=(64, 48), frames=10, timed=5)
    assert named == ["edge-unet-s-x2", "fp16"]
