"""Children of ours never run code of the current folder, on every supported Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sr.children import (
    ROOT,
    child_environment,
    has_module,
    import_path,
    module_command,
    read_answer,
    run_module,
)
from edge_sr.doctor.backends import probe
from edge_sr.errors import BackendError

HOSTILE = """
import pathlib
pathlib.Path({marker!r}).write_text("ran")
"""
# packages of ours, and standard modules that a child imports late
NAMES = ("bench", "convert", "edge_sr", "calibration")
STANDARD = ("runpy", "json", "importlib", "sitecustomize", "usercustomize")
# an installed command: its own folder comes first on the path, not the current one
INSTALLED = """
import os, sys
sys.path.insert(0, {root!r})
from edge_sr.children import run_module
if {pythonpath!r} is not None:
    os.environ["PYTHONPATH"] = {pythonpath!r}
done = run_module("convert.build_engine", ["a b", "ä"], timeout_s=60)
sys.stdout.write(done.stdout)
sys.stderr.write(done.stderr)
sys.exit(done.returncode)
"""


def pythons() -> list[str]:
    """Interpreters of Python 3.10 to 3.13 that are installed here, this one first."""
    found = {sys.version_info[:2]: sys.executable}
    versions = Path.home() / ".pyenv/versions"
    for minor in range(10, 14):
        names = [shutil.which(f"python3.{minor}") or ""]
        names += [str(path / "bin/python") for path in sorted(versions.glob(f"3.{minor}.*"))]
        for name in filter(None, names):
            works = subprocess.run([name, "-c", "import ssl"], capture_output=True, check=False)
            if works.returncode == 0:
                found.setdefault((3, minor), name)
    return list(found.values())


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with packages of our names that leave a file behind when they are imported."""
    folder = tmp_path / "hostile"
    for name in NAMES:
        (folder / name).mkdir(parents=True)
        for file in ("__init__.py", "__main__.py", "build_engine.py"):
            (folder / name / file).write_text(HOSTILE.format(marker=str(tmp_path / "marker")))
    for name in STANDARD:
        (folder / f"{name}.py").write_text(HOSTILE.format(marker=str(tmp_path / "marker")))
    return folder


@pytest.mark.parametrize("python", pythons())
@pytest.mark.parametrize("pythonpath", [None, "", ".:", ":/nowhere"])
def test_a_child_runs_none_of_the_current_folders_code(
    python: str, pythonpath: str | None, hostile: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "lib"  # the packages under test, as pip would install them
    (copy / "edge_sr").mkdir(parents=True)
    (copy / "convert").mkdir()
    for name in ("__init__.py", "children.py", "errors.py"):
        shutil.copy(ROOT / "edge_sr" / name, copy / "edge_sr")
    (copy / "convert/__init__.py").write_text("")
    (copy / "convert/build_engine.py").write_text(
        "import json, sys, runpy; print(json.dumps({'file': __file__, 'args': sys.argv[1:]}))"
    )
    script = tmp_path / "bin" / "edge-sr"
    script.parent.mkdir()
    script.write_text(INSTALLED.format(root=str(copy), pythonpath=pythonpath), encoding="utf-8")
    done = subprocess.run(
        [python, str(script)],
        cwd=hostile,
        env={**child_environment(), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (tmp_path / "marker").exists()
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer == {"file": str(copy / "convert/build_engine.py"), "args": ["a b", "ä"]}


def test_the_doctors_inference_runs_ours(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hostile)
    monkeypatch.syspath_prepend("")
    assert probe("nearest").state == "ok"
    assert not (tmp_path / "marker").exists()


def test_edge_sr_bench_runs_ours(hostile: Path, tmp_path: Path) -> None:
    for package in ("onnx", "skimage", "jinja2", "matplotlib"):
        pytest.importorskip(package, reason="pip install 'edge-sr[bench]'")
    script = tmp_path / "edge-sr"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from edge_sr.cli.main import main\nsys.exit(main(['bench', 'run', '--help']))"
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=hostile, capture_output=True, text=True, check=False
    )
    assert not (tmp_path / "marker").exists()
    assert "usage: python -m bench run" in done.stdout, done.stderr


def test_a_checkout_that_is_the_current_folder_stays_on_the_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    assert str(ROOT) in import_path(["", "/usr/lib"])
    assert has_module("convert")


def test_the_current_folder_is_taken_off_in_every_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "link"
    (tmp_path / "here").mkdir()
    link.symlink_to(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    given = ["", ".", str(tmp_path / "here"), str(link), "../here", "relative", "/elsewhere"]
    assert import_path(given) == [str(ROOT), "/elsewhere"]


def test_python_s_own_package_folder_stays_when_it_is_the_current_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packages = sysconfig.get_path("purelib")
    monkeypatch.chdir(packages)
    assert packages in import_path([packages])


def test_has_module_does_not_count_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here").mkdir()
    (tmp_path / "only_here/__init__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    assert not has_module("only_here")


@pytest.mark.parametrize(
    ("out", "err", "code", "expected"),
    [
        ("", "", 0, "exit code 0"),
        ("not JSON\n", "last line\n", 1, "exit code 1 (last line)"),
        ("[1, 2]\n", "", 0, "exit code 0"),
        ('{"file": ', "", -9, "SIGKILL, as Linux does when memory runs out"),
        ("[" * 100_000, "", 0, "exit code 0"),
    ],
)
def test_a_broken_answer_is_one_line(out: str, err: str, code: int, expected: str) -> None:
    done = subprocess.CompletedProcess([], code, out, err)
    with pytest.raises(BackendError) as found:
        read_answer(done, "the builder")
    assert str(found.value).startswith("the builder gave no answer: its process")
    assert expected in str(found.value)
    assert "\n" not in str(found.value)


def test_an_answer_is_the_last_line() -> None:
    done = subprocess.CompletedProcess([], 0, 'a library prints\n{"file": "x"}\n\n', "")
    assert read_answer(done, "the builder") == {"file": "x"}


@pytest.mark.slow
def test_what_a_stopped_child_started_is_stopped_too(
    tmp_path: Path, finishes: Callable[[Callable[[], None]], None]
) -> None:
    package = tmp_path / "slow"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    sys.path.append(str(tmp_path))
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            run_module("slow", timeout_s=20)
    finally:
        sys.path.remove(str(tmp_path))
    state = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    finishes(lambda: wait_until_gone(state))


def wait_until_gone(state: Path) -> None:
    """Until a process has ended; a zombie has."""
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.05)


def test_the_command_names_the_module() -> None:
    assert module_command("convert.build_engine", ["--help"])[-2:] == [
        "convert.build_engine",
        "--help",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(20)\nprint('still here')\n"
    )
    parent = "from edge_sr.children import run_module\nrun_module('slow', capture_stdout=False)"
    environment = child_environment() | {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        process.kill()
        assert process.stdout.read() == ""  # the end of the pipe, which the child held open
