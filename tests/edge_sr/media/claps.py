"""A film that is white, and heard, for a fifth of each second, to compare both."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE, SOUND_RATE = 25, 44_100
CLAP_S = 0.2


def write_claps(path: Path, seconds: float, *, audio: str = "aac") -> Path:
    """64x48 at 25 frames a second, with a mono sound."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream(audio, rate=SOUND_RATE, layout="mono")
        for number in range(round(seconds * RATE)):
            level = 235 if number % RATE < CLAP_S * RATE else 16
            planes = np.full((72, 64), level, np.uint8)
            planes[48:] = 128
            frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        at = np.arange(round(seconds * SOUND_RATE))
        wave = 12_000 * np.sin(at / 7) * (at % SOUND_RATE < CLAP_S * SOUND_RATE)
        for begin in range(0, len(wave), 1024):
            data = wave[begin : begin + 1024].astype(np.int16)[None]
            heard = av.AudioFrame.from_ndarray(data, "s16", "mono")
            heard.sample_rate, heard.pts, heard.time_base = (
                SOUND_RATE,
                begin,
                Fraction(1, SOUND_RATE),
            )
            output.mux(sound.encode(heard))
        output.mux(sound.encode(None))
    return path


def claps(path: Path | str) -> tuple[list[float], list[float]]:
    """When the picture becomes white and the sound loud in a film, seconds."""
    seen, heard = [], []
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        white, quiet_since = False, -1.0
        for packet in container.demux(video, sound):
            for frame in packet.decode():
                at = float(frame.pts * frame.time_base)
                if packet.stream is video:
                    now = frame.to_ndarray(format="gray").mean() > 120
                    if now and not white:
                        seen.append(at)
                    white = now
                    continue
                samples = np.abs(frame.to_ndarray().astype(float)).reshape(-1)
                scale = 1.0 if samples.max(initial=0) <= 1.5 else 32768
                channels = len(frame.layout.channels)
                loud = np.flatnonzero(
                    samples[:: 1 if frame.format.is_planar else channels] > 0.1 * scale
                )
                for number in loud % frame.samples:
                    moment = at + number / frame.sample_rate
                    if moment - quiet_since > 0.3:
                        heard.append(moment)
                    quiet_since = max(quiet_since, moment)
    return seen, heard
