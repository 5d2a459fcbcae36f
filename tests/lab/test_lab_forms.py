"""The tables of docs/models-of-your-own.md: their rows are in the document, and some are run."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tf2onnx", reason="pip install 'edge-sr[convert]'")

from convert.keras.export import export_here
from convert.onnx.wrap import wrap_onnx
from edge_sr.errors import ModelFileError
from lab.forms import keras_rows, onnx_rows
from lab.forms.keras_rows import LAYERS, KerasRow
from lab.forms.steps import DONE, Outcome
from lab.forms.table import render

DOCUMENT = Path(__file__).parents[2] / "docs/models-of-your-own.md"
KERAS = {row.name: row for row in keras_rows.rows()}
ONNX = {row.name: row for row in onnx_rows.rows()}


def export(row: KerasRow, folder: Path) -> str:
    """What was detected."""
    sidecar = export_here(
        row.save(folder),
        folder / "model.onnx",
        size=row.size,
        input_range=row.input_range,
        output_range=row.output_range,
        custom_objects=LAYERS if row.custom_objects else None,
        trust=row.trust,
    )
    return str(sidecar.training["conversion"]["imported"])


@pytest.mark.parametrize("name", ["Own registered layers", "channels_first", "FSRCNN, luma"])
def test_some_keras_rows_are_exported(name: str, tmp_path: Path) -> None:
    found = export(KERAS[name], tmp_path)
    assert found.startswith("Keras, luma" if "luma" in name else "Keras, RGB")
    assert ", x2" in found
    assert ("channels_first made channels_last" in found) == (name == "channels_first")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
@pytest.mark.parametrize("name", sorted(KERAS))
def test_all_keras_rows_are_exported_or_refused_by_name(name: str, tmp_path: Path) -> None:
    row = KERAS[name]
    if row.refused:
        with pytest.raises(ModelFileError, match="expected one input"):
            export(row, tmp_path)
    else:
        assert ", x" in export(row, tmp_path)


def test_a_network_of_films_is_refused_by_name(tmp_path: Path) -> None:
    row = KERAS["Conv3D, films"]
    with pytest.raises(ModelFileError) as raised:
        export(row, tmp_path)
    assert row.refused in str(raised.value)
    assert list(tmp_path.glob("*.onnx")) == []


@pytest.mark.parametrize("name", ["Opset 9, Upsample", "Two outputs", "No padding inside"])
def test_some_onnx_rows_are_imported(name: str, tmp_path: Path) -> None:
    row = ONNX[name]
    sidecar, detected = wrap_onnx(row.save(tmp_path), tmp_path / "out.onnx", row.options)
    assert (sidecar.scale, detected.channels) == ("2", 3)


def test_the_table_counts_what_was_built() -> None:
    good = Outcome(name="a", exported=DONE, fp16="60 dB", int8="2 of 2", engine=DONE, cpu=DONE)
    bad, refused = Outcome(name="b"), Outcome(name="c", exported="refused")
    text = render("form", [good, bad, refused])
    assert "| a | yes | 60 dB | 2 of 2 | yes | yes |  |" in text
    assert text.endswith("1 of 3 are imported and built with TensorRT-RTX, 1 refused by name.")


@pytest.mark.parametrize(("kind", "known"), [("onnx", ONNX), ("keras", KERAS)])
def test_the_document_has_rows_of_these_tables(kind: str, known: dict[str, object]) -> None:
    part = DOCUMENT.read_text().partition(f"<!-- {kind}-forms -->")[2]
    lines = part.partition(f"<!-- /{kind}-forms -->")[0].strip().splitlines()
    names = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][1:]
    assert set(names) <= set(known)
    if kind == "onnx":
        assert names == list(known)
