"""What a killed process leaves of a film: at most two seconds less than it was given."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest
from clips import frame, info, make_clip

from edge_sr.media.codec.lookahead import LOST_S, held_frames, lookahead_options
from edge_sr.media.sinks.writer import VideoWriter

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
SECONDS = 4
# writes so many frames of so many a second, then dies
CHILD = """
import os, signal, sys
from fractions import Fraction
from pathlib import Path
from clips import frame, info
from edge_sr.media.sinks.writer import VideoWriter

output, rate, count, preset = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
tick = Fraction(1, rate)
writer = VideoWriter(output, source=info(frame_rate=Fraction(rate)), preset=preset)
for number in range(count):
    writer.write(frame(number, time_base=tick))
os.kill(os.getpid(), signal.SIGKILL)
"""


def left(path: Path, rate: int) -> int:
    """Frames that can be decoded; 0 if none can. Only B-frames of the last group may be missing."""
    try:
        with av.open(str(path)) as found:
            times = [item.pts * item.time_base for item in found.decode(video=0)]
    except (av.FFmpegError, IndexError):  # nothing but the head is there
        return 0
    sure = times[:-8]
    assert all(abs(at - Fraction(n, rate)) < Fraction(1, 500) for n, at in enumerate(sure)), times
    return len(times)


@pytest.mark.parametrize(("rate", "preset"), [(24, "veryslow"), (30, "veryfast"), (60, "veryfast")])
@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_sigkill_costs_two_seconds_at_most(
    tmp_path: Path, ending: str, rate: int, preset: str
) -> None:
    output, count = tmp_path / f"o.{ending}", SECONDS * rate - 3
    words = [sys.executable, "-c", CHILD, str(output), str(rate), str(count), preset]
    killed = subprocess.run(words, cwd=HERE, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    part = tmp_path / f".o.{ending}.part"
    assert [path.name for path in tmp_path.iterdir()] == [part.name]
    assert count - left(part, rate) <= LOST_S * rate
    if probe := shutil.which("ffprobe"):
        command = [probe, "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames"]
        probed = subprocess.run([*command, str(part)], capture_output=True, text=True, check=True)
        assert probed.stderr == ""
        assert f"nb_read_frames={left(part, rate)}" in probed.stdout


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("codec", "preset", "beside"),
    [
        ("libx264", "veryfast", "sound that ends"),
        ("libx264", "veryslow", "sound that ends"),
        ("libx264", "veryfast", "one subtitle"),
        ("libx265", "veryfast", ""),
        ("libsvtav1", "veryfast", ""),
    ],
)
def test_no_moment_costs_more(
    tmp_path: Path, ending: str, codec: str, preset: str, beside: str
) -> None:
    """FFmpeg keeps packets for ten seconds where another stream may still have some."""
    rate, clip = 24, None
    if beside:
        sound, words = (0.6, []) if beside == "sound that ends" else (0, [(0.1, 0.5, "one")])
        clip = make_clip(tmp_path / "i.mkv", pts=range(100), audio_s=sound, subtitles=words)
    output, part = tmp_path / f"o.{ending}", tmp_path / f".o.{ending}.part"
    source = info(frame_rate=Fraction(rate))
    writer = VideoWriter(output, source=source, copy_from=clip, codec=codec, preset=preset)
    for number in range(SECONDS * rate):
        writer.write(frame(number, time_base=Fraction(1, rate)))
        if number % 4 == 3:
            shutil.copy(part, tmp_path / "copy")
            assert number + 1 - left(tmp_path / "copy", rate) <= LOST_S * rate
    writer.finish()
    assert left(output, rate) == SECONDS * rate


def test_the_lookahead_of_a_preset_is_kept_where_it_can_be() -> None:
    for encoder in ("libx264", "libx265"):
        assert lookahead_options(encoder, "veryslow", Fraction(120)) == {}
    assert lookahead_options("libx264", "veryfast", Fraction(24000, 1001)) == {}
    assert lookahead_options("libx264", "medium", Fraction(24)) == {"rc-lookahead": "25"}
    assert lookahead_options("libx264", "veryslow", Fraction(24)) == {
        "rc-lookahead": "25",
        "bf": "6",
    }
    assert lookahead_options("libx265", "slower", Fraction(24)) == {
        "bf": "4",
        "x265-params": "rc-lookahead=13",
    }
    assert lookahead_options("h264_nvenc", "veryslow", Fraction(24)) == {}
    assert [held_frames(Fraction(rate)) for rate in (1, 12, 24, 60)] == [0, 11, 25, 69]
