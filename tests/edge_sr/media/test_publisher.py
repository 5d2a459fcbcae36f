"""Live streams for other programs: what FFmpeg and GStreamer receive on loopback."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from clips import info
from clocks import HANG_S
from test_network import free_port

from edge_sr.cli.main import main
from edge_sr.errors import MediaError, UsageError
from edge_sr.media.libraries import load_av
from edge_sr.media.sinks.publisher import Publisher
from edge_sr.media.sources.pattern import Pattern

FFMPEG = shutil.which("ffmpeg")
SOURCE = info(160, 90, name="camera 0", live=True)
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="needs ffmpeg: apt-get install ffmpeg")


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sr.media.sinks.publisher.delays", lambda: itertools.repeat(0.05))


def listener(address: str, options: list[str], path: Path) -> subprocess.Popen[bytes]:
    """A server by FFmpeg, which keeps what it receives."""
    assert FFMPEG is not None
    command = [FFMPEG, "-loglevel", "error", *options, "-i", address, "-c", "copy", "-y", str(path)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def publish(sink: Publisher, count: int, *, limit_s: float = 30) -> None:
    """So many frames, once there is a connection."""
    deadline = time.monotonic() + limit_s
    for frame in Pattern(160, 90):
        if sink.frames >= count:
            return
        assert time.monotonic() < deadline, sink.message
        sink.write(frame)
        if not sink.frames:
            time.sleep(0.05)


def received(path: Path) -> list[int]:
    """The times of the frames in a file."""
    with load_av().open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        return [int(frame.pts) for frame in container.decode(video=0)]


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["rtsp", "rtmp"])
def test_ffmpeg_receives_every_frame(kind: str, tmp_path: Path, no_wait: None) -> None:
    port, path = free_port(), tmp_path / "received.mkv"
    address = f"{kind}://127.0.0.1:{port}/live/x"
    options = ["-rtsp_flags", "listen"] if kind == "rtsp" else ["-listen", "1"]
    sink = Publisher(address, source=SOURCE)
    with listener(address, options, path) as server:
        publish(sink, 50)
        assert sink.message == f"{address}: publishing 160x90 as H.264"
        assert sink.finish() == f"{address}: 50 frames published"
        assert server.wait(30) == 0
    times = received(path)
    assert len(times) >= 45  # FFmpeg leaves out what it probes the stream with
    assert times == sorted(times)


@pytest.mark.slow
@needs_ffmpeg
def test_udp_needs_no_server_and_players_may_come_late(tmp_path: Path, no_wait: None) -> None:
    address = f"udp://127.0.0.1:{free_port()}"
    path = tmp_path / "received.mkv"
    sink = Publisher(f"{address}?pkt_size=1316", source=SOURCE)
    frames = iter(Pattern(160, 90, 25, live=True))
    with listener(address, ["-f", "mpegts", "-probesize", "100000"], path) as player:
        deadline = time.monotonic() + HANG_S
        while not path.is_file() or path.stat().st_size < 20_000:
            assert time.monotonic() < deadline
            sink.write(next(frames))
        player.kill()  # it may wait for packets, deaf to SIGTERM
        player.wait()
    sink.finish()
    assert len(received(path)) > 10


@needs_ffmpeg
@pytest.mark.slow
def test_a_server_that_comes_late_or_is_lost_is_connected_again(
    tmp_path: Path, no_wait: None
) -> None:
    port = free_port()
    address = f"rtmp://user:secret@127.0.0.1:{port}/live/x"
    sink = Publisher(address, source=SOURCE)
    frames = iter(Pattern(160, 90))
    sink.write(next(frames))
    assert "trying again in 0.05 s" in sink.message
    assert "secret" not in sink.message
    for number in range(2):
        with listener(address, ["-listen", "1"], tmp_path / f"{number}.mkv") as server:
            before = sink.frames
            publish(sink, before + 30)
            server.kill()
            server.wait()
        deadline = time.monotonic() + HANG_S
        while "trying again" not in sink.message:
            assert time.monotonic() < deadline
            sink.write(next(frames))
    sink.abort()


def test_hls_is_a_playlist_with_its_segments(tmp_path: Path) -> None:
    sink = Publisher(str(tmp_path / "live.m3u8"), source=SOURCE)
    publish(sink, 150)  # six seconds
    sink.finish()
    text = (tmp_path / "live.m3u8").read_text()
    assert text.count("#EXTINF") >= 2
    assert all((tmp_path / line).is_file() for line in text.splitlines() if line[:1] not in "#")
    assert len(received(tmp_path / "live.m3u8")) == 150


def test_what_nothing_can_be_published_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--publish ftp://\*\*\*@h/x: expected an address with"):
        Publisher("ftp://me:secret@h/x", source=SOURCE)
    with pytest.raises(MediaError, match="there is no folder"):
        Publisher(str(tmp_path / "no" / "live.m3u8"), source=SOURCE)


def test_srt_without_an_ffmpeg_that_has_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_words: object, **_options: object) -> None:
        raise ValueError("Protocol not found")

    monkeypatch.setattr(load_av(), "open", refuse)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    frame = next(iter(Pattern(160, 90)))
    sink = Publisher("srt://127.0.0.1:9", source=SOURCE)
    sink.write(frame)
    with pytest.raises(MediaError, match="lacks SRT, and there is no ffmpeg command"):
        sink.write(frame)
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/ffmpeg")
    sink = Publisher("srt://127.0.0.1:9?passphrase=very-secret", source=SOURCE)
    sink.write(frame)
    with pytest.raises(MediaError, match="would show the passphrase") as error:
        sink.write(frame)
    assert "very-secret" not in str(error.value)


@needs_ffmpeg
@pytest.mark.slow
def test_srt_goes_through_the_ffmpeg_command_and_comes_back(tmp_path: Path, no_wait: None) -> None:
    assert FFMPEG is not None
    known = subprocess.run([FFMPEG, "-protocols"], capture_output=True, text=True, check=True)
    if "srt" not in known.stdout.split():
        pytest.skip("this ffmpeg command has no SRT")
    port, path = free_port(), tmp_path / "received.ts"
    sink = Publisher(f"srt://127.0.0.1:{port}", source=SOURCE)
    frames = iter(Pattern(160, 90, 25, live=True))
    sink.write(next(frames))  # nobody listens yet
    words = ["-loglevel", "error", "-f", "data", "-i", f"srt://127.0.0.1:{port}?mode=listener"]
    words += ["-map", "0", "-c", "copy", "-flush_packets", "1", "-f", "data", str(path)]
    with subprocess.Popen([FFMPEG, *words], stdin=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + HANG_S
            while not path.is_file() or not path.stat().st_size:
                assert time.monotonic() < deadline, sink.message
                assert sink.frames < 75, "seconds of film are held back"
                sink.write(next(frames))
            for _ in range(150):
                sink.write(next(frames))
            sink.finish()
            server.wait(30)
        finally:
            server.kill()
    assert len(received(path)) > 0.9 * sink.frames


def test_an_output_of_another_kind_goes_on_beside_it(tmp_path: Path) -> None:
    film, playlist = tmp_path / "a.mp4", tmp_path / "live.m3u8"
    words = ["run", "test://64x48?frames=5", "--backend", "nearest", "-o", str(film)]
    assert main([*words, "--publish", str(playlist)]) == 0
    assert len(received(film)) == len(received(playlist)) == 5
