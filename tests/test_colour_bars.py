"""Colour bars through `edge-sr run` and a network that changes nothing: what went in comes out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from edge_sr import zoo
from edge_sr.cli.main import main
from edge_sr.media.color import rgb_to_yuv, yuv_to_rgb
from edge_sr.media.frame import Color, Frame, StreamInfo
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.file import VideoFile
from edge_sr.media.stills.upscale import SEEN
from edge_sr.model.sidecar import sha256_of, write_sidecar

onnx = pytest.importorskip("onnx", reason="pip install 'edge-sr[convert]'")

MATRICES = {6: "BT.601", 1: "BT.709", 9: "BT.2020"}
WHITE, YELLOW, CYAN, GREEN = (255, 255, 255), (191, 191, 0), (0, 191, 191), (0, 191, 0)
PURPLE, RED, BLUE, DARK = (191, 0, 191), (191, 0, 0), (0, 0, 191), (16, 16, 16)
BARS = np.uint8([WHITE, YELLOW, CYAN, GREEN, PURPLE, RED, BLUE, DARK])
WIDTH, HEIGHT, BAR = 256, 96, 32
TIME = Fraction(1, 25)


@pytest.fixture(scope="module", params=["luma", "rgb"])
def identity(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that gives every frame back as it is."""
    channels = {"luma": 1, "rgb": 3}[request.param]
    tensors = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, [1, "h", "w", channels])
        for name in ("frame", "upscaled")
    ]
    node = onnx.helper.make_node("Identity", ["frame"], ["upscaled"])
    graph = onnx.helper.make_graph([node], "identity", tensors[:1], tensors[1:])
    path = tmp_path_factory.mktemp("identity") / f"{request.param}.onnx"
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    card = replace(
        zoo.find("edge-unet-s-x2")[1],
        name="identity",
        scale="1",
        color=request.param,
        sha256=sha256_of(path),
    )
    write_sidecar(path, card)
    return path


def film(path: Path, color: Color, frames: int = 3) -> Path:
    """Bars, encoded without loss."""
    rgb = np.repeat(BARS, BAR, axis=0)[None].repeat(HEIGHT, 0)
    planes = rgb_to_yuv(rgb, color)
    info = StreamInfo("bars", WIDTH, HEIGHT, TIME, Fraction(25), frames, live=False)
    writer = VideoWriter(path, source=info, crf=0)
    for pts in range(frames):
        writer.write(Frame(planes, pts, TIME, color))
    writer.finish()
    return path


def upscaled(source: Path, model: Path, ending: str = "mp4") -> Path:
    """Through the command, without loss: what differs is the command's doing."""
    output = source.with_name(f"out.{ending}")
    words = ["run", "--input", str(source), "--output", str(output), "--crf", "0"]
    assert main([*words, "--model", str(model)]) == 0
    return output


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", MATRICES, ids=MATRICES.get)
def test_bars_come_out_in_the_colours_they_went_in(
    identity: Path, matrix: int, full: bool, tmp_path: Path
) -> None:
    color = Color(matrix, matrix, 14 if matrix == 9 else matrix, full_range=full)
    output = upscaled(film(tmp_path / "in.mkv", color), identity)
    with VideoFile(output) as found:
        frames = list(found)
    assert len(frames) == 3
    inside = [x for x in range(WIDTH) if 6 <= x % BAR < BAR - 6]
    bars = np.repeat(BARS, BAR, axis=0)[inside]
    for frame in frames:
        assert (frame.color.matrix, frame.color.full_range) == (matrix, full)
        error = np.abs(yuv_to_rgb(frame)[:, inside].astype(int) - bars)
        assert error.mean() <= 1
        assert error.max() <= 2


TAGS = {  # where chroma lies is written too, and read by no PyAV: docs/formats.md
    "BT.709": Color(1, 1, 1, full_range=False),
    "HLG": Color(9, 9, 18, full_range=False),
    "PQ": Color(9, 9, 16, full_range=False),
    "full": Color(6, 6, 6, full_range=True),
}


