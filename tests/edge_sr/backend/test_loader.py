"""TensorRT's import: whatever it raises is one line with what to install."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_sr.backend.tensorrt.loader import load_tensorrt
from edge_sr.errors import BackendError


@pytest.mark.parametrize("error", ["ImportError", "OSError", "RuntimeError"])
@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt-rtx"])
def test_a_tensorrt_that_does_not_load(
    flavour: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = flavour.replace("-", "_")
    (tmp_path / f"{module}.py").write_text(f"raise {error}('libnvinfer.so.10')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(BackendError, match=r"cannot be loaded \(libnvinfer.so.10\): .*pip install"):
        load_tensorrt(flavour)
