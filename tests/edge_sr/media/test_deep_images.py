"""Images of 16 bits per channel: PNG and TIFF through a model and back."""

from __future__ import annotations

import logging
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from edge_sr import Upscaler
from edge_sr.errors import FrameError, MediaError
from edge_sr.media.stills.deep import resize_deep, to_8_bits
from edge_sr.media.stills.files import ImageFile, read_image, write_image
from edge_sr.media.stills.upscale import fill_hidden
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.run import run_job

Samples = NDArray[np.uint16]


def ramp(channels: int = 3, rows: int = 24, columns: int = 40) -> Samples:
    """Every pixel of its own level; the channels differ."""
    grey = np.linspace(300, 65000, rows * columns).reshape(rows, columns)
    parts = [np.rint(grey * (1 - 0.1 * index)).astype(np.uint16) for index in range(channels)]
    if channels in (2, 4):
        parts[-1] = np.maximum(parts[-1], 20000)
    return np.dstack(parts) if channels > 1 else parts[0]


def exif() -> bytes:
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    tags.get_ifd(0x8769)[0x9003] = "2024:05:01 12:30:00"
    return bytes(tags.tobytes())


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_written_is_read(tmp_path: Path, ending: str, channels: int) -> None:
    pixels, path = ramp(channels), tmp_path / f"a.{ending}"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    like = ImageFile(pixels, profile, (300.0, 200.0), exif())
    write_image(path, pixels, like=like)
    found = read_image(path)
    wanted = pixels[..., [0, 0, 0, 1]] if channels == 2 else pixels
    assert found.pixels.dtype == np.uint16
    assert np.array_equal(found.pixels, wanted)
    assert found.icc_profile == profile
    assert found.dpi == pytest.approx((300, 200), abs=0.1)
    kept = Image.Exif()
    kept.load(found.exif or b"")
    assert (kept[0x010F], kept.get_ifd(0x8769)[0x9003]) == ("Maker", "2024:05:01 12:30:00")
    with Image.open(path) as other:  # a program that knows nothing of us
        assert other.size == (40, 24)
        other.load()
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def grey_alpha_png(path: Path, pixels: Samples) -> None:
    """A PNG of two channels, which neither Pillow nor OpenCV writes with 16 bits."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows, columns = pixels.shape[:2]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", columns, rows, 16, 4, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def test_grey_with_alpha_is_read(tmp_path: Path) -> None:
    pixels = ramp(2)
    grey_alpha_png(tmp_path / "a.png", pixels)
    assert np.array_equal(read_image(tmp_path / "a.png").pixels, pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_their_exif_says(tmp_path: Path, orientation: int) -> None:
    """As Pillow turns the same picture of 8 bits."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    deep, small = tmp_path / "deep.png", tmp_path / "small.png"
    pixels = ramp()
    write_image(deep, pixels, like=ImageFile(pixels, exif=tags.tobytes()))
    Image.fromarray(to_8_bits(pixels)).save(small, exif=tags.tobytes())
    assert np.array_equal(to_8_bits(read_image(deep).pixels), read_image(small).pixels)


