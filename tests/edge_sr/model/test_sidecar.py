"""A model and its facts travel together, or the model is not opened."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

from edge_sr import zoo
from edge_sr.backend import open_backend
from edge_sr.errors import BackendError, ModelFileError
from edge_sr.model.sidecar import (
    SINCE_2,
    Scalar,
    Sidecar,
    data_digest,
    load_sidecar,
    sha256_of,
    sidecar_path,
    write_sidecar,
)

FACTS = {
    "name": "tiny",
    "architecture": "edge_unet",
    "scale": "3/2",
    "color": "luma",
    "width": None,
    "height": None,
    "output_width": None,
    "output_height": None,
    "precision": "fp32",
    "parameters": 10,
    "macs_720p": 20,
    "made_from": "tiny.keras",
    "made_from_sha256": "00",
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(b"not really a network")
    write_sidecar(path, Sidecar(sha256=sha256_of(path), **FACTS))
    return path


def test_what_was_written_is_read_back(model: Path) -> None:
    sidecar = load_sidecar(model)
    assert sidecar.ratio == Fraction(3, 2)
    assert sidecar.channels == 1
    assert sidecar.output_size(7, 5) == (10, 7)
    assert list(model.parent.glob("*.part")) == []


def test_a_changed_model_is_refused(model: Path) -> None:
    model.write_bytes(b"another network")
    with pytest.raises(ModelFileError, match=r"sha256 is .*; convert the model again"):
        load_sidecar(model)


def test_any_other_content_is_refused(model: Path) -> None:
    for number in range(16):  # whose hashes are smaller and larger
        model.write_bytes(b"another %d" % number)
        with pytest.raises(ModelFileError, match="sha256"):
            load_sidecar(model)


@pytest.mark.parametrize("missing", ["tiny.onnx", "tiny.onnx.json"])
def test_a_lonely_file_is_refused(model: Path, missing: str) -> None:
    (model.parent / missing).unlink()
    with pytest.raises(ModelFileError, match=rf"{missing}: no such file.*travel together"):
        load_sidecar(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, "unknown fields: extra"),
        ({"scale": None}, r"scale is None; expected str"),
        ({"scale": "1/2"}, r"scale is '1/2'; expected a fraction of 1 to 16"),
        ({"scale": "2/0"}, r"scale is '2/0'"),
        ({"parameters": "10"}, r"parameters is '10'; expected int"),
        ({"parameters": True}, r"parameters is True; expected int"),
        ({"color": "cmyk"}, r"color is 'cmyk'; expected luma or rgb"),
        ({"precision": "fp8"}, r"precision is 'fp8'; expected fp32, fp16, int8"),
        ({"width": 3}, r"width is 3; expected 4\.\.16384"),
        ({"schema": 0}, r"schema is 0; expected 1 or 2 or 3; update edge-sr"),
        ({"schema": 4, "later": 1}, r"schema is 4; expected 1 or 2 or 3; update edge-sr$"),
        ({"samples": "uint16"}, r"samples is 'uint16'; expected uint8 or uint8x2"),
        ({"bits": 10}, r"bits is 10; expected 8 of uint8, 9 to 16 of uint8x2"),
        ({"samples": "uint8x2", "bits": 8}, r"bits is 8; expected 8 of uint8, 9 to 16 of uint8x2"),
        ({"inputs": []}, r"inputs is \(\); expected one name"),
        ({"scalars": {"strength": {"low": 0, "high": 1}}}, r"missing required field `default`"),
        ({"scalars": {"strength": {"low": 0, "high": 1, "default": 2}}}, r"not in 0\.?0?\.\.1"),
        ({"quality": []}, r"quality is \[\]"),
    ],
)
def test_a_field_out_of_place_is_named(
    model: Path, change: dict[str, object], message: str
) -> None:
    path = sidecar_path(model)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelFileError, match=message):
        load_sidecar(model)


def test_a_missing_field_is_named(model: Path) -> None:
    path = sidecar_path(model)
    facts = json.loads(path.read_text())
    del facts["macs_720p"]
    path.write_text(json.dumps(facts))
    with pytest.raises(ModelFileError, match="missing or unknown fields: macs_720p"):
        load_sidecar(model)


@pytest.mark.parametrize(("color", "channels"), [("luma", 1), ("rgb", 3)])
def test_colour_says_how_many_channels_there_are(color: str, channels: int) -> None:
    sidecar = Sidecar(sha256="0", **FACTS | {"color": color})
    assert sidecar.channels == channels
    with pytest.raises(dataclasses.FrozenInstanceError):
        sidecar.color = "rgb"  # type: ignore[misc]


def test_positions_say_nothing_about_facts() -> None:
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        Sidecar("name", "edge_unet")  # type: ignore[call-arg]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\x00"])
def test_what_is_no_json_object_is_refused(model: Path, text: str) -> None:
    sidecar_path(model).write_text(text)
    with pytest.raises(ModelFileError, match=r"cannot be read|expected a JSON object"):
        load_sidecar(model)


def test_a_fixed_target_decides_the_output_size() -> None:
    fixed = FACTS | {"width": 1280, "height": 720, "output_width": 1366, "output_height": 768}
    assert Sidecar(sha256="0", **fixed).output_size(1280, 720) == (1366, 768)


def test_a_sidecar_from_before_engines_is_still_read(model: Path) -> None:
    path = sidecar_path(model)
    old = json.loads(path.read_text())
    del old["engine"]
    path.write_text(json.dumps(old))
    assert load_sidecar(model).engine == {}


@pytest.mark.parametrize("scale", ["1", "16", "3/2"])
def test_scales_of_1_to_16_are_taken(scale: str) -> None:
    assert Sidecar(sha256="0", **FACTS | {"scale": scale}).ratio == Fraction(scale)


@pytest.mark.parametrize("scale", ["15/16", "16.1", "17"])
def test_other_scales_are_refused(scale: str) -> None:
    with pytest.raises(ModelFileError, match="scale is"):
        Sidecar(sha256="0", **FACTS | {"scale": scale})


@pytest.mark.parametrize("name", ["width", "height", "output_width", "output_height"])
def test_sides_of_4_to_16384_are_taken_and_no_others(name: str) -> None:
    for side in (4, 16384, None):
        assert getattr(Sidecar(sha256="0", **FACTS | {name: side}), name) == side
    for side in (3, 16385, True, 4.0):
        with pytest.raises(ModelFileError, match=f"{name} is"):
            Sidecar(sha256="0", **FACTS | {name: side})


def test_half_a_target_is_none() -> None:
    for name in ("output_width", "output_height"):
        assert Sidecar(sha256="0", **FACTS | {name: 99}).output_size(7, 5) == (10, 7)


@pytest.mark.parametrize("path", sorted(zoo.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_sidecars_of_0_1_are_read_and_written_as_they_are(path: Path, tmp_path: Path) -> None:
    """Those that edge-sr 0.1 shipped have schema 1: nothing is added to them."""
    facts = json.loads(path.read_text())
    facts = {name: value for name, value in facts.items() if name not in SINCE_2}
    model = tmp_path / path.name.removesuffix(".json")
    model.write_bytes((path.parent / model.name).read_bytes())
    sidecar_path(model).write_text(json.dumps({**facts, "schema": 1}))
    sidecar = load_sidecar(model)
    assert (sidecar.inputs, sidecar.outputs, sidecar.samples) == (
        ("frame",),
        ("upscaled",),
        "uint8",
    )
    write_sidecar(model, sidecar)
    written = json.loads(sidecar_path(model).read_text())
    assert {**written, "engine": {}} == {**facts, "engine": {}, "schema": 1}


def test_what_later_models_declare_is_kept(model: Path) -> None:
    strength = Scalar(low=0, high=1, default=0.5)
    declared = Sidecar(
        sha256=sha256_of(model),
        **FACTS,
        samples="uint8x2",
        bits=10,
        schema=3,
        scalars={"strength": strength},
        data_sha256="ab",
    )
    write_sidecar(model, declared)
    assert load_sidecar(model) == declared
    with pytest.raises(BackendError, match="the model needs strength, which this edge-sr cannot"):
        open_backend(model, declared)


@pytest.mark.parametrize("path", sorted(zoo.FOLDER.glob("*.onnx")), ids=lambda path: path.stem)
def test_every_shipped_file_names_its_training_data(path: Path) -> None:
    facts = load_sidecar(path)
    assert re.fullmatch("[0-9a-f]{64}", facts.data_sha256 or "")
    assert facts.data_sha256 == data_digest(facts.training)


def test_the_digest_of_several_sets() -> None:
    one, other = {"data_sha256": "a"}, {"pool_sha256": "b"}
    assert data_digest({}) is None
    assert data_digest(one) == data_digest({"mean_of": [one, one]}) == "a"
    both = data_digest({"mean_of": [one, {"mean_of": [other]}]})
    assert both == data_digest({"mean_of": [other, one]}) == hashlib.sha256(b"a\nb\n").hexdigest()
