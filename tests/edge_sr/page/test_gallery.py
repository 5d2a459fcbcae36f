"""The snapshots and recordings of a page: only ours, in their folder alone, for who may ask."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest

httpx = pytest.importorskip("httpx", reason="pip install 'edge-sr[dev]'")
pytest.importorskip("starlette", reason="pip install 'edge-sr[serve]'")

from fakes.sessions import a_shot  # noqa: E402

from edge_sr.errors import MediaError  # noqa: E402
from edge_sr.live.control import RunControl  # noqa: E402
from edge_sr.live.snapshot import save_snapshot  # noqa: E402
from edge_sr.media.libraries import load_av  # noqa: E402
from edge_sr.page.gallery import Gallery  # noqa: E402
from edge_sr.page.server import PageServer  # noqa: E402

OURS = "edge-sr-20261130-101500.mp4"
# what must never be served or deleted, whatever it is written as
ODD = [
    "../secret.png", "..%2fsecret.png", "%2e%2e/secret.png", "/etc/passwd", "..\\secret.png",
    "notes.txt", "edge-sr-20261130-101500.mp4/../notes.txt", "edge-sr-link.png", ".", "", "\x00",
    "edge-sr-20261130-101501-before.png", f"{OURS}\n", "edge-sr-20261130-101500.mp4.txt",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The page's folder, with a file of somebody else in it, and one above it."""
    (tmp_path / "notes.txt").write_text("private")
    secret = tmp_path.parent / "secret.png"
    secret.write_text("private")
    (tmp_path / "edge-sr-20261130-101501-before.png").symlink_to(secret)
    return tmp_path


def test_it_lists_shows_keeps_and_deletes(
    page: PageServer, control: RunControl, folder: Path
) -> None:
    control.show(a_shot())
    with httpx.Client(base_url=page.url) as http:
        assert http.get("/api/files").json() == {"files": []}
        saved = http.post("/api/snapshot", json={}).json()["files"]
        http.post("/api/record", json={"on": True, "view": "side"})
        control.recorder.show(a_shot())
        http.post("/api/record", json={"on": False})
        files = http.get("/api/files").json()["files"]
        names = [item["name"] for item in files]
        assert set(saved) < set(names)
        (film,) = set(names) - set(saved)
        for name in names:
            assert http.get(f"/small/{name}").content[:2] == b"\xff\xd8"
            answer = http.get(f"/files/{name}")
            assert answer.content == (folder / name).read_bytes()
            assert answer.headers["content-disposition"].startswith("attachment")
        with load_av().open(str(folder / film)) as container:
            assert container.streams.video[0].width == 256  # before and after, side by side
        assert http.post("/api/delete", json={"name": film}).json() == {"deleted": film}
        assert not (folder / film).exists()
        assert http.get(f"/files/{film}").status_code == 404
        wrong = http.post("/api/record", json={"on": True, "view": "upside"})
        assert "expected after, split" in wrong.json()["error"]


@pytest.mark.parametrize("name", ODD)
def test_nothing_else_can_be_reached(page: PageServer, folder: Path, name: str) -> None:
    before = sorted(path.name for path in folder.iterdir())
    with httpx.Client(base_url=page.url) as http:
        for text in {name, quote(name, safe=""), quote(quote(name, safe=""), safe="")} - {""}:
            if "\n" in text or "\x00" in text:
                continue  # no address can hold them as they are
            for place in ("files", "small"):
                answer = http.get(f"/{place}/{text}")
                assert answer.status_code in (404, 405)
                assert "private" not in answer.text
        assert http.post("/api/delete", json={"name": name}).status_code == 400
    assert sorted(path.name for path in folder.iterdir()) == before
    assert (folder.parent / "secret.png").read_text() == "private"
    with pytest.raises(MediaError, match="no such snapshot"):
        Gallery(folder).find(name)


def test_it_needs_the_token_and_our_own_page(
    control: RunControl, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_SR_TOKEN", "correct-horse")
    (folder / OURS).write_bytes(b"film")
    server = PageServer(control, host="0.0.0.0", port=0)  # noqa: S104 - that is what is tested
    port = re.search(r":(\d+)/", server.url)
    assert port is not None
    base = f"http://127.0.0.1:{port[1]}"
    good = {"Authorization": "Bearer correct-horse"}
    try:
        for headers, code in (
            ({}, 403),
            ({"Cookie": "edge_sr_token=wrong"}, 403),
            (good | {"Origin": "http://evil.example"}, 403),
            (good | {"Host": "evil.example"}, 421),
        ):
            for path in ("/api/files", f"/files/{OURS}", f"/small/{OURS}"):
                assert httpx.get(base + path, headers=headers).status_code == code
            for path in ("/api/delete", "/api/freeze"):
                answer = httpx.post(base + path, headers=headers, json={"name": OURS})
                assert answer.status_code == code
        assert (folder / OURS).exists()
        assert httpx.get(f"{base}/files/{OURS}", headers=good).content == b"film"
    finally:
        server.close()


def test_a_folder_that_is_not_there_is_empty_and_made_when_needed(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "saved"
    assert Gallery(folder).files() == []
    assert not folder.exists()
    assert all(path.is_file() for path in save_snapshot(a_shot(), folder))
    assert len(Gallery(folder).files()) == 2
    (tmp_path / "file").touch()
    with pytest.raises(MediaError, match="cannot be made"):
        save_snapshot(a_shot(), tmp_path / "file" / "saved")
