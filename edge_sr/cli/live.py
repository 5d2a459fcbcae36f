"""``edge-sr doctor``, ``service`` and ``completion``: their options and what they do."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from typing import Any

from edge_sr.cli.common import add_command
from edge_sr.cli.completion import SHELLS, completion_script
from edge_sr.errors import UsageError

DOCTOR_EXAMPLES = """\
examples:
  edge-sr doctor
  edge-sr doctor --json
  edge-sr doctor --gpu
"""
SERVICE_EXAMPLES = """\
examples:
  edge-sr service install --print run --camera 0 --serve 8080
  edge-sr service install --name door run --input rtsp://door.local/1 --serve 0.0.0.0:8080
"""
COMPLETION_EXAMPLES = """\
examples:
  edge-sr completion bash
  edge-sr completion fish
"""


def add_doctor(commands: Any) -> None:
    """Add ``edge-sr doctor``."""
    command = add_command(
        commands,
        "doctor",
        "Show what is here, run each backend once, and say how to close every gap. "
        "Exits 1 when the default path is broken.",
        summary="show what is here, run each backend once, and say how to close every gap",
        examples=DOCTOR_EXAMPLES,
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument(
        "--gpu",
        nargs=argparse.REMAINDER,
        help="check the GPU path instead: python -m bench device-check, with its options",
    )
    command.set_defaults(command=doctor)


def doctor(args: argparse.Namespace) -> int:
    """Examine this machine. 0: the default path works; 1: it does not."""
    if args.gpu is not None:
        from edge_sr.cli.main import bench

        return bench(argparse.Namespace(words=["device-check", *args.gpu]))
    from edge_sr.doctor import as_json, as_table, examine, is_broken

    lines = examine()
    width = shutil.get_terminal_size((80, 24)).columns
    print(as_json(lines) if args.json else as_table(lines, width=width))
    return 1 if is_broken(lines) else 0


def add_service(commands: Any) -> None:
    """Add ``edge-sr service``."""
    command = add_command(
        commands,
        "service",
        "Run at boot: write a hardened systemd unit for a run command line.",
        summary="run at boot: write a hardened systemd unit",
        examples=SERVICE_EXAMPLES,
    )
    actions = command.add_subparsers(metavar="action", required=True)
    install = add_command(
        actions,
        "install",
        "Write the unit; needs root, unless --print.",
        summary="write the unit; needs root, unless --print",
        examples=SERVICE_EXAMPLES,
    )
    install.add_argument("--print", action="store_true", help="show the unit, write nothing")
    install.add_argument("--name", default="edge-sr", help="of the unit (default: edge-sr)")
    install.add_argument("--user", help="who runs it (default: you; root: a user of its own)")
    install.add_argument("--force", action="store_true", help="replace an existing unit")
    install.add_argument("words", nargs=argparse.REMAINDER, help="run and its options")
    install.set_defaults(command=service_install)


def service_install(args: argparse.Namespace) -> int:
    """Check the command line, then print or write the unit.

    Raises:
        UsageError: it is no command line of ``run``.
        EdgeSRError: the unit cannot be written.
    """
    from edge_sr.cli.main import build_parser
    from edge_sr.cli.service import install_service, make_service

    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    if words[:1] != ["run"]:
        raise UsageError("what should the service do? expected: service install run --camera 0 ...")
    build_parser().parse_args(words)
    service = make_service(words, name=args.name, user=args.user)
    if args.print:
        print(service.unit, end="")
        if service.secret:
            print(f"# the address with its password goes to {service.secret_path} (mode 0600)")
        return 0
    install_service(service, force=args.force)
    print(f"{service.unit_path}: written; start it with:")
    print(f"  sudo systemctl daemon-reload && sudo systemctl enable --now {service.name}")
    return 0


def add_completion(commands: Any, parser: argparse.ArgumentParser) -> None:
    """Add ``edge-sr completion``, for everything that `parser` has by then."""
    command = add_command(
        commands,
        "completion",
        "Print what makes the shell complete edge-sr's options. bash: "
        "edge-sr completion bash >> ~/.bashrc; fish: edge-sr completion fish > "
        "~/.config/fish/completions/edge-sr.fish.",
        summary="print what makes the shell complete edge-sr's options",
        examples=COMPLETION_EXAMPLES,
    )
    command.add_argument("shell", choices=SHELLS)
    command.set_defaults(command=_completion(parser))


def _completion(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    def completion(args: argparse.Namespace) -> int:
        sys.stdout.write(completion_script(parser, args.shell))
        return 0

    return completion
