"""The options of ``edge-sr run`` as a TOML file: ``--config`` and ``--print-config``.

A key is a long option without its dashes: ``max-frames = 100``, ``show = true``. The keys, their
kinds and the checks of their values are those of the parser.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from edge_sr.errors import UsageError, did_you_mean

NOT_KEYS = ("help", "config", "print_config")
WIDTH = 98


def read_config(path: Path, parser: argparse.ArgumentParser) -> dict[str, Any]:
    """The options of a file, as `parser` would read them from a command line.

    Args:
        parser: of ``edge-sr run``; it must raise argparse.ArgumentError instead of exiting.

    Raises:
        UsageError: the file cannot be read; an unknown key; a value that the option refuses.
    """
    try:
        found = msgspec.toml.decode(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise UsageError(f"{path}: {error}") from error
    return parse_values(found, parser, where=str(path))


def parse_values(
    found: Mapping[str, Any], parser: argparse.ArgumentParser, *, where: str
) -> dict[str, Any]:
    """The options of a decoded TOML table, as `read_config` returns them.

    Args:
        where: the file or table, for messages.

    Raises:
        UsageError: an unknown key; a value that the option refuses.
    """
    keys = _keys(parser)
    unknown = sorted(set(found) - set(keys))
    if unknown:
        raise UsageError(f"{where}: unknown key {unknown[0]}{did_you_mean(unknown[0], keys)}")
    try:
        values = msgspec.to_builtins(msgspec.convert(found, _schema(keys)))
        return vars(parser.parse_args(_as_words(values, keys)))
    except (msgspec.MsgspecError, argparse.ArgumentError) as error:
        raise UsageError(f"{where}: {error}") from error


def config_text(
    values: Mapping[str, object], parser: argparse.ArgumentParser, *, comments: bool = True
) -> str:
    """A file that `read_config` reads.

    Args:
        values: by the names of the parser's results; None for what is not set.
        comments: write the help of each option above it, and what is not set as a comment.
    """
    lines: list[str] = []
    for key, action in _keys(parser).items():
        value = values.get(action.dest)
        if comments:
            lines += [
                "",
                *textwrap.wrap(
                    f"{action.help}", WIDTH, initial_indent="# ", subsequent_indent="# "
                ),
            ]
        if value is not None:
            lines.append(f"{key} = {_as_toml(value)}")
        elif comments:
            lines.append(f"# {key} =")
    return "\n".join(lines).strip() + "\n"


def _keys(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """key -> the option that it stands for."""
    found = {}
    for action in parser._actions:
        long = [name for name in action.option_strings if name.startswith("--")]
        if long and action.dest not in NOT_KEYS:
            found[long[0].removeprefix("--")] = action
    return found


def _schema(keys: Mapping[str, argparse.Action]) -> type[msgspec.Struct]:
    kinds: list[tuple[str, Any, Any]] = [
        (
            key.replace("-", "_"),
            _kind(action) | msgspec.UnsetType,
            msgspec.UNSET,
        )
        for key, action in keys.items()
    ]
    return msgspec.defstruct("Options", kinds, rename="kebab", forbid_unknown_fields=True)


def _kind(action: argparse.Action) -> Any:
    """What a value may be; an option that may be given several times takes an array as well."""
    if action.nargs == 0:
        return bool
    one = str | int | float
    return one | list[str] if isinstance(action, argparse._AppendAction) else one


def _as_words(values: Mapping[str, Any], keys: Mapping[str, argparse.Action]) -> list[str]:
    words = []
    for key, value in values.items():
        if value is True:
            words.append(f"--{key}")
        elif value is False:
            words += [name for name in keys[key].option_strings if name == f"--no-{key}"]
        elif isinstance(value, list):
            words += [f"--{key}={item}" for item in value]
        else:
            words.append(f"--{key}={value}")
    return words


def _as_toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(_as_option(value), ensure_ascii=False)


def _as_option(value: object) -> str:
    """A size, or an address with a port, as the option takes it; a text as it is."""
    if isinstance(value, tuple):
        first, second = value
        if isinstance(first, int):
            return f"{first}x{second}"
        return f"[{first}]:{second}" if ":" in first else f"{first}:{second}"
    return str(value)
