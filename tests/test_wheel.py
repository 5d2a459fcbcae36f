"""The wheel holds the six packages and what they read, nothing else, and runs on its own."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {"edge_sr", "convert", "calibration", "bench", "training", "fleet"}
DATA = {  # endings besides .py and py.typed, by folder
    "bench": {".toml"},
    "bench/models": {".toml"},
    "bench/report": {".j2"},
    "edge_sr/media/sources": {".mp4"},  # test://clip
    "edge_sr/page/static": {".html", ".js", ".css", ".svg"},
    "calibration/default": {".png", ".json"},
    "edge_sr/doctor": {".onnx", ".json"},
    "edge_sr/zoo": {".onnx", ".json"},
    "training": {".txt"},
    "training/recipes": {".toml"},
}
LEFT_OUT = "training/pretrained/"  # 7.5 MB that only further training reads, from a clone
MOST_MB = 8.0  # 7.2 on 2026-11-30: the shipped models in three flavours, test://clip (0.5)
FILM = ("run", "--input", "test://64x48@25", "--output", "null", "--max-frames", "2")


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


def test_it_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    wrong = []
    for path in names(wheel):
        if path.parts[0].endswith(".dist-info"):
            continue
        known = path.suffix in {".py", *DATA.get(path.parent.as_posix(), ())}
        if path.parts[0] not in PACKAGES or not (known or path.name == "py.typed"):
            wrong.append(str(path))
    assert wrong == []


def test_it_holds_everything_the_packages_have(wheel: Path) -> None:
    packed = {str(path) for path in names(wheel)}
    source = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    missing = {name for name in source - packed if not name.startswith(LEFT_OUT)}
    assert missing == set()
    assert {f"{package}/py.typed" for package in PACKAGES} <= packed


def test_it_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < MOST_MB * 1e6


def test_it_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (place,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        facts = email.message_from_bytes(archive.read(place))
        entry = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "edge-sr = edge_sr.cli.main:run_process" in archive.read(entry).decode()
    assert (facts["Name"], facts["License-Expression"]) == ("edge-sr", "Apache-2.0")
    assert facts["Author"] == "edge-sr developers"
    assert "Typing :: Typed" in facts.get_all("Classifier", [])
    assert "jetson" in facts["Keywords"]
    assert facts["Requires-Python"] == ">=3.10"


def test_what_every_user_installs_is_little(wheel: Path) -> None:
    """numpy, and small packages without dependencies of their own."""
    with zipfile.ZipFile(wheel) as archive:
        place = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        facts = email.message_from_bytes(archive.read(place))
    always = {
        line.partition(">")[0].partition("<")[0]
        for line in facts.get_all("Requires-Dist", [])
        if "extra" not in line
    }
    assert always <= {"numpy", "msgspec", "platformdirs", "filelock", "shtab", "tomli"}


def borrowed() -> list[str]:
    """The site-packages of the Python that runs the tests, where its packages are."""
    return [path for path in sys.path if path.endswith("site-packages")]


def install(wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel alone; returns its folder of programs."""
    venv.create(folder)
    python = folder / "bin" / "python"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check",
         "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "bin"


