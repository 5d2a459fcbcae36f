"""TensorRT's import: whatever it raises is one line with what to install."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from edge_sr.backend.tensorrt.loader import installed_flavour, load_tensorrt
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


@pytest.mark.parametrize(
    "broken", ["raise OSError('libnvinfer.so.10')", "__version__, Runtime = '8.6.2.3', None"]
)
def test_a_tensorrt_that_cannot_be_used_leaves_rtx_usable(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorrt.py").write_text(broken)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    rtx = types.ModuleType("tensorrt_rtx")
    vars(rtx).update(__version__="1.7.1.116", Runtime=None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", rtx)
    assert installed_flavour() == ("tensorrt-rtx", "1.7.1.116")
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(BackendError, match=r"libnvinfer.so.10|TensorRT is 8.6.2.3"):
        installed_flavour()
