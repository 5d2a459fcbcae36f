"""A systemd unit for ``edge-sr run``: restarted when it fails, allowed to do little else."""

from __future__ import annotations

import getpass
import grp
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sr.cli.service_unit import UNIT, quote
from edge_sr.errors import MediaError, UsageError
from edge_sr.media.address import hide_credentials

UNITS = Path("/etc/systemd/system")
SECRETS = Path("/etc/edge-sr")
INPUT = "EDGE_SR_INPUT"  # the variable that an address with a password moves to
PATH_OPTIONS = ("--output", "--save-to")
GROUPS = ("video", "render")


@dataclass(frozen=True)
class Service:
    """What is written: the unit, and the file that holds its secret, if it has one."""

    name: str
    unit: str
    secret: str  # lines of an environment file, "" for none

    @property
    def unit_path(self) -> Path:
        """Where systemd looks for it."""
        return UNITS / f"{self.name}.service"

    @property
    def secret_path(self) -> Path:
        """The environment file that holds the secret, for root alone."""
        return SECRETS / f"{self.name}.env"


def make_service(
    words: Sequence[str], *, name: str = "edge-sr", user: str | None = None
) -> Service:
    """The unit for a command line ``run ...``, which the caller has checked.

    An address with a password is moved to a file that only root reads.

    Args:
        words: of the command line after ``edge-sr``.
        user: who runs it; None for who is asking. Root becomes a user made for the service.

    Raises:
        UsageError: a name or user that systemd would not take.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise UsageError(f"--name is {name!r}; expected letters, digits, dot, dash, underscore")
    user = user or os.environ.get("SUDO_USER") or getpass.getuser()
    if not re.fullmatch(r"[a-z_][a-z0-9_.-]*\$?", user):
        raise UsageError(f"--user is {user!r}; expected the name of a user")
    hidden, secret = _hide_input(words)
    absolute, folders = _absolute_paths(hidden)
    command = [sys.executable, "-m", "edge_sr.cli.main", *absolute]
    lines = [f"EnvironmentFile={SECRETS / f'{name}.env'}\n"] if secret else []
    if "site-packages" not in __file__:  # a checkout: python -m finds it only there
        lines.append(f"Environment=PYTHONPATH={quote(str(Path(__file__).parents[2]))}\n")
    identity = "DynamicUser=yes" if user == "root" else f"User={user}"
    known = [group.gr_name for group in grp.getgrall()]
    groups = [group for group in GROUPS if group in known]
    if groups:
        identity += f"\nSupplementaryGroups={' '.join(groups)}"
    unit = UNIT.format(
        name=name,
        described=hide_credentials(" ".join(words)).replace("%", "%%")[:200],
        command=" ".join(quote(word) for word in command),
        environment="".join(lines),
        identity=identity,
        writable="".join(f"ReadWritePaths={quote(folder)}\n" for folder in folders),
    )
    return Service(name, unit, secret)


def install_service(service: Service, *, force: bool = False) -> None:
    """Write the unit, and the secret for root's eyes only.

    Raises:
        MediaError: it exists without `force`, or may not be written: this needs root.
    """
    if service.unit_path.exists() and not force:
        raise MediaError(f"{service.unit_path}: exists; use --force to replace it")
    try:
        if service.secret:
            service.secret_path.parent.mkdir(mode=0o755, exist_ok=True)
            _write(service.secret_path, service.secret, 0o600)
        _write(service.unit_path, service.unit, 0o644)
    except OSError as error:
        path = error.filename or service.unit_path
        raise MediaError(
            f"{path}: cannot be written ({error.strerror}); use sudo, or --print to see it"
        ) from error


def _hide_input(words: Sequence[str]) -> tuple[list[str], str]:
    """Words with an address that has credentials moved to a variable, and the line that sets it."""
    out, secret = list(words), ""
    for at, word in enumerate(out):
        option, equals, value = word.partition("=")
        if option == "--input" and equals:
            found, index, prefix = value, at, "--input="
        elif word == "--input" and at + 1 < len(out):
            found, index, prefix = out[at + 1], at + 1, ""
        else:
            continue
        if hide_credentials(found) != found:
            escaped = found.replace("\\", "\\\\").replace('"', '\\"')
            secret = f'{INPUT}="{escaped}"\n'
            out[index] = f"{prefix}env:{INPUT}"
    return out, secret


def _absolute_paths(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words with absolute paths, and the folders that must be writable."""
    out, folders = list(words), []
    for at, word in enumerate(out[:-1]):
        value = out[at + 1]
        if word in PATH_OPTIONS and value not in ("-", "null"):
            path = Path(value).absolute()
            out[at + 1] = str(path)
            folders.append(str(path if word == "--save-to" else path.parent))
        elif word == "--input" and Path(value).exists():
            out[at + 1] = str(Path(value).absolute())
    return out, folders


def _write(path: Path, text: str, mode: int) -> None:
    """Whole or not at all, never readable by more than `mode` says."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    os.replace(part, path)
