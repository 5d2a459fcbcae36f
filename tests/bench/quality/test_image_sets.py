"""Ground-truth pictures: what is taken, and what is left out with a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.quality.images import default_files, list_images, read_picture, read_set
from edge_sr.errors import MediaError


def test_a_set_keeps_what_can_be_read(folder: Path) -> None:
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n nothing")
    (folder / "notes.txt").write_text("not a picture")
    found = read_set("set", list_images(folder))
    assert [(name, pixels.ndim) for name, pixels in found.pictures] == [
        ("color.png", 3),
        ("grey.png", 2),
    ]
    assert len(found.left_out) == 1
    assert "broken.png: is not a picture" in found.left_out[0]


def test_the_digest_follows_the_pictures(folder: Path) -> None:
    before = read_set("set", list_images(folder)).sha256
    assert read_set("set", list_images(folder)).sha256 == before
    Image.new("RGB", (30, 30)).save(folder / "color.png")
    assert read_set("set", list_images(folder)).sha256 != before


def test_deep_and_transparent_pictures_are_refused(tmp_path: Path) -> None:
    deep = tmp_path / "deep.png"
    Image.fromarray(np.zeros((20, 20), np.uint16)).save(deep)
    with pytest.raises(MediaError, match="16 bits or more; convert it to 8"):
        read_picture(deep)
    clear = tmp_path / "clear.png"
    Image.new("RGBA", (20, 20)).save(clear)
    with pytest.raises(MediaError, match="has transparency"):
        read_picture(clear)


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such folder"):
        list_images(tmp_path / "missing")
    with pytest.raises(MediaError, match="holds no picture"):
        list_images(tmp_path)


def test_the_default_set_is_installed() -> None:
    pytest.importorskip("skimage", reason="pip install scikit-image")
    assert len(read_set("default", default_files()).pictures) == 6