def test_other_colours_of_16_bits_are_read_as_8(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Premultiplied alpha, for one."""
    caplog.set_level(logging.INFO)
    path = tmp_path / "a.tif"
    write_image(path, ramp(4))
    data = path.read_bytes()
    straight = struct.pack("<HHIHH", 338, 3, 1, 2, 0)
    assert data.count(straight) == 1
    path.write_bytes(data.replace(straight, struct.pack("<HHIHH", 338, 3, 1, 1, 0)))
    assert read_image(path).pixels.dtype == np.uint8
    assert f"{path}: 16 bits per channel are read as 8 (RGBa;16" in caplog.text


@pytest.mark.parametrize("channels", [1, 3])
def test_pnm_and_jpeg_2000_of_16_bits_are_read(tmp_path: Path, channels: int) -> None:
    pixels, kind = ramp(channels), "P5" if channels == 1 else "P6"
    path = tmp_path / "a.pnm"
    path.write_bytes(f"{kind}\n40 24\n65535\n".encode() + pixels.astype(">u2").tobytes())
    assert np.array_equal(read_image(path).pixels, pixels)
    if channels == 1:
        Image.fromarray(pixels).save(tmp_path / "a.jp2")
        assert np.array_equal(read_image(tmp_path / "a.jp2").pixels, pixels)


def test_several_pages_of_16_bits_are_refused(tmp_path: Path) -> None:
    page = Image.fromarray(ramp(1))
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page])
    with pytest.raises(MediaError, match="holds 2 pictures; expected one"):
        read_image(tmp_path / "a.tif")


def test_formats_of_8_bits_get_8_and_say_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "a.bmp"
    write_image(path, ramp())
    assert f"{path}: 16 bits per channel become 8; PNG and TIFF hold 16" in caplog.text
    assert np.array_equal(read_image(path).pixels, to_8_bits(ramp()))


def test_resizing_keeps_levels_and_hidden_colours_do_not_bleed() -> None:
    big = resize_deep(ramp(1), 90, 50)
    assert (big.shape, big.dtype) == ((50, 90), np.uint16)
    assert len(np.unique(big)) > 3000
    half = np.zeros((8, 8, 4), np.uint16)
    half[:, :4] = (60000, 0, 0, 65535)
    half[:, 4:] = (0, 60000, 0, 0)
    found = resize_deep(half, 20, 20)
    assert found[found[..., 3] > 2000][:, 1].max() < 100
    filled = fill_hidden(half[..., :3], half[..., 3])
    assert filled.dtype == np.uint16
    assert filled[:, 4:, 1].max() < 1000


@pytest.fixture(scope="module")
def upscaler() -> Any:
    with Upscaler.open("edge-unet-s-x2", bits=16, backend="onnxruntime", threads=1) as opened:
        yield opened


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_model_of_16_bits_gives_what_the_8_bit_one_gives_and_more(
    upscaler: Upscaler, channels: int
) -> None:
    pixels = ramp(channels)
    big = upscaler.upscale(pixels)
    assert (big.dtype, big.shape[:2]) == (np.uint16, (48, 80))
    with Upscaler.open("edge-unet-s-x2", backend="onnxruntime", threads=1) as plain:
        small = plain.upscale(to_8_bits(pixels))
    assert np.abs(to_8_bits(big).astype(int) - small).max() <= 3
    assert len(np.unique(big)) > 1000
    with pytest.raises(FrameError, match=r"image is uint8 .*; expected uint16"):
        upscaler.upscale(small)


def test_the_mean_error_is_smaller_than_8_bits_allow(upscaler: Upscaler) -> None:
    """A smooth picture is nearer to the truth by many dB."""
    rows, columns = np.mgrid[:96, :128]
    truth = 20000 + 150 * rows + 110 * columns + 3000 * np.sin(rows / 9) * np.cos(columns / 11)
    low = truth.reshape(48, 2, 64, 2).mean((1, 3))
    deep = upscaler.upscale(np.rint(low).astype(np.uint16)).astype(float)
    with Upscaler.open("edge-unet-s-x2", backend="onnxruntime", threads=1) as plain:
        small = plain.upscale(to_8_bits(np.rint(low).astype(np.uint16))) * 257.0
    inside = (slice(8, -8), slice(8, -8))
    errors = [float(np.mean((found - truth)[inside] ** 2)) for found in (deep, small)]
    assert 10 * np.log10(errors[1] / errors[0]) > 3


def test_a_job_keeps_16_bits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    source = tmp_path / "a.png"
    write_image(source, ramp())
    for words, dtype, said in (
        ({}, np.uint16, ""),
        ({"scale": 3}, np.uint16, ""),
        ({"bits": "8"}, np.uint8, "16 bits per channel become 8 (--bits 8)"),
    ):
        output = tmp_path / "o.tif"
        run_job(
            JobSpec(input=str(source), output=str(output), force=True, backend="nearest", **words)  # type: ignore[arg-type]
        )
        assert read_image(output).pixels.dtype == dtype
        assert said in caplog.text
    assert caplog.text.count("become 8") == 1
