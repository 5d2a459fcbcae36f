from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from edge_sr.errors import FrameError, MediaError
from edge_sr.media.stills.files import (
    ImageFile,
    check_image_output,
    list_images,
    read_image,
    resize_image,
    write_image,
)
from edge_sr.media.stills.formats import is_image
from edge_sr.media.stills.upscale import fill_hidden, upscale_still

RNG = np.random.default_rng(0)
CHANNELS = {"grey": (6, 9), "grey and alpha": (6, 9, 2), "rgb": (6, 9, 3), "rgba": (6, 9, 4)}


def noise(kind: str) -> np.ndarray:
    return RNG.integers(0, 256, CHANNELS[kind], dtype=np.uint8)


@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_lossless_files_keep_pixels_and_kind(tmp_path: Path, kind: str, ending: str) -> None:
    pixels = noise(kind)
    write_image(tmp_path / f"a.{ending}", pixels)
    assert np.array_equal(read_image(tmp_path / f"a.{ending}").pixels, pixels)


def test_exif_orientation_turns_the_pixels(tmp_path: Path) -> None:
    pixels = noise("rgb")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to show
    Image.fromarray(pixels).save(tmp_path / "o.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "o.png").pixels, np.rot90(pixels, -1))


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tiff"])
def test_colour_profile_and_resolution_are_passed_on(tmp_path: Path, ending: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    like = ImageFile(noise("rgb"), profile, (300.0, 300.0))
    write_image(tmp_path / f"o.{ending}", noise("rgb"), like=like)
    found = read_image(tmp_path / f"o.{ending}")
    assert found.icc_profile == profile
    if ending != "webp":
        assert found.dpi == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("f.tif", lambda p: Image.fromarray(np.ones((4, 4), np.float32)).save(p), "32 bits"),
        (
            "two.tif",
            lambda p: Image.new("L", (4, 4)).save(
                p, save_all=True, append_images=[Image.new("L", (4, 4))]
            ),
            "holds 2 pictures; expected one",
        ),
        ("text.png", lambda p: p.write_text("no image"), "not an image that can be read"),
        ("empty.jpg", lambda p: p.write_bytes(b""), "not an image that can be read"),
        ("none.png", lambda p: None, "no such file"),
        ("dir.png", lambda p: p.mkdir(), "is a folder"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, name: str, make: Any, message: str) -> None:
    make(tmp_path / name)
    with pytest.raises(MediaError, match=message) as caught:
        read_image(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "tiff"])
def test_damaged_images_raise_only_our_error(tmp_path: Path, ending: str) -> None:
    write_image(tmp_path / f"a.{ending}", np.tile(noise("rgb"), (8, 8, 1)))
    whole = (tmp_path / f"a.{ending}").read_bytes()
    bad = tmp_path / f"bad.{ending}"
    refused = 0
    for trial in range(40):
        data = bytearray(whole[: int(RNG.integers(1, len(whole)))] if trial % 2 else whole)
        for at in RNG.integers(0, len(data), 8):
            data[at] = int(RNG.integers(256))
        bad.write_bytes(bytes(data))
        try:
            read_image(bad)
        except MediaError as error:
            refused += 1
            assert str(bad) in str(error)  # noqa: PT017
    assert refused > 10


def test_transparency_is_not_dropped_in_silence(tmp_path: Path) -> None:
    for ending in ("jpg", "bmp"):
        with pytest.raises(MediaError, match=r"cannot hold transparency; write a \.png"):
            write_image(tmp_path / f"a.{ending}", noise("rgba"))
    assert list(tmp_path.iterdir()) == []


def test_existing_files_stay_without_force(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_image(path, np.zeros((2, 2), np.uint8))
    with pytest.raises(MediaError, match="exists; use --force"):
        write_image(path, noise("grey"))
    assert read_image(path).pixels.max() == 0
    write_image(path, np.full((2, 2), 9, np.uint8), force=True)
    assert read_image(path).pixels.max() == 9


def test_names_that_are_no_images_are_refused(tmp_path: Path) -> None:
    assert is_image("A.JPEG")
    assert not is_image("a.mp4")
    with pytest.raises(MediaError, match=r"found \.heic; images are written to \.png"):
        check_image_output(tmp_path / "a.heic", force=False)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(MediaError, match=r"cannot be written \(File too large\)"):
            write_image(tmp_path / "a.png", np.tile(noise("rgb"), (9, 9, 1)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_wrong_arrays_are_refused(tmp_path: Path) -> None:
    for wrong in (np.zeros((4, 4, 5), np.uint8), np.zeros((4, 4)), np.zeros(4, np.uint8)):
        with pytest.raises(FrameError, match=r"expected uint8 \(H, W\)"):
            write_image(tmp_path / "a.png", wrong)


def test_a_folder_is_listed_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.png", "2.png", "b.jpg", "A.webp", ".hidden.png", "note.txt"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["2.png", "10.png", "A.webp", "b.jpg"]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="holds no image"):
        list_images(tmp_path)
    with pytest.raises(MediaError, match="cannot be listed"):
        list_images(tmp_path / "none")


@pytest.mark.parametrize("kind", CHANNELS)
def test_resizing_keeps_the_kind(kind: str) -> None:
    assert resize_image(noise(kind), 5, 4).shape[:2] == (4, 5)
    assert resize_image(noise(kind), 5, 4).shape[2:] == CHANNELS[kind][2:]


def test_colour_under_transparency_does_not_bleed() -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4] = (255, 0, 0, 255)
    pixels[:, 4:] = (0, 255, 0, 0)  # green, but not to be seen
    big = resize_image(pixels, 16, 16)
    assert big[..., 1][big[..., 3] > 8].max() < 10


def photo_with_exif(path: Path) -> None:
    tags = Image.Exif()
    tags[0x010F], tags[0x0112] = "Somebody", 6
    tags.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    tags.get_ifd(0x8825)[1] = "N"
    Image.new("RGB", (16, 12), (200, 30, 40)).save(path, exif=tags.tobytes())


@pytest.mark.parametrize("source", ["i.jpg", "i.png", "i.webp", "i.tif"])
@pytest.mark.parametrize("target", ["o.jpg", "o.png", "o.webp", "o.tif", "o.avif"])
def test_date_place_and_camera_are_kept_upright(tmp_path: Path, source: str, target: str) -> None:
    photo_with_exif(tmp_path / source)
    found = read_image(tmp_path / source)
    assert found.pixels.shape == (16, 12, 3)
    write_image(tmp_path / target, found.pixels, like=found)
    with Image.open(tmp_path / target) as made:
        tags = made.getexif()
        assert tags[0x010F] == "Somebody"
        assert tags.get(0x0112, 1) == 1
        assert tags.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
        assert tags.get_ifd(0x8825)[1] == "N"


def test_what_a_format_cannot_hold_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    photo_with_exif(tmp_path / "i.jpg")
    found = read_image(tmp_path / "i.jpg")
    write_image(tmp_path / "o.bmp", found.pixels, like=found)
    assert "Exif (date, place, camera) left out; BMP cannot hold it" in caplog.text


def test_colours_are_converted_where_a_profile_cannot_be_written(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = noise("rgb")
    for profile in (srgb, lab, b"no profile"):  # one of another colour space is of no use
        write_image(tmp_path / "o.bmp", pixels, like=ImageFile(pixels, profile), force=True)
        assert np.abs(read_image(tmp_path / "o.bmp").pixels.astype(int) - pixels).max() < 3


@pytest.mark.parametrize("dpi", [1e9, 70000, 0.3])
@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "tif"])
def test_no_resolution_is_written_wrong(tmp_path: Path, dpi: float, ending: str) -> None:
    like = ImageFile(noise("rgb"), dpi=(dpi, dpi))
    write_image(tmp_path / f"o.{ending}", noise("rgb"), like=like)
    found = read_image(tmp_path / f"o.{ending}").dpi
    assert (
        found is None
        or round(found[0]) in (1, 72, 96)
        or found == pytest.approx((dpi, dpi), rel=0.01)
    )


@pytest.mark.parametrize("kind", ["rgba", "grey and alpha"])
@pytest.mark.parametrize("hidden", [0, 255])
def test_hidden_colours_do_not_bleed(kind: str, hidden: int) -> None:
    image = np.full((24, 32, CHANNELS[kind][2]), hidden, np.uint8)
    image[..., -1] = 0
    image[6:18, 8:24] = 128
    image[6:18, 8:24, -1] = 255

    def run(part: np.ndarray) -> np.ndarray:
        wide = cv2.resize(part, (64, 48), interpolation=cv2.INTER_CUBIC)
        return wide.reshape(48, 64, -1)

    for color in ("luma", "rgb") if kind == "rgba" else ("luma",):
        found = upscale_still(image, color, run).astype(int)
        seen = found[..., -1] > 0
        assert np.abs(found[..., :-1][seen] - 128).max() <= 2


def test_visible_colours_are_not_touched() -> None:
    colors = noise("rgb")
    alpha = np.full(colors.shape[:2], 200, np.uint8)
    assert fill_hidden(colors, alpha) is colors
    alpha[0, 0] = 0
    assert np.array_equal(fill_hidden(colors, alpha)[1:], colors[1:])
    assert fill_hidden(colors, np.zeros_like(alpha)).max() == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (2, 5)])
def test_images_of_a_few_pixels_are_upscaled(size: tuple[int, int]) -> None:
    def run(part: np.ndarray) -> np.ndarray:
        assert min(part.shape[:2]) >= 4
        rows, columns = (side * 3 // 2 for side in part.shape[:2])
        return part.repeat(2, 0).repeat(2, 1)[:rows, :columns]

    for shape in (size, (*size, 3), (*size, 4)):
        image = RNG.integers(0, 256, shape, dtype=np.uint8)
        found = upscale_still(image, "rgb" if len(shape) == 3 else "luma", run)
        assert found.shape[:2] == (size[0] * 3 // 2, size[1] * 3 // 2)


def test_other_files_of_a_folder_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    write_image(tmp_path / "a.png", noise("rgb"))
    (tmp_path / "raw.dng").write_bytes(b"x")
    assert [path.name for path in list_images(tmp_path)] == ["a.png"]
    assert "not among the images: raw.dng" in caplog.text


def test_long_names(tmp_path: Path) -> None:
    path = tmp_path / f"{'ä' * 124}.png"
    write_image(path, noise("rgb"))
    assert path.exists()
    with pytest.raises(MediaError, match="cannot be written"):
        check_image_output(tmp_path / f"{'a' * 300}.png", force=False)
