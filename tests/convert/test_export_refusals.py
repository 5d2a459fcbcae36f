"""Keras -> ONNX: refusals that leave nothing behind, code that needs trust, and child processes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest

from convert.export_onnx import export, main
from convert.keras import child
from convert.keras import to_onnx as from_keras
from convert.keras.export import export_here
from edge_sr import children
from edge_sr.errors import ModelFileError

keras = pytest.importorskip("keras")


def lambda_model(path: Path) -> None:
    inputs = keras.Input((None, None, 1))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs)).save(path)


OWN_LAYER = """
import keras

class Scale(keras.layers.Layer):
    def call(self, x):
        return 0.5 * x
"""


def own_layer(path: Path) -> None:
    names: dict[str, Any] = {}
    exec(OWN_LAYER, names)  # noqa: S102 - as a file of the user's
    names["Scale"].__module__ = "hers"
    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, names["Scale"]()(inputs)).save(path)


def classifier(path: Path) -> None:
    keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)]).save(path)


def wrong_channels(path: Path) -> None:
    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same")(inputs)).save(path)


def unregistered(path: Path) -> None:
    inputs = keras.Input((None, None, 1))
    keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same")(inputs)).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = members["config.json"].decode().replace('"Conv2D"', '"Evil"')
    members["config.json"] = config.replace('"keras.layers"', '"os"').encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def no_archive(path: Path) -> None:
    path.write_bytes(b"hello")


def empty_archive(path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("config.json", json.dumps({}))
    path.write_bytes(data.getvalue())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda_model, "holds Lambda, which can run code: .* give edge-sr export --trust"),
        (own_layer, r"Scale is no layer of Keras: .* --custom-objects FILE\.py; it is run"),
        (classifier, r"input shape is \(None, 8\); expected one input \(N, H, W, 1 or 3\)"),
        (wrong_channels, r"output shape is .*; expected \(N, H, W, 3\)"),
        (unregistered, "Evil is no layer of Keras"),
        (no_archive, r"not a \.keras file"),
        (empty_archive, "Keras refuses to open it safely"),
        (lambda path: None, "no such file"),
    ],
)
def test_what_cannot_be_exported_is_one_clear_line(
    make: object,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, output = tmp_path / "in.keras", tmp_path / "out.onnx"
    make(source)  # type: ignore[operator]
    with pytest.raises(ModelFileError, match=message) as error:
        export_here(source, output)
    assert "\n" not in str(error.value)
    monkeypatch.setattr("convert.export_onnx.export", export_here)
    assert main(["--model", str(source), "--output", str(output)]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} <= {"in.keras"}


@pytest.mark.parametrize("kind", [".h5", "saved"])
def test_what_can_run_code_opens_with_trust_only(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = keras.Sequential([keras.Input((24, 32, 3)), keras.layers.Conv2D(3, 3, padding="same")])
    path, output = tmp_path / f"old{kind}", tmp_path / "out.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path) if kind == ".h5" else model.export(path, verbose=False)
    asked: dict[str, Any] = {"input_range": "0..1", "output_range": "0..1"}
    with pytest.raises(ModelFileError, match=r"can run code .* give edge-sr export --trust"):
        export_here(path, output, **asked)
    assert export_here(path, output, trust=True, **asked).scale == "1"
    assert "--trust: code that is stored in old" in capsys.readouterr().out


def test_layers_of_the_user_come_from_the_file_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_layer(tmp_path / "in.keras")
    layers = tmp_path / "layers.py"
    layers.write_text(OWN_LAYER)
    asked: dict[str, Any] = {"input_range": "0..1", "output_range": "0..1"}
    card = export_here(tmp_path / "in.keras", tmp_path / "out.onnx", custom_objects=layers, **asked)
    assert card.scale == "1"
    assert f"{layers} is run, as --custom-objects asks" in capsys.readouterr().out
    layers.write_text("import nothing_of_this_name")
    with pytest.raises(ModelFileError, match=r"layers\.py: fails when it is run \(ModuleNotFound"):
        export_here(tmp_path / "in.keras", tmp_path / "out2.onnx", custom_objects=layers)


def test_an_output_is_not_replaced_without_force(tiny: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "x.onnx"
    output.write_text("precious")
    with pytest.raises(ModelFileError, match="exists; use --force"):
        export(tiny["2"], output)
    assert output.read_text() == "precious"


def test_a_file_that_is_not_keras_function_is_refused(
    tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = from_keras.reference

    def shifted(model: object) -> object:
        return lambda frames: real(model)(frames) + 1.4

    monkeypatch.setattr(from_keras, "reference", shifted)
    with pytest.raises(ModelFileError, match=r"differs from Keras on .*Nothing was written"):
        export_here(tiny["2"], tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_tensorflow_runs_in_a_child_only(tiny: dict[str, Path], tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from convert.export_onnx import export; "
        "card = export(Path(sys.argv[1]), Path(sys.argv[2]), size=(40, 64)); "
        "print(card.width, card.height, card.output_width, 'keras' in sys.modules)"
    )
    words = [sys.executable, "-c", code, str(tiny["2"]), str(tmp_path / "x.onnx")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["64", "40", "128", "False"], done.stderr


@pytest.mark.slow
def test_what_the_child_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    source = tmp_path / "in.keras"
    empty_archive(source)
    with pytest.raises(ModelFileError, match=r"in\.keras: Keras refuses to open it safely"):
        export(source, tmp_path / "out.onnx")


@pytest.mark.parametrize(
    ("start", "ended"),
    [
        ("import os; os.abort()", "was ended by SIGABRT"),
        ("import sys; sys.exit(3)", "ended with exit code 3"),
    ],
)
def test_a_crash_while_reading_is_one_line(
    start: str, ended: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "START", start)
    with pytest.raises(ModelFileError, match=rf"cannot be exported: its process {ended}"):
        export(tmp_path / "in.keras", tmp_path / "out.onnx")


def test_a_child_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "START", "import time; time.sleep(60)")
    monkeypatch.setattr(child, "LIMIT", 0.5)
    with pytest.raises(ModelFileError, match=r"in\.keras: the export was stopped"):
        export(tmp_path / "in.keras", tmp_path / "out.onnx")


def test_an_archive_that_unpacks_to_gigabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(3 << 20))
    monkeypatch.setattr("training.models.open.LARGEST", 2 << 20)
    with pytest.raises(ModelFileError, match="it unpacks to 3 MiB; expected at most 2"):
        export_here(path, tmp_path / "out.onnx")


@pytest.mark.parametrize("name", ["Lambda", "TFSMLayer", "keras>TFSMLayer"])
def test_layers_that_run_code_are_refused_before_keras_sees_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / "in.keras"
    inner = {"module": "keras.layers", "class_name": name, "config": {"filepath": "/evil"}}
    config = {"class_name": "Functional", "config": {"layers": [{"config": {"layer": inner}}]}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    with pytest.raises(ModelFileError, match=rf"it holds {name.rpartition('>')[2]}, which can run"):
        export_here(path, tmp_path / "out.onnx")
