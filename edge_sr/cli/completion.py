"""Completion for bash, zsh and fish, made from the parser itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

SHELLS = ("bash", "zsh", "fish")
FILES = ("PATH", "FILE", "DIR")  # metavars that ask for a file name


@dataclass(frozen=True)
class Option:
    """One option of a command."""

    names: tuple[str, ...]
    choices: tuple[str, ...]
    takes_file: bool
    told: str


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """A script to be sourced by the shell."""
    commands = dict(_commands(parser))
    if shell == "fish":
        return _fish(commands)
    script = _bash(commands)
    if shell == "zsh":
        return f"autoload -U +X bashcompinit && bashcompinit\n{script}"
    return script


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, list[Option]]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield name, list(_options(command))


def _options(parser: argparse.ArgumentParser) -> Iterator[Option]:
    for action in parser._actions:
        if action.option_strings:
            yield Option(
                names=tuple(action.option_strings),
                choices=tuple(str(choice) for choice in action.choices or ()),
                takes_file=str(action.metavar) in FILES,
                told=(action.help or "").partition(";")[0],
            )
        elif isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield Option((name,), (), takes_file=False, told="")
                yield from _options(command)


def _bash(commands: dict[str, list[Option]]) -> str:
    cases, choices = [], []
    for command, options in commands.items():
        words = " ".join(name for option in options for name in option.names)
        cases.append(f'    {command}) words="{words}" ;;')
        for option in options:
            if option.choices:
                names = "|".join(f"{command}:{name}" for name in option.names)
                listed = " ".join(option.choices)
                choices.append(f'    {names}) words="{listed}" ;;')
            elif option.takes_file:
                names = "|".join(f"{command}:{name}" for name in option.names)
                choices.append(f'    {names}) COMPREPLY=($(compgen -f -- "$now")); return ;;')
    return "\n".join(
        [
            "_edge_sr() {",
            '  local now="${COMP_WORDS[COMP_CWORD]}" last="${COMP_WORDS[COMP_CWORD-1]}" words=""',
            '  if [ "$COMP_CWORD" -eq 1 ]; then',
            f'    COMPREPLY=($(compgen -W "{" ".join(commands)} --help --version" -- "$now"))',
            "    return",
            "  fi",
            '  case "${COMP_WORDS[1]}" in',
            *cases,
            "  esac",
            '  case "${COMP_WORDS[1]}:$last" in',
            *choices,
            "  esac",
            '  COMPREPLY=($(compgen -W "$words" -- "$now"))',
            "}",
            "complete -o default -F _edge_sr edge-sr",
            "",
        ]
    )


def _fish(commands: dict[str, list[Option]]) -> str:
    lines = [f"complete -c edge-sr -n __fish_use_subcommand -f -a '{' '.join(commands)}'"]
    for command, options in commands.items():
        within = f"complete -c edge-sr -n '__fish_seen_subcommand_from {command}'"
        for option in options:
            flags = (
                " ".join(
                    f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                    for name in option.names
                    if name.startswith("-")
                )
                or f"-f -a {option.names[0]}"
            )
            told = option.told.replace("\\", "").replace("'", "\\'")
            values = f" -x -a '{' '.join(option.choices)}'" if option.choices else ""
            values = values or (" -r -F" if option.takes_file else "")
            lines.append(f"{within} {flags}{values}" + (f" -d '{told}'" if told else ""))
    return "\n".join(lines) + "\n"
