"""Files of other kinds that are named as a model: one line says what each is and what to do."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from edge_sr import zoo
from edge_sr.errors import ModelFileError
from edge_sr.model.external import advice_on, check_model_file, is_keras


def _zip(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, b"x" * 40)
    return buffer.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
SAFE = b'\x40\x00\x00\x00\x00\x00\x00\x00{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
KINDS = [
    ("x.onnx", LFS, "Git LFS pointer"),
    ("x.keras", LFS, "Git LFS pointer"),
    ("x.onnx", b"", "is empty"),
    ("x.onnx", b"<!DOCTYPE html><html>", "web page"),
    ("x.onnx", b"\x89HDF\r\n\x1a\n....", "HDF5"),
    ("x.onnx", b"\x1f\x8b\x08....", "gzip"),
    ("x.onnx", _zip("saved/saved_model.pb"), "zip archive"),
    ("x.zip", _zip("saved/saved_model.pb"), "zip archive"),
    ("x.onnx", _zip("archive/data.pkl"), "PyTorch"),
    ("x.pt", _zip("archive/data.pkl"), "torch.onnx.export"),
    ("x.pth", b"\x80\x02\x8a\x0al\xfc", "torch.onnx.export"),
    ("x.ckpt", b"anything", "torch.onnx.export"),
    ("x.safetensors", SAFE, "weights alone"),
    ("x.onnx", SAFE, "weights alone"),
    ("x.tflite", b"\x1c\x00\x00\x00TFL3....", "TensorFlow Lite"),
    ("x.onnx", b"\x1c\x00\x00\x00TFL3....", "TensorFlow Lite"),
    ("frozen.pb", b"\x0a\x10", "TensorFlow graph"),
    ("saved_model.pb", b"\x0a\x10", "give its folder"),
    ("x.txt", b"hello", "expected an .onnx file"),
]


@pytest.mark.parametrize(("name", "content", "message"), KINDS)
def test_other_kinds_are_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for command in (check_model_file, lambda item: zoo.find(str(item))):
        with pytest.raises(ModelFileError, match=message) as raised:
            command(path)
        assert str(raised.value).startswith(f"{path}: ")
        assert "\n" not in str(raised.value)


def test_what_may_be_a_model_is_not_refused(tmp_path: Path) -> None:
    contents = {"a.onnx": b"\x08\x08", "b.keras": _zip("config.json"), "c.h5": b"\x89HDF\r\n\x1a\n"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert advice_on(tmp_path / name) == "", name
    folder = tmp_path / "saved"
    folder.mkdir()
    assert "without saved_model.pb" in advice_on(folder)
    (folder / "saved_model.pb").write_bytes(b"\x08")
    assert (advice_on(folder), is_keras(folder)) == ("", True)
    with pytest.raises(ModelFileError, match=r"none\.onnx: no such file"):
        check_model_file(tmp_path / "none.onnx")
