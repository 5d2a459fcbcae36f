"""The sound of the source as the page sends it: Opus and plain samples, in time."""

from __future__ import annotations

import struct

import av
import numpy as np
import pytest

from edge_sr.media.sources.sound import RATE, Samples
from edge_sr.page.encoders import Clock
from edge_sr.page.sound import OPUS, PCM, OpusEncoder, PcmEncoder


def tone(start_s: float, seconds: float) -> list[Samples]:
    """A tone in pieces of 1,000 samples."""
    count = round(seconds * RATE)
    wave = (9000 * np.sin(np.arange(count) / 9)).astype(np.int16)
    data = np.stack([wave, wave], 1)
    return [Samples(start_s + at / RATE, data[at : at + 1000]) for at in range(0, count, 1000)]


def heads(messages: list[bytes]) -> tuple[set[int], list[float]]:
    found = [struct.unpack_from("<Bd", message) for message in messages]
    return {kind for kind, _ in found}, [at for _, at in found]


def test_plain_samples_are_what_was_heard_with_the_time_of_each_piece() -> None:
    clock, pieces = Clock(), tone(20.0, 1)
    messages = PcmEncoder(clock).encode(pieces)
    kinds, times = heads(messages)
    assert kinds == {PCM}
    assert times == pytest.approx([clock.at(20 + number / 10) for number in range(10)])
    sent = np.concatenate([np.frombuffer(message[9:], "<i2") for message in messages])
    assert (sent.reshape(-1, 2) == np.concatenate([piece.data for piece in pieces])).all()


@pytest.mark.skipif("libopus" not in av.codecs_available, reason="this PyAV has no Opus")
def test_opus_is_the_same_tone_in_packets_of_20_ms() -> None:
    clock = Clock()
    messages = OpusEncoder(clock).encode(tone(20.0, 1))
    kinds, times = heads(messages)
    assert kinds == {OPUS}
    assert np.diff(times) == pytest.approx(20)
    assert sum(map(len, messages)) < 20_000  # a second
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = RATE, "stereo"
    heard = [frame for message in messages for frame in decoder.decode(av.Packet(message[9:]))]
    samples = np.concatenate([frame.to_ndarray().reshape(-1, 2) for frame in heard])[RATE // 4 :]
    scale = 32768 if samples.dtype.kind == "f" else 1
    assert np.abs(samples * scale).max() == pytest.approx(9000, rel=0.1)
