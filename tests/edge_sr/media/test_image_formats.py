from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_sr.batch.command import result_name
from edge_sr.errors import MissingDependencyError
from edge_sr.media.address import Kind, parse_address
from edge_sr.media.stills.files import (
    read_image,
    writable_name,
    write_image,
)
from edge_sr.media.stills.formats import is_image, sniff_image


@pytest.mark.parametrize("ending", ["jpg", "webp", "bmp"])
@pytest.mark.parametrize("kind", ["grey", "rgb"])
def test_the_other_formats_keep_the_picture(tmp_path: Path, kind: str, ending: str) -> None:
    ramp = np.linspace(0, 255, 64).astype(np.uint8)[None].repeat(48, 0)
    pixels = ramp if kind == "grey" else np.dstack([ramp, ramp[:, ::-1], 255 - ramp // 2])
    write_image(tmp_path / f"a.{ending}", pixels)
    found = read_image(tmp_path / f"a.{ending}").pixels
    if found.ndim == 3 and kind == "grey":  # WebP knows no grey
        found = found[..., 1]
    assert found.shape == pixels.shape
    assert np.abs(found.astype(int) - pixels).mean() < 2


def test_palette_images_become_rgb_or_rgba(tmp_path: Path) -> None:
    solid = Image.fromarray(np.uint8([[[255, 0, 0], [0, 0, 255]]])).quantize(2)
    solid.save(tmp_path / "p.png")
    assert read_image(tmp_path / "p.png").pixels.tolist() == [[[255, 0, 0], [0, 0, 255]]]
    solid.save(tmp_path / "t.png", transparency=solid.getpixel((0, 0)))
    found = read_image(tmp_path / "t.png").pixels
    assert found.shape == (1, 2, 4)
    assert found[0, :, 3].tolist() == [0, 255]


def test_a_transparent_colour_becomes_alpha(tmp_path: Path) -> None:
    pixels = np.uint8([[[1, 2, 3], [200, 100, 50]]])
    Image.fromarray(pixels).save(tmp_path / "c.png", transparency=(1, 2, 3))
    assert read_image(tmp_path / "c.png").pixels[0, :, 3].tolist() == [0, 255]
    Image.fromarray(pixels[..., 0]).save(tmp_path / "g.png", transparency=1)
    assert read_image(tmp_path / "g.png").pixels.tolist() == [[[1, 0], [200, 255]]]


def test_bilevel_images_become_grey(tmp_path: Path) -> None:
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "b.png")
    assert read_image(tmp_path / "b.png").pixels.tolist() == [[0, 255]]


def test_the_first_picture_of_a_cameras_mpo_is_taken(tmp_path: Path) -> None:
    photo = Image.new("RGB", (16, 12), (200, 30, 40))
    photo.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[photo.resize((8, 6))])
    assert read_image(tmp_path / "a.jpg").pixels.shape == (12, 16, 3)


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.jfif", "JPEG"), ("a.avif", "AVIF"), ("a.gif", "GIF"), ("a.ppm", "PPM"), ("a.tga", "TGA")],
)
def test_less_common_formats_are_read(tmp_path: Path, name: str, form: str) -> None:
    Image.new("RGB", (16, 12), (200, 30, 40)).save(tmp_path / name, form)
    assert is_image(name)
    found = read_image(tmp_path / name).pixels
    assert found.shape == (12, 16, 3)
    assert np.abs(found.astype(int) - (200, 30, 40)).max() < 8


def test_five_six_five_bits_a_pixel_are_eight_a_channel(tmp_path: Path) -> None:
    width, height, level = 6, 4, 0xF800  # red
    data = np.full((height, width), level, "<u2").tobytes()
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 16, 3, len(data), 0, 0, 0, 0) + masks
    start = struct.pack("<IHHI", 14 + len(head) + len(data), 0, 0, 14 + len(head))
    (tmp_path / "a.bmp").write_bytes(b"BM" + start + head + data)
    assert read_image(tmp_path / "a.bmp").pixels[0, 0].tolist() == [255, 0, 0]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    found = read_image(tmp_path / "a.jpg")
    assert np.abs(found.pixels.astype(int) - (255, 0, 0)).max() < 8
    assert found.icc_profile is None


