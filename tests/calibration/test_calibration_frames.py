"""Collecting frames: from clips and folders, picked and accounted for; bad input in one line."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from calibration.collect import main
from calibration.frames.frames import DEFAULT, open_frames, spread, total_digest
from calibration.frames.pick import NEAR, pick
from calibration.frames.scenes import look_through
from calibration.network.frame_io import FrameIO
from edge_sr.errors import FrameError, MediaError
from edge_sr.media.stills.files import read_image, write_image
from edge_sr.model.sidecar import sha256_of
from edge_sr.model.value_range import RANGES
from tests.calibration.networks import picture, save_pictures

BYTE = RANGES["0..255"]
LUMA = FrameIO("frame", "upscaled", True, 1, BYTE, BYTE, Fraction(2), None)
RGB = FrameIO("frame", "upscaled", True, 3, BYTE, BYTE, Fraction(2), None)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 frames of 96x64: a still scene, then a moving one."""
    av = pytest.importorskip("av")
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    wide = picture(64, 200, 3, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for place in range(30):
            moving = wide[:, 3 * (place - 15) :][:, :96]
            image = picture(64, 96, 3, 7) // 2 if place < 15 else moving
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_clip_and_a_folder_become_one_collection(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = save_pictures(tmp_path / "photos", 4)
    output = tmp_path / "frames"
    command = [str(clip), str(photos), "--output", str(output), "--count", "12"]
    assert main(command) == 0
    manifest = json.loads((output / "manifest.json").read_text())
    kept = manifest["frames"]
    assert 8 <= len(kept) <= 12
    assert sum(item["source"] == str(clip) and item["time_s"] < 1.5 for item in kept) == 1
    assert {Path(item["source"]).name for item in kept} >= {"clip.mkv", "0.png", "3.png"}
    for item in kept:
        assert sha256_of(output / item["file"]) == item["sha256"]
        assert read_image(output / item["file"]).pixels.ndim == 2  # luma, lossless
    frames = open_frames(output)
    assert frames.sha256 == manifest["sha256"] == total_digest(frames.paths)
    assert read_image(output / "contact-sheet.png").pixels.shape[0] > 100
    assert [image.shape[2] for _, image in frames.read(LUMA)] == [1] * len(kept)
    assert main(command) == 1
    assert "exists; use --force" in capsys.readouterr().err
    assert main([*command, "--force", "--seed", "0"]) == 0
    assert json.loads((output / "manifest.json").read_text())["sha256"] == manifest["sha256"]


def test_frames_are_cut_to_the_size_asked_for(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "frames"
    command = [str(clip), "--output", str(output), "--count", "3", "--color", "rgb"]
    assert main([*command, "--size", "48x32"]) == 0
    assert {image.shape for _, image in open_frames(output).read(RGB)} == {(32, 48, 3)}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--size", "480x320"], "frame is 96x64; 480x320 wanted"),
        (["nowhere.mp4"], "nowhere.mp4: no such file"),
    ],
)
def test_what_cannot_be_collected_leaves_nothing(
    clip: Path, tmp_path: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(clip), "--output", str(tmp_path / "frames"), "--count", "3", *more]
    assert main(command) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_collection_is_not_replaced(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("private")
    assert main([str(clip), "--output", str(tmp_path / "mine"), "--force"]) == 1
    assert (tmp_path / "mine" / "diary.txt").read_text() == "private"


def test_nothing_to_collect_from_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as error:
        main(["--output", str(tmp_path / "frames")])
    assert error.value.code == 2


def test_picking_covers_extremes_and_drops_near_duplicates() -> None:
    rng = np.random.default_rng(0)
    still = rng.integers(60, 180, (36, 64), dtype=np.uint8)
    frames = [still] * 20 + [np.full((36, 64), grey, np.uint8) for grey in (3, 250)]
    frames += [rng.integers(0, 255, (36, 64), dtype=np.uint8) for _ in range(10)]
    looks = look_through([(i, i / 10, f) for i, f in enumerate(frames)], "made", 0)
    chosen = pick(looks, 12, seed=0)
    assert chosen == pick(looks, 12, seed=0)
    assert {20, 21} <= set(chosen)  # darkest and brightest
    assert sum(place < 20 for place in chosen) == 1
    thumbs = np.stack([looks[place].thumb for place in chosen])
    for place, thumb in enumerate(thumbs):
        away = np.abs(np.delete(thumbs, place, axis=0) - thumb).mean(axis=(1, 2))
        assert away.min() >= NEAR


def test_corrupt_images_are_named_skipped_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_pictures(tmp_path / "frames", 5)
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:200])
    write_image(folder / "tiny.png", picture(4, 4, 3, 0))
    frames = open_frames(folder)
    assert len(list(frames.read(LUMA))) == 4
    assert len(frames.skipped) == 2
    error = capsys.readouterr().err
    assert "left out: " in error
    assert "2.png" in error
    assert "tiny.png: is 4x4; expected at least 16x16" in error


def test_frames_that_do_not_fit_the_network_are_one_clear_line(tmp_path: Path) -> None:
    grey = open_frames(save_pictures(tmp_path / "grey", 2, channels=1))
    with pytest.raises(FrameError, match="is grey; the network takes RGB: collect again"):
        list(grey.read(RGB))
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="holds no image"):
        open_frames(tmp_path / "empty")
    with pytest.raises(MediaError, match="no such folder; make one with"):
        open_frames(tmp_path / "nowhere")


def test_frames_are_cut_and_mirrored_to_the_one_size_of_a_network(tmp_path: Path) -> None:
    grey = open_frames(save_pictures(tmp_path / "grey", 1, channels=1))
    [(_, whole)] = list(grey.read(LUMA))  # 64 rows, 80 columns
    smaller = FrameIO("frame", "upscaled", True, 1, BYTE, BYTE, Fraction(2), (32, 32))
    [(_, middle)] = list(grey.read(smaller))
    assert np.array_equal(middle, whole[16:48, 24:56])
    larger = FrameIO("frame", "upscaled", True, 1, BYTE, BYTE, Fraction(2), (180, 80))
    [(_, tall)] = list(grey.read(larger))
    assert np.array_equal(tall[:128], np.concatenate([whole, whole[::-1]]))
    assert tall.shape == (180, 80, 1)


def test_a_collection_with_a_frame_missing_is_refused(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "frames"
    assert main([str(clip), "--output", str(output), "--count", "4"]) == 0
    next(output.glob("0*.png")).unlink()
    with pytest.raises(MediaError, match=r"1 of the 4 frames .* are missing; collect again"):
        open_frames(output)


def test_the_set_that_comes_along_is_whole() -> None:
    frames = open_frames(None)
    manifest = json.loads((DEFAULT / "manifest.json").read_text())
    assert frames.is_default
    assert frames.sha256 == manifest["sha256"]
    assert all(item["licence"] for item in manifest["frames"])
    assert len(list(frames.read(RGB))) == len(frames) == 12


def test_places_are_spread_and_different() -> None:
    assert spread(10, 5) == [1, 3, 5, 7, 9]
    assert spread(3, 8) == [0, 1, 2]