def call(program: Path, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program outside of the checkout, with a cache of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(program), *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**environment, "XDG_CACHE_HOME": str(folder / "cache")},
        check=False,
    )


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and, by reference, the packages of this one."""
    folder = tmp_path_factory.mktemp("installed")
    found = install(wheel, folder)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text("\n".join(borrowed()) + "\n")
    return found


def test_the_environment_has_the_wheel_and_not_the_checkout(programs: Path, tmp_path: Path) -> None:
    code = "import edge_sr, convert, training; print(edge_sr.__file__, training.__file__)"
    found = call(programs / "python", "-c", code, folder=tmp_path)
    assert found.returncode == 0, found.stderr
    assert str(programs.parent) in found.stdout
    assert str(ROOT) not in found.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("edge-sr", "--version"), "0.2.0"),
        (("edge-sr", "models"), "edge-unet-s-x2"),
        (("edge-sr", "info", "edge-unet-s-x2"), "edge-unet-s-x2"),
        (("edge-sr", "doctor"), "onnxruntime"),
        (("edge-sr", *FILM), ""),
        (("python", "-m", "convert.build_engine", "--help"), "--precision"),
        (("python", "-m", "convert.precision", "--help"), "--to"),
        (("python", "-m", "bench", "--help"), "run"),
        (("python", "-m", "training.train", "--help"), "--from"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_its_commands_run(
    words: tuple[str, ...], expected: str, programs: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="pip install 'edge-sr[cpu]'")
    if "convert" in words[-2]:
        pytest.importorskip("onnx", reason="pip install 'edge-sr[build]'")
    if "training" in words[-2]:
        pytest.importorskip("keras", reason="pip install 'edge-sr[train]'")
    done = call(programs / words[0], *words[1:], folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert expected in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("numpy_arrays.py",),
        ("film_with_progress.py", "test://64x48@25?frames=3", "film.mp4"),
        ("camera_loop.py", "test://64x48@25", "--frames", "2", "--save", "last.png"),
    ],
    ids=lambda words: words[0],
)
def test_the_examples_run(words: tuple[str, ...], programs: Path, tmp_path: Path) -> None:
    for package in ("onnxruntime", "cv2", "av"):
        pytest.importorskip(package, reason="pip install 'edge-sr[cpu]'")
    script = ROOT / "examples" / words[0]
    done = call(programs / "python", str(script), *words[1:], folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for word in words[2:]:
        assert not word.endswith((".mp4", ".png")) or (tmp_path / word).exists()


@pytest.mark.slow
def test_training_says_where_the_weights_are(programs: Path, tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="pip install 'edge-sr[train]'")
    words = ("-m", "training.train", "--from", "edge-unet-s-x2", "--data", str(ROOT / "docs"))
    refused = call(programs / "python", *words, folder=tmp_path)
    assert refused.returncode == 1
    assert "a clone of the repository" in refused.stderr


def test_without_other_packages_it_names_the_extra(wheel: Path, tmp_path: Path) -> None:
    """Installed beside what it always requires, and nothing else."""
    import numpy

    programs = install(wheel, tmp_path / "venv")
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    from_here = Path(numpy.__file__).parent.parent
    for name in ("numpy", "numpy.libs", "msgspec", "platformdirs", "filelock", "shtab", "tomli"):
        if (from_here / name).exists():
            (site / name).symlink_to(from_here / name)
    models = call(programs / "edge-sr", "models", folder=tmp_path)
    assert models.returncode == 0, models.stderr
    assert "edge-unet-s-x2" in models.stdout
    assert call(programs / "edge-sr", "info", "edge-unet-s-x2", folder=tmp_path).returncode == 0
    refused = call(programs / "edge-sr", *FILM, folder=tmp_path)
    assert refused.returncode == 1
    line = refused.stderr.splitlines()[-1]
    assert line.startswith("edge-sr: ONNX Runtime is not installed: ")
    assert line.endswith("python -m pip install 'edge-sr[cpu]'")
    assert "Traceback" not in refused.stderr
    refused = call(programs / "edge-sr", *FILM, "--backend", "nearest", folder=tmp_path)
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
    assert "pip install 'edge-sr[cpu]'" in refused.stderr


@pytest.mark.slow
def test_pip_installs_it_with_all_it_needs(wheel: Path, tmp_path: Path) -> None:
    """From the package index, as a user does; needs a network."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    words = ("-m", "pip", "install", "--quiet", f"{wheel}[cpu]")
    done = call(programs / "python", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    for words in (FILM, ("models",), ("doctor",), ("--version",)):
        done = call(programs / "edge-sr", *words, folder=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
