"""One step of `device-check`, in a process of its own: ``python -m bench.check.step NAME``.

Options come as JSON on stdin; what was found goes to stdout as one line of JSON. A step that
crashes, hangs or loses the GPU's context takes no other with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from bench.check.cuda_steps import (
    graph_replays,
    handles,
    lost_context,
    open_and_close,
    refused_capture,
)
from bench.check.engine_step import check_engine
from bench.check.facts_step import look_around
from bench.check.options import Options
from bench.check.slot_steps import close_from_another_thread, slots_and_graphs
from edge_sr.errors import EdgeSRError, MissingDependencyError

STEPS: dict[str, Callable[[], dict[str, Any]]] = {
    "machine": look_around,
    "contexts": open_and_close,
    "handles": handles,
    "graphs": graph_replays,
    "refused-capture": refused_capture,
    "slots": slots_and_graphs,
    "other-thread": close_from_another_thread,
    "lost-context": lost_context,
}


def run_step(name: str, options: Options, *, engine: str = "", precision: str = "") -> Any:
    """What a step found: {"good": ..., "lines": [...], ...}, or {"skipped": why}.

    Args:
        name: of STEPS, or "engine".
        engine: a shipped model's name or an engine file, for "engine".

    Raises:
        EdgeSRError: it cannot be done.
    """
    if name == "engine":
        return check_engine(options, engine, precision)
    return STEPS[name]()


def main(name: str) -> int:
    """Do it and print."""
    given = json.load(sys.stdin)
    options = Options(**given["options"] | {"size": tuple(given["options"]["size"])})
    try:
        found = run_step(name, options, engine=given["engine"], precision=given["precision"])
    except MissingDependencyError as error:
        found = {"skipped": str(error)}
    except EdgeSRError as error:
        found = {"good": False, "lines": [str(error)]}
    print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
