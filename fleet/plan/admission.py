"""Which board takes which camera, by the time that a frame takes there: measured or estimated.

Each frame of a camera takes a board so many milliseconds. A board is full when its cameras take
the share of each second that may be planned. Estimates are the least time that a frame could take,
which no run reaches: they count `ESTIMATE_TIMES` times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from bench.models.params import count
from bench.models.roofline import LABEL, bound, read_devices
from bench.records import Row
from bench.rows import base_name, read_rows
from edge_sr import zoo
from edge_sr.errors import EdgeSRError, UsageError
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.target import output_size
from fleet.plan.fleet_file import Board, Camera, Fleet

NAMED = 3  # boards of one kind in a message
ESTIMATE_TIMES = 2


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one frame of a camera takes a board."""

    frame_ms: float  # that is planned with
    source: str  # "measured, 50 runs (orin.jsonl)" or "2 x 1.30 ms, estimate, not measured"
    backend: str  # that this is the time of
    precision: str | None  # that this is the time of; None: the backend's own choice


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A camera on a board."""

    camera: Camera
    cost: Cost
    port: int  # of its page

    @property
    def spec(self) -> JobSpec:
        """The job as its time was measured or estimated: backend and precision are named."""
        return replace(self.camera.spec, backend=self.cost.backend, precision=self.cost.precision)

    @property
    def share(self) -> float:
        """Of the board's time, 0..1."""
        return self.cost.frame_ms * self.camera.fps / 1000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every board with its cameras, and a line for each camera that does not fit."""

    fleet: Fleet
    placed: dict[str, list[Placed]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


class Costs:
    """The costs of cameras on the boards of a fleet; files are read once."""

    def __init__(self, boards: dict[str, Board], folder: Path) -> None:
        """Read the rows that the boards name.

        Args:
            folder: of the fleet file, from where their paths count.

        Raises:
            EdgeSRError: a rows file cannot be read or has several devices; an unknown device.
        """
        self._devices = read_devices()
        self._rows: dict[str, list[Row]] = {}
        for name, board in boards.items():
            if board.device is not None and board.device not in self._devices:
                known = ", ".join(sorted(self._devices))
                raise UsageError(f"board {name}: device is {board.device!r}; expected {known}")
            rows = read_rows(folder / board.rows) if board.rows else []
            machines = sorted({row.device_name for row in rows})
            if len(machines) > 1:
                raise UsageError(
                    f"board {name}: {board.rows} has rows of {len(machines)} devices "
                    f"({'; '.join(machines)}); expected those of one"
                )
            self._rows[name] = rows

    def of(self, camera: Camera, name: str, board: Board) -> Cost:
        """What a frame of this camera takes on this board.

        Raises:
            EdgeSRError: it was not measured there, and cannot be estimated.
        """
        model, precision = _model(camera)
        fits = [row for row in self._rows[name] if _is_of(row, camera, model, precision)]
        if fits:
            row = min(fits, key=_row_ms)
            runs = row.latency.runs if row.latency else 0
            return Cost(
                frame_ms=_row_ms(row),
                source=f"measured, {runs} runs ({board.rows})",
                backend=row.backend,
                precision=camera.spec.precision,
            )
        if board.device is None:
            asked = f" ({precision})" if precision else ""
            raise EdgeSRError(
                f"camera {camera.name}: {board.rows} has no time of {model}{asked} at "
                f"{camera.size}, for board {name}; measure there: python -m bench run --models "
                f"{model} --size {camera.size}, or give the board's device for an estimate"
            )
        return self._estimate(camera, board.device, precision)

    def _estimate(self, camera: Camera, device: str, precision: str | None) -> Cost:
        kind = "int8" if precision == "int8" else "fp16"
        own = kind if kind == "int8" else "fp32"  # the file that is shipped
        path, _ = zoo.find(camera.spec.model, _ratio(camera), precision=own)
        found = bound(count(path, *camera.size), self._devices[device], kind)
        return Cost(
            frame_ms=ESTIMATE_TIMES * found.total_ms,
            source=f"{ESTIMATE_TIMES} x {found.total_ms:.2f} ms, {LABEL} ({device})",
            backend="tensorrt",
            precision=kind,
        )


def make_plan(fleet: Fleet, costs: Costs) -> Plan:
    """Place every camera: those that name a board first, then the others, the largest first.

    Raises:
        EdgeSRError: the time of a camera on a board is not known.
    """
    plan = Plan(fleet=fleet, placed={name: [] for name in fleet.boards})
    fixed = [camera for camera in fleet.cameras if camera.board is not None]
    for camera in fixed:
        _place(plan, costs, camera, [camera.board or ""])
    free = [camera for camera in fleet.cameras if camera.board is None]
    first = next(iter(fleet.boards))
    load = {c.name: costs.of(c, first, fleet.boards[first]).frame_ms * c.fps for c in free}
    for camera in sorted(free, key=lambda camera: -load[camera.name]):
        _place(plan, costs, camera, list(fleet.boards))
    return plan


def taken(placed: Iterable[Placed]) -> float:
    """The share of a board's time that its cameras take, 0..1."""
    return sum(item.share for item in placed)


