"""``fleet.toml``: boards, cameras, and what runs for each camera."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec

from edge_sr.cli import options
from edge_sr.cli.config import parse_values
from edge_sr.cli.run import make_spec, run_parser
from edge_sr.errors import UsageError, did_you_mean
from edge_sr.media.address import Kind, parse_address
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.outputs import output_path
from edge_sr.types import Size
from edge_sr.zoo.flavour import choose, fit_input

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
IMAGE = re.compile(r"[\w][\w./:@-]{0,254}", re.ASCII)
KINDS = (Kind.NETWORK, Kind.CAMERA, Kind.CSI, Kind.PATTERN)
FIXED = ("serve", "show", "force", "resume", "max-frames", "source")  # the plan decides these

Port = Annotated[int, msgspec.Meta(ge=1, le=65000)]
Load = Annotated[float, msgspec.Meta(gt=0, le=1)]


class Board(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A machine that runs cameras."""

    host: str  # Prometheus asks it: an address, or the machine's own host name
    device: str | None = None  # of `python -m bench roofline`, for estimates
    rows: str | None = None  # bench rows that were measured on such a board
    load: Load = 0.8  # share of its time that may be planned
    port: Port = 8080  # of its first camera; the others follow
    python: str = "/opt/edge-sr/bin/python"  # there, with edge-sr installed
    user: str | None = None  # who runs the services; None: users that systemd makes
    image: str = "edge-sr"  # of its containers


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    board: dict[str, dict[str, Any]]
    camera: dict[str, dict[str, Any]]
    defaults: dict[str, Any] = {}


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a camera has besides options of ``edge-sr run``."""

    fps: Annotated[float, msgspec.Meta(gt=0, le=1000)]
    size: str = "1280x720"
    board: str | None = None


@dataclass(frozen=True, kw_only=True)
class Camera:
    """One camera, and the job that upscales it."""

    name: str
    board: str | None  # that it must be on; None: wherever it fits
    size: Size  # of its frames
    fps: float  # frames a second that it gives
    spec: JobSpec  # without the address of its page

    @property
    def local(self) -> bool:
        """Whether it is a device of a board, and no address on the network."""
        return parse_address(self.address, camera=self.spec.camera is not None).kind in (
            Kind.CAMERA,
            Kind.CSI,
        )

    @property
    def address(self) -> str:
        """Where its frames come from; may hold a password."""
        return self.spec.camera if self.spec.camera is not None else self.spec.input or ""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Everything the file says, checked."""

    boards: dict[str, Board]
    cameras: tuple[Camera, ...]


def read_fleet(path: Path) -> Fleet:
    """Read and check a fleet file. Addresses as ``env:NAME`` are looked up now.

    Raises:
        UsageError: it cannot be read; an unknown key; a value or a camera that does not fit.
    """
    try:
        tables = msgspec.toml.decode(path.read_bytes())
        unknown = sorted(set(tables) - set(_File.__struct_fields__))
        if unknown:
            known = _File.__struct_fields__
            raise UsageError(f"{path}: unknown key {unknown[0]}{did_you_mean(unknown[0], known)}")
        for kind in ("board", "camera"):
            if isinstance(tables.get(kind), list):
                named = f"a table with a name for each: [{kind}.NAME]"
                raise UsageError(f"{path}: {kind} is a list ([[{kind}]]); expected {named}")
        found = msgspec.convert(tables, _File)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, msgspec.MsgspecError) as error:
        twice = "; each name once" if "twice" in str(error) or "overwrite" in str(error) else ""
        raise UsageError(f"{path}: {error}{twice}") from error
    if not found.board or not found.camera:
        raise UsageError(f"{path}: names no {'camera' if found.board else 'board'}")
    boards = {
        name: _board(f"{path}: board.{name}", name, table) for name, table in found.board.items()
    }
    cameras = tuple(
        _camera(f"{path}: camera.{name}", name, {**found.defaults, **table})
        for name, table in found.camera.items()
    )
    _check_cameras(path, boards, cameras)
    return Fleet(boards=boards, cameras=cameras)


