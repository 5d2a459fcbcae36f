"""The sound of a source that plays at its own pace, on the clock of its frames.

Everything here is 48 kHz, two channels, 16 bits: int16 (N, 2).
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError
from edge_sr.media.codec.containers import open_input
from edge_sr.media.libraries import load_av

RATE = 48_000
KEPT_S = 5.0  # of a live sound that nobody takes
JUMP_S = 0.3  # how far arrival and time stamps may drift apart before the sound is moved
DRIFT_S = 0.0002  # that two clocks may differ from one packet to the next
SLACK_S = 0.1  # a smaller gap or overlap is no gap
LONGEST_GAP_S = 10.0  # that is filled with silence
BACK_S = 0.5  # how much of a film before the first moment that was asked for is decoded


class Samples(NamedTuple):
    """A piece of sound."""

    taken_s: float  # of its first sample, on the clock of `Frame.taken_s`
    data: NDArray[np.int16]  # (N, 2)


class Listener(Protocol):
    """One reader of a sound."""

    def take(self, until_s: float) -> list[Samples]:
        """What belongs to the time up to `until_s` and was not taken yet; may take a while."""
        ...

    def close(self) -> None:
        """No more is wanted."""
        ...


class Sound(Protocol):
    """The sound of a source."""

    def listen(self) -> Listener:
        """A new reader, from now on."""
        ...


class LiveSound:
    """The sound of a network stream: packets come from the thread that reads it."""

    def __init__(self) -> None:
        self.present = False  # whether the stream has any
        self._lock = threading.Lock()
        self._listeners: list[LiveListener] = []
        self._decoder: Decoder | None = None
        self._offset_s: float | None = None  # arrival less time stamp

    def connect(self, stream: Any) -> None:
        """A connection was made; `stream` is its `av` audio stream."""
        self.present = True
        self._decoder, self._offset_s = Decoder(stream), None

    def add(self, packet: Any, arrived_s: float) -> None:
        """One packet; without listeners it is not decoded."""
        if self._decoder is None or not self._listeners:
            return
        for at, data in self._decoder.decode(packet):
            offset = arrived_s - float(at)
            if self._offset_s is None or abs(offset - self._offset_s) > JUMP_S:
                self._offset_s = offset
            self._offset_s = min(offset, self._offset_s + DRIFT_S)  # the others were held up
            samples = Samples(float(at) + self._offset_s, data)
            with self._lock:
                for listener in self._listeners:
                    listener.add(samples)

    def listen(self) -> LiveListener:
        """As `Sound.listen`."""
        listener = LiveListener(self._forget)
        with self._lock:
            self._listeners.append(listener)
        return listener

    def _forget(self, listener: LiveListener) -> None:
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)


class LiveListener:
    """What arrived and was not taken yet, the newest seconds of it."""

    def __init__(self, forget: Callable[[LiveListener], None]) -> None:
        self._forget = forget
        self._lock = threading.Lock()
        self._waiting: deque[Samples] = deque()

    def add(self, samples: Samples) -> None:
        """One more piece."""
        with self._lock:
            self._waiting.append(samples)
            while self._waiting[0].taken_s < samples.taken_s - KEPT_S:
                self._waiting.popleft()

    def take(self, until_s: float) -> list[Samples]:
        """As `Listener.take`."""
        found = []
        with self._lock:
            while self._waiting and self._waiting[0].taken_s <= until_s:
                found.append(self._waiting.popleft())
        return found

    def close(self) -> None:
        """As `Listener.close`."""
        self._forget(self)


class FileSound:
    """The first sound of a film that is played at its own pace; each listener reads the file."""

    def __init__(self, path: Path, *, moved_s: Fraction, zero: Callable[[], float | None]) -> None:
        """Of a film.

        Args:
            moved_s: what is added to the times in the file; see `Demuxer.start_offset`.
            zero: the moment of time zero, on the clock of `Frame.taken_s`; None before the start.
        """
        self._path, self._moved_s, self._zero = path, moved_s, zero

    def listen(self) -> FileListener:
        """As `Sound.listen`."""
        return FileListener(self._path, self._moved_s, self._zero)


class FileListener:
    """Reads a film for its sound alone, from the moment that is asked for first."""

    def __init__(self, path: Path, moved_s: Fraction, zero: Callable[[], float | None]) -> None:
        self._path, self._moved_s, self._zero = path, moved_s, zero
        self._container: Any = None
        self._pieces: Iterator[tuple[Fraction, NDArray[np.int16]]] = iter(())
        self._next: tuple[Fraction, NDArray[np.int16]] | None = None

    def take(self, until_s: float) -> list[Samples]:
        """As `Listener.take`."""
        zero = self._zero()
        if zero is None:
            return []
        if self._container is None:
            self._open(until_s - zero - BACK_S)
        found = []
        while self._next is not None and float(self._next[0]) + zero <= until_s:
            found.append(Samples(float(self._next[0]) + zero, self._next[1]))
            self._next = next(self._pieces, None)
        return found

    def close(self) -> None:
        """As `Listener.close`."""
        if self._container is not None:
            self._container.close()

    def _open(self, start_s: float) -> None:
        av = load_av()
        try:
            self._container = open_input(self._path)
            if start_s > 0:
                self._container.seek(int((start_s - float(self._moved_s)) * 1e6))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"{self._path}: its sound cannot be read ({error})") from error
        self._pieces = self._read(start_s)
        self._next = next(self._pieces, None)

    def _read(self, start_s: float) -> Iterator[tuple[Fraction, NDArray[np.int16]]]:
        stream = self._container.streams.audio[0]
        decoder = Decoder(stream)
        with contextlib.suppress(load_av().FFmpegError):  # a damaged film is silent from there on
            for packet in self._container.demux(stream):
                for at, data in decoder.decode(packet):
                    if float(at + self._moved_s) >= start_s:
                        yield at + self._moved_s, data


class Decoder:
    """Decodes the packets of one stream."""

    def __init__(self, stream: Any) -> None:
        self._av, self._stream = load_av(), stream
        self._resampler = self._av.AudioResampler(format="s16", layout="stereo", rate=RATE)

    def decode(self, packet: Any) -> Iterator[tuple[Fraction, NDArray[np.int16]]]:
        """Pieces and their times, seconds; damaged packets and those without a time give none."""
        try:
            for frame in self._stream.codec_context.decode(packet):
                if frame.pts is None:
                    continue
                for made in self._resampler.resample(frame):
                    yield made.pts * made.time_base, made.to_ndarray().reshape(-1, 2)
        except (self._av.FFmpegError, ValueError):
            return


class Blocks:
    """Pieces of sound as blocks of one length that follow each other without a gap."""

    def __init__(self, length: int, start_s: float) -> None:
        """Blocks from a moment on; what was before is left out.

        Args:
            length: samples of a block.
            start_s: when sample 0 is, on the clock of `Frame.taken_s`.
        """
        self._length, self._start_s = length, start_s
        self._next = 0  # number of the first sample in `_data`
        self._data = np.zeros((0, 2), np.int16)

    def add(self, piece: Samples) -> Iterator[tuple[int, NDArray[np.int16]]]:
        """The blocks that are complete now, each with the number of its first sample."""
        at, data = round((piece.taken_s - self._start_s) * RATE), piece.data
        gap = at - self._next - len(self._data)
        if gap > LONGEST_GAP_S * RATE:
            self._next, self._data = at, self._data[:0]
        elif gap > SLACK_S * RATE:
            self._data = np.concatenate((self._data, np.zeros((gap, 2), np.int16)))
        elif gap < -SLACK_S * RATE or at < 0:
            data = data[-gap:]
        self._data = np.concatenate((self._data, data))
        while len(self._data) >= self._length:
            block, self._data = self._data[: self._length], self._data[self._length :]
            yield self._next, block
            self._next += self._length
