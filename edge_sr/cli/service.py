"""``edge-sr service``: a job that starts at boot, as a systemd unit with its configuration file."""

from __future__ import annotations

import argparse
import getpass
import grp
import ipaddress
import os
import re
import secrets
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_sr.children import module_command
from edge_sr.cli.common import add_command
from edge_sr.cli.config import config_text
from edge_sr.cli.run import make_spec, options_of, run_parser
from edge_sr.errors import MediaError, UsageError
from edge_sr.media.address import hide_credentials
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.outputs import with_absolute_outputs

EXAMPLES = """\
examples:
  edge-sr service install --print run 0 --serve 8080
  edge-sr service install --name door run rtsp://door.local/1 --serve 0.0.0.0:8080
"""
UNITS = Path("/etc/systemd/system")
SETTINGS = Path("/etc/edge-sr")  # of services: NAME.toml, and NAME.env with what is secret
INPUT = "EDGE_SR_INPUT"  # the variable that an address with a password moves to
PUBLISH = "EDGE_SR_PUBLISH"  # likewise, of a server that is published to
TOKEN = "EDGE_SR_TOKEN"  # noqa: S105 - the variable that holds the page's token
GROUPS = ("video", "render")
START_S = 180  # until the first frame; systemd then tries again
BUILD_S = 1800  # with TensorRT, which may build an engine first

UNIT = """\
# written by edge-sr service install; systemctl edit {name} adds to it
[Unit]
Description=edge-sr {described}
Documentation=man:systemd.service(5)
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
{environment}Restart=on-failure
RestartSec=5
WatchdogSec=30
TimeoutStartSec={start_s}
TimeoutStopSec=15
SuccessExitStatus=130 143
{identity}
StateDirectory={name}
CacheDirectory={name}
WorkingDirectory=%S/{name}
Environment=XDG_CACHE_HOME=%C/{name} PYTHONUNBUFFERED=1

# no MemoryDenyWriteExecute: CUDA and TensorRT compile at run time
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UMask=0027
{writable}
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Service:
    """What is written: the unit, the options of the job, and secrets, if it has any."""

    name: str
    unit: str
    config: str  # for --config
    secrets: tuple[tuple[str, str], ...]  # environment variables and their values

    @property
    def unit_path(self) -> Path:
        """Where systemd looks for it."""
        return UNITS / f"{self.name}.service"

    @property
    def config_path(self) -> Path:
        """The file to edit for other options."""
        return SETTINGS / f"{self.name}.toml"

    @property
    def secret_path(self) -> Path:
        """The environment file that holds the secrets, for root alone."""
        return SETTINGS / f"{self.name}.env"


def add_service(commands: Any) -> None:
    """Add ``edge-sr service``."""
    command = add_command(
        commands,
        "service",
        "Start at boot: write a hardened systemd unit for a run command line.",
        summary="start at boot: write a hardened systemd unit",
        examples=EXAMPLES,
    )
    actions = command.add_subparsers(metavar="action", required=True)
    install = add_command(
        actions,
        "install",
        "Write the unit and its configuration file; needs root, unless --print is given.",
        summary="write the unit; needs root, unless --print is given",
        examples=EXAMPLES,
    )
    install.add_argument("--print", action="store_true", help="show the files, write nothing")
    install.add_argument("--name", default="edge-sr", help="of the unit (default: edge-sr)")
    install.add_argument("--user", help="who runs it (default: you; root: a user of its own)")
    install.add_argument("--force", action="store_true", help="replace an existing unit")
    install.add_argument("words", nargs=argparse.REMAINDER, help="run and its options")
    install.set_defaults(command=service_install)


def service_install(args: argparse.Namespace) -> int:
    """Check the command line, then print or write the files.

    Raises:
        UsageError: it is no command line of ``run``.
        MediaError: a file cannot be written.
    """
    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    if words[:1] != ["run"]:
        raise UsageError("what should the service do? expected: service install run 0 --serve 8080")
    run_args = run_parser().parse_args(words[1:])
    if len(getattr(run_args, "source", ())) > 1:
        raise UsageError("a service has one input; expected: service install run 0 --serve 8080")
    spec = make_spec(run_args)
    service = make_service(spec, name=args.name, user=args.user)
    if args.print:
        print(service.unit)
        print(f"# {service.config_path}\n{service.config}", end="")
        if service.secrets:
            names = ", ".join(name for name, _ in service.secrets)
            print(f"\n# {names}: written to {service.secret_path} (mode 0600)")
        return 0
    install_service(service, force=args.force)
    print(f"{service.unit_path}: written; its options are in {service.config_path}")
    if service.secrets:
        print(f"{service.secret_path}: holds {', '.join(name for name, _ in service.secrets)}")
    print("start it with:")
    print(f"  sudo systemctl daemon-reload && sudo systemctl enable --now {service.name}")
    return 0


def make_service(
    spec: JobSpec,
    *,
    name: str = "edge-sr",
    user: str | None = None,
    python: str | None = None,
    token: str | None = None,
) -> Service:
    """The files for a job.

    An address with a password, and the token of a page that other machines can reach, are moved
    to a file that only root reads.

    Args:
        user: who runs it; None for who is asking. Root becomes a user made for the service.
        python: of another machine, which has the package installed and will run the unit; None
            for this one.
        token: of the page; None for EDGE_SR_TOKEN, or a new one.

    Raises:
        UsageError: a name or user that systemd would not take.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise UsageError(f"--name is {name!r}; expected letters, digits, dot, dash, underscore")
    user = user or os.environ.get("SUDO_USER") or getpass.getuser()
    if not re.fullmatch(r"[a-z_][a-z0-9_.-]*\$?", user):
        raise UsageError(f"--user is {user!r}; expected the name of a user")
    shown = hide_credentials(spec.camera or spec.input or "")
    spec, hidden = _hide(spec, token)
    spec, folders = _absolute(spec)
    words = ["run", "--config", str(SETTINGS / f"{name}.toml")]
    # not by -m: that would import from the folder which the service writes to
    command = [python, "-m", "edge_sr", *words] if python else module_command("edge_sr", words)
    unit = UNIT.format(
        name=name,
        described=f"run {shown}".replace("%", "%%")[:200],
        command=" ".join(_quote(word) for word in command),
        environment=f"EnvironmentFile={SETTINGS / f'{name}.env'}\n" if hidden else "",
        start_s=BUILD_S if spec.backend == "tensorrt" else START_S,
        identity=_identity(user, here=python is None),
        writable="".join(f"ReadWritePaths={_quote(folder)}\n" for folder in folders),
    )
    defaults = options_of(JobSpec())
    changed = {key: value for key, value in options_of(spec).items() if value != defaults[key]}
    head = f"# options of edge-sr run; after a change: sudo systemctl restart {name}\n"
    config = head + config_text(changed, run_parser(), comments=False)
    return Service(name, unit, config, tuple(hidden.items()))