@pytest.mark.parametrize("ending", ["mp4", "m4v", "mov", "mkv"])
@pytest.mark.parametrize("tags", TAGS)
def test_tags_survive_every_container(tags: str, ending: str, tmp_path: Path) -> None:
    path = film(tmp_path / f"in.{ending}", TAGS[tags], frames=2)
    output = path.with_name(f"out.{ending}")
    words = ["run", "--input", str(path), "--output", str(output), "--backend", "nearest"]
    assert main(words) == 0
    with VideoFile(output) as found:
        assert next(iter(found)).color == TAGS[tags]


@pytest.mark.parametrize("transfer", [16, 18], ids=["PQ", "HLG"])
def test_ten_bit_hdr_becomes_eight_bits_of_the_same_levels(transfer: int, tmp_path: Path) -> None:
    """Never tone-mapped: the tags stay, and so a player shows the same picture, more coarsely."""
    path, levels = tmp_path / "hdr.mkv", np.linspace(64, 940, WIDTH).astype(np.uint16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p10le"
        context.colorspace, context.color_primaries, context.color_trc = 9, 9, transfer
        context.color_range = 1
        image = av.VideoFrame(WIDTH, HEIGHT, "yuv420p10le")
        for index, value in enumerate((levels, 512, 512)):
            plane = image.planes[index]
            array = np.frombuffer(plane, np.uint16).reshape(plane.height, -1)
            array[:, : plane.width] = value
        image.colorspace, image.color_range = 9, 1
        container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    output = tmp_path / "out.mkv"
    words = ["run", "--input", str(path), "--output", str(output), "--backend", "nearest"]
    assert main([*words, "--crf", "0", "--bits", "8"]) == 0
    with VideoFile(output) as found:
        frame = next(iter(found))
    color = frame.color
    assert (color.matrix, color.primaries, color.transfer) == (9, 9, transfer)
    assert color.full_range is False
    assert np.abs(frame.y[0, ::2] - levels / 4).max() <= 1.5
    assert np.abs(frame.u.astype(int) - 128).max() <= 1


def test_interlaced_film_passes_as_whole_frames(tmp_path: Path) -> None:
    """Nothing is deinterlaced: both fields of a frame stay in it, line by line."""
    path = tmp_path / "fields.mkv"
    comb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    comb[::2] = 200
    with av.open(str(path), "w") as container:
        options = {"flags": "+ilme+ildct", "x264-params": "tff=1:interlaced=1:qp=0"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        image = av.VideoFrame.from_ndarray(comb, format="rgb24")
        container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    output = tmp_path / "out.mkv"
    words = ["run", "--input", str(path), "--output", str(output), "--backend", "nearest"]
    assert main([*words, "--crf", "0"]) == 0
    with VideoFile(path) as before, VideoFile(output) as after:
        y, bigger = next(iter(before)).y, next(iter(after)).y
    assert np.ptp(y[:, 0]) > 100
    assert np.array_equal(bigger[::2, ::2], y)


@pytest.mark.parametrize("kind", ["L", "LA", "RGB", "RGBA"])
def test_stills_of_every_kind_come_back_unchanged(
    identity: Path, kind: str, tmp_path: Path
) -> None:
    channels = len(Image.new(kind, (1, 1)).getbands())
    pixels = np.repeat(BARS[:, :1].repeat(4, 1), 5, axis=0)[None].repeat(33, 0)[..., :channels]
    if kind.endswith("A"):
        pixels[..., -1] = np.maximum(pixels[..., -1], SEEN)  # hidden colours are not kept
    Image.fromarray(np.ascontiguousarray(pixels).squeeze(), mode=None).save(tmp_path / "in.png")
    output = upscaled(tmp_path / "in.png", identity, "png")
    with Image.open(output) as found:
        assert found.mode == kind
        assert np.abs(np.asarray(found).astype(int) - pixels.squeeze()).max() <= 1


def test_the_same_film_twice_is_the_same_bytes(tmp_path: Path) -> None:
    path = film(tmp_path / "in.mkv", TAGS["BT.709"])
    made = []
    for name in ("a.mp4", "b.mp4"):
        words = ["run", "--input", str(path), "--output", str(tmp_path / name)]
        assert main(words) == 0
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
