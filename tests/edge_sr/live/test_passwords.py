"""Passwords of cameras, with every sign a keyboard has: they are shown nowhere."""

from __future__ import annotations

import contextlib
import json
import os
import re
import string
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from clocks import HANG_S
from test_network import ROOT, http  # noqa: F401 - a fixture

from edge_sr import Upscaler
from edge_sr.errors import MediaError
from edge_sr.live.compare import View
from edge_sr.live.control import RunControl
from edge_sr.live.recorder import Recorder
from edge_sr.media.address import hide_credentials
from edge_sr.media.sources.pattern import Pattern
from edge_sr.media.sources.stream import NetworkStream
from edge_sr.page.metrics import prometheus
from edge_sr.session.model_switch import ModelSwitch
from edge_sr.types import Size

PAGE = ("", "api/stats", "metrics", "healthz", "static/page.js", "api/nothing")


def odd_passwords(count: int) -> Iterator[str]:
    """Of anything that a keyboard has, and a little more; the same in every run."""
    draw = np.random.default_rng(5)
    signs = [*string.ascii_letters, *string.digits, *string.punctuation, *" \n\täß€"]
    for _ in range(count):
        yield "".join(draw.choice(signs, size=draw.integers(6, 25)))


def leaks(password: str, text: str) -> bool:
    """Whether five signs in a row of the password stand in the text, as they are or quoted."""
    return any(
        form[i : i + 5] in text
        for form in (password, quote(password, safe=""))
        for i in range(len(form) - 4)
    )


def test_no_odd_password_is_shown() -> None:
    for password in odd_passwords(1000):
        url = f"rtsp://viewer:{password}@cam:554/clip"
        for text in (url, f"cannot open '{url}': refused", f"{url}: broke off, opened again"):
            shown = hide_credentials(text)
            assert not leaks(password, shown), password
            assert "***@cam:554/clip" in shown
            assert shown.endswith(text[-7:])


def test_no_odd_password_is_in_an_error() -> None:
    for password in odd_passwords(40):
        with pytest.raises(MediaError) as error:
            NetworkStream(f"rtsp://viewer:{password}@127.0.0.1:9/clip", open_s=0.5)
        shown = "".join(traceback.format_exception(error.value))
        assert not leaks(password, shown), password


class Camera(Pattern):
    """A test picture under the name that a stream of this address has."""

    def call(self, address: str) -> None:
        self.info = replace(self.info, name=hide_credentials(address))


@pytest.fixture
def control(tmp_path: Path) -> Iterator[RunControl]:
    source = Camera(64, 48, live=True)
    with ModelSwitch(Upscaler.open("edge-unet-s-x2"), Size(128, 96), Upscaler.open) as switch:
        recorder = Recorder(tmp_path, source=source.info)
        yield RunControl(
            source=source,
            size=Size(128, 96),
            switch=switch,
            recorder=recorder,
            folder=tmp_path,
            view=View(),
        )


def test_no_odd_password_is_in_the_figures_of_a_run(control: RunControl) -> None:
    pytest.importorskip("prometheus_client", reason="pip install 'edge-sr[serve]'")
    source = control._source
    assert isinstance(source, Camera)
    for password in odd_passwords(1000):
        source.call(f"rtsp://viewer:{password}@cam:554/clip?key={quote(password)}")
        facts = control.facts()
        assert facts["source"] == "rtsp://***@cam:554/clip?***"
        shown = json.dumps(facts) + prometheus(facts, control.stats, {}, 0).decode()
        assert not leaks(password, f"{facts}{shown}"), password


def processes(first: int) -> str:
    """Command lines and titles of a process, its threads and its children."""
    found, shown = [first], []
    for parent in found:
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):  # others end meanwhile
                if f"PPid:\t{parent}\n" in status.read_text():
                    found.append(int(status.parent.name))
        folder = Path(f"/proc/{parent}")
        with contextlib.suppress(OSError):
            names = (folder / "cmdline", *folder.glob("task/*/comm"))
            shown += [path.read_text() for path in names]
    return "\n".join(shown).replace("\0", " ")


@pytest.mark.slow
def test_a_run_with_an_odd_password_shows_it_nowhere(
    http: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    """From the command to the page, over a stream that freezes and is opened again."""
    httpx = pytest.importorskip("httpx", reason="pip install 'edge-sr[dev]'")
    pytest.importorskip("uvicorn", reason="pip install 'edge-sr[serve]'")
    password = 'o\'d: "p@ss/w?rd" \\ #%&ß€'  # noqa: S105 - of nothing
    quoted = quote(password, safe="")
    address = http.replace("//", f"//viewer:{quoted}@") + f"/freeze?key={quoted}"
    command = [sys.executable, "-m", "edge_sr.cli.main", "run", "--input", "env:CAM"]
    command += ["--backend", "nearest", "--serve", "127.0.0.1:0", "--save-to", str(tmp_path)]
    shown = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "CAM": address},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                shown.append(line)
                if found := re.search(r"page: (\S+)", line):
                    break
            assert found, shown
            with httpx.Client(base_url=found[1]) as client:
                while client.get("/api/stats").json()["reconnects"] < 1:
                    time.sleep(0.1)
                shown += [client.get(path).text for path in PAGE]
                shown += [
                    client.post(f"/api/{word}", json={}).text for word in ("snapshot", "model")
                ]
            shown.append(processes(process.pid))
        finally:
            process.terminate()
            shown.append(process.communicate(timeout=HANG_S)[0])
    shown += [f"{path.name}{path.read_bytes()!r}" for path in tmp_path.iterdir()]
    everything = "\n".join(shown)
    assert not leaks(password, everything)
    for shown in ("http://***@127.0.0.1", "/freeze?***", "trying again", "edge_sr.cli.main run"):
        assert shown in everything
