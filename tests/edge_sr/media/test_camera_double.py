"""`edge-sr run --camera 7` through the real OpenCV, on the camera double of tests/fakes.

The double is preloaded into processes of their own; what they give is compared with the source.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import SIZE, picture
from clocks import HANG_S

from edge_sr.media.frame import Color, Frame, Planes
from edge_sr.media.sources.pictures import PATIENCE, converter
from edge_sr.types import Size
from edge_sr.upscaler import Upscaler

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests" / "fakes"))

from build_double import build_camera, compiler  # noqa: E402

pytestmark = [
    pytest.mark.skipif(
        compiler() is None or sys.platform != "linux", reason="needs Linux and a C compiler"
    ),
    pytest.mark.skipif(
        "v4l/v4l2:                    YES" not in cv2.getBuildInformation(),
        reason="this OpenCV has no Video4Linux",
    ),
]
PICTURES = 900  # of the film, which then starts again
RATE = 200  # a second
WANTED = 300
WIDTH, HEIGHT = SIZE


@dataclass(frozen=True)
class Film:
    """What the double gives, and the planes that are expected of each picture."""

    layout: str
    path: Path
    pictures: list[Planes] = field(repr=False)
    color: Color


@pytest.fixture(scope="session")
def double(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library to preload."""
    return build_camera(tmp_path_factory.mktemp("camera"))


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Film]:
    """The same moving picture as YUYV, NV12 and MJPG."""
    folder = tmp_path_factory.mktemp("films")
    planes = {name: [] for name in ("YUYV", "NV12", "MJPG")}
    stored = {name: io.BytesIO() for name in planes}
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
    encoder.time_base = Fraction(1, RATE)
    decoder = av.CodecContext.create("mjpeg", "r")
    for number in range(PICTURES):
        y = picture(number * 3)
        y[0, :10] = [16 + 200 * (number >> bit & 1) for bit in range(10)]  # no two are equal
        chroma = [picture(start - number)[:, : WIDTH // 2] for start in (0, 90)]
        yuyv = np.stack([y[:, 0::2], chroma[0], y[:, 1::2], chroma[1]], axis=-1)
        stored["YUYV"].write(yuyv.tobytes())
        mean = [np.floor(c.reshape(-1, 2, WIDTH // 2).mean(axis=1) + 0.5) for c in chroma]
        u, v = (half.astype(np.uint8) for half in mean)
        planes["YUYV"].append((y, u, v))
        stored["NV12"].write(y.tobytes() + np.stack([u, v], axis=-1).tobytes())
        planes["NV12"].append((y, u, v))
        whole = np.concatenate([plane.reshape(-1, WIDTH) for plane in (y, u, v)])
        source = av.VideoFrame.from_ndarray(whole, format="yuvj420p")
        source.pts = number
        (packet,) = encoder.encode(source)
        stored["MJPG"].write(bytes(packet))
        (decoded,) = decoder.decode(av.Packet(bytes(packet)))
        rows = decoded.to_ndarray().reshape(-1)
        luma, quarter = WIDTH * HEIGHT, WIDTH * HEIGHT // 4
        u, v = (rows[at : at + quarter].reshape(-1, WIDTH // 2) for at in (luma, luma + quarter))
        planes["MJPG"].append((rows[:luma].reshape(HEIGHT, WIDTH), u, v))
    jpeg = Color(matrix=5, full_range=True, chroma_location=2)
    plain = Color(matrix=6, primaries=1, transfer=1, full_range=False, chroma_location=1)
    found = {}
    for name, content in stored.items():
        path = folder / name
        path.write_bytes(content.getvalue())
        found[name] = Film(name, path, planes[name], jpeg if name == "MJPG" else plain)
    return found


def environment(double: Path, film: Film, fault: str) -> dict[str, str]:
    return {
        **os.environ,
        "LD_PRELOAD": str(double),
        "V4L2_DOUBLE_FILE": str(film.path),
        "V4L2_DOUBLE_FORMAT": film.layout,
        "V4L2_DOUBLE_SIZE": f"{WIDTH}x{HEIGHT}",
        "V4L2_DOUBLE_RATE": str(RATE),
        "V4L2_DOUBLE_FAULT": fault,
        "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "1",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }


def run(double: Path, film: Film, fault: str = "") -> subprocess.CompletedProcess[bytes]:
    """`edge-sr run --camera 7` with 300 frames as YUV4MPEG2 on stdout."""
    command = [sys.executable, "-m", "edge_sr.cli.main", "run", "--camera", "7", "-o", "-"]
    command += ["--camera-format", film.layout, "--max-frames", str(WANTED)]
    command += ["--backend", "nearest", "--calm", "off"]
    return subprocess.run(
        command,
        env=environment(double, film, fault),
        cwd=ROOT,
        capture_output=True,
        timeout=HANG_S,
        check=False,
    )


def numbers(film: Film, done: subprocess.CompletedProcess[bytes]) -> list[int]:
    """Which picture of the film each upscaled frame on stdout is; each must be one of them.

    They must be 300 with those that the pipe was too slow for, as stderr says.
    """
    assert done.returncode == 0, done.stderr
    source: dict[bytes, int] = {}
    with Upscaler.open(backend="nearest") as upscaler:
        for number, planes in enumerate(film.pictures):
            frame = Frame(planes, 0, Fraction(1, RATE), film.color)
            upscaled = upscaler.upscale_frame(frame)
            source[b"".join(plane.tobytes() for plane in upscaled.planes)] = number
    assert len(source) == PICTURES
    _header, *frames = done.stdout.split(b"FRAME\n")
    unknown = [number for number, frame in enumerate(frames) if frame not in source]
    assert not unknown
    late = re.search(rb"too slow for (\d+) frames", done.stderr)
    assert len(frames) + int(late[1] if late else 0) == WANTED
    return [source[frame] for frame in frames]


def is_rising(found: list[int]) -> bool:
    """The film may have started again."""
    steps = np.diff(found) % PICTURES
    return bool((steps > 0).all())


@pytest.mark.parametrize(
    "layout",
    [
        "YUYV",
        pytest.param("NV12", marks=pytest.mark.slow),
        pytest.param("MJPG", marks=pytest.mark.slow),
    ],
)
def test_frames_are_those_of_the_camera_whatever_size_was_asked(
    layout: str, films: dict[str, Film], double: Path
) -> None:
    done = run(double, films[layout])
    found = numbers(films[layout], done)
    assert is_rising(found)
    given = f"camera 7: gives 64x48 at 200 fps, {layout} (asked for 1280x720 at 30 fps)"
    assert given in done.stderr.decode()


@pytest.mark.slow
def test_damaged_jpegs_are_left_out(films: dict[str, Film], double: Path) -> None:
    done = run(double, films["MJPG"], "broken=3")
    found = numbers(films["MJPG"], done)
    assert not [number for number in found if (number + 1) % 3 == 0]
    text = done.stderr.decode()
    assert "camera 7: a damaged picture was left out; check its cable and hub" in text
    assert re.search(r"camera 7: \d+ damaged pictures were left out", text)


@pytest.mark.slow
def test_a_camera_that_is_pulled_and_plugged_in_again(films: dict[str, Film], double: Path) -> None:
    done = run(double, films["YUYV"], "gone=100")
    found = numbers(films["YUYV"], done)
    assert is_rising(found)
    text = done.stderr.decode()
    assert "camera 7: stopped giving pictures for 2 s" in text
    assert "camera 7: cannot be opened" in text  # the first attempt


@pytest.mark.slow
def test_a_camera_that_falls_silent_is_given_back_and_opened_again(
    films: dict[str, Film], double: Path
) -> None:
    done = run(double, films["NV12"], "silent=100")
    found = numbers(films["NV12"], done)
    assert is_rising(found)
    text = done.stderr.decode()
    assert "camera 7: stopped giving pictures for 2 s" in text
    assert "select() timeout" not in text  # which OpenCV prints


def test_a_camera_in_use_is_one_line(films: dict[str, Film], double: Path) -> None:
    done = run(double, films["YUYV"], "busy")
    text = done.stderr.decode()
    assert done.returncode == 1
    assert text.startswith("edge-sr: camera 7: cannot be opened")
    assert text.count("\n") == 1
    assert done.stdout == b""


CONTROLS = """
import cv2
camera = cv2.VideoCapture("/dev/video7", cv2.CAP_V4L2)
brightness = cv2.CAP_PROP_BRIGHTNESS
print(camera.get(brightness), camera.set(brightness, 200), camera.get(brightness))
print(camera.set(brightness, 300), camera.get(cv2.CAP_PROP_CONTRAST), camera.get(cv2.CAP_PROP_FPS))
"""


def test_controls_are_answered(films: dict[str, Film], double: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONTROLS],
        env=environment(double, films["YUYV"], ""),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=True,
    )
    assert done.stdout.splitlines() == ["128.0 True 200.0", f"False -1.0 {RATE}.0"]


READER = """
import hashlib, itertools, sys, av
wanted = {"video_size": "1280x720", "framerate": "30"}
# not `options`: the decoder would get the size that was asked for
with av.open("/dev/video7", format="v4l2", container_options=wanted) as camera:
    for frame in itertools.islice(camera.decode(video=0), 30):
        print(frame.format.name, hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest())
"""


@pytest.mark.parametrize("layout", ["YUYV", "NV12", "MJPG"])
def test_ffmpeg_s_reader_finds_the_same_pictures(
    layout: str, films: dict[str, Film], double: Path
) -> None:
    film = films[layout]
    done = subprocess.run(
        [sys.executable, "-c", READER],
        env=environment(double, film, ""),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=True,
    )
    name, stored = {
        "YUYV": ("yuyv422", film.path.read_bytes()),
        "NV12": ("nv12", film.path.read_bytes()),
        "MJPG": (
            "yuvj420p",
            b"".join(plane.tobytes() for planes in film.pictures for plane in planes),
        ),
    }[layout]
    size = len(stored) // PICTURES
    digests = [
        hashlib.sha256(stored[at : at + size]).hexdigest() for at in range(0, len(stored), size)
    ]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert {line[0] for line in lines} == {name}
    assert len(lines) == 30
    assert is_rising([digests.index(digest) for _name, digest in lines])


def test_a_camera_that_gives_damaged_jpegs_only_is_shown_as_it_is(films: dict[str, Film]) -> None:
    whole = films["MJPG"].path.read_bytes()
    jpeg = whole[: whole.index(b"\xff\xd8\xff", 2)]
    cut = np.frombuffer(jpeg[: len(jpeg) * 3 // 4], np.uint8)
    convert = converter("MJPG")
    assert [convert(cut) for _ in range(PATIENCE)] == [None] * PATIENCE
    (y, _u, _v), color = convert(cut) or pytest.fail("nothing")
    assert y.shape == (HEIGHT, WIDTH)
    assert color.full_range


def test_a_long_burst_of_damaged_jpegs_is_left_out(films: dict[str, Film]) -> None:
    whole = films["MJPG"].path.read_bytes()
    jpeg = np.frombuffer(whole[: whole.index(b"\xff\xd8\xff", 2)], np.uint8)
    convert = converter("MJPG")
    assert convert(jpeg) is not None
    assert [convert(jpeg[:-300]) for _ in range(3 * PATIENCE)] == [None] * 3 * PATIENCE
    assert convert(jpeg) is not None


@pytest.mark.parametrize("layout", ["YUYV", "NV12"])
def test_bytes_in_a_row_get_their_shape(layout: str, films: dict[str, Film]) -> None:
    film = films[layout]
    stored = np.fromfile(film.path, np.uint8).reshape(PICTURES, -1)
    convert = converter(layout, Size(WIDTH, HEIGHT))
    planes, _color = convert(stored[:1]) or pytest.fail("nothing")  # (1, N), as of OpenCV 4.11
    assert all(map(np.array_equal, planes, film.pictures[0]))
    assert convert(stored[:1, :-1]) is None


def test_odd_sides_are_cut() -> None:
    yuyv = np.arange(5 * 6 * 2, dtype=np.uint8).reshape(5, 6, 2)
    (y, u, v), _color = converter("YUYV")(yuyv) or pytest.fail("nothing")
    assert (y.shape, u.shape, v.shape) == ((4, 6), (2, 3), (2, 3))
    assert y[1].tolist() == yuyv[1, :, 0].tolist()
    assert u[0, 0] == (int(yuyv[0, 0, 1]) + int(yuyv[1, 0, 1]) + 1) // 2