def _board(where: str, name: str, table: dict[str, Any]) -> Board:
    known = [field.encode_name for field in msgspec.structs.fields(Board)]
    for key in sorted(set(table) - set(known)):
        raise UsageError(f"{where}: unknown key {key}{did_you_mean(key, known)}")
    try:
        board = msgspec.convert(table, Board)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {error}") from error
    checks = (
        ("name", name, NAME, "lower-case letters, digits, dash, underscore"),
        ("host", board.host, HOST, "an IPv4 address or a host name"),
        ("user", board.user or "x", USER, "the name of a user"),
        ("image", board.image, IMAGE, "the name of a container image"),
    )
    for key, value, pattern, expected in checks:
        if not pattern.fullmatch(value):
            raise UsageError(f"{where}: {key} is {value!r}; expected {expected}")
    if not Path(board.python).is_absolute():
        raise UsageError(f"{where}: python is {board.python!r}; expected an absolute path")
    if board.device is None and board.rows is None:
        raise UsageError(f"{where}: needs rows = FILE of a bench run, or device = NAME, or both")
    return board


def _camera(where: str, name: str, values: dict[str, Any]) -> Camera:
    if not NAME.fullmatch(name):
        expected = "lower-case letters, digits, dash, underscore"
        raise UsageError(f"{where}: the name is {name!r}; expected {expected}")
    own = {key: values[key] for key in _Table.__struct_fields__ if key in values}
    others = {key: value for key, value in values.items() if key not in own}
    for key in FIXED:
        if key in others:
            raise UsageError(f"{where}: {key} is not for cameras of a fleet; leave it out")
    try:
        table = msgspec.convert(own, _Table)
        size = Size(*options.frame_size(table.size))
        given = parse_values(others, run_parser(exit_on_error=False), where=where)
        spec = make_spec(argparse.Namespace(**given))
        address = parse_address(spec.camera or spec.input or "", camera=spec.camera is not None)
        model, _ = choose(spec.model, spec.flavour, lambda: fit_input(address))
    except (msgspec.ValidationError, argparse.ArgumentTypeError) as error:
        raise UsageError(f"{where}: {error}") from error
    except UsageError as error:
        text = str(error)
        raise UsageError(text if text.startswith(where) else f"{where}: {text}") from error
    if address.kind not in KINDS:
        raise UsageError(f"{where}: reads a {address.kind.value}; expected a camera or a stream")
    for path in (*map(output_path, spec.outputs), spec.save_to, _model_file(spec)):
        if path not in (None, "-", "null", JobSpec().save_to) and not Path(path).is_absolute():
            raise UsageError(f"{where}: {path!r} is relative; expected a path of the board")
    spec = replace(spec, model=model, flavour=None)  # the one whose time is planned with
    if spec.camera is None:
        spec = replace(spec, input=address.text)  # the address itself, for env:NAME
    if address.kind in (Kind.CAMERA, Kind.CSI):
        spec = replace(spec, camera_size=size, camera_fps=max(1, round(table.fps)))
    return Camera(name=name, board=table.board, size=size, fps=table.fps, spec=spec)


def _model_file(spec: JobSpec) -> str | None:
    return spec.model if Path(spec.model).suffix in (".onnx", ".engine") else None


def _check_cameras(path: Path, boards: dict[str, Board], cameras: tuple[Camera, ...]) -> None:
    devices: dict[tuple[str | None, str], str] = {}
    for camera in cameras:
        where = f"{path}: camera.{camera.name}"
        if camera.board is not None and camera.board not in boards:
            known = ", ".join(boards)
            raise UsageError(f"{where}: board is {camera.board!r}; expected one of {known}")
        if not camera.local:
            continue
        if camera.board is None:
            raise UsageError(f"{where}: reads a device; give board = NAME, where it is plugged in")
        other = devices.setdefault((camera.board, camera.address), camera.name)
        if other != camera.name:
            raise UsageError(f"{where}: reads {camera.address}, which {other} reads as well")