def holds(board: Board, item: Placed) -> int:
    """How many cameras such as this one the board alone would hold."""
    return int(board.load / item.share + 1e-9)


def _place(plan: Plan, costs: Costs, camera: Camera, names: list[str]) -> None:
    """Put a camera on the first of these boards that has room, or note why none has."""
    reasons: dict[str, list[str]] = {}  # and the boards that it is true of
    for name in names:
        board, there = plan.fleet.boards[name], plan.placed[name]
        cost = costs.of(camera, name, board)
        item = Placed(camera=camera, cost=cost, port=board.port + len(there))
        if taken(there) + item.share <= board.load + 1e-9:
            there.append(item)
            return
        frame_ms = 1000 / camera.fps
        reason = (
            f"holds {len(there)} cameras, which take {taken(there) * frame_ms:.1f} ms of "
            f"{frame_ms:.1f}; it needs {cost.frame_ms:.1f} more, {board.load * frame_ms:.1f} may "
            f"be planned ({cost.source})"
        )
        reasons.setdefault(reason, []).append(name)
    size = f"{camera.spec.model} at {camera.size}, {camera.fps:g} fps"
    why = "; ".join(f"{_each(boards)} {reason}" for reason, boards in reasons.items())
    plan.refused.append(f"{camera.name} ({size}) does not fit: {why}")


def _each(boards: list[str]) -> str:
    """Boards that hold the same, as the subject of a sentence."""
    if len(boards) == 1:
        return boards[0]
    others = len(boards) - NAMED
    return f"each of {', '.join(boards[:NAMED])}{f' and {others} others' if others > 0 else ''}"


def _model(camera: Camera) -> tuple[str, str | None]:
    """The name that bench rows give the camera's model, and the precision that is asked for."""
    spec = camera.spec
    if Path(spec.model).suffix in (".onnx", ".engine"):
        return base_name(Path(spec.model).stem), spec.precision
    _, sidecar = zoo.find(spec.model, _ratio(camera))
    own = None if sidecar.precision == "fp32" else sidecar.precision
    return base_name(sidecar.name), spec.precision or own


def _ratio(camera: Camera) -> Fraction:
    width, height = camera.size
    wanted = output_size(width, height, scale=camera.spec.scale, target=camera.spec.target)
    if wanted is None:
        return Fraction(2)
    return max(Fraction(wanted[0], width), Fraction(wanted[1], height))


def _is_of(row: Row, camera: Camera, model: str, precision: str | None) -> bool:
    """Whether a row was measured as the camera will run."""
    backend = camera.spec.backend
    same = base_name(row.name) == model and (row.width, row.height) == tuple(camera.size)
    if row.latency is None or not same or backend not in ("auto", row.backend):
        return False
    if precision in (None, "auto"):
        default = "fp16" if "tensorrt" in row.backend else "fp32"
        return precision == "auto" or row.precision in (default, "fp32")
    return row.precision == precision


def _row_ms(row: Row) -> float:
    """Milliseconds of one frame through the whole runtime path, or of the network alone if more."""
    if row.latency is None:
        return 0.0
    return max(row.latency.mean_ms, 1000 / row.latency.fps)