def test_an_animation_is_a_video(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 12), color) for color in ("red", "blue")]
    for name in ("a.gif", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert parse_address(str(tmp_path / name)).kind is Kind.FILE
        frames[0].save(tmp_path / name)
        assert parse_address(str(tmp_path / name)).kind is Kind.IMAGE


@pytest.mark.parametrize("name", ["a.ico", "a.icns", "a.dds", "a.pcx", "a.qoi", "a.sgi", "a.dib"])
def test_formats_that_are_only_read(tmp_path: Path, name: str) -> None:
    picture = Image.new("RGBA", (64, 64), (200, 30, 90, 255))
    picture.convert("RGB" if name.endswith(("pcx", "sgi", "dib")) else "RGBA").save(tmp_path / name)
    pixels = read_image(tmp_path / name).pixels
    assert tuple(pixels[10, 10, :3]) == (200, 30, 90)
    assert writable_name(tmp_path / name) == tmp_path / "a.png"


@pytest.mark.parametrize(("name", "package"), [("a.heic", "pillow_heif"), ("a.jxl", "pillow_jxl")])
def test_photographs_of_phones_through_their_plugins(
    tmp_path: Path, name: str, package: str
) -> None:
    plugin = pytest.importorskip(package)
    if package == "pillow_heif":
        plugin.register_heif_opener()
    exif = Image.Exif()
    exif[0x010F] = "Acme"
    Image.new("RGB", (32, 16), (200, 30, 90)).save(tmp_path / name, exif=exif.tobytes())
    found = read_image(tmp_path / name)
    assert found.pixels.shape == (16, 32, 3)
    assert np.abs(found.pixels[8, 8].astype(int) - (200, 30, 90)).max() < 8
    assert found.exif is not None
    assert b"Acme" in found.exif


@pytest.mark.parametrize("name", ["a.heic", "photo"])
def test_heic_names_the_package_that_it_needs(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(MissingDependencyError, match="pip install pillow-heif"):
        read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "form", "ending"),
    [
        ("photo", "PNG", ".png"), ("photo.001", "JPEG", ".jpg"), ("photo.thm", "JPEG", ".jpg"),
        ("photo.", "GIF", ".gif"), ("photo", "WEBP", ".webp"), ("photo", "TIFF", ".tif"),
        ("photo", "BMP", ".bmp"), ("photo", "AVIF", ".avif"), ("photo", "JPEG2000", ".jp2"),
    ],
)  # fmt: skip
def test_an_image_without_its_ending_is_known_by_its_bytes(
    tmp_path: Path, name: str, form: str, ending: str
) -> None:
    path = tmp_path / name
    Image.new("RGB", (16, 12), "red").save(path, form)
    assert parse_address(str(path)).kind is Kind.IMAGE
    assert result_name(path, path) == tmp_path / f"{name}{ending}"


def test_what_only_begins_like_an_image_is_none(tmp_path: Path) -> None:
    path = tmp_path / "film"
    Image.new("RGB", (16, 12)).save(tmp_path / "a.jpg")
    path.write_bytes((tmp_path / "a.jpg").read_bytes() * 3)  # MJPEG
    assert sniff_image(path) is None
    frames = [Image.new("RGB", (16, 12), color) for color in ("red", "blue")]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:])
    assert sniff_image(path) is None
    Image.new("RGB", (16, 12)).save(tmp_path / "raw.nef", "TIFF")  # as raw photographs begin
    assert sniff_image(tmp_path / "raw.nef") is None
    path.write_bytes(b"")
    assert sniff_image(path) is None
    assert sniff_image(tmp_path / "nothing") is None