def install_service(service: Service, *, force: bool = False) -> None:
    """Write the unit, its options, and the secrets for root's eyes only.

    A token that an earlier unit of this name has stays the same.

    Raises:
        MediaError: it exists without `force`, or may not be written: this needs root.
    """
    if service.unit_path.exists() and not force:
        raise MediaError(f"{service.unit_path}: exists; use --force to replace it")
    try:
        SETTINGS.mkdir(mode=0o755, exist_ok=True)
        if service.secrets:
            found = dict(service.secrets)
            kept = re.findall(f'^{TOKEN}="(.*)"$', _read(service.secret_path), re.MULTILINE)
            if kept and TOKEN in found:
                found[TOKEN] = kept[0]
            _write(service.secret_path, environment_text(found), 0o600)
        _write(service.config_path, service.config, 0o644)
        _write(service.unit_path, service.unit, 0o644)
    except OSError as error:
        path = error.filename or service.unit_path
        raise MediaError(
            f"{path}: cannot be written ({error.strerror}); use sudo, or --print to see it"
        ) from error


def _hide(spec: JobSpec, token: str | None) -> tuple[JobSpec, dict[str, str]]:
    """The job without its secrets, and the variables that hold them."""
    hidden = {}
    address = spec.camera if spec.camera is not None else spec.input or ""
    if hide_credentials(address) != address:
        hidden[INPUT] = address
        spec = replace(spec, input=f"env:{INPUT}", camera=None)
    publish = list(spec.publish)
    for number, text in enumerate(publish, 1):
        if hide_credentials(text) != text:
            name = PUBLISH if number == 1 else f"{PUBLISH}_{number}"
            hidden[name], publish[number - 1] = text, f"env:{name}"
    servers = [where[0] for where in (spec.serve, spec.rtsp) if where]
    if not all(ipaddress.ip_address(host).is_loopback for host in servers):
        hidden[TOKEN] = token or os.environ.get(TOKEN) or secrets.token_urlsafe(18)
    return replace(spec, publish=tuple(publish)), hidden


def _absolute(spec: JobSpec) -> tuple[JobSpec, list[str]]:
    """The job with absolute paths, and the folders that must be writable."""
    spec, folders = with_absolute_outputs(spec)
    if spec.save_to != JobSpec().save_to:  # else it is the service's own folder
        folders.append(str(Path(spec.save_to).absolute()))
        spec = replace(spec, save_to=folders[-1])
    if spec.input is not None and Path(spec.input).exists():
        spec = replace(spec, input=str(Path(spec.input).absolute()))
    if Path(spec.model).is_file():
        spec = replace(spec, model=str(Path(spec.model).absolute()))
    return spec, folders


def _identity(user: str, *, here: bool) -> str:
    """The lines that say who runs the service, with the groups of cameras and GPUs."""
    identity = "DynamicUser=yes" if user == "root" else f"User={user}"
    known = [group.gr_name for group in grp.getgrall()] if here else GROUPS
    groups = [group for group in GROUPS if group in known]
    return f"{identity}\nSupplementaryGroups={' '.join(groups)}" if groups else identity


def environment_text(variables: dict[str, str]) -> str:
    """The text of an environment file."""
    lines = []
    for name, value in variables.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'{name}="{escaped}"\n')
    return "".join(lines)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _write(path: Path, text: str, mode: int) -> None:
    """Whole or not at all, never readable by more than `mode` says."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask
        file.write(text)
    os.replace(part, path)


def _quote(word: str) -> str:
    """A word of a command line as systemd reads it."""
    word = word.replace("%", "%%").replace("$", "$$")
    return (
        word
        if shlex.quote(word) == word
        else '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )
