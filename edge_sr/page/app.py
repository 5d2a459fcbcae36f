"""What the page's server answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sr.errors import EdgeSRError, UsageError
from edge_sr.files import parse_json
from edge_sr.live.compare import MODES
from edge_sr.live.control import RunControl
from edge_sr.page.channels import Switchboard, Viewer
from edge_sr.page.gallery import Gallery
from edge_sr.page.guard import Guard
from edge_sr.page.metrics import CONTENT_TYPE, prometheus
from edge_sr.page.sound import SoundSender
from edge_sr.page.streams import Hub
from edge_sr.pipeline.shot import Shot

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

STATIC = Path(__file__).parent / "static"
MAX_CLIENTS = 16
MAX_BODY = 4096  # bytes of a request
WIDTHS = (480, 640, 960, 1280, 1920, 2560, 3840)  # of pictures: few, so that browsers share them
BOUNDARY = "edge-sr-frame"
Handler = Callable[["Request"], Awaitable["Response"]]


def build_app(hub: Hub, control: RunControl, *, token: str | None) -> Starlette:
    """The application; `hub` brings the frames, `control` the figures and the switches."""
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route, WebSocketRoute
    from starlette.staticfiles import StaticFiles

    pages = _Pages(hub, control)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        hub.attach()
        yield

    app = Starlette(
        routes=[
            Route("/", pages.index),
            WebSocketRoute("/watch", pages.watch),
            WebSocketRoute("/sound", pages.sound),
            Route("/stream.mjpg", pages.stream),
            Route("/frame.jpg", pages.frame),
            Route("/healthz", pages.health),
            Route("/metrics", pages.metrics),
            Route("/api/stats", pages.stats),
            Route("/api/model", _command(pages.model), methods=["POST"]),
            Route("/api/snapshot", _command(pages.snapshot), methods=["POST"]),
            Route("/files/{name}", pages.file),
            Route("/small/{name}", pages.small),
            Route("/api/files", pages.files),
            Route("/api/delete", _command(pages.delete), methods=["POST"]),
            Route("/api/strength", _command(pages.strength), methods=["POST"]),
            Route("/api/freeze", _command(pages.freeze), methods=["POST"]),
            Route("/api/record", _command(pages.record), methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        lifespan=lifespan,
    )
    app.add_middleware(Guard, token=token)
    return app


class _Pages:
    def __init__(self, hub: Hub, control: RunControl) -> None:
        self._hub, self._control = hub, control
        self._switchboard = Switchboard(hub)
        self._gallery = Gallery(control.folder)
        self._sound = SoundSender(hub, lambda: control.sound, self._switchboard.clock)

    async def index(self, _request: Request) -> Response:
        from starlette.responses import FileResponse

        return FileResponse(STATIC / "index.html", media_type="text/html")

    async def health(self, _request: Request) -> Response:
        """200 while frames come, 503 while they do not."""
        from starlette.responses import PlainTextResponse

        state = str(self._control.facts()["state"])
        return PlainTextResponse(f"{state}\n", 200 if state == "running" else 503)

    async def metrics(self, _request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import Response

        control = self._control
        device = await run_in_threadpool(control.device.read)
        text = prometheus(control.facts(), control.stats, device, self._hub.clients)
        return Response(text, media_type=CONTENT_TYPE)

    async def stats(self, _request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import JSONResponse

        device = await run_in_threadpool(self._control.device.read)
        facts = {**self._control.facts(), "clients": self._hub.clients, "device_load": device}
        facts |= {"view": self._control.view.mode, "encoders": self._switchboard.encoders}
        return JSONResponse(facts)

    async def watch(self, socket: WebSocket) -> None:
        """The pictures of the page: binary messages, each a frame; see `Viewer`."""
        from starlette.websockets import WebSocketDisconnect

        if self._hub.clients >= MAX_CLIENTS:
            await socket.close(1013)  # try again later
            return
        await socket.accept()
        self._hub.clients += 1
        try:
            await Viewer(socket, self._hub, self._switchboard).watch()
        except (WebSocketDisconnect, ValueError):
            return  # it left, or what it sent is no JSON
        finally:
            self._hub.clients -= 1

    async def sound(self, socket: WebSocket) -> None:
        """The sound of the source: binary messages; see `SoundSender`."""
        from starlette.websockets import WebSocketDisconnect

        if self._control.sound is None:
            await socket.close(1011)  # there is none
            return
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect, KeyError):
            await self._sound.serve(socket, socket.query_params.get("codec", ""))

    async def frame(self, request: Request) -> Response:
        """One JPEG of the newest frame."""
        from starlette.responses import PlainTextResponse, Response

        found = await self._hub.next(-1) if self._control.stats.written else None
        if found is None:
            return PlainTextResponse("no frame has come yet\n", 503)
        return Response(await self._picture(request, *found), media_type="image/jpeg")

    async def stream(self, request: Request) -> Response:
        """Motion JPEG for an <img>, VLC, or the page's own script."""
        from starlette.responses import PlainTextResponse, StreamingResponse

        if self._hub.clients >= MAX_CLIENTS:
            return PlainTextResponse(f"{MAX_CLIENTS} browsers watch already\n", 503)
        if request.query_params.get("view", "after") not in MODES:
            return PlainTextResponse(f"view: expected {', '.join(MODES)}\n", 400)
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        return StreamingResponse(self._parts(request), media_type=kind)

    async def _parts(self, request: Request) -> AsyncIterator[bytes]:
        """Parts, each of the frame that is newest when the connection has room for it."""
        pause_s = 1 / min(max(_number(request, "fps", 30.0), 0.1), 60)
        seen = -1
        self._hub.clients += 1
        try:
            while (found := await self._hub.next(seen)) is not None:
                seen = found[0]
                due = asyncio.get_running_loop().time() + pause_s * 0.9
                data = await self._picture(request, *found)
                head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nX-Frame: {seen}\r\n"
                yield f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data + b"\r\n"
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        finally:
            self._hub.clients -= 1

    async def _picture(self, request: Request, number: int, shot: Shot) -> bytes:
        from starlette.concurrency import run_in_threadpool

        mode = request.query_params.get("view", "after")
        wanted = _number(request, "width", 0)
        width = next((known for known in WIDTHS if known >= wanted), None) if wanted else None
        divider = _number(request, "divider", 0.5)
        return await run_in_threadpool(self._hub.picture, number, shot, mode, divider, width)

    async def files(self, _request: Request) -> Response:
        """The snapshots and recordings."""
        return await _answer(lambda: {"files": self._gallery.files()})

    async def file(self, request: Request) -> Response:
        """One of them, to be kept: browsers do not open it."""
        from starlette.responses import FileResponse, PlainTextResponse

        try:
            path = self._gallery.find(request.path_params["name"])
        except EdgeSRError as error:
            return PlainTextResponse(f"{error}\n", 404)
        return FileResponse(path, filename=path.name)

    async def small(self, request: Request) -> Response:
        """A small JPEG of one of them."""
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import PlainTextResponse, Response

        try:
            data = await run_in_threadpool(self._gallery.small, request.path_params["name"])
        except EdgeSRError as error:
            return PlainTextResponse(f"{error}\n", 404)
        return Response(data, media_type="image/jpeg")

    def delete(self, wanted: dict[str, object]) -> dict[str, object]:
        name = str(wanted.get("name", ""))
        self._gallery.delete(name)
        return {"deleted": name}

    def model(self, wanted: dict[str, object]) -> dict[str, object]:
        name = str(wanted.get("model", ""))
        self._control.switch.request(name)
        return {"model": name}

    def strength(self, wanted: dict[str, object]) -> dict[str, object]:
        self._control.switch.strength = _strength(wanted.get("strength"))
        return {"strength": self._control.switch.strength}

    def freeze(self, wanted: dict[str, object]) -> dict[str, object]:
        """Keep the newest frame; or upscale one that is kept by another model or strength."""
        if "frozen" not in wanted:
            return {"frozen": self._hub.freeze()}
        shot, name = self._hub.frozen(wanted["frozen"]), str(wanted.get("model", ""))
        strength = _strength(wanted["strength"]) if "strength" in wanted else None
        after = self._control.switch.upscale_once(shot.before, name, strength)
        return {"frozen": self._hub.freeze(replace(shot, after=after)), "model": name}

    def snapshot(self, _wanted: dict[str, object]) -> dict[str, object]:
        return {"files": self._control.snapshot()}

    def record(self, wanted: dict[str, object]) -> dict[str, object]:
        recorder = self._control.recorder
        if wanted.get("on"):
            mode, divider = str(wanted.get("view", "after")), wanted.get("divider", 0.5)
            share = float(divider) if isinstance(divider, int | float) else 0.5
            return {"recording": recorder.start(mode, share).name}
        return {"recording": None, "saved": recorder.stop()}


def _command(work: Callable[[dict[str, object]], dict[str, object]]) -> Handler:
    """A handler that takes a JSON object, works in a thread, and returns our errors as 400."""

    async def handler(request: Request) -> Response:
        from starlette.responses import JSONResponse

        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return JSONResponse({"error": "expected Content-Type: application/json"}, 415)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return JSONResponse({"error": "the request is too long"}, 413)
        try:
            wanted = parse_json(body or b"{}")
        except ValueError:
            wanted = None
        if not isinstance(wanted, dict):
            return JSONResponse({"error": "expected a JSON object"}, 400)
        return await _answer(lambda: work(wanted))

    return handler


async def _answer(work: Callable[[], dict[str, object]]) -> Response:
    """What a function returns, as JSON; our errors as 400."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse

    try:
        return JSONResponse(await run_in_threadpool(work))
    except EdgeSRError as error:
        return JSONResponse({"error": str(error)}, 400)


def _strength(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"strength: {value!r} where a number was expected")
    return float(value)


def _number(request: Request, name: str, default: float) -> float:
    try:
        value = float(request.query_params.get(name, default))
    except ValueError:
        return default
    return value if abs(value) < 1e6 else default
