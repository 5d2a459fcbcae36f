"""Who watches what: one encoder for each view, shared, and a viewer who is slow for nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge_sr.errors import EdgeSRError
from edge_sr.files import parse_json
from edge_sr.page.encoders import Clock, Unit, open_encoder
from edge_sr.page.streams import Hub
from edge_sr.page.view import View
from edge_sr.pipeline.shot import Shot

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

AHEAD = 12  # frames on their way to a browser, at most
AHEAD_S = 0.2  # after so long without a sign of the oldest one, no more are sent
FORGET_S = 2.0  # a browser that left out a report for so long is sent a frame again
REMEMBERED = 100  # frames whose time of capture is known when they are reported back
KEY_S = 1.0  # between key frames that one slow viewer asks for


class Viewer:
    """One browser's connection. Frames that it cannot take in time are left out for it alone."""

    def __init__(self, socket: WebSocket, hub: Hub, switchboard: Switchboard) -> None:
        self._socket, self._hub, self._switchboard = socket, hub, switchboard
        self._sent: deque[tuple[int, float]] = deque()  # number, and when it was sent
        self._taken: dict[int, float] = {}  # when the last frames were captured, by number
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._numbers = 0
        self._channel: Channel | None = None
        self._whole = False  # whether it has every frame since a key frame
        self._behind = True  # whether it has not the newest frame
        self._key_at = 0.0

    @property
    def has_room(self) -> bool:
        """Whether another frame would not wait behind those before it."""
        if not self._queue.empty():
            return False
        waits_s = time.perf_counter() - self._sent[0][1] if self._sent else 0.0
        if waits_s > FORGET_S:
            self._sent.clear()
            return True
        return len(self._sent) < AHEAD and waits_s < AHEAD_S

    @property
    def needs_key(self) -> bool:
        """Whether the next frame must be a key frame, and it may ask for one now."""
        return not self._whole and self.has_room and time.monotonic() - self._key_at > KEY_S

    @property
    def lacks_newest(self) -> bool:
        """Whether the newest frame was not sent to it, and now can be."""
        return self._behind and (self.needs_key or (self._whole and self.has_room))

    async def watch(self) -> None:
        """Serve until the browser leaves."""
        sender = asyncio.ensure_future(self._send())
        try:
            while True:
                wanted = parse_json(await self._socket.receive_text())
                if not isinstance(wanted, dict):
                    return
                if "got" in wanted or "shown" in wanted:
                    self._note(wanted.get("got", wanted.get("shown")), shown="shown" in wanted)
                else:
                    await self._change(wanted)
        finally:
            self._leave()
            sender.cancel()

    def offer(self, unit: Unit, view: View, taken_s: float) -> None:
        """Take one frame, if there is room and it can be shown."""
        if not self.has_room or not (self._whole or unit.key):
            self._whole, self._behind = self._whole and view.codec == "jpeg", True
            return
        self._whole, self._behind = True, False
        self._numbers += 1
        now = time.perf_counter()
        self._sent.append((self._numbers, now))
        self._taken[self._numbers] = taken_s
        self._taken.pop(self._numbers - REMEMBERED, None)
        head = json.dumps(
            {
                "number": self._numbers,
                "key": unit.key,
                "codec": unit.codec,
                "kind": view.codec,
                "mode": view.mode,
                "region": list(view.region),
                "size": unit.size,
                "time": unit.time_ms,
                "taken": self._switchboard.clock.at(taken_s) if taken_s else None,
            }
        ).encode()
        self._queue.put_nowait(struct.pack(">I", len(head)) + head + unit.data)

    def _note(self, number: object, *, shown: bool) -> None:
        """The browser has a frame, and those before it; perhaps on its screen."""
        if not isinstance(number, int):
            return
        while self._sent and self._sent[0][0] <= number:
            self._sent.popleft()
        taken_s = self._taken.get(number, 0.0) if shown else 0.0
        if taken_s:
            self._hub.screen_age.add(time.perf_counter() - taken_s)
        if self._channel is not None:
            self._channel.wake()

    async def _change(self, wanted: dict[str, object]) -> None:
        self._leave()
        try:
            view = View.parse(wanted)
            self._channel = self._switchboard.channel(view)
        except EdgeSRError as error:
            await self._socket.send_text(json.dumps({"error": str(error)}))
            return
        self._whole, self._behind, self._key_at = False, True, 0.0
        self._channel.join(self)

    def note_key(self) -> None:
        """A key frame is being made for it."""
        self._key_at = time.monotonic()

    def fail(self, error: EdgeSRError) -> None:
        """Its pictures cannot be encoded: the browser is to ask for JPEG."""
        self._queue.put_nowait(json.dumps({"error": str(error)}).encode())

    def _leave(self) -> None:
        if self._channel is not None:
            self._channel.leave(self)
            self._channel = None

    async def _send(self) -> None:
        while True:
            data = await self._queue.get()
            if data[:1] == b"{":
                await self._socket.send_text(data.decode())
            else:
                await self._socket.send_bytes(data)


