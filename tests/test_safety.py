"""No file that somebody else made can run code or name another file: held by the source itself."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("edge_sr", "convert", "calibration", "bench", "fleet", "training", "lab")
RUN_CODE = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
# a call -> the argument it must have, with this value
MUST_SAY = {
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "onnx.load": ("load_external_data", False),
    "load_model": ("safe_mode", True),
}
NEVER = ("eval", "exec", "os.system", "os.popen", "np.loads", "tempfile.mktemp")
OWN_FILES = {  # open only what this program wrote a moment ago
    "bench/models/adapters.py",
    "convert/engine/run_child.py",
    "convert/probe/parity.py",
    "calibration/network/session.py",
}
TRUSTED = ("training/models/open.py", "safe_mode=not trust")  # what --trust opens, and it alone
OTHER_CHECKS = {
    "convert/onnx/tidy.py",  # takes weights from plain files of the model's own folder, no others
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """(dotted name as it is written, the call)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def faults(file: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        yield from (f"{file} imports {n}" for n in names if n.partition(".")[0] in RUN_CODE)
    for name, call in calls(tree):
        said = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
        for rule, (key, value) in MUST_SAY.items():
            trusted = file == TRUSTED[0] and TRUSTED[1] in ast.unparse(call)
            wrong = said.get(key) is not value and not trusted
            if (name == rule or name.endswith(f".{rule}")) and wrong:
                yield f"{file}:{call.lineno}: {name} without {key}={value}"
        if name in NEVER or said.get("shell") is True:
            yield f"{file}:{call.lineno}: {name}"


def test_nothing_unpickles_evaluates_or_trusts_a_path_in_a_file() -> None:
    assert [fault for file, tree in trees() for fault in faults(file, tree)] == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "onnx.load(path)",
        "keras.saving.load_model(path, compile=False)",
        "eval(text)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_rules_are_not_blind(code: str) -> None:
    assert list(faults("x.py", ast.parse(code)))


def test_every_file_that_opens_a_network_asks_first_whether_it_is_whole() -> None:
    doors, asking = set(), set()
    for file, tree in trees():
        names = {name.rpartition(".")[2] for name, _ in calls(tree)}
        loads = {name for name, _ in calls(tree)} & {"onnx.load", "onnx.load_model"}
        if loads or "InferenceSession" in names:
            doors.add(file)
        if "refuse_external_data" in names:
            asking.add(file)
    assert doors - asking == OWN_FILES | OTHER_CHECKS


def test_keras_opens_files_in_one_place() -> None:
    found = {
        file
        for file, tree in trees()
        if any(name.rpartition(".")[2] == "load_model" for name, _ in calls(tree))
    }
    assert found == {"training/models/open.py"}


def test_no_child_process_imports_from_the_current_folder() -> None:
    """``python -m`` and ``python -c`` put it on the path: `edge_sr.children` does not."""
    found = []
    for file, tree in trees():
        if file.startswith("lab/"):  # runs in a checkout only
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.List) and len(node.elts) > 1:
                first, second = (ast.unparse(item) for item in node.elts[:2])
                if first.startswith("sys.executable") and second in ("'-m'", "'-c'"):
                    found.append(file)
    # a systemd unit starts in /
    assert sorted(set(found) - {"edge_sr/cli/service.py"}) == ["edge_sr/children.py"]


@pytest.mark.skipif(sys.platform != "linux", reason="where the id is kept elsewhere is not known")
def test_onnx_runtime_writes_no_id_of_the_device(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    environment = {**os.environ, "HOME": str(tmp_path)}
    for name in ("XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY"):
        environment.pop(name, None)
    code = "import edge_sr, onnxruntime"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT)
    assert list(tmp_path.rglob("*")) == []
