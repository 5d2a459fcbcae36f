"""One door for models of all kinds: which converter gets which options, and what is kept."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import onnx
import pytest

from convert.onnx import frame_file
from edge_sr.errors import ModelFileError, UsageError
from edge_sr.model.import_options import ImportOptions
from tests.calibration.networks import external_model


@pytest.fixture
def keras_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    return path


def test_a_keras_file_goes_to_the_exporter_with_its_code(
    keras_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(frame_file, "export", lambda *_, **options: asked.update(options))
    options = ImportOptions(input_range="0..1", custom_objects="layers.py", trust=True)
    frame_file.make_frame_file(keras_file, tmp_path / "out.onnx", options)
    assert asked["custom_objects"] == Path("layers.py")
    assert (asked["trust"], asked["input_range"]) == (True, "0..1")


def test_options_of_the_other_kind_are_wrong_usage(keras_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--layout, --output-name is for ONNX models"):
        frame_file.make_frame_file(
            keras_file, tmp_path / "o.onnx", ImportOptions(layout="nchw", output_name="y")
        )
    source = tmp_path / "other.onnx"
    onnx.save(external_model(), source)
    with pytest.raises(UsageError, match="--trust is for Keras models"):
        frame_file.make_frame_file(source, tmp_path / "o.onnx", ImportOptions(trust=True))


def test_the_place_in_the_cache_follows_the_users_file(
    keras_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    layers = tmp_path / "layers.py"
    options = ImportOptions(custom_objects=str(layers))
    with pytest.raises(ModelFileError, match=r"layers\.py: no such file"):
        frame_file.cached_path(keras_file, options)
    layers.write_text("a = 1\n")
    first = frame_file.cached_path(keras_file, options)
    layers.write_text("a = 2\n")
    assert frame_file.cached_path(keras_file, options) != first