class Channel:
    """One view, its encoder, and those who watch it."""

    def __init__(self, view: View, hub: Hub, clock: Clock, over: Callable[[], None]) -> None:
        self.view = view
        self._hub, self._clock, self._over = hub, clock, over
        self._viewers: list[Viewer] = []
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def join(self, viewer: Viewer) -> None:
        """Another viewer; the first one starts the encoder."""
        self._viewers.append(viewer)
        self.wake()
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    def leave(self, viewer: Viewer) -> None:
        """One viewer less; the last one ends it."""
        self._viewers.remove(viewer)
        self.wake()

    def wake(self) -> None:
        """A viewer has room, or came, or left."""
        self._room.set()

    async def _run(self) -> None:
        from starlette.concurrency import run_in_threadpool

        encoder = open_encoder(self.view, self._clock)
        seen = -1
        try:
            while self._viewers:
                if not await self._someone_has_room():
                    continue
                found = await self._next(seen)
                if found is None:
                    return
                fresh = found[0] != seen and self.view.frozen is None
                seen, shot = found
                key = [viewer for viewer in self._viewers if viewer.needs_key]
                for viewer in key:
                    viewer.note_key()
                unit = await run_in_threadpool(encoder.encode, shot, key=bool(key))
                for viewer in list(self._viewers):
                    viewer.offer(unit, self.view, shot.taken_s if fresh else 0.0)
        except EdgeSRError as error:
            for viewer in self._viewers:
                viewer.fail(error)
        finally:
            self._over()

    async def _someone_has_room(self) -> bool:
        """Wait a moment for it."""
        if any(viewer.has_room for viewer in self._viewers):
            return True
        self._room.clear()
        try:
            await asyncio.wait_for(self._room.wait(), AHEAD_S)
        except asyncio.TimeoutError:
            return False
        return any(viewer.has_room for viewer in self._viewers)

    async def _next(self, seen: int) -> tuple[int, Shot] | None:
        """A new frame; where none comes, the same once more for a viewer who lacks it."""
        frozen = self.view.frozen
        while self._viewers:
            if frozen is None:
                with contextlib.suppress(asyncio.TimeoutError):
                    return await asyncio.wait_for(self._hub.next(seen), AHEAD_S)
            if any(viewer.lacks_newest for viewer in self._viewers):
                if frozen is None:
                    return await self._hub.next(-1)
                return seen + 1, self._hub.frozen(frozen)
            if frozen is not None:
                self._room.clear()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._room.wait(), AHEAD_S)
        return None


class Switchboard:
    """The channels that are open."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self.clock = hub, Clock()
        self._channels: dict[View, Channel] = {}

    @property
    def encoders(self) -> int:
        """How many are at work."""
        return len(self._channels)

    def channel(self, view: View) -> Channel:
        """The channel of a view, a new one where nobody watches it yet.

        Raises:
            UsageError: a frozen frame that is kept no longer.
        """
        if view.frozen is not None:
            self._hub.frozen(view.frozen)
        if view not in self._channels:

            def over() -> None:
                if self._channels.get(view) is channel:
                    del self._channels[view]

            channel = self._channels[view] = Channel(view, self._hub, self.clock, over)
        return self._channels[view]
