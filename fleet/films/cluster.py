"""Work on a Ray cluster, or on this machine: Ray starts processes, restarts them and tries again.

Segments travel by name; frames never do. Nothing of scheduling, of restarts or of retries is ours.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_sr import __version__
from edge_sr.children import import_path
from edge_sr.closing import Closing
from edge_sr.errors import EdgeSRError, MissingDependencyError, UsageError
from edge_sr.extras import install_command
from fleet.films.maker import Maker, NotExactError
from fleet.films.segments import Made, Segment

ATTEMPTS = 3  # of each segment, errors and dead processes counted together
CONNECT_S = 5.0  # to a cluster
AT_ONCE = 2  # pieces of work in a process: one is decoded while another's encoder finishes
STARTS = 2  # of Ray on this machine, which fails where it is not ready in 30 s
AUTH = "RAY_AUTH_MODE has to be the same here and on all nodes, edge-sr and Ray the same version"
LOCKED = (
    "if it asks for a token, copy ~/.ray/auth_token of its head node here and "
    "export RAY_AUTH_MODE=token"
)
INSTEAD = "edge-sr run FILM -o RESULT does one film after another without it"

Work = tuple[Segment, ...]  # one segment or whole film, or all segments of one, to be joined


@dataclass(frozen=True)
class Outcome:
    """What came of one piece of work: facts, or why there are none."""

    work: Work
    made: Made | None = None
    error: str = ""
    exact: bool = True  # False: the film has to be made as a whole


class Workers(Closing):
    """Processes that make segments, on this machine or on a cluster."""

    def __init__(
        self, *, address: str | None, folder: Path, actors: int | None = None, per_gpu: int = 1
    ) -> None:
        """Connect, and start them.

        Args:
            address: of a cluster, as "10.0.0.1:6379" or "auto"; None for Ray on this machine.
            folder: of the results: every node has to see it.
            actors: how many; None for `per_gpu` on each GPU, or one on each node without any.
            per_gpu: processes that share a GPU.

        Raises:
            MissingDependencyError: Ray is not installed.
            UsageError: no cluster answers; a node has another edge-sr, or does not see the folder.
        """
        self._ray = _load_ray()
        _connect(self._ray, address)
        try:
            self._actors = self._start(actors, per_gpu)
            self._check(folder)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._actors)

    def work(self, items: Sequence[Work], on_done: Callable[[Outcome], Sequence[Work]]) -> None:
        """Do everything; results come in any order.

        Args:
            items: what is to be done.
            on_done: called with each outcome; gives more work, which is done next.
        """
        pool = self._ray.util.ActorPool(self._actors * AT_ONCE)
        waiting: dict[object, Work] = {}
        left = deque(items)
        while True:
            while left and pool.has_free():
                work = left.popleft()
                waiting[_key(work)] = work
                pool.submit(_submit, work)
            if not pool.has_next():
                break
            outcome = self._next(pool)
            if outcome is not None:
                del waiting[_key(outcome.work)]
                left.extendleft(reversed(on_done(outcome)))  # a film is joined as soon as it can be
        for work in waiting.values():
            died = f"its process died {ATTEMPTS} times (is memory short?)"
            on_done(Outcome(work, error=f"{work[0].spec.input}: {died}"))

    def close(self) -> None:
        """End the processes, and Ray where it was started here; safe to call twice."""
        self._ray.shutdown()

    def _next(self, pool: Any) -> Outcome | None:
        """An outcome; None where a process died too often: Ray does not say at which work."""
        errors = self._ray.exceptions
        try:
            found: Outcome = pool.get_next_unordered()
            return found
        except errors.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, WorkError):
                return cause.outcome
            raise EdgeSRError(f"a process of the library failed: {cause}") from error
        except errors.RayActorError:
            return None

    def _start(self, actors: int | None, per_gpu: int) -> list[Any]:
        ray = self._ray
        gpus = int(ray.cluster_resources().get("GPU", 0))
        nodes = [node for node in ray.nodes() if node["Alive"]]
        count = actors or (gpus * per_gpu if gpus else len(nodes))

        class Retried(Worker):  # Ray reads how often from the method
            do = ray.method(max_task_retries=ATTEMPTS - 1, retry_exceptions=True)(Worker.do)

        kind = ray.remote(
            num_gpus=1 / per_gpu if gpus else 0,
            num_cpus=1 if gpus else 0,
            max_concurrency=AT_ONCE,
            max_restarts=-1,
            scheduling_strategy="SPREAD",
        )(Retried)
        return [kind.remote() for _ in range(count)]

    def _check(self, folder: Path) -> None:
        answers = [actor.check.remote(__version__, folder) for actor in self._actors]
        try:
            found = [why for why in self._ray.get(answers) if why]
        except self._ray.exceptions.RayError as error:  # of a token that the nodes do not know, say
            why = str(error).partition("\n")[0]
            raise UsageError(f"a process of Ray died at its start ({why}); {AUTH}") from error
        if found:
            raise UsageError(found[0])


class WorkError(Exception):
    """Carries an outcome without facts from a process to the one that waits for it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Worker:
    """What runs in each process. Ray makes it, and makes it again when the process dies."""

    def __init__(self) -> None:
        self._maker = Maker()

    def check(self, version: str, folder: Path) -> str:
        """As `Maker.check`."""
        return self._maker.check(version, folder)

    def do(self, work: Work) -> Outcome:
        """Make a segment, or join several.

        Raises:
            WorkError: that failed; Ray tries again, and hands on the last one.
        """
        try:
            made = self._maker.make(work[0]) if len(work) == 1 else self._maker.join(work)
        except NotExactError as error:
            return Outcome(work, error=str(error), exact=False)
        except (EdgeSRError, MemoryError) as error:
            raise WorkError(Outcome(work, error=str(error) or type(error).__name__)) from None
        return Outcome(work, made)


def _submit(actor: Any, work: Work) -> Any:
    return actor.do.remote(work)


def _key(work: Work) -> object:
    return tuple((item.state, item.number, bool(item.times)) for item in work)


def _connect(ray: Any, address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # its warning, not its default
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        os.environ.setdefault("RAY_worker_niceness", "0")  # as this process; Ray's own is 15
        options["include_dashboard"] = False
        paths = [*import_path(), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    else:
        options["address"] = address
    for left in range(STARTS if address is None else 1, 0, -1):
        try:
            ray.init(**options)
            return
        except Exception as error:  # Ray raises just that where a machine is too busy
            ray.shutdown()
            why = str(error).partition("\n")[0][:120]
            if address is not None:
                raise UsageError(f"--ray {address}: lets nobody in ({why}); {LOCKED}") from error
            if left == 1:
                raise UsageError(f"Ray does not start on this machine ({why})") from error


def check_ray(address: str | None) -> None:
    """Before any work: that Ray is installed, and that somebody listens at the cluster's address.

    Ray itself would wait for minutes.

    Raises:
        MissingDependencyError: Ray is not installed.
        UsageError: the address is none, or nobody listens there.
    """
    _load_ray()
    if address is None or address == "auto":
        return
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator or not port.isdecimal():
        raise UsageError(f"--ray is {address!r}; expected HOST:PORT, as 10.0.0.1:6379, or auto")
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"--ray {address}: no cluster answers ({error}); start one: ray start --head"
        ) from error


def _load_ray() -> Any:
    try:
        import ray
        import ray.util
    except ImportError as error:
        raise MissingDependencyError(
            f"Ray is not installed: {install_command('ray')}; {INSTEAD}"
        ) from error
    return ray
