"""Video files that are whole: their frames, times, colours and facts."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import SIZE, TURNS, make_clip, picture, plane, set_matrix
from films import film, read

from edge_sr.media.frame import Color
from edge_sr.media.sources.file import VideoFile

LOSSLESS = {"codec": "ffv1"}


def test_variable_frame_times_come_out_exactly(tmp_path: Path) -> None:
    pts = [0, 1001, 1500, 4000, 4001, 9009]
    clip = make_clip(tmp_path / "vfr.mp4", pts=pts, time_base=Fraction(1, 30000))
    frames = read(clip)
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(p, 30000) for p in pts]


def test_info_says_size_rate_and_count(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", aspect=Fraction(4, 3))
    with VideoFile(clip) as source:
        info = source.info
    assert (info.width, info.height, info.frames, info.live) == (*SIZE, 10, False)
    assert info.frame_rate == 25
    assert info.sample_aspect_ratio == Fraction(4, 3)
    assert info.name == str(clip)


def test_planes_are_read_only_views_that_outlive_the_file(tmp_path: Path) -> None:
    frames = read(make_clip(tmp_path / "a.mkv", **LOSSLESS))
    assert len(frames) == 10
    for number, frame in enumerate(frames):
        assert not frame.y.flags.owndata
        assert not frame.y.flags.writeable
        assert np.array_equal(frame.y, picture(number))
        assert frame.u.shape == frame.v.shape == (SIZE[1] // 2, SIZE[0] // 2)


def test_films_that_are_read_at_once_keep_their_packets_apart(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", count=120, options={"g": "10"})
    with VideoFile(path) as first, VideoFile(path) as second:
        assert sum(1 for _ in zip(first, second, strict=True)) == 120


def test_odd_sizes_keep_every_row_and_column(tmp_path: Path) -> None:
    frame = read(make_clip(tmp_path / "odd.mkv", size=(35, 17), **LOSSLESS))[3]
    assert np.array_equal(frame.y, picture(3, 35, 17))
    assert frame.u.shape == (9, 18)


@pytest.mark.parametrize(
    ("tags", "color"),
    [
        ((1, 1, 1, 1), Color(1, 1, 1, full_range=False)),
        ((6, 6, 6, 2), Color(6, 6, 6, full_range=True)),
        ((9, 9, 14, 1), Color(9, 9, 14, full_range=False)),
        ((2, 2, 2, 0), Color(2, 2, 2, full_range=None)),
    ],
)
def test_colour_tags_are_carried(tmp_path: Path, tags: Sequence[int], color: Color) -> None:
    assert read(make_clip(tmp_path / "c.mp4", tags=tags))[0].color == color


def test_jpeg_video_is_full_range_with_centred_chroma(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "j.mkv", codec="mjpeg", pix_fmt="yuvj420p", tags=(6, 2, 2, 2))
    color = read(clip)[0].color
    assert color.full_range is True
    assert color.chroma_location == 2


@pytest.mark.parametrize("full", [False, True])
def test_ten_bits_become_eight_without_a_change_of_range(tmp_path: Path, full: bool) -> None:
    def fill(image: av.VideoFrame, number: int) -> None:
        y = plane(image, 0, np.uint16)
        y[:, : image.width] = np.linspace(0, 1023, image.width).astype(np.uint16)
        for index in (1, 2):
            plane(image, index, np.uint16)[...] = 300 * index

    clip = make_clip(
        tmp_path / "ten.mkv",
        codec="ffv1",
        pix_fmt="yuv420p10le",
        fill=fill,
        tags=(1, 1, 1, 2 if full else 1),
    )
    frame = read(clip)[0]
    scale = 255 / 1023 if full else 1 / 4  # full range has no room above its white
    expected = np.linspace(0, 1023, SIZE[0]).astype(np.uint16)[None] * scale
    assert np.abs(frame.y - expected).max() <= 1.5  # older libraries dither
    assert abs((frame.y - expected).mean()) < 0.6
    assert (np.abs(frame.u - 75.0).max(), np.abs(frame.v - 150.0).max()) <= (1, 1)
    assert frame.color.full_range is full


def test_422_keeps_luma_and_halves_chroma_rows(tmp_path: Path) -> None:
    def fill(image: av.VideoFrame, number: int) -> None:
        plane(image, 0)[:, : image.width] = picture(number)
        plane(image, 1)[...] = np.linspace(60, 200, image.height).astype(np.uint8)[:, None]
        plane(image, 2)[...] = 90

    clip = make_clip(tmp_path / "p.mkv", codec="ffv1", pix_fmt="yuv422p", fill=fill)
    frame = read(clip)[0]
    assert np.array_equal(frame.y, picture(0))
    expected = np.linspace(60, 200, SIZE[1]).reshape(-1, 2).mean(axis=1)
    assert np.abs(frame.u[2:-2, 10] - expected[2:-2]).max() <= 2
    assert np.abs(frame.v - 90.0).max() <= 1


@pytest.mark.parametrize(("range_tag", "full"), [(1, False), (2, True), (0, None)])
def test_grey_video_keeps_its_values_whatever_its_range(
    tmp_path: Path, range_tag: int, full: bool | None
) -> None:
    clip = make_clip(tmp_path / "g.mkv", codec="ffv1", pix_fmt="gray", tags=(2, 2, 2, range_tag))
    frame = read(clip)[4]
    assert np.array_equal(frame.y, picture(4))
    assert (int(frame.u.min()), int(frame.v.max())) == (128, 128)
    assert frame.color.full_range is full


def test_rgb_video_becomes_tagged_601_at_sd_sizes(tmp_path: Path) -> None:
    def fill(image: av.VideoFrame, number: int) -> None:
        plane(image, 0)[...] = np.tile(np.uint8([30, 200, 90, 0]), plane(image, 0).shape[1] // 4)

    clip = make_clip(tmp_path / "r.mkv", codec="ffv1", pix_fmt="bgr0", fill=fill)
    frame = read(clip)[0]
    blue, green, red = 30, 200, 90
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    assert frame.color.matrix == 6
    assert frame.color.full_range is False
    assert abs(float(frame.y.mean()) - (16 + luma * 219 / 255)) < 1
    assert abs(float(frame.u.mean()) - (128 + (blue - luma) / 1.772 * 224 / 255)) < 1
    assert abs(float(frame.v.mean()) - (128 + (red - luma) / 1.402 * 224 / 255)) < 1


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_the_display_matrix_turns_the_pixels(tmp_path: Path, degrees: int) -> None:
    clip = make_clip(tmp_path / "turned.mp4", size=(64, 32), aspect=Fraction(4, 3))
    upright = read(clip)
    set_matrix(clip, *TURNS[degrees])
    with VideoFile(clip) as source:
        turned = list(source)
    swapped = degrees != 180
    assert (source.info.width, source.info.height) == ((32, 64) if swapped else (64, 32))
    assert source.info.sample_aspect_ratio == (Fraction(3, 4) if swapped else Fraction(4, 3))
    for a, b in zip(upright, turned, strict=True):
        assert np.array_equal(b.y, np.rot90(a.y, -degrees // 90))
        assert b.u.shape == (b.y.shape[0] // 2, b.y.shape[1] // 2)
        assert a.pts == b.pts


def test_a_mirrored_display_matrix_mirrors_the_pixels(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "mirror.mp4")
    before = read(clip)[0].y
    set_matrix(clip, -1, 0, 0, 1)
    assert np.array_equal(read(clip)[0].y, before[:, ::-1])


def test_a_stream_without_times_gets_the_frame_rate(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "raw.h264", options={"bf": "0"})
    with VideoFile(clip) as source:
        frames = list(source)
    times = [float(frame.pts * frame.time_base) for frame in frames]
    assert len(times) == 10
    assert np.allclose(np.diff(times), 1 / 25, atol=1e-4)
    assert source.repaired == 10
    assert source.notices == [f"{clip}: a raw stream, read at 25 frames a second; see --fps"]


@pytest.mark.parametrize(
    ("pixels", "alpha", "lost"), [("argb", 90, True), ("argb", 255, False), ("rgb24", 255, False)]
)
def test_transparency_of_a_film_is_named(
    tmp_path: Path, pixels: str, alpha: int, lost: bool
) -> None:
    clip = tmp_path / "i.mov"
    with av.open(str(clip), "w") as output:
        stream = output.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, pixels
        image = av.VideoFrame.from_ndarray(np.full((16, 32, 4), alpha, np.uint8), "rgba")
        image.pts, image.time_base = 0, Fraction(1, 25)
        output.mux([*stream.encode(image.reformat(format=pixels)), *stream.encode(None)])
    with VideoFile(clip) as source:
        assert source.notices == ([f"{clip}: not kept: transparency"] if lost else [])


def test_frames_of_another_size_are_fitted_to_the_first(tmp_path: Path) -> None:
    first = make_clip(tmp_path / "1.h264", size=(64, 48))
    second = make_clip(tmp_path / "2.h264", size=(96, 64))
    both = tmp_path / "both.h264"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    shapes = {frame.y.shape for frame in read(both)}
    assert len(read(both)) == 20
    assert shapes == {(48, 64)}


def test_words_in_another_encoding_are_no_obstacle(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv", metadata={"title": "caf#"})
    clip.write_bytes(clip.read_bytes().replace(b"caf#", b"caf\xe9"))
    assert len(read(clip)) == 10


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    source = VideoFile(make_clip(tmp_path / "a.mp4"))
    source.close()
    source.close()


def test_the_alpha_of_a_film_is_dropped(tmp_path: Path) -> None:
    clear = make_clip(tmp_path / "a.mkv", **LOSSLESS, pix_fmt="yuva420p")
    plain = make_clip(tmp_path / "b.mkv", **LOSSLESS)
    assert np.array_equal(read(clear)[3].y, read(plain)[3].y)
