"""The automatic choice held against what is better."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from lab import choice
from lab.choice import Figure, main


def figure(**other: object) -> Figure:
    facts = {"clip": "a", "codec": "h264", "rate": 20, "quantiser": 20.0, "bits_per_pixel": 0.1}
    scores = {"detail": 3.0, "plain_db": 30.0, "live_db": 30.5, "chosen": "plain"}
    return Figure(**(facts | scores | other))  # type: ignore[arg-type]


def test_what_a_choice_loses() -> None:
    assert figure().lost_db == pytest.approx(0.5)
    assert figure(chosen="live").lost_db == 0


def save_clip(path: Path) -> None:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    large = np.asarray(coarse.resize((200, 140), Image.Resampling.BICUBIC))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(choice.FRAMES):
            picture = np.ascontiguousarray(large[number : number + 96, number : number + 128])
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        output.mux(stream.encode())


def test_every_clip_codec_and_rate_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_clip(tmp_path / "a.mp4")
    monkeypatch.setitem(choice.CODECS, "h264", ("libx264", {"preset": "ultrafast"}, (14, 40)))
    result = tmp_path / "choice.json"
    assert main(["--clips", str(tmp_path), "--codecs", "h264", "--json", str(result)]) == 0
    fine, coarse = json.loads(result.read_text())
    assert (fine["rate"], coarse["rate"]) == (14, 40)
    assert fine["quantiser"] < 20 < coarse["quantiser"]
    assert coarse["chosen"] == "live"
    printed = capsys.readouterr().out
    assert printed.count("| a.mp4 | h264 |") == 2
    assert "of 2 choices are within 0.1 dB" in printed
