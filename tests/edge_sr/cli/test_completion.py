"""Completion, in the shells that are installed here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from edge_sr.cli.completion import SHELLS, completion_script
from edge_sr.cli.main import build_parser


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_commands_options_choices_and_models(shell: str) -> None:
    script = completion_script(build_parser(), shell)
    names = ("doctor", "serve", "drop-policy", "newest", "edge-unet-s-x2", "export")
    assert [name for name in names if name not in script] == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("edge-sr doc", "doctor"),
        ("edge-sr run --drop-policy n", "newest none"),
        ("edge-sr run --drop", "--drop-policy"),
        ("edge-sr completion z", "zsh"),
        ("edge-sr service in", "install"),
        ("edge-sr info edge-unet-s-live-x2", "edge-unet-s-live-x2"),
        ("edge-sr run film.mp4 -m edge-unet-m-x2", "edge-unet-m-x2"),
        ("edge-sr run --config pyproject.t", "pyproject.toml"),
        ("edge-sr run pyproject.t", "pyproject.toml"),
    ],
)
def test_bash_completes(line: str, found: str, pytestconfig: pytest.Config) -> None:
    script = completion_script(build_parser(), "bash")
    words = line.split()
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _shtab_edge_sr"
    done = subprocess.run(
        ["bash", "-c", f'{script}\n{ask}\necho "${{COMPREPLY[*]}}"'],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == found.split()


@pytest.mark.parametrize("shell", ["zsh", "fish", "tcsh"])
def test_the_shell_reads_its_script(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    options = {"tcsh": ["-f", "-n"], "zsh": ["-f", "-n"], "fish": ["-n"]}[shell]
    done = subprocess.run(
        [shell, *options, "/dev/stdin"],
        input=completion_script(build_parser(), shell),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
