"""Frames of more than 8 bits: read, resized, reduced, and given to encoders."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from edge_sr.errors import FrameError, MediaError
from edge_sr.media.chroma import resize_chroma, resize_frame
from edge_sr.media.codec.encoder import EncoderPlan, encoder_frame, pick_encoder
from edge_sr.media.codec.y4m import Y4mSink, Y4mSource
from edge_sr.media.color import rgb_to_yuv
from edge_sr.media.frame import YUV420, Color, Frame, PixelFormat
from edge_sr.media.hdr import LIGHT, MASTERING, Hdr, Mastering, frame_hdr
from edge_sr.media.orientation import Orientation
from edge_sr.media.planes import av_name, kept_format, plane_view, reduce_frame, to_planes
from edge_sr.media.screen import rescale, to_bgr
from edge_sr.media.sources.file import VideoFile
from edge_sr.session.model_session import assemble, network_input
from edge_sr.types import Size
from tests.edge_sr.media.clips import frame, info, make_clip, plane

TEN, TWELVE = PixelFormat(bits=10), PixelFormat(bits=12)
SIXTEEN = PixelFormat(bits=16)
TEN_422, TEN_444 = PixelFormat(2, 1, 10), PixelFormat(1, 1, 10)
CONTEXT = SimpleNamespace(name="ffv1", color_primaries=2, color_trc=2)


def deep(kept: PixelFormat = TEN, width: int = 32, height: int = 24) -> Frame:
    """Ramps over all levels: luma from left to right, u from top to bottom, v as luma."""
    size = kept.chroma_size(Size(width, height))
    y = np.tile(np.linspace(64, 940, width), (height, 1)) * (kept.white / 1023)
    u = np.tile(np.linspace(200, 800, size.height)[:, None], (1, size.width))
    v = np.tile(np.linspace(200, 800, size.width), (size.height, 1))
    planes = [np.rint(part).astype(np.uint16) for part in (y, u, v)]
    return Frame((planes[0], planes[1], planes[2]), 0, Fraction(1, 25), Color(), kept)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("yuv420p", YUV420),
        ("yuv444p", YUV420),
        ("pal8", YUV420),
        ("rgb24", YUV420),
        ("yuv420p9le", TEN),
        ("yuv420p10be", TEN),
        ("p010le", TEN),
        ("yuv422p10le", TEN_422),
        ("p210le", TEN_422),
        ("yuva444p10le", TEN_444),
        ("yuv440p10le", TEN_444),
        ("gbrp10le", TEN_444),
        ("yuv420p12le", TWELVE),
        ("yuv422p16le", PixelFormat(2, 1, 12)),
        ("rgb48le", PixelFormat(1, 1, 12)),
        ("gray10le", TEN),
        ("gray16le", TWELVE),
    ],
)
def test_what_is_kept_of_a_pixel_format(name: str, kept: PixelFormat) -> None:
    picture = av.VideoFrame(16, 16, name)
    assert kept_format(picture) == kept
    y, u, v, _ = to_planes(
        picture, CONTEXT, av.video.reformatter.VideoReformatter(), width=16, height=16, kept=kept
    )
    assert y.dtype == u.dtype == v.dtype == kept.dtype
    assert (Size.of_shape(u.shape), v.shape) == (kept.chroma_size(Size(16, 16)), u.shape)


def test_frames_of_the_kept_format_are_views() -> None:
    picture = av.VideoFrame(20, 12, "yuv420p10le")
    for index in range(3):
        plane(picture, index, np.uint16)[...] = 100 * index + 7
    y, u, v, _ = to_planes(picture, CONTEXT, None, width=20, height=12, kept=TEN)
    assert [part.max() for part in (y, u, v)] == [7, 107, 207]
    assert y.shape == (12, 20)
    assert not y.flags.writeable
    assert not y.flags.owndata


@pytest.mark.parametrize("name", ["p010le", "yuv420p10be", "gray10le", "gray16le"])
def test_other_layouts_lose_no_level(name: str) -> None:
    picture = av.VideoFrame(64, 16, name)
    levels = np.arange(64 * 16, dtype=np.uint16).reshape(16, 64)
    shift = {"p010le": 6, "gray16le": 6}.get(name, 0)
    order = ">u2" if name.endswith("be") else "<u2"
    for index in range(len(picture.planes)):
        plane(picture, index, np.dtype(order))[...] = 512 << shift  # type: ignore[arg-type]
    plane(picture, 0, np.dtype(order))[:, :64] = levels << shift  # type: ignore[arg-type]
    reformatter = av.video.reformatter.VideoReformatter()
    y, u, _, _ = to_planes(picture, CONTEXT, reformatter, width=64, height=16, kept=TEN)
    assert np.array_equal(y, levels)
    assert set(np.unique(u)) == {512}


def test_deep_rgb_becomes_yuv_of_the_depth() -> None:
    colors = np.array([[[0, 0, 0], [65535] * 3, [65535, 0, 0], [32768] * 3]], np.uint16)
    y, u, v = rgb_to_yuv(colors, Color(9, 9, 16, full_range=False), kept=TEN_444)
    assert y[0].tolist() == [64, 940, round(64 + 876 * 0.2627), 502]
    assert (u[0, [0, 1, 3]].tolist(), v[0, 2]) == ([512] * 3, 960)
    y, u, v = rgb_to_yuv(colors, Color(9, 9, 16, full_range=True), kept=TEN_444)
    assert (y[0, [0, 1]].tolist(), u[0, 0]) == ([0, 1023], 512)
    with pytest.raises(FrameError, match=r"uint8 .*; expected uint16"):
        rgb_to_yuv(colors.astype(np.uint8), Color(), kept=TEN_444)


@pytest.mark.parametrize("kept", [TEN, TEN_422, TEN_444], ids=str)
@pytest.mark.parametrize("size", [(64, 48), (48, 36), (50, 37), (20, 16)])
def test_chroma_stays_over_its_luma(kept: PixelFormat, size: tuple[int, int]) -> None:
    """v is a straight line in luma columns: it is the same line after resizing, at every siting."""
    for location in (1, 2, 3):
        wide = replace(deep(kept, 32, 24), color=Color(chroma_location=location))
        side = 0.5 if location == 2 and kept.chroma_x == 2 else 0.0
        at = np.arange(wide.v.shape[1]) * kept.chroma_x + side  # luma columns
        v = np.tile(np.rint(200 + 20 * at), (wide.v.shape[0], 1)).astype(np.uint16)
        _, found = resize_chroma(replace(wide, planes=(wide.y, wide.u, v)), *size)
        assert Size.of_shape(found.shape) == kept.chroma_size(Size(*size))
        new = np.arange(found.shape[1]) * kept.chroma_x + side
        line = 200 + 20 * ((new + 0.5) * 32 / size[0] - 0.5)
        inside = slice(found.shape[1] // 4, -(found.shape[1] // 4))
        assert np.abs(found[0] - line)[inside].max() < 1.1


def test_resizing_keeps_the_levels_of_the_depth() -> None:
    big = resize_frame(deep(TEN, 640, 16), 1800, 48)
    assert (big.format, big.y.shape, big.y.dtype) == (TEN, (48, 1800), np.uint16)
    assert len(np.unique(big.y)) > 700  # 877 are there
    hard = deep()
    black_white = np.where(hard.y > 500, 1023, 0).astype(np.uint16)
    big = resize_frame(replace(hard, planes=(black_white, hard.u, hard.v)), 50, 40)
    assert big.y.max() <= 1023


def test_luma_bytes_are_a_view_and_come_back() -> None:
    wide = deep()
    image = network_input(wide, "luma")
    assert image.shape == (24, 32, 2)
    assert np.shares_memory(image, wide.y)
    assert np.array_equal(image[..., 0] + 256 * image[..., 1].astype(int), wide.y)
    same = assemble(wide, image.copy(), "luma")
    assert np.array_equal(same.y, wide.y)
    with pytest.raises(FrameError, match="frame has 10 bits; models of RGB take 8"):
        network_input(wide, "rgb")


@pytest.mark.parametrize("kept", [TEN, TEN_422, TEN_444, TWELVE], ids=str)
def test_screens_get_8_bits(kept: PixelFormat) -> None:
    wide = deep(kept)
    small = reduce_frame(wide)
    assert (small.format, small.y.dtype, small.u.shape) == (YUV420, np.uint8, (12, 16))
    assert np.abs(small.y - wide.y / (1 << (kept.bits - 8))).max() <= 1
    assert reduce_frame(small) is small
    assert rescale(wide, 16, 12).format == YUV420
    assert to_bgr(wide).shape == (24, 32, 3)


def test_turning_keeps_the_format() -> None:
    wide = deep(TEN_422)
    y, u, v = Orientation(flip_x=True, flip_y=True).turn_yuv(*wide.planes, 1, TEN_422)
    assert np.array_equal(y, wide.y[::-1, ::-1])
    assert np.array_equal(u, wide.u[::-1, ::-1])
    assert v.dtype == np.uint16
    assert v[0, 0] > v[0, -1]


def plan(encoder: str, kept: PixelFormat, **changes: object) -> EncoderPlan:
    facts: dict[str, object] = {
        "encoder": encoder,
        "size": (32, 24),
        "time_base": Fraction(1, 25),
        "rate": Fraction(25),
        "aspect": Fraction(1),
        "color": Color(),
        "crf": 18,
        "preset": "veryfast",
        "format": kept,
    }
    return EncoderPlan(**{**facts, **changes})  # type: ignore[arg-type]


def test_auto_takes_hevc_above_8_bits() -> None:
    assert pick_encoder(av, "auto", plan("", YUV420)) in ("libx264", "h264_nvenc")
    assert pick_encoder(av, "auto", plan("", TEN)) in ("libx265", "hevc_nvenc")
    assert pick_encoder(av, "auto", plan("", PixelFormat(1, 1, 12))) == "libx265"
    assert pick_encoder(av, "av1", plan("", TEN)) in ("libsvtav1", "av1_nvenc")


@pytest.mark.parametrize(
    ("codec", "kept", "found"),
    [
        ("av1", TEN_422, "takes no 10-bit 4:2:2; take another --codec .*or --bits 8"),
        ("h264", TWELVE, "h264: no encoder works here; .*takes no 12-bit 4:2:0"),
        ("libx264", TWELVE, r"^libx264: takes no 12-bit 4:2:0; take another --codec"),
        ("h265", SIXTEEN, "takes no 16-bit 4:2:0"),
    ],
)
def test_what_an_encoder_cannot_hold_is_refused(codec: str, kept: PixelFormat, found: str) -> None:
    with pytest.raises(MediaError, match=found):
        pick_encoder(av, codec, plan("", kept))


def test_nvenc_gets_p010() -> None:
    wide = deep()
    wanted = plan("hevc_nvenc", TEN)
    picture = encoder_frame(av, wide, wanted, 3)
    assert (wanted.pixels, picture.format.name, picture.pts) == ("p010le", "p010le", 3)
    back = picture.reformat(format="yuv420p10le")
    for index, part in enumerate(wide.planes):
        assert np.array_equal(plane_view(back, index, TEN), part)
    assert plan("hevc_nvenc", TWELVE).pixels == av_name(TWELVE) == "yuv420p12le"


DISPLAY = Mastering(
    red=(Fraction("0.68"), Fraction("0.32")),
    green=(Fraction("0.265"), Fraction("0.69")),
    blue=(Fraction("0.15"), Fraction("0.06")),
    white=(Fraction("0.3127"), Fraction("0.329")),
    darkest=Fraction("0.005"),
    brightest=Fraction(1000),
)


def test_hdr_data_in_the_words_of_encoders() -> None:
    found = Hdr(DISPLAY, (1000, 400))
    assert found.x265_options() == [
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)",
        "max-cll=1000,400",
    ]
    assert found.svt_options() == [
        "mastering-display=G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000,0.005)",
        "content-light=1000,400",
    ]
    assert found.names == ["HDR mastering data", "HDR light levels"]
    assert Hdr(None, (9, 8)).x265_options() == ["max-cll=9,8"]
    options = plan("libx265", TEN, hdr=found, rate=Fraction(12)).options()["x265-params"]
    assert options.startswith("rc-lookahead=")
    assert options.endswith("max-cll=1000,400")


def side_data(name: str, data: bytes) -> SimpleNamespace:
    class Data(SimpleNamespace):
        def __bytes__(self) -> bytes:
            return data

    return Data(type=SimpleNamespace(name=name))


def test_hdr_data_of_a_frame_that_is_incomplete_is_none() -> None:
    numbers = [part for value in [Fraction(1, 5)] * 10 for part in value.as_integer_ratio()]
    for flags, whole in (((1, 1), True), ((1, 0), False)):
        data = struct.pack("=22i", *numbers, *flags)
        found = frame_hdr(SimpleNamespace(side_data=[side_data(MASTERING, data)]))
        assert (found is not None) == whole
    broken = [side_data(MASTERING, b"12"), side_data(LIGHT, b"")]
    assert frame_hdr(SimpleNamespace(side_data=broken)) is None


@pytest.mark.parametrize("kept", [TEN, TEN_422, PixelFormat(1, 1, 12), SIXTEEN], ids=str)
def test_y4m_keeps_the_depth(kept: PixelFormat) -> None:
    wide = deep(kept)
    stream = io.BytesIO()
    sink = Y4mSink(stream, source=info(32, 24, format=kept))
    sink.write(wide)
    stream.seek(0)
    source = Y4mSource(stream, keep_depth=True)  # type: ignore[arg-type]
    assert source.info.format == kept
    (back,) = source
    assert back.format == kept
    assert all(np.array_equal(a, b) for a, b in zip(back.planes, wide.planes, strict=True))
    stream.seek(0)
    source = Y4mSource(stream)  # type: ignore[arg-type]
    (small,) = source
    assert (small.format, small.y.dtype) == (YUV420, np.uint8)
    assert source.notices == [
        f"standard input: {kept} is read as 8-bit 4:2:0: gradients may show steps"
    ]


def test_y4m_of_8_bits_is_read_as_before() -> None:
    stream = io.BytesIO()
    Y4mSink(stream, source=info()).write(frame(1))
    stream.seek(0)
    source = Y4mSource(stream, keep_depth=True)  # type: ignore[arg-type]
    assert (source.info.format, source.notices) == (YUV420, ())
    assert np.array_equal(next(iter(source)).y, frame(1).y)


def test_a_file_is_reduced_unless_its_depth_is_wanted(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "i.mkv", codec="ffv1", pix_fmt="yuv422p10le", pts=(0, 1))
    with VideoFile(clip) as found:
        assert (found.info.format, next(iter(found)).format) == (YUV420, YUV420)
        assert found.notices == [
            f"{clip}: 10-bit 4:2:2 is read as 8-bit 4:2:0: gradients may show steps"
        ]
    with VideoFile(clip, keep_depth=True) as found:
        first = next(iter(found))
        assert (found.info.format, first.format, first.u.shape) == (TEN_422, TEN_422, (48, 32))
        assert found.notices == []
