"""What is public says what it is: shapes, dtypes, units and errors stand in docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import edge_sr

ROOT = Path(__file__).parent.parent
ROOMS = ("edge_sr", "convert", "calibration", "bench", "fleet", "training", "lab")
# hooks of a Keras layer
KERAS = {"build", "call", "convolution_op", "compute_output_shape", "get_config"}

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def definitions() -> Iterator[tuple[str, Definition, bool]]:
    """(file:line name, definition, whether it is a method) of everything public."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            whole = ast.parse(path.read_text())
            classes = [node for node in whole.body if isinstance(node, ast.ClassDef)]
            for owner in (whole, *(node for node in classes if not node.name.startswith("_"))):
                for node in owner.body:
                    if isinstance(node, Definition) and not node.name.startswith("_"):
                        where = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
                        yield where, node, owner is not whole


def test_what_is_public_has_a_docstring() -> None:
    found = list(definitions())
    described = {
        node.name for _, node, method in found if method and ast.get_docstring(node)
    } | KERAS
    missing = [
        where
        for where, node, method in found
        if not ast.get_docstring(node)
        and not (method and node.name in described)  # a seam's method
    ]
    assert len(found) > 1000
    assert missing == []


def test_the_public_interface_says_what_it_raises() -> None:
    for name in edge_sr.__all__:
        thing = getattr(edge_sr, name)
        assert isinstance(thing, str) or thing.__doc__, name
    for name in ("open", "upscale", "upscale_frame"):
        assert "Raises:" in (getattr(edge_sr.Upscaler, name).__doc__ or ""), name
