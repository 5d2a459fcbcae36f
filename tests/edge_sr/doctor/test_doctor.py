"""The doctor: true lines, commands for gaps, exit 1 when the default path is broken."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from clocks import HANG_S

from edge_sr import doctor, extras, zoo
from edge_sr.cli import doctor as command
from edge_sr.cli.doctor import as_table
from edge_sr.cli.main import main
from edge_sr.doctor import backends, cuda, media, packages, probe
from edge_sr.doctor.line import STATES, Line
from edge_sr.upscaler import Upscaler

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return doctor.examine()


def test_here_the_default_path_works(lines: list[Line]) -> None:
    found = {(line.group, line.name): line for line in lines}
    assert not doctor.is_broken(lines)
    assert {line.state for line in lines} <= set(STATES)
    assert "64x64 in" in found["backends", "auto"].found
    assert found["backends", "nearest"].state == "ok"
    has_openvino = importlib.util.find_spec("openvino") is not None
    assert found["backends", "openvino"].state == ("ok" if has_openvino else "gap")
    assert found["video", "libx264"].found == "encodes"
    assert sys.version.split()[0] in found["machine", "Python"].found


def test_every_gap_has_a_command(lines: list[Line]) -> None:
    assert all(line.advice for line in lines if line.state in ("gap", "broken"))


def test_the_table_fits_and_commands_are_whole(lines: list[Line]) -> None:
    gap = Line("video", "window", "gap", "word " * 40, "sudo " + "x" * 100)
    table = as_table([*lines, gap], width=80)
    prose = [line for line in table.splitlines() if not line.lstrip().startswith("$")]
    assert max(len(line) for line in prose) <= 80 + 40  # a path is not broken
    assert f"$ {gap.advice}" in table
    assert table.splitlines()[-1].startswith("the default path works")


def test_json_and_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = Line("a", "b", "ok", "c"), Line("a", "b", "broken", "c", "pip install x")
    for found, code in ((good, 0), (bad, 1)):
        monkeypatch.setattr(doctor, "examine", lambda found=found: [found])
        assert main(["doctor", "--json"]) == code
        printed = json.loads(capsys.readouterr().out)
        assert printed["ok"] is (code == 0)
        assert printed["checks"][0]["advice"] == found.advice


def test_a_backend_that_fails_is_reported_by_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    line = backends.probe("no-such-backend")
    assert line.state in ("note", "gap")
    assert "no-such-backend" in line.found
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert backends.probe("auto").state == "broken"


def test_a_backend_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sleeper = tmp_path / "python"
    sleeper.write_text("#!/bin/sh\nexec sleep 30\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    assert backends.probe("auto", limit_s=0.3).found == "no answer within 0.3 s"


@pytest.mark.parametrize(
    ("name", "why", "kind", "command"),
    [
        (
            "tensorrt",
            "no engine; pip install 'edge-sr[build]'",
            "MissingDependencyError",
            "[build]'",
        ),
        ("tensorrt", "TensorRT is not installed", "MissingDependencyError", "[rtx]'"),
        ("tensorrt", "no answer within 120 s", "TimeoutExpired", "--verbose build.log"),
        ("tensorrt", "the builder failed", "BackendError", "--verbose build.log"),
        ("tensorrt", "its process was ended by SIGSEGV", "crash", "edge-sr doctor --gpu"),
        ("auto", "sha256 is 12, its sidecar says 34", "ModelFileError", "--no-deps edge-sr"),
        ("auto", "ONNX Runtime is not installed", "MissingDependencyError", "[cpu]'"),
        ("openvino", "OpenVINO cannot compile it", "BackendError", "[openvino]'"),
    ],
)
def test_advice_follows_the_class_of_the_error(
    name: str, why: str, kind: str, command: str
) -> None:
    assert backends.advice(name, why, kind).endswith(command)


def test_a_builder_that_hangs_is_stopped_with_its_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float | None] = []

    def hang(*_: object, timeout_s: float | None) -> None:
        asked.append(timeout_s)
        raise subprocess.TimeoutExpired("probe", timeout_s or 0)

    monkeypatch.setattr(backends, "run_module", hang)
    assert backends.probe("auto", limit_s=3).found == "no answer within 3 s"
    assert asked == [3]  # run_module stops the whole process group: tests/edge_sr/test_children.py


def test_cuda_is_asked_in_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def python(answer: str, code: int = 0) -> None:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    monkeypatch.setattr(cuda.shutil, "which", lambda _name: None)
    python("", 3)
    assert [line.state for line in cuda.lines(tmp_path)] == ["note", "note"]
    python('{"cuda": "12.6", "names": ["Orin"]}')
    assert cuda.lines(tmp_path)[0].found == "12.6 by the driver: Orin"
    python('{"error": "cuInit gives error 999"}')
    assert (cuda.lines(tmp_path)[0].state, cuda.lines(tmp_path)[0].advice) == ("gap", "nvidia-smi")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").touch()
    python("", 3)
    assert "libcuda.so.1 is missing" in cuda.lines(tmp_path)[0].found


def test_a_package_that_crashes_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packages._import_in_child("json") == ""
    assert "No module named" in packages._import_in_child("no_such_package")


def test_gpu_hands_over_to_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(command, "hand_over", lambda *words: asked.append(words) or 0)
    assert main(["doctor", "--gpu", "--output", "check"]) == 0
    assert asked == [("bench", ["device-check", "--output", "check"])]


@pytest.mark.parametrize(
    ("build", "environment", "state"),
    [
        ("GUI: NONE\nGStreamer: NO", {"DISPLAY": ":0"}, "gap"),
        ("GUI: NONE\nGStreamer: NO", {}, "note"),
        ("GUI: QT5\nGStreamer: YES (1.20)", {"DISPLAY": ":0"}, "ok"),
        ("GUI: QT5\nGStreamer: YES (1.20)", {}, "note"),
    ],
)
def test_windows(build: str, environment: dict[str, str], state: str) -> None:
    window, gstreamer = media.opencv_lines(build, environment, "linux")
    assert window.state == state
    assert bool(window.advice) == (state == "gap")
    assert (gstreamer.state == "ok") == ("YES" in build)


def test_cameras(tmp_path: Path) -> None:
    assert "none is plugged in" in media.camera_lines(tmp_path)[0].found
    (tmp_path / "video0").touch()
    assert media.camera_lines(tmp_path)[0].state == "ok"


def test_a_package_that_is_missing_is_broken_or_a_gap() -> None:
    needed = packages._needed("no_such_package", ("x",), "cpu", "everything")
    optional = packages._optional("no_such_package", ("x",), "serve", "the page")
    assert (needed.state, optional.state) == ("broken", "gap")
    assert needed.advice.endswith("[cpu]'")


@pytest.mark.slow
def test_in_an_empty_environment_everything_missing_is_said_and_nothing_crashes(
    tmp_path: Path,
) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    packages_of = next((tmp_path / "bare").glob("lib/python*/site-packages"))
    home = Path(np.__file__).parents[1]
    for name in (
        "numpy",
        "msgspec",
        "shtab",
        "filelock",
        "platformdirs",
    ):  # the dependencies that are always there
        for path in (home / name, *home.glob(f"{name}.libs"), *home.glob(f"{name}-*.dist-info")):
            (packages_of / path.name).symlink_to(path)
    done = subprocess.run(
        [tmp_path / "bare/bin/python", "-m", "edge_sr", "doctor"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "the default path is BROKEN" in done.stdout
    assert f"$ {tmp_path}/bare/bin/python -m pip install" in done.stdout


NUMPY_1 = """
import sys
sys.stderr.write("A module that was compiled using NumPy 1.x cannot be run in NumPy 2.2.6\\n")
sys.stderr.write("AttributeError: _ARRAY_API not found\\n")
raise ImportError("numpy.core.multiarray failed to import")
"""


def test_opencv_for_numpy_1_beside_numpy_2_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cv2.py").write_text(NUMPY_1)  # JetPack's, opencv#25772
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(extras, "version_of", lambda *_: "2.2.6")
    opencv = packages._needed("cv2", ("opencv-python",), "cpu", "cameras")
    video = next(line for line in media.lines() if line.name == "OpenCV")
    for line in (opencv, video):
        assert line.state == "broken"
        assert line.found == "was built for NumPy 1, and NumPy 2.2.6 is installed"
        assert line.advice.endswith("-m pip install 'numpy<2'")
    assert capsys.readouterr().err == ""


def test_a_library_that_a_container_lacks_is_named() -> None:
    error = "libnvdla_compiler.so: cannot open shared object file: No such file or directory"
    found, advice = extras.load_failure("tensorrt", error) or ("", "")
    assert found.startswith("needs libnvdla_compiler.so")
    assert "docker run -v" in advice


def test_doctor_names_the_library_that_tensorrt_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = "libnvdla_compiler.so: cannot open shared object file: No such file or directory"
    (tmp_path / "tensorrt.py").write_text(f"raise ImportError({error!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    line = packages._gpu_package("tensorrt", ("tensorrt",), "TensorRT", "", gpu=True)
    assert line.state == "gap"
    assert "needs libnvdla_compiler.so" in line.found
    assert "docker run -v" in line.advice


@pytest.mark.parametrize(
    "error",
    [
        "OSError('no libcuda')",
        "RuntimeError('no driver')",
        "ValueError('numpy.dtype size changed')",
    ],
)
def test_a_package_may_fail_to_load_in_any_of_the_usual_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    (tmp_path / "no_such_package.py").write_text(f"raise {error}\n")
    monkeypatch.syspath_prepend(tmp_path)
    line = packages._needed("no_such_package", ("x",), "cpu", "everything")
    assert line.state == "broken"
    assert "does not load: " in line.found


def test_tensorrt_is_probed_with_a_network_that_builds_in_seconds() -> None:
    onnx = pytest.importorskip("onnx", reason="pip install 'edge-sr[build]'")
    assert probe.TINY.stat().st_size < 4096
    kinds = [node.op_type for node in onnx.load(probe.TINY).graph.node]
    assert sum("Conv" in kind for kind in kinds) == 2


def test_the_probe_opens_the_tiny_network_for_tensorrt_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, object]] = []
    monkeypatch.setattr(
        probe.Upscaler, "open", lambda model, **named: asked.append((model, named["precision"]))
    )
    for backend in ("tensorrt", "auto", "onnxruntime", "nearest"):
        probe.open_probe(backend)
    assert asked == [(str(probe.TINY), "fp32"), *[(zoo.DEFAULT, None)] * 3]


def test_the_tiny_network_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = functools.partial(Upscaler.open, str(probe.TINY), size=(64, 64))
    monkeypatch.setattr(probe, "open_probe", lambda backend: opened(backend=backend))
    assert probe.measure("onnxruntime")["precision"] == "fp32"
