"""Builds that are killed, run out of disk, or find a damaged cache: never a wrong engine."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.errors import ModelFileError
from edge_sr.model.engine_facts import facts_of
from edge_sr.model.sidecar import load_sidecar, sidecar_path

pytestmark = pytest.mark.slow

pytest.importorskip("tensorrt_rtx", reason="pip install 'edge-sr[dev]'")

COMMAND = [sys.executable, "-m", "convert.build_engine", "--model", "edge-unet-s-x2"]
COMMAND += ["--flavour", "tensorrt-rtx", "--size", "640x360"]


def start(home: Path, *words: str) -> subprocess.Popen[str]:
    environment = os.environ | {"XDG_CACHE_HOME": str(home), "TMPDIR": str(home.parent)}
    return subprocess.Popen(
        [*COMMAND, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def build(home: Path, *words: str) -> tuple[int, str, str]:
    child = start(home, *words)
    out, err = child.communicate()
    assert "Traceback" not in err, err
    return child.returncode, out, err


def whole(home: Path) -> list[Path]:
    """Engines under their final names, each of which must open; damaged ones are left out."""
    found = []
    for path in (home / "edge-sr" / "engines").glob("[!.]*.engine"):
        try:
            facts_of(load_sidecar(path))
        except ModelFileError:
            continue
        found.append(path)
    return found


@pytest.mark.slow
def test_killed_at_ten_random_moments(tmp_path: Path) -> None:
    home = tmp_path / "cache"
    assert build(home, "--level", "5")[0] == 0
    started = time.monotonic()
    assert build(home, "--level", "5", "--workspace", "99")[0] == 0  # how long it takes here
    length = time.monotonic() - started
    rng = random.Random(5)  # noqa: S311 - moments, not secrets
    kinds = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
    for place in range(10):
        child = start(home, "--level", str(place % 5), "--workspace", str(100 + place % 2))
        time.sleep(rng.uniform(0.1, length))
        child.send_signal(kinds[place % 3])
        child.communicate()
        for path in (home / "edge-sr" / "engines").glob("[!.]*.engine"):
            if path not in whole(home):  # renamed, its sidecar not yet: refused, not used
                with pytest.raises(ModelFileError):
                    load_sidecar(path)
    for place in range(0, 10, 3):
        code, out, err = build(home, "--level", str(place % 5), "--workspace", str(100 + place % 2))
        assert code == 0, err
        path = Path(out.partition(": ")[0])
        assert path in whole(home)
        assert not list(path.parent.glob(f".{path.stem}.*.part"))


def test_the_builder_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    child = start(tmp_path / "cache", "--level", "5")
    orphan = None
    for _ in range(400):
        found = subprocess.run(
            ["pgrep", "-P", str(child.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        if found:
            orphan = int(found[0])
            break
        time.sleep(0.05)
    assert orphan is not None
    child.kill()
    child.communicate()
    for _ in range(400):
        if not Path(f"/proc/{orphan}").exists():
            return
        time.sleep(0.05)
    pytest.fail("the builder still runs")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_nothing_behind(small_disk: Path) -> None:
    code, out, err = build(small_disk)
    assert (code, out) == (1, "")
    assert "No space left on device" in err.splitlines()[-1]
    left = [path.name for path in (small_disk / "edge-sr" / "engines").iterdir()]
    assert [name for name in left if not name.endswith(".lock")] == []


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A cache with one engine in it that nobody, root included, can write to."""
    home, folder = tmp_path / "cache", tmp_path / "locked"
    assert build(home)[0] == 0
    folder.mkdir()
    mounts = [["mount", "--bind", str(home), str(folder)]]
    mounts.append(["mount", "-o", "remount,ro,bind", str(folder)])
    for mount in mounts:
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("cannot mount a file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_read_only_cache_gives_what_it_has_and_refuses_the_rest(read_only: Path) -> None:
    code, out, err = build(read_only)
    assert code == 0, err
    assert Path(out.partition(": ")[0]).is_file()
    code, out, err = build(read_only, "--level", "4")
    assert (code, out) == (1, "")
    assert "cannot be written (Read-only file system)" in err.splitlines()[-1]
    assert "set XDG_CACHE_HOME" in err.splitlines()[-1]


def test_damage_leads_to_a_new_build(tmp_path: Path) -> None:
    home = tmp_path / "cache"
    code, out, _ = build(home)
    path = Path(out.partition(": ")[0])
    rng = random.Random(6)  # noqa: S311
    for file in (path, sidecar_path(path)):
        data = bytearray(file.read_bytes())
        place = rng.randrange(len(data))
        data[place] ^= 1 << rng.randrange(8)
        file.write_bytes(data)
        code, out, err = build(home, "--json")
        assert (code, json.loads(out)["reused"]) == (0, False), (place, err)
        assert whole(home) == [path]
    shutil.rmtree(home)


def test_two_builds_at_once_give_one_engine(tmp_path: Path) -> None:
    children = [start(tmp_path / "cache", "--json") for _ in range(2)]
    found = [json.loads(child.communicate()[0]) for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert found[0]["file"] == found[1]["file"]
    assert sorted(item["reused"] for item in found) == [False, True]
