"""``edge-sr run`` with pipes, several sinks and the Python API."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import types
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import frame, info
from clocks import HANG_S

from edge_sr import Upscaler
from edge_sr.cli.main import main
from edge_sr.cli.options import bind_address
from edge_sr.errors import MediaError, MissingDependencyError, UsageError
from edge_sr.media.codec.y4m import Y4mSink, Y4mSource
from edge_sr.media.frame import Color, Frame
from edge_sr.media.sinks.mailbox import Mailbox
from edge_sr.media.sinks.virtual_camera import VirtualCameraSink
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources import capture
from edge_sr.media.sources.file import VideoFile
from edge_sr.media.sources.open import open_source
from edge_sr.media.sources.pattern import Pattern
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.outputs import output_sinks

ROOT = Path(__file__).parents[3]
TAGGED = Color(full_range=False, chroma_location=1)


def y4m(count: int = 3, width: int = 65, height: int = 47) -> bytes:
    """A small stream; odd sides."""
    out = io.BytesIO()
    sink = Y4mSink(out, source=info(width, height, frame_rate=Fraction(30000, 1001)))
    for number in range(count):
        sink.write(frame(number, width, height, color=TAGGED))
    return out.getvalue()


def test_y4m_comes_back_as_it_went() -> None:
    source = Y4mSource(io.BytesIO(y4m()))
    assert source.info.frame_rate == Fraction(30000, 1001)
    frames = list(source)
    assert len(frames) == 3
    for number, found in enumerate(frames):
        wanted = frame(number, 65, 47)
        assert np.array_equal(found.y, wanted.y)
        assert np.array_equal(found.v, wanted.v)
        assert (found.color, found.pts) == (TAGGED, number)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not YUV4MPEG2"),
        (b"\x00\x01\x02" * 999, "is not YUV4MPEG2"),
        (b"YUV4MPEG2 W64 H48 C444\n", "is 444; expected 8-bit 4:2:0"),
        (b"YUV4MPEG2 W64 Hx\n", "no usable size"),
        (b"YUV4MPEG2 W64 H48 F0:0\n", "no usable size or rate"),
        (b"YUV4MPEG2 W64 H999999\n", "expected 2 to 16384"),
        (y4m()[:-10], "cut off within frame 2"),
        (y4m() + b"RUBBISH\n", "after frame 3 comes no other"),
    ],
)
def test_odd_pipes_are_one_line(data: bytes, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        list(Y4mSource(io.BytesIO(data)))


def test_a_pipe_through_the_command() -> None:
    command = [sys.executable, "-m", "edge_sr.cli.main", "run", "--input", "-", "--output", "-"]
    done = subprocess.run(
        command, input=y4m(4, 64, 48), cwd=ROOT, capture_output=True, check=False, timeout=HANG_S
    )
    assert done.returncode == 0, done.stderr
    frames = list(Y4mSource(io.BytesIO(done.stdout)))
    assert [item.y.shape for item in frames] == [(96, 128)] * 4
    assert b"standard output: 128x96 (4 frames" in done.stderr


def test_a_reader_that_leaves_ends_the_run_quietly() -> None:
    command = [sys.executable, "-m", "edge_sr.cli.main", "run", "--input", "test://64x48"]
    with subprocess.Popen(
        [*command, "--output", "-"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(100_000)
        process.stdout.close()
        words = process.stderr.read().decode()
    assert process.returncode == 0, words
    assert "Traceback" not in words


def test_a_live_recording_stays_playable_when_it_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "live.mp4"
    writer = VideoWriter(path, source=info(live=True))
    for number in range(150):
        writer.write(frame(number))
    part = next(tmp_path.glob(".*.part"))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(part.read_bytes())  # as after a power failure
    writer.finish()
    with VideoFile(path) as whole:
        assert len(list(whole)) == 150
    import av

    with av.open(str(cut)) as found:
        assert len(list(found.decode(video=0))) >= 50


def test_the_python_api_streams() -> None:
    with Upscaler.open("edge-unet-s-x2") as upscaler:
        frames = [item.pts for item in upscaler.stream("test://64x48?frames=4")]
        first = next(upscaler.stream("test://64x48"))
    assert frames == [0, 1, 2, 3]
    assert first.y.shape == (96, 128)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--serve", "300.0.0.1:80"], 2, "expected PORT or ADDRESS:PORT"),
        (["--output", "null", "--deadline-ms", "0"], 2, "expected milliseconds"),
    ],
)
def test_options_that_do_not_go_together(
    words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        found = main(["run", "--input", "test://64x48?frames=2", *words])
    except SystemExit as error:
        found = int(error.code or 0)
    assert found == code
    assert message in capsys.readouterr().err


def test_deadline_and_drop_policy_work_from_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["run", "--input", "test://64x48@100?frames=40", "--output", "null"]
    assert main([*words, "--drop-policy", "none", "--deadline-ms", "0.001"]) == 0
    said = capsys.readouterr()
    assert "down to " in said.err
    assert "40 frames" in said.out


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),  # noqa: S104 - a value
        ("[::1]:80", ("::1", 80)),
        ("localhost:80", ("127.0.0.1", 80)),
    ],
)
def test_bind_addresses(text: str, address: tuple[str, int]) -> None:
    assert bind_address(text) == address


def test_csi_needs_an_opencv_with_gstreamer(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="expected csi://N"):
        capture.sensor_id("csi://front")
    assert "sensor-id=1 " in capture.gstreamer_pipeline(1, 1280, 720, 30)
    build = types.SimpleNamespace(getBuildInformation=lambda: "  GStreamer:    NO\n")
    monkeypatch.setattr(capture, "load_cv2", lambda: build)
    with pytest.raises(MissingDependencyError, match="this OpenCV has no GStreamer"):
        open_source("csi://0")


class FakeVirtual:
    """The part of pyvirtualcam that is used."""

    PixelFormat = types.SimpleNamespace(I420="i420")

    def __init__(self, error: str = "") -> None:
        self.error = error
        self.sent: list[np.ndarray] = []
        self.device = "/dev/video9"

    def Camera(self, *sizes: object, **options: object) -> FakeVirtual:  # noqa: N802
        if self.error:
            raise RuntimeError(self.error)
        return self

    def send(self, packed: np.ndarray) -> None:
        self.sent.append(packed)

    def close(self) -> None:
        self.device = "closed"


def test_a_virtual_camera_gets_even_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeVirtual()
    monkeypatch.setitem(sys.modules, "pyvirtualcam", fake)  # type: ignore[arg-type]
    sink = VirtualCameraSink(source=info())
    sink.write(frame(0, 65, 49))
    assert fake.sent[0].shape == (64 * 48 * 3 // 2,)
    assert re.match(r"virtual camera /dev/video9: 1 frames", sink.finish())


def test_a_virtual_camera_gets_limited_range(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeVirtual()
    monkeypatch.setitem(sys.modules, "pyvirtualcam", fake)  # type: ignore[arg-type]
    sink = VirtualCameraSink(source=info())
    y = np.tile(np.array([0, 128, 255], np.uint8).repeat(2), (6, 1))
    u, v = np.full((3, 3), 0, np.uint8), np.full((3, 3), 255, np.uint8)
    for full in (True, False):
        sink.write(Frame((y, u, v), 0, Fraction(1, 25), Color(full_range=full)))
    full, limited = fake.sent
    assert full[:6].tolist() == [16, 16, 126, 126, 235, 235]
    assert (full[36], full[45]) == (16, 240)
    assert limited.tobytes() == y.tobytes() + u.tobytes() + v.tobytes()


def test_no_loopback_device_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeVirtual("'v4l2loopback' backend: No v4l2 loopback device found. Did you run x?")
    monkeypatch.setitem(sys.modules, "pyvirtualcam", fake)  # type: ignore[arg-type]
    with pytest.raises(MediaError, match=r"device found; make one: sudo apt-get install"):
        VirtualCameraSink(source=info()).write(frame(0))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(MissingDependencyError, match=r"edge-sr\[virtual-camera\]"):
        VirtualCameraSink(source=info())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
@pytest.mark.parametrize("words", [["--input", "test://64x48@50?live=1"],
                                   ["--input", "test://64x48?frames=60"]])  # fmt: skip
def test_the_progress_line_fits_into_80_columns(words: list[str]) -> None:
    import fcntl
    import pty
    import struct
    import termios

    command = [sys.executable, "-m", "edge_sr.cli.main", "run", *words, "--output", "null"]
    command += ["--max-frames", "40", "--backend", "nearest"]
    piped = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert b"\r" not in piped.stderr
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=writer):
        os.close(writer)
        seen = b""
        with contextlib.suppress(OSError):  # the terminal is gone once the job has ended
            while data := os.read(reader, 4096):
                seen += data
    os.close(reader)
    lines = re.split(r"[\r\n]+", seen.decode())
    shown = [line for line in lines if line.startswith("test picture")]
    assert shown
    assert max(map(len, shown)) <= 80


@pytest.mark.parametrize(
    ("live", "policy", "kind"),
    [(True, "auto", Mailbox), (True, "none", VideoWriter), (False, "auto", VideoWriter)],
)
def test_a_slow_file_holds_up_nothing_live(
    tmp_path: Path, live: bool, policy: str, kind: type
) -> None:
    job = JobSpec(input="test://64x48", output=str(tmp_path / "o.mp4"), drop_policy=policy)
    (sink,) = output_sinks(job, Pattern(64, 48, live=live))
    assert type(sink.sink) is kind
    sink.sink.abort()
