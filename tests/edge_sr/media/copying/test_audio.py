"""Sound that a container cannot hold, converted on request."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from films import film

from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.file import VideoFile


def convert(source: Path, output: Path, audio: str = "convert") -> list[str]:
    with VideoFile(source) as found:
        writer = VideoWriter(
            output, source=found.info, copy_from=found.beside, preset="ultrafast", audio=audio
        )
        for item in found:
            writer.write(item)
        writer.finish()
    return [line.partition(": ")[2] for line in writer.notices]


def sound(path: Path) -> tuple[str, np.ndarray]:
    """The codec, and the samples between the first and the last tenth of a second."""
    with av.open(str(path)) as found:
        stream = found.streams.audio[0]
        codec = stream.codec_context.codec.canonical_name
        parts = [frame.to_ndarray().astype(float).reshape(-1) for frame in found.decode(stream)]
        rate = stream.codec_context.sample_rate
    return codec, np.concatenate(parts)[rate // 10 : -rate // 10]


def pitch(samples: np.ndarray, rate: int = 48000) -> float:
    """The loudest frequency, Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


@pytest.mark.parametrize(
    ("audio", "name", "codec"),
    [
        ("aac", "o.webm", "opus"),
        ("flac", "o.mov", "pcm_s16le"),
        ("libopus", "o.mov", "aac"),
        ("pcm_s16le", "o.webm", "opus"),
    ],
)
def test_sound_is_converted_to_what_the_container_holds(
    tmp_path: Path, audio: str, name: str, codec: str
) -> None:
    clip = film(tmp_path / "i.mkv", audio=audio)
    (notice,) = convert(clip, tmp_path / name)
    assert notice.startswith("audio stream 1 (")
    assert ") converted to " in notice
    made, samples = sound(tmp_path / name)
    assert made == codec
    assert len(samples) == pytest.approx(1.8 * 48000, rel=0.03)
    assert pitch(samples) == pytest.approx(pitch(sound(clip)[1]), rel=0.01)


def test_sound_without_loss_stays_so(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.mkv", audio="flac")
    convert(clip, tmp_path / "o.mov")
    before, after = sound(clip)[1], sound(tmp_path / "o.mov")[1]
    assert np.array_equal(before[:80000], after[:80000])


def test_what_can_be_copied_is_not_converted(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.mkv")
    assert convert(clip, tmp_path / "o.mp4") == []
    assert sound(tmp_path / "o.mp4")[0] == "aac"


def test_conversion_is_offered_and_not_done_unasked(tmp_path: Path) -> None:
    clip = film(tmp_path / "i.mkv", audio="flac")
    (notice,) = convert(clip, tmp_path / "o.mov", audio="copy")
    assert notice.endswith(".mov cannot hold it: take .mkv or .mp4, or --audio convert")
    with av.open(str(tmp_path / "o.mov")) as found:
        assert not found.streams.audio
