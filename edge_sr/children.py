"""Starts our own modules as child processes, and reads their answers.

``python -m package`` puts the current folder first on the child's import path: in a folder that
holds ``convert/`` or ``bench/``, that folder's code would run instead of ours. Python 3.10 has
neither ``-P`` nor PYTHONSAFEPATH, so the child gets its import path from this process: the same
list without the current folder, and with the folder that this very ``edge_sr`` was imported from.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.machinery
import json
import os
import signal
import site
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_sr.errors import BackendError, EdgeSRError

ROOT = Path(__file__).resolve().parents[1]  # holds edge_sr/, and convert/ and bench/ if installed
PR_SET_PDEATHSIG = 1  # of Linux's prctl
STOP_S = 10.0  # that a child has to clean up after SIGTERM, before SIGKILL
# os and sys are loaded before a command runs; everything after the second line uses the new path
START = (
    "import os, sys; "
    "sys.path[:] = sys.argv[1].split(os.pathsep); "
    "import runpy; "
    "from edge_sr.children import end_with; "
    "end_with(int(sys.argv[2])); "
    "sys.argv[:] = sys.argv[3:]; "
    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)


def import_path(paths: Sequence[str] | None = None) -> list[str]:
    """The import path of a child: absolute folders, never the current one.

    Where the current folder is the checkout that this ``edge_sr`` was imported from, or one of
    Python's own package folders, it stays.

    Args:
        paths: the list to start from; None for this process's ``sys.path``.
    """
    here = Path().resolve()
    trusted = {ROOT, *(Path(folder).resolve() for folder in _package_folders())}
    kept = []
    for entry in sys.path if paths is None else paths:
        folder = Path(entry).resolve()
        relative = not Path(entry).is_absolute()
        if os.pathsep in entry or ((relative or folder == here) and folder not in trusted):
            continue
        kept.append(str(folder) if relative else entry)
    if ROOT not in [Path(entry).resolve() for entry in kept]:
        kept.insert(0, str(ROOT))
    return kept


def _package_folders() -> list[str]:
    """Python's own folders: the standard library and what pip installs to."""
    own = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    return [*own, *site.getsitepackages(), site.getusersitepackages()]


def has_module(name: str) -> bool:
    """Whether a child could import a top-level package, such as "convert"."""
    found = importlib.machinery.PathFinder.find_spec(name, import_path())
    return found is not None and found.origin is not None


def module_command(module: str, arguments: Sequence[str] = ()) -> list[str]:
    """The command that runs one of our modules, as ``python -m module arguments`` would.

    Start it with `child_environment`.
    """
    path = os.pathsep.join(import_path())
    parent = str(os.getpid())
    return [sys.executable or "python3", "-c", START, path, parent, module, *arguments]


def end_with(parent: int) -> None:
    """Let this process get SIGTERM when its parent is gone, even by SIGKILL. Linux only.

    The kernel looks at the thread that started this process, which `run_module` keeps waiting.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was gone before
        os._exit(128 + signal.SIGTERM)


def child_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, with PYTHONPATH cleaned as `import_path` cleans a path."""
    found = dict(os.environ if environment is None else environment)
    if "PYTHONPATH" in found:  # Python reads sitecustomize from it before START runs
        given = found["PYTHONPATH"].split(os.pathsep)
        wanted = [entry for entry in import_path(given) if entry in given]
        found["PYTHONPATH"] = os.pathsep.join(wanted)
    return found


def run_module(
    module: str,
    arguments: Sequence[str] = (),
    *,
    text: str | None = None,
    capture_stdout: bool = True,
    capture_stderr: bool = True,
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run one of our modules in a child process and wait for it. Its exit code is not judged.

    Args:
        text: for its stdin; None to share this process's stdin.
        capture_stdout: keep what it prints, instead of sharing this process's stdout.
        capture_stderr: likewise.
        timeout_s: after it, the child and everything that it started are stopped: SIGTERM, and
            SIGKILL 10 s later.

    Raises:
        subprocess.TimeoutExpired: it took longer than ``timeout_s``.
    """
    group = timeout_s is not None and os.name == "posix"
    with subprocess.Popen(
        module_command(module, arguments),
        stdin=subprocess.PIPE if text is not None else None,
        stdout=subprocess.PIPE if capture_stdout else None,
        stderr=subprocess.PIPE if capture_stderr else None,
        text=True,
        errors="replace",
        env=child_environment(),
        start_new_session=group,
    ) as child:
        try:
            out, err = child.communicate(text, timeout=timeout_s)
        except BaseException:
            stop(child, group=group)
            raise
    return subprocess.CompletedProcess(child.args, child.returncode, out, err)


def stop(child: subprocess.Popen[str], *, group: bool = False) -> None:
    """End a child process: SIGTERM, then SIGKILL 10 s later; does nothing if it has ended.

    Args:
        group: end everything that the child started too; it must lead a process group of its own.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(child.pid, number)
            else:
                child.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STOP_S)
            if not group:
                return


def read_answer(
    done: subprocess.CompletedProcess[str],
    what: str,
    *,
    error: type[EdgeSRError] = BackendError,
) -> dict[str, Any]:
    """The JSON object in the last line of a child's stdout.

    Args:
        done: from `run_module`, with stdout captured.
        what: names the child in an error message: "the engine builder".

    Raises:
        error: the last line is no JSON object; the message says how the process ended, and has
            the last line of its stderr.
    """
    try:
        answer = json.loads(last_line(done.stdout))
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise error(f"{what} gave no answer: {how_it_ended(done)}")
    return answer


def how_it_ended(done: subprocess.CompletedProcess[str]) -> str:
    """One line: a signal's name or an exit code, and the last line of stderr."""
    if done.returncode < 0:
        try:
            name = signal.Signals(-done.returncode).name
        except ValueError:
            name = f"signal {-done.returncode}"
        memory = ", as Linux does when memory runs out" if name == "SIGKILL" else ""
        ended = f"its process was ended by {name}{memory}"
    else:
        ended = f"its process ended with exit code {done.returncode}"
    reason = last_line(done.stderr or "")
    return f"{ended} ({reason})" if reason else ended


def last_line(text: str) -> str:
    """The last line that is not blank, without white space around it; "" if there is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def why_not_importable(name: str, *, timeout_s: float) -> str:
    """Import a package in a child process: "" where it can be imported, else why not, one line."""
    try:
        done = run_module("edge_sr.children", [name], timeout_s=timeout_s)
    except subprocess.TimeoutExpired:
        return f"no answer within {timeout_s:g} s"
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        return how_it_ended(done)
    return last_line(done.stderr)[:200] or how_it_ended(done)


if __name__ == "__main__":  # the child of why_not_importable
    importlib.import_module(sys.argv[1])
