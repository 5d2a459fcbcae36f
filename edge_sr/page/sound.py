"""The sound of the source for browsers: Opus, or plain samples, with the time of each piece."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from edge_sr.errors import EdgeSRError
from edge_sr.media.libraries import load_av
from edge_sr.media.sources.sound import RATE, Blocks, Samples, Sound
from edge_sr.page.encoders import Clock
from edge_sr.page.streams import Hub

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

OPUS, PCM = 1, 0  # the first byte of a message; a float64, the page's clock in ms, comes after it
BIT_RATE = 96_000
OPUS_BLOCK, PCM_BLOCK = 960, 4800  # samples
AHEAD_S = 0.5  # of the newest picture: decoding and the way to the browser take a while
PAUSE_S = 0.04
WAITING = 50  # messages for one browser


class SoundSender:
    """One encoder for each codec that is asked for, shared by those who listen."""

    def __init__(self, hub: Hub, sound: Callable[[], Sound | None], clock: Clock) -> None:
        """`sound` is asked while somebody listens: it may come later than the first picture."""
        self._hub, self._sound, self._clock = hub, sound, clock
        self._queues: dict[str, list[asyncio.Queue[bytes]]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}

    async def serve(self, socket: WebSocket, codec: str) -> None:
        """Send to one browser until it leaves.

        Args:
            codec: "opus"; everything else is plain samples.
        """
        codec = codec if codec == "opus" else "pcm"
        queue: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        queues = self._queues.setdefault(codec, [])
        queues.append(queue)
        if codec not in self._workers or self._workers[codec].done():
            self._workers[codec] = asyncio.ensure_future(self._run(codec, queues))
        sender = asyncio.ensure_future(_send(socket, queue))
        try:
            while True:
                await socket.receive_text()  # nothing is expected: it raises at the end
        finally:
            sender.cancel()
            queues.remove(queue)

    async def _run(self, codec: str, queues: list[asyncio.Queue[bytes]]) -> None:
        from starlette.concurrency import run_in_threadpool

        listener = None
        encoder = _encoder(codec, self._clock)
        try:
            while queues and not self._hub.over:
                sound, newest = self._sound(), self._hub.taken_s
                if sound is not None and newest is not None:
                    listener = listener or sound.listen()
                    pieces = await run_in_threadpool(listener.take, newest + AHEAD_S)
                    for data in await run_in_threadpool(encoder.encode, pieces):
                        for queue in queues:
                            if queue.full():
                                queue.get_nowait()
                            queue.put_nowait(data)
                await asyncio.sleep(PAUSE_S)
        except EdgeSRError:
            return  # the film cannot be read a second time: it stays silent
        finally:
            if listener is not None:
                listener.close()


async def _send(socket: WebSocket, queue: asyncio.Queue[bytes]) -> None:
    while True:
        await socket.send_bytes(await queue.get())


def _encoder(codec: str, clock: Clock) -> PcmEncoder:
    if codec == "opus" and "libopus" in load_av().codecs_available:
        return OpusEncoder(clock)
    return PcmEncoder(clock)


class PcmEncoder:
    """48 kHz, two channels, 16 bits, low byte first."""

    block, kind = PCM_BLOCK, PCM

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._blocks: Blocks | None = None
        self._start_s = 0.0

    def encode(self, pieces: list[Samples]) -> list[bytes]:
        """The messages that are complete with these pieces."""
        found = []
        for piece in pieces:
            if self._blocks is None:
                self._start_s = piece.taken_s
                self._blocks = Blocks(self.block, self._start_s)
            for number, block in self._blocks.add(piece):
                at = self._clock.at(self._start_s + number / RATE)
                head = struct.pack("<Bd", self.kind, at)
                found += [head + data for data in self._pack(number, block)]
        return found

    def _pack(self, _number: int, block: Any) -> list[bytes]:
        return [block.astype("<i2").tobytes()]


class OpusEncoder(PcmEncoder):
    """Packets of Opus, 20 ms each."""

    block, kind = OPUS_BLOCK, OPUS

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._av = load_av()
        context = self._av.CodecContext.create("libopus", "w")
        context.sample_rate, context.layout, context.format = RATE, "stereo", "s16"
        context.bit_rate, context.time_base = BIT_RATE, Fraction(1, RATE)
        self._context = context

    def _pack(self, number: int, block: Any) -> list[bytes]:
        heard = self._av.AudioFrame.from_ndarray(block.reshape(1, -1), "s16", "stereo")
        heard.sample_rate, heard.pts, heard.time_base = RATE, number, Fraction(1, RATE)
        return [bytes(packet) for packet in self._context.encode(heard)]
