"""The wheel holds the five rooms and what they read, nothing else, and runs on its own."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {"edge_sr", "convert", "calibration", "bench", "training"}
DATA = {  # endings besides .py, by folder
    "bench": {".toml"},
    "bench/models": {".toml"},
    "bench/report": {".j2"},
    "edge_sr": {".typed"},
    "edge_sr/page/static": {".html", ".js", ".css", ".svg"},
    "calibration/default": {".png", ".json"},
    "edge_sr/doctor": {".onnx", ".json"},
    "edge_sr/zoo": {".onnx", ".json"},
    "training/pretrained": {".keras", ".json"},
    "training/recipes": {".toml"},
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the files that git knows, as a release would be."""
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("setuptools 77 or later builds the wheel: pip install 'edge-sr[dev]'")
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(ROOT / name, source / name) if _same_disk(source) else _copy(name, source)
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(built), "."]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (path,) = built.glob("*.whl")
    return path


def _same_disk(place: Path) -> bool:
    return place.stat().st_dev == ROOT.stat().st_dev


def _copy(name: str, target: Path) -> None:
    (target / name).write_bytes((ROOT / name).read_bytes())


def names(wheel: Path) -> list[PurePosixPath]:
    with zipfile.ZipFile(wheel) as archive:
        return [PurePosixPath(name) for name in archive.namelist()]


def test_it_holds_the_rooms_and_nothing_else(wheel: Path) -> None:
    wrong = []
    for path in names(wheel):
        if path.parts[0].endswith(".dist-info"):
            continue
        known = path.suffix == ".py" or path.suffix in DATA.get(path.parent.as_posix(), set())
        if path.parts[0] not in ROOMS or not known:
            wrong.append(str(path))
    assert wrong == []


def test_it_holds_everything_the_rooms_have(wheel: Path) -> None:
    packed = {str(path) for path in names(wheel)}
    source = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert source - packed == set()


def test_it_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (place,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        facts = email.message_from_bytes(archive.read(place))
        entry = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "edge-sr = edge_sr.cli.main:run_process" in archive.read(entry).decode()
    assert (facts["Name"], facts["License-Expression"]) == ("edge-sr", "Apache-2.0")
    assert [line for line in facts.get_all("Requires-Dist") if "extra" not in line] == [
        "msgspec>=0.19",
        "numpy>=1.23",
        "shtab>=1.7",
        'tomli>=2; python_version < "3.11"',
    ]
    assert facts["Requires-Python"] == ">=3.10"


def test_it_runs_with_nothing_but_its_requirements(wheel: Path, tmp_path: Path) -> None:
    """Unpacked into an empty folder, seen by a Python that has no other package but these."""
    import msgspec
    import numpy

    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for package in (numpy, msgspec):
        (site / package.__name__).symlink_to(Path(package.__file__).parent)
    libraries = Path(numpy.__file__).parent.with_name("numpy.libs")
    if libraries.exists():
        (site / "numpy.libs").symlink_to(libraries)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        start = (
            f"import sys; sys.path.insert(0, {str(site)!r}); from edge_sr.cli.main import main; "
        )
        command = [sys.executable, "-I", "-S", "-c", f"{start}sys.exit(main({list(words)!r}))"]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    models = run("models")
    assert models.returncode == 0, models.stderr
    assert "edge-unet-s-x2" in models.stdout
    assert run("info", "edge-unet-s-x2").returncode == 0
    film = ("run", "--input", "test://64x48@25", "--output", "null", "--max-frames", "2")
    refused = run(*film)
    assert refused.returncode == 1
    assert "ONNX Runtime is not installed: pip install 'edge-sr[cpu]'" in refused.stderr
    assert "Traceback" not in refused.stderr
    refused = run(*film, "--backend", "nearest")
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
    assert "pip install 'edge-sr[cpu]'" in refused.stderr
