"""A library on Ray: killed at random moments, on a full disk, and on a cluster of two nodes."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.run import run_job
from tests.fakes.library_films import assert_same, write_film

psutil = pytest.importorskip("psutil", reason="pip install 'edge-sr[serve]'")
pytest.importorskip("ray", reason="pip install 'edge-sr[ray]'")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
FRAMES = (520, 60, 760, 40, 300, 510, 40, 30, 530)
BROKEN = ("empty.mp4", "text.mp4", "cut.mp4")
OPTIONS = ("--model", "edge-unet-s-x2", "--preset", "ultrafast", "--threads", "1")
MOMENTS = 20
KILLS = 4  # of processes, before the driver's own
LONGEST_S = 240.0  # that anything may take


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine films and three broken ones."""
    folder = tmp_path_factory.mktemp("films")
    for number, frames in enumerate(FRAMES):
        ending = ("mp4", "mkv", "mov")[number % 3]
        write_film(folder / f"{number}.{ending}", frames, uneven=number % 2 == 1)
    (folder / BROKEN[0]).touch()
    (folder / BROKEN[1]).write_text("no film")
    data = (folder / "0.mp4").read_bytes()
    (folder / BROKEN[2]).write_bytes(data[: len(data) // 2])
    return folder


@pytest.fixture(scope="module")
def expected(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What edge-sr run makes of the nine."""
    folder = tmp_path_factory.mktemp("expected")
    for path in films.iterdir():
        if path.name not in BROKEN:
            spec = {"model": "edge-unet-s-x2", "preset": "ultrafast", "threads": 1}
            run_job(JobSpec(input=str(path), output=str(folder / path.name), **spec))
    return folder


class Driver:
    """A run of the library. It prints into a file: Ray's processes would keep a pipe open."""

    def __init__(self, films: Path, output: Path, *more: str) -> None:
        self._log = output.with_suffix(".log")
        command = [sys.executable, "-m", "fleet.library", str(films), "--output", str(output)]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, *OPTIONS, *more],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def wait(self) -> tuple[int, str]:
        """Its exit code and what it printed."""
        try:
            self.process.wait(LONGEST_S)
        finally:
            if not self.over:
                kill_tree(self.process)
        return self.process.returncode, self._log.read_text()

    def worker(self) -> int | None:
        """A process that makes segments, as soon as there is one; None at the end."""
        deadline = time.monotonic() + LONGEST_S
        while not self.over:
            assert time.monotonic() < deadline, self._log.read_text()
            if found := workers(self.process.pid):
                return found[0]
            time.sleep(0.05)
        return None


def workers(driver: int) -> list[int]:
    """The processes that make segments now."""
    found = []
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(driver).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any(word.startswith("ray::Retried") for word in child.cmdline()[:1]):
                    found.append(child.pid)
    return found


def kill_tree(driver: subprocess.Popen[bytes]) -> None:
    """kill -9 of the driver; what it started ends by itself, and is waited for."""
    children = [psutil.Process(pid) for pid in workers(driver.pid)]
    driver.kill()
    driver.wait()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []


def facts(output: Path) -> dict[str, float]:
    """When the facts of segments and films that are done were written."""
    return {str(path): path.stat().st_mtime_ns for path in output.rglob("[0-9]*.json")}


def unfinished(output: Path) -> set[str]:
    """The films that are not done, but for the broken ones."""
    found = json.loads((output / "report.json").read_text())
    names = {Path(film["film"]).name for film in found["films"] if film["state"] != "done"}
    return names - set(BROKEN)


def assert_complete(output: Path, expected: Path) -> None:
    found = json.loads((output / "report.json").read_text())
    states = {Path(film["film"]).name: film["state"] for film in found["films"]}
    assert {name for name, state in states.items() if state == "failed"} == set(BROKEN)
    assert [state for name, state in states.items() if name not in BROKEN] == ["done"] * 9
    for path in expected.iterdir():
        assert_same(output / path.name, path)


def test_killed_at_random_moments_it_ends_with_the_films_of_run(
    films: Path, expected: Path, tmp_path: Path
) -> None:
    moments = random.Random(7)  # noqa: S311 - no secret
    folders = (tmp_path / f"out-{number}" for number in itertools.count())
    output, before, killed = next(folders), dict[str, float](), 0
    while killed < MOMENTS:
        driver = Driver(films, output)
        for _ in range(KILLS):
            if (pid := driver.worker()) is None:
                break
            time.sleep(moments.uniform(0, 0.8))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        time.sleep(moments.uniform(0, 1.5))
        if not driver.over:
            kill_tree(driver.process)
            killed += 1
        now = facts(output)
        assert all(now.get(name, when) == when for name, when in before.items()), "made twice"
        before = now
        if driver.process.returncode == 1 and not unfinished(output):
            assert_complete(output, expected)  # before the last moment: begin again
            output, before = next(folders), {}
    code, printed = Driver(films, output).wait()
    assert code == 1, printed
    assert_complete(output, expected)


def test_on_a_full_disk_films_are_reported_and_the_next_call_ends_them(
    films: Path, expected: Path, tmp_path: Path
) -> None:
    output = tmp_path / "small"
    output.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(output)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of 3 MB needs root")
    try:
        code, printed = Driver(films, output).wait()
        assert code == 1
        assert "Traceback" not in printed
        report = output / "report.md"  # where there was room for it
        assert "No space left" in printed + (report.read_text() if report.exists() else "")
        subprocess.run(["mount", "-o", "remount,size=300m", str(output)], check=True)
        code, printed = Driver(films, output).wait()
        assert code == 1, printed
        assert_complete(output, expected)
    finally:
        subprocess.run(["umount", "-l", str(output)], check=True)


# in a process of its own: Ray warns of its own children when it ends
CLUSTER = """
import sys
from ray.cluster_utils import Cluster

found = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
found.add_node(num_cpus=2)
print("address", found.address, flush=True)
sys.stdin.read()
found.shutdown()
"""


@pytest.fixture
def cluster() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as host:
        assert host.stdout is not None
        lines = (line.split() for line in host.stdout)
        yield next(words[1] for words in lines if words[:1] == ["address"])
        try:
            host.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            host.kill()


def test_a_token_that_the_nodes_do_not_know_is_one_line(
    films: Path, tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray accepts it, and then starts no process."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
    code, printed = Driver(films, tmp_path / "out", "--ray", cluster, "--actors", "2").wait()
    assert code == 2, printed
    assert "Traceback" not in printed
    assert "RAY_AUTH_MODE has to be the same here and on all nodes" in printed


def test_two_nodes_make_the_films_of_run(
    films: Path, expected: Path, tmp_path: Path, cluster: str
) -> None:
    output = tmp_path / "out"
    code, printed = Driver(films, output, "--ray", cluster, "--actors", "2").wait()
    assert code == 1, printed
    assert "2 processes" in printed
    assert_complete(output, expected)
