"""Pairs of clips: found, matched by time, and refused where they are none."""

from __future__ import annotations

import shutil
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import write_clip
from training.data.photos import DataError
from training.data.video_file import Clip, open_clip, read_frames
from training.data.video_pairs import find_scenes, match_times, split_scenes
from training.make_pool import main as make_pool
from training.scenes import clip_pairs

HALVES = Fraction(3, 2)


def clip_at(*ticks: int, base: Fraction = Fraction(1, 1000)) -> Clip:
    return Clip(None, 4, 4, np.array(ticks), base)


def test_any_frame_can_be_read_by_its_number(clips):
    clip = open_clip(clips / "cat_96p.mp4")
    assert (clip.width, clip.height, len(clip.ticks)) == (128, 96, 20)
    assert clip.interval == pytest.approx(1 / 25)
    everything = read_frames(clip, 0, 20)
    assert everything[0].shape == (96, 128, 1)
    for number in (19, 3, 0, 11):
        np.testing.assert_array_equal(read_frames(clip, number)[0], everything[number])
    assert read_frames(clip, 5, channels=3)[0].shape == (96, 128, 3)


def test_frames_are_matched_by_time_not_by_number():
    low, high = clip_at(100, 140, 180, 220), clip_at(7, 27, 47, 67, 87, 107, 127)
    np.testing.assert_array_equal(match_times(low, high), [[0, 0], [1, 2], [2, 4], [3, 6]])
    odd = clip_at(0, 55, 80, 120)  # 55 is no partner of 40
    np.testing.assert_array_equal(match_times(low, odd), [[0, 0], [2, 2], [3, 3]])


def test_pairs_are_found_by_name(clips):
    write_clip(clips / "alone_96p.mp4", 96, 128)
    (clips / "notes_96p.txt").write_text("no clip")
    pairs, left_out = find_scenes([clips], HALVES)
    assert [pair.scene for pair in pairs] == ["bridge", "cat", "square"]
    np.testing.assert_array_equal(pairs[0].matches, np.stack([np.arange(20)] * 2, axis=1))
    assert len(left_out) == 1
    assert left_out[0].endswith("alone: has 96p; expected two clips of heights 1:3/2")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"seed": 9}, r"the pictures agree by .*; expected 0.9 or more of one scene"),
        ({"frames": 31}, "last 0.76 s and 1.20 s; expected one length"),
        ({"frames": 16, "rate": 20}, "frames have a partner of the same time; expected one frame"),
        ({"columns": 190}, "128x96 and 190x144; expected sides of ratio 3/2"),
        ({"shift": 2}, "the pictures agree by|the large clip is -2 frames off"),
    ],
)
def test_clips_that_are_no_pair(clips, change, expected):
    high = {"rows": 144, "columns": 192, "seed": 1} | change
    write_clip(clips / "cat_144p.mp4", high.pop("rows"), high.pop("columns"), **high)
    pairs, left_out = find_scenes([clips], HALVES)
    assert [pair.scene for pair in pairs] == ["bridge", "square"]
    assert len(left_out) == 1
    with pytest.raises(DataError, match=expected):
        raise DataError(left_out[0])


def test_a_damaged_clip_is_named(clips):
    whole = (clips / "cat_96p.mp4").read_bytes()
    (clips / "cat_96p.mp4").write_bytes(whole[: len(whole) // 3])
    (clips / "square_96p.mp4").write_bytes(b"")
    pairs, left_out = find_scenes([clips], HALVES)
    assert [pair.scene for pair in pairs] == ["bridge"]
    assert sorted(line.split(":")[0].rpartition("/")[2] for line in left_out) == [
        "cat_96p.mp4",
        "square_96p.mp4",
    ]


def test_nothing_to_train_on(clips, tmp_path):
    with pytest.raises(DataError, match="nowhere: no such folder"):
        find_scenes([tmp_path / "nowhere"], HALVES)
    with pytest.raises(DataError, match=r"no pair of clips can be used; first: .*heights 1:2"):
        find_scenes([clips], Fraction(2))
    shutil.rmtree(clips)
    clips.mkdir()
    with pytest.raises(DataError, match=r"expected NAME_720p.mp4 and NAME_1080p.mp4"):
        find_scenes([clips], HALVES)


def test_scenes_are_split_by_seed(clips):
    pairs, _ = find_scenes([clips], HALVES)
    train, held = split_scenes(pairs * 5, 1)
    assert (len(train), len(held)) == (12, 3)
    splits = {tuple(p.scene for p in split_scenes(pairs, seed)[1]) for seed in range(12)}
    assert len(splits) == 3
    train, held = split_scenes(pairs[:1], 1)
    assert [len(train[0].matches), len(held[0].matches)] == [16, 4]
    assert held[0].matches[0, 0] == train[0].matches[-1, 0] + 1


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """Three of 208x120, for clips of 192x108 and 128x72, and one that is too small for them."""
    monkeypatch.setattr(clip_pairs, "ROWS", 108)
    monkeypatch.setattr(clip_pairs, "FRAMES", 4)
    rng = np.random.default_rng(0)
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number, (rows, columns) in enumerate([(120, 208)] * 3 + [(60, 104)]):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 20, 3), np.uint8))
        coarse.resize((columns, rows), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def test_clips_are_made_of_photographs(photographs, tmp_path):
    made = tmp_path / "made"
    asked = ["--data", str(photographs), "--output", str(made), "--scale", "3/2", "--clips"]
    assert make_pool([*asked, "3"]) == 0
    pairs, left_out = find_scenes([made], HALVES)
    assert (len(pairs), left_out) == (3, [])
    assert {len(pair.matches) for pair in pairs} == {4}
    pictures = [read_frames(pair.high, 0, channels=3)[0] for pair in pairs]
    assert all(picture.shape == (108, 192, 3) for picture in pictures)
    assert min(np.ptp(picture[..., 0].astype(int) - picture[..., 2]) for picture in pictures) > 60
    assert len({picture.tobytes() for picture in pictures}) == 3
    for pair, picture in zip(pairs, pictures, strict=True):
        sides = [picture, read_frames(pair.low, 0, channels=3)[0]]
        large, small = (  # coarse, as both have half of the colour's detail
            np.asarray(Image.fromarray(side).resize((32, 18), Image.Resampling.BOX), float)
            for side in sides
        )
        assert np.abs(small - large).mean() < 2
    with av.open(str(pairs[0].high.path)) as film:
        context = film.streams.video[0].codec_context
        assert (context.color_range, context.colorspace) == (1, 1)
    before = {path: path.stat().st_mtime_ns for path in made.iterdir()}
    assert make_pool([*asked, "3"]) == 0  # what is there is not made again
    assert {path: path.stat().st_mtime_ns for path in made.iterdir()} == before


@pytest.mark.parametrize(
    ("count", "scale", "expected"),
    [
        ("4", "3/2", "3 of 4 pictures are photographs of 192x108 or more; expected one for each"),
        ("3", "9/7", "scale is 9/7; expected one with even sizes below 192x108, as 3/2"),
    ],
)
def test_clips_that_cannot_be_made(photographs, tmp_path, capsys, count, scale, expected):
    asked = ["--data", str(photographs), "--output", str(tmp_path / "made"), "--clips", count]
    assert make_pool([*asked, "--scale", scale]) == 1
    assert expected in capsys.readouterr().err
    assert not list((tmp_path / "made").iterdir())
