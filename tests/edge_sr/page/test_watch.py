"""The pictures of the page: what part is sent, in which codec, to whom, and how fast."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from clocks import HANG_S

client = pytest.importorskip("websockets.sync.client", reason="pip install 'edge-sr[serve]'")
httpx = pytest.importorskip("httpx", reason="pip install 'edge-sr[dev]'")

from fakes.sessions import a_shot  # noqa: E402
from websockets.exceptions import InvalidStatus  # noqa: E402

from edge_sr.errors import UsageError  # noqa: E402
from edge_sr.live.compare import Region, compose  # noqa: E402
from edge_sr.live.control import RunControl  # noqa: E402
from edge_sr.media.frame import Frame  # noqa: E402
from edge_sr.media.libraries import load_av  # noqa: E402
from edge_sr.media.screen import rescale  # noqa: E402
from edge_sr.page import channels  # noqa: E402
from edge_sr.page.encoders import Clock, JpegEncoder, Unit, open_encoder  # noqa: E402
from edge_sr.page.server import PageServer  # noqa: E402
from edge_sr.page.view import View  # noqa: E402
from edge_sr.pipeline.shot import Shot  # noqa: E402

VIEW: dict[str, Any] = {"mode": "pair", "region": [16, 8, 64, 48], "width": 64, "codec": "jpeg"}


def textured(width: int = 64, height: int = 48) -> Shot:
    """A shot in which every pixel differs from its neighbours, before and after."""
    rng = np.random.default_rng(3)
    planes = [
        rng.integers(40, 200, size=(high, wide)).astype(np.uint8)
        for wide, high in ((width, height), (width // 2, height // 2), (width // 2, height // 2))
    ]
    before = Frame((planes[0], planes[1], planes[2]), 0, Fraction(1, 25))
    after = rescale(before, 2 * width, 2 * height)
    sharper = after.y.astype(int) + np.where(np.arange(2 * width) % 2, 3, -3)
    planes = [np.clip(sharper, 0, 255).astype(np.uint8), after.u, after.v]
    after = replace(after, planes=(planes[0], planes[1], planes[2]))
    return Shot(before, after, time.perf_counter(), 0.01)


@contextlib.contextmanager
def watching(page: PageServer, view: dict[str, Any]) -> Iterator[Any]:
    with client.connect(page.url.replace("http", "ws") + "watch") as socket:
        socket.send(json.dumps(view))
        yield socket


def take(socket: Any, *, report: bool = True, timeout: float = 20) -> tuple[dict[str, Any], bytes]:
    """The next picture and its facts."""
    message = socket.recv(timeout=timeout)
    assert isinstance(message, bytes), message
    (length,) = struct.unpack_from(">I", message)
    head = json.loads(message[4 : 4 + length])
    if report:
        socket.send(json.dumps({"shown": head["number"]}))
    return head, message[4 + length :]


def show_until(page: PageServer, socket: Any, count: int) -> list[dict[str, Any]]:
    """Publish frames until a viewer has seen so many."""
    heads = []
    for _ in range(count):
        page.show(textured())
        heads.append(take(socket)[0])
    return heads


def test_a_region_is_sent_pixel_for_pixel_and_both_halves_lie_over_each_other() -> None:
    shot, region = textured(), Region(16, 8, 64, 48)
    pair = compose(shot, "pair", region=region)
    assert pair.y.shape == (96, 64)
    assert (pair.y[:48] == shot.enlarged.y[8:56, 16:80]).all()
    assert (pair.y[48:] == shot.after.y[8:56, 16:80]).all()
    apart = pair.y[48:].astype(int) - pair.y[:48]
    assert np.abs(apart).max() == 3  # ours differs by its stripes alone, none is shifted
    assert compose(shot, "pair", region=region, width=32).y.shape == (48, 32)
    odd = compose(shot, "after", region=Region(101, 77, 500, 500))
    assert (odd.y == shot.after.y[76:, 100:]).all()
    louder = compose(shot, "diff", region=region, gain=8).y.astype(int) - 126
    assert set(np.unique(np.abs(louder))) == {24}


@pytest.mark.parametrize("codec", ["h264", "mp4"])
def test_h264_can_be_decoded_from_each_key_frame_on(codec: str) -> None:
    av = load_av()
    encoder = open_encoder(View.parse({**VIEW, "codec": codec}), Clock())
    units = [encoder.encode(textured(), key=number in (0, 3)) for number in range(6)]
    assert [unit.key for unit in units] == [True, False, False, True, False, False]
    assert units[0].codec.startswith("avc1.64")
    for first in (0, 3):
        data = io.BytesIO(b"".join(unit.data for unit in units[first:]))
        with av.open(data, format="h264" if codec == "h264" else "mp4") as container:
            frames = list(container.decode(video=0))
        assert len(frames) == 6 - first
        assert (frames[0].width, frames[0].height) == units[0].size == (64, 96)
        if codec == "mp4":
            assert [frame.pts for frame in frames] == [unit.time_ms for unit in units[first:]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "upside"},
        {"codec": "gif"},
        {"region": [1, 2, 3]},
        {"region": [0, 0, "8", 8]},
        {"region": [0, 0, 1e300, 8]},
        {"width": None},
        {"frozen": True},
        {"frozen": 99},
    ],
)
def test_odd_views_are_answered_with_one_line(page: PageServer, wrong: dict[str, Any]) -> None:
    with watching(page, VIEW | wrong) as socket:
        assert "error" in json.loads(socket.recv(timeout=HANG_S))
        socket.send(json.dumps(VIEW))
        page.show(a_shot())
        assert take(socket)[0]["size"] == [64, 96]  # the next one is served


def test_a_huge_region_is_cut_to_the_picture() -> None:
    view = View.parse(VIEW | {"region": [-5, 900, 9000, 9000], "width": 99999})
    assert compose(a_shot(), "after", region=view.region, width=view.width).y.shape == (2, 128)
    with pytest.raises(UsageError, match="where a number was expected"):
        View.parse(VIEW | {"width": float("nan")})


def test_viewers_of_one_view_share_an_encoder(page: PageServer, control: RunControl) -> None:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(watching(page, VIEW)) for _ in range(5)]
        other = stack.enter_context(watching(page, VIEW | {"mode": "after"}))
        page.show(textured())
        pictures = {take(socket)[1] for socket in sockets}
        assert len(pictures) == 1
        assert take(other)[1] not in pictures
        facts = httpx.get(f"{page.url}api/stats").json()
        assert (facts["clients"], facts["encoders"]) == (6, 2)
    deadline = time.monotonic() + HANG_S
    while httpx.get(f"{page.url}api/stats").json()["encoders"] and time.monotonic() < deadline:
        page.show(textured())
    assert httpx.get(f"{page.url}api/stats").json()["clients"] == 0
    assert control.stats.screen.count == 6  # each reported the frame back
    assert (control.stats.screen.percentile(1) or 0) > 0


def test_a_viewer_who_reports_nothing_misses_frames_alone(page: PageServer) -> None:
    with watching(page, VIEW) as fast, watching(page, VIEW) as slow:
        heads = show_until(page, fast, 3 * channels.AHEAD)
        assert [head["number"] for head in heads] == list(range(1, len(heads) + 1))
        received = 0
        with contextlib.suppress(TimeoutError):
            while True:
                take(slow, report=False, timeout=0.3)
                received += 1
        assert received <= channels.AHEAD + 1


def test_after_missed_frames_a_viewer_begins_with_a_key_frame(page: PageServer) -> None:
    view = VIEW | {"codec": "h264"}
    with watching(page, view) as fast, watching(page, view) as slow:
        show_until(page, fast, 2 * channels.AHEAD)
        heads = []
        with contextlib.suppress(TimeoutError):
            while True:
                heads.append(take(slow, report=False, timeout=0.3)[0])
        slow.send(json.dumps({"shown": heads[-1]["number"]}))
        time.sleep(1.1 * channels.KEY_S)
        show_until(page, fast, 2)
        assert take(slow)[0]["key"]


@pytest.mark.parametrize("codec", ["jpeg", "h264"])
def test_viewers_get_a_picture_where_no_new_frame_comes(page: PageServer, codec: str) -> None:
    view = VIEW | {"codec": codec}
    page.show(textured())
    with watching(page, view) as first:
        take(first)
        with watching(page, view) as second:  # the same view: its encoder has had the frame
            assert take(second)[0]["key"]
        for mode in ("after", "pair"):  # another one, and back
            first.send(json.dumps(view | {"mode": mode}))
            while take(first)[0]["mode"] != mode:
                pass


def test_a_frame_that_was_encoded_too_slowly_for_a_view_is_sent_when_there_is_room(
    page: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.show(textured())
    with watching(page, VIEW) as socket:
        take(socket, report=False)  # the browser draws it, and has not reported it yet
        encode = JpegEncoder.encode

        def slowly(self: JpegEncoder, shot: Shot, *, key: bool) -> Unit:
            time.sleep(1.5 * channels.AHEAD_S)
            return encode(self, shot, key=key)

        monkeypatch.setattr(JpegEncoder, "encode", slowly)
        socket.send(json.dumps(VIEW | {"mode": "after"}))
        assert take(socket)[0]["mode"] == "after"


def test_a_frozen_frame_is_compared_in_every_view_and_by_another_model(
    page: PageServer, control: RunControl
) -> None:
    shot = textured()
    page.show(shot)
    with httpx.Client(base_url=page.url, timeout=HANG_S) as http:
        number = http.post("/api/freeze", json={}).json()["frozen"]
        page.show(a_shot())
        again = http.post("/api/freeze", json={"frozen": number, "model": "bicubic"}).json()
        assert again["frozen"] != number
        wrong = http.post("/api/freeze", json={"frozen": number, "model": "/etc/passwd"})
        assert "no model of this run" in wrong.json()["error"]
        assert http.post("/api/freeze", json={"frozen": 999, "model": "bicubic"}).status_code == 400
    assert control.switch.name == "edge-unet-s-x2"  # the run goes on
    for mode, kept in (("after", number), ("diff", number), ("after", again["frozen"])):
        with watching(page, VIEW | {"mode": mode, "frozen": kept, "codec": "h264"}) as socket:
            head, data = take(socket)
            assert (head["kind"], head["mode"], data[:2]) == ("jpeg", mode, b"\xff\xd8")


def test_other_sites_and_wrong_tokens_get_no_pictures(
    control: RunControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_SR_TOKEN", "correct-horse")
    server = PageServer(control, host="0.0.0.0", port=0)  # noqa: S104 - that is what is tested
    port = server.url.rpartition(":")[2].partition("/")[0]
    address, sound = (f"ws://127.0.0.1:{port}/{name}" for name in ("watch", "sound"))
    bearer = {"Authorization": "Bearer correct-horse"}
    try:
        refused: list[dict[str, Any]] = [
            {},
            {"additional_headers": {"Cookie": "edge_sr_token=wrong"}},
            {"additional_headers": bearer, "origin": "http://evil.example"},
            {"additional_headers": bearer | {"Sec-Fetch-Site": "cross-site"}},
        ]
        for options in refused:
            for place in (address, sound):
                with pytest.raises(InvalidStatus, match="403"), client.connect(place, **options):
                    pass
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        upgrade |= bearer | {"Host": "evil.example", "Sec-WebSocket-Key": f"{'a' * 22}=="}
        answer = httpx.get(address.replace("ws", "http", 1), headers=upgrade)
        assert answer.status_code == 403
        cookie = {"Cookie": "edge_sr_token=correct-horse"}
        with client.connect(address, additional_headers=cookie) as socket:
            socket.send(json.dumps(VIEW))
            server.show(a_shot())
            assert take(socket)[0]["number"] == 1
    finally:
        server.close()


def test_what_is_no_json_ends_the_connection_and_nothing_else(page: PageServer) -> None:
    with watching(page, VIEW) as good:
        for text in ("{", "[1]", "\x00", "9" * 5000):
            with client.connect(page.url.replace("http", "ws") + "watch") as bad:
                bad.send(text)
                with pytest.raises(Exception, match=r"received|sent"):
                    bad.recv(timeout=HANG_S)
        page.show(a_shot())
        assert take(good)[0]["number"] == 1


def test_a_viewer_behind_a_full_connection_and_one_who_breaks_off_slow_nobody(
    page: PageServer,
) -> None:
    view = VIEW | {"region": [0, 0, 640, 360], "width": 640, "mode": "after"}
    shot = textured(320, 180)
    with (
        watching(page, view) as fast,
        socket.create_connection(
            ("127.0.0.1", int(page.url.rpartition(":")[2].strip("/")))
        ) as stuck,
    ):
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        upgrade = "GET /watch HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        upgrade += "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        upgrade += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        stuck.sendall(upgrade.encode() + text_frame(view))
        sent = 0
        for number in range(60):  # it reports each picture, and reads none
            page.show(shot)
            assert take(fast)[0]["number"] == number + 1
            if sent < 30:
                stuck.sendall(text_frame({"shown": number + 1}))
                sent += 1
        assert httpx.get(f"{page.url}api/stats").json()["clients"] == 2
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deadline = time.monotonic() + HANG_S
    while httpx.get(f"{page.url}api/stats").json()["clients"] and time.monotonic() < deadline:
        page.show(shot)
    assert httpx.get(f"{page.url}api/stats").json()["clients"] == 0


def text_frame(value: dict[str, Any]) -> bytes:
    """A message of a browser as it goes over the line, under a mask of zeros."""
    data = json.dumps(value).encode()
    length = (
        bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
    )
    return b"\x81" + length + bytes(4) + data
