"""``edge-sr completion``: what makes a shell complete commands, options, choices and models."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Any

from edge_sr import zoo
from edge_sr.cli.common import add_command
from edge_sr.errors import MissingDependencyError

SHELLS = ("bash", "zsh", "tcsh", "fish")
FILES = ("PATH", "FILE", "DIR", "INPUT")  # metavars that ask for a file name
EXAMPLES = """\
examples:
  edge-sr completion bash
  edge-sr completion zsh
"""


def add_completion(commands: Any, parser: argparse.ArgumentParser) -> None:
    """Add ``edge-sr completion``, for everything that `parser` has by then."""
    command = add_command(
        commands,
        "completion",
        "Print what makes the shell complete edge-sr's commands, options and model names. bash: "
        "edge-sr completion bash >> ~/.bashrc; zsh: edge-sr completion zsh > a folder of $fpath, "
        "as _edge-sr; fish: edge-sr completion fish > ~/.config/fish/completions/edge-sr.fish.",
        summary="print what makes the shell complete edge-sr's commands and options",
        examples=EXAMPLES,
    )
    command.add_argument("shell", choices=SHELLS, help="the shell that reads it")
    command.set_defaults(command=_completion(parser))


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """A script that `shell` reads.

    Raises:
        MissingDependencyError: shtab is not installed.
    """
    try:
        import shtab
    except ImportError as error:
        raise MissingDependencyError("shtab is not installed: pip install shtab") from error
    for action in _actions(parser):
        if action.metavar == "MODEL":
            vars(action)["complete"] = _model_names()
        elif action.metavar in FILES:
            vars(action)["complete"] = shtab.FILE
    return str(shtab.complete(parser, shell=shell, preamble=_preamble().get(shell, "")))


def _model_names() -> dict[str, str]:
    """What completes a model, by shell: names of shipped models, and files."""
    names = " ".join(sorted({zoo.DEFAULT, *zoo.names()}))
    return {
        "bash": "_edge_sr_models",
        "zsh": f"_alternative 'models:model:({names})' 'files:file:_files'",
        "tcsh": f"({names})",
        "fish": f"{names} (__fish_complete_path (commandline -ct))",
    }


def _preamble() -> dict[str, str]:
    names = _model_names()["tcsh"].strip("()")
    lines = ["_edge_sr_models() {", f'  compgen -W "{names}" -- "$1"', '  compgen -f -- "$1"', "}"]
    return {"bash": "\n".join(lines)}


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every option and argument of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)


def _completion(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    def completion(args: argparse.Namespace) -> int:
        sys.stdout.write(completion_script(parser, args.shell))
        return 0

    return completion
