"""The files of one board: options, systemd units and secrets of its cameras, or containers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge_sr.cli.service import SETTINGS, Service, environment_text, make_service
from edge_sr.media.address import Kind, parse_address
from edge_sr.pipeline.outputs import output_path
from fleet.plan.admission import Placed
from fleet.plan.fleet_file import Board, Camera

ARGUS = "/tmp/argus_socket"  # noqa: S108 - where JetPack's camera service listens
PREFIX = "edge-sr-"  # of unit names
ANYWHERE = "0.0.0.0"  # noqa: S104 - Prometheus asks from another machine; every request needs a token
HEALTH = (
    "import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/healthz', timeout=4).close()"
)
COMPOSE = """\
# written by edge-sr fleet plan: the cameras of {board} as containers, instead of the units
#   docker compose up --detach
# The network is the host's, so that the page knows the name that Prometheus asks for.
name: edge-sr
services:
{services}volumes:
  cache: {{}}
"""
CONTAINER = """\
  {name}:
    image: {image}
    command: ["run", "--config", "{settings}/{unit}.toml"]
    network_mode: host
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    restart: unless-stopped
    stop_grace_period: 15s
{accelerator}{devices}    env_file: [{unit}.env]
    volumes:
      - ./{unit}.toml:{settings}/{unit}.toml:ro
{mounts}      - cache:/var/cache/edge-sr
    healthcheck:
      test: ["CMD", "python3", "-c", {health}]
      interval: 30s
      timeout: 5s
      start_period: 180s
"""


def services_of(board: Board, placed: Sequence[Placed], token: str) -> list[Service]:
    """The unit, options and secrets of every camera, in the order of their ports.

    Args:
        token: of all pages of the board.

    Raises:
        UsageError: something that systemd would not take.
    """
    return [
        make_service(
            replace(item.spec, serve=(ANYWHERE, item.port)),
            name=PREFIX + item.camera.name,
            user=board.user or "root",  # root: a user that systemd makes
            python=board.python,
            token=token,
        )
        for item in placed
    ]


def write_board(
    folder: Path, name: str, board: Board, placed: Sequence[Placed], token: str
) -> None:
    """Write the files of a board into an existing folder; secrets are for its owner alone."""
    services = services_of(board, placed, token)
    for service in services:
        (folder / f"{service.name}.service").write_text(service.unit)
        (folder / f"{service.name}.toml").write_text(service.config)
        write_secret(folder / f"{service.name}.env", environment_text(dict(service.secrets)))
    (folder / "compose.yaml").write_text(_compose(name, board, placed))


def write_secret(path: Path, text: str) -> None:
    """Write a file that nobody but its owner ever can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _compose(name: str, board: Board, placed: Sequence[Placed]) -> str:
    services = []
    for item in placed:
        camera = item.camera
        services.append(
            CONTAINER.format(
                name=camera.name,
                unit=PREFIX + camera.name,
                image=json.dumps(board.image),
                settings=SETTINGS,
                accelerator="    runtime: nvidia\n" if item.cost.backend == "tensorrt" else "",
                devices=_devices(camera),
                mounts="".join(
                    f"      - {json.dumps(f'{path}:{path}')}\n" for path in _mounts(camera)
                ),
                health=json.dumps(HEALTH.format(port=item.port)),
            )
        )
    return COMPOSE.format(board=name, services="".join(services))


def _devices(camera: Camera) -> str:
    """The device of a camera that is plugged into the board, as a container sees it."""
    address = parse_address(camera.address, camera=camera.spec.camera is not None)
    if address.kind is not Kind.CAMERA:
        return ""
    device = f"/dev/video{address.text}" if address.text.isdigit() else address.text
    return f"    devices: [{json.dumps(f'{device}:{device}')}]\n    group_add: [video]\n"


def _mounts(camera: Camera) -> list[str]:
    """What of the board a container sees: the folder of a recording, the socket of a CSI camera."""
    address = parse_address(camera.address, camera=camera.spec.camera is not None)
    found = [ARGUS] if address.kind is Kind.CSI else []
    files = [text for text in camera.spec.outputs if text not in ("-", "null")]
    found += [str(Path(output_path(text)).parent) for text in files]
    if Path(camera.spec.model).suffix in (".onnx", ".engine"):
        found.append(str(Path(camera.spec.model).parent))
    return list(dict.fromkeys(found))
