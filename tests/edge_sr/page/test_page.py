"""The page's server: who is let in, and what it answers. The browser has a test of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="pip install 'edge-sr[serve]'")
httpx = pytest.importorskip("httpx", reason="pip install 'edge-sr[dev]'")

from fakes.sessions import a_shot  # noqa: E402

from edge_sr.errors import MediaError  # noqa: E402
from edge_sr.live.control import RunControl  # noqa: E402
from edge_sr.page.server import PageServer  # noqa: E402

STATIC = Path(__file__).parents[3] / "edge_sr" / "page" / "static"


def show(server: PageServer, control: RunControl) -> None:
    """One frame, as the pipeline would."""
    server.show(a_shot())
    control.show(a_shot())
    control.stats.written += 1
    control.stats.age.add(0.02)


def test_loopback_needs_no_token_and_health_follows_the_frames(
    page: PageServer, control: RunControl
) -> None:
    with httpx.Client(base_url=page.url) as client:
        assert client.get("/healthz").status_code == 503
        assert client.get("/frame.jpg").status_code == 503
        show(page, control)
        assert (client.get("/healthz").status_code, client.get("/").status_code) == (200, 200)
        facts = client.get("/api/stats").json()
        assert facts["model"] == "edge-unet-s-x2"
        assert facts["age_p50_ms"] == 20
        assert "edge-unet-s-x2.int8" in facts["models"]
        assert client.get("/").headers["content-security-policy"].startswith("default-src 'none'")


def test_metrics_are_prometheus_text(page: PageServer, control: RunControl) -> None:
    show(page, control)
    answer = httpx.get(f"{page.url}metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"edge_sr_\w+(\{[^}]*\})? [-+\d.e]+", line) for line in samples)
    assert "edge_sr_frames_written_total 1.0" in samples
    assert "edge_sr_computed_share 1.0" in samples
    assert 'edge_sr_frame_age_seconds{quantile="0.99"} 0.02' in samples


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Host": "localhost:1"}, 200),
    ],
)
def test_other_sites_are_refused(page: PageServer, headers: dict[str, str], code: int) -> None:
    assert httpx.get(f"{page.url}api/stats", headers=headers).status_code == code


def test_other_addresses_need_the_token(
    control: RunControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_SR_TOKEN", "correct-horse")
    server = PageServer(control, host="0.0.0.0", port=0)  # noqa: S104 - that is what is tested
    try:
        port = re.search(r":(\d+)/", server.url)
        assert port is not None
        assert server.url.endswith("/?token=correct-horse")
        base = f"http://127.0.0.1:{port[1]}"
        for path in (
            "/",
            "/?token=wrong",
            "/api/stats",
            "/stream.mjpg",
            "/metrics",
            "/static/page.js",
        ):
            answer = httpx.get(base + path)
            assert answer.status_code == 403
            assert "open the address that edge-sr printed" in answer.text
        assert httpx.get(f"{base}/healthz").status_code == 503  # open, and no frame yet
        bearer = {"Authorization": "Bearer correct-horse"}
        assert httpx.get(f"{base}/api/stats", headers=bearer).status_code == 200
        with httpx.Client(base_url=base) as client:
            first = client.get("/?token=correct-horse")
            assert (first.status_code, first.headers["location"]) == (303, "/")
            assert "HttpOnly" in first.headers["set-cookie"]
            assert client.get("/api/stats").status_code == 200
    finally:
        server.close()


def test_the_stream_is_motion_jpeg_of_the_newest_frame(
    page: PageServer, control: RunControl
) -> None:
    show(page, control)
    with httpx.stream("GET", f"{page.url}stream.mjpg?view=pair&width=64") as answer:
        assert "multipart/x-mixed-replace" in answer.headers["content-type"]
        first = next(answer.iter_raw())
    assert first.startswith(b"--edge-sr-frame\r\nContent-Type: image/jpeg")
    assert httpx.get(f"{page.url}stream.mjpg?view=upside").status_code == 400
    jpeg = httpx.get(f"{page.url}frame.jpg?view=split&divider=0.3")
    assert jpeg.content[:2] == b"\xff\xd8"


def test_a_browser_that_does_not_read_slows_nobody(
    page: PageServer, control: RunControl, finishes: Callable[[Callable[[], object]], object]
) -> None:
    """More frames than a connection buffers: a server that waits for the reader never ends."""
    shot = a_shot()

    def show_many() -> None:
        for _ in range(20_000):
            page.show(shot)

    show(page, control)
    with httpx.stream("GET", f"{page.url}stream.mjpg"):
        finishes(show_many)


def test_switch_snapshot_and_record(page: PageServer, control: RunControl, tmp_path: Path) -> None:
    show(page, control)
    with httpx.Client(base_url=page.url) as client:
        assert client.post("/api/model", json={"model": "bicubic"}).json() == {"model": "bicubic"}
        control.switch.upscale(a_shot().before)
        assert client.get("/api/stats").json()["model"] == "bicubic"
        wrong = client.post("/api/model", json={"model": "/etc/passwd"})
        assert wrong.status_code == 400
        assert "no model of this run" in wrong.json()["error"]
        files = client.post("/api/snapshot", json={}).json()["files"]
        assert all((tmp_path / name).is_file() for name in files)
        assert client.post("/api/record", json={"on": True}).json()["recording"].endswith(".mp4")
        control.recorder.show(a_shot())
        assert "128x96" in client.post("/api/record", json={"on": False}).json()["saved"]


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        ("{}", "text/plain", 415),  # what a form of another site could send
        ("[1]", "application/json", 400),
        ("not json", "application/json", 400),
        (json.dumps({"model": "x" * 9000}), "application/json", 413),
    ],
)
def test_odd_commands_are_refused(page: PageServer, content: str, kind: str, code: int) -> None:
    answer = httpx.post(f"{page.url}api/model", content=content, headers={"Content-Type": kind})
    assert answer.status_code == code
    assert "error" in answer.json()


def test_a_port_in_use_is_one_line(page: PageServer, control: RunControl) -> None:
    port = int(page.url.rstrip("/").rpartition(":")[2])
    with pytest.raises(MediaError, match=rf"cannot listen on 127\.0\.0\.1:{port}"):
        PageServer(control, host="127.0.0.1", port=port)


def test_the_page_asks_nobody_else() -> None:
    for path in STATIC.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, path.name
