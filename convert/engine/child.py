"""The process that builds one engine: TensorRT may crash or be killed here, and nothing else.

``python -m convert.engine.child JOB.json`` writes JSON lines to stdout: progress, then the end.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convert.engine import trt
from convert.engine.census import Census, of_inspector, of_network
from convert.engine.flavours import configure, remember_timing, typed_flags
from convert.engine.options import BuildOptions
from convert.engine.progress import make_logger, make_monitor
from edge_sr.errors import BackendError, EdgeSRError


@dataclass(frozen=True, kw_only=True)
class Job:
    """One build, as JSON passes it on."""

    onnx: str  # a file whose sizes are fixed, or free where ``sizes`` are given
    engine: str  # the file to write
    flavour: str
    options: dict[str, Any]  # of BuildOptions
    sizes: list[list[int]]  # min, opt, max (rows, columns), or empty
    timing_cache: str  # file; "" for none
    inspect: bool  # whether a GPU is here to open the engine on
    batches: list[int] = field(default_factory=list)  # min, opt, max frames at once, or empty
    log: str = ""  # file for all that the builder says
    float_scales: bool = False  # whether fp16 around int8 was replaced by float32


class NothingBuiltError(BackendError):
    """The builder gave up: fewer demands may help."""

    def __init__(self, message: str, *, half_scales: bool) -> None:
        super().__init__(message)
        self.half_scales = half_scales  # whether it failed on int8 with fp16 scales


def run(job: Job, notify: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Build, write the file, and return what is known of it.

    Raises:
        BackendError: the parser or the builder refuses; its message is the error's.
    """
    trt.use(job.flavour)
    with open(job.log or os.devnull, "a", encoding="utf-8") as log:  # noqa: PTH123
        logger = make_logger(log)
        builder = trt.Builder(logger)
        network = builder.create_network(typed_flags())
        parse(network, Path(job.onnx).read_bytes(), logger)
        found = of_network(network)
        shape = network.get_output(0).shape
        result = [int(shape[place]) for place in range(len(shape))]
        options = BuildOptions(
            **job.options
            | {"compute_capabilities": tuple(job.options.get("compute_capabilities", ()))}
        )
        config = builder.create_builder_config()
        used = configure(builder, config, options, job.flavour, Path(job.timing_cache))
        if job.sizes or job.batches:
            add_profile(builder, config, network, job)
        config.progress_monitor = make_monitor(notify)
        started = time.monotonic()
        plan = builder.build_serialized_network(network, config)
        seconds = time.monotonic() - started
        if plan is None:
            raise NothingBuiltError(
                f"the builder gave no engine: {logger.last()}", half_scales=logger.half_scales
            )
        view = memoryview(plan)
        write(Path(job.engine), view)
        remember_timing(config, Path(job.timing_cache))
        if job.inspect:
            found = inspect(view, logger) or found
        if job.float_scales:
            used["float_scales"] = True
        return describe(found, used, seconds) | {"result": result}


def describe(found: Census, used: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The end of a build, as JSON passes it on."""
    return {
        "layers": dict(found.layers),
        "convolutions": dict(found.convolutions),
        "source": found.source,
        "names": {kind: list(names) for kind, names in found.names.items()},
        "options": used,
        "seconds": round(seconds, 2),
    }


def parse(network: trt.INetworkDefinition, model: bytes, logger: Any) -> None:
    """Read the ONNX file into the network.

    Raises:
        BackendError: every complaint of the parser, with the node and its operator.
    """
    parser = trt.OnnxParser(network, logger)
    if parser.parse(model):
        return
    lines = []
    for place in range(parser.num_errors):
        error = parser.get_error(place)
        where = f"node {error.node_name()} ({error.node_operator()}): " if error.node_name() else ""
        lines.append(where + " ".join(error.desc().split()))
    reason = "; ".join(dict.fromkeys(lines)) or logger.last()
    raise BackendError(
        f"TensorRT's parser refuses the network: {reason}. Replace that operator in the model, or "
        "run the ONNX file with edge-sr run --backend onnxruntime"
    )


def add_profile(
    builder: trt.Builder,
    config: trt.IBuilderConfig,
    network: trt.INetworkDefinition,
    job: Job,
) -> None:
    """Let the engine take frames from the least to the largest size, or number of them at once.

    Raises:
        BackendError: TensorRT refuses them.
    """
    source = network.get_input(0)
    _, rows, columns, channels = (source.shape[place] for place in range(4))
    profile = builder.create_optimization_profile()
    low, middle, high = [
        trt.Dims4([frames, *size, channels])
        for frames, size in zip(
            job.batches or [1, 1, 1], job.sizes or [[rows, columns]] * 3, strict=True
        )
    ]
    profile.set_shape(source.name, low, middle, high)
    if config.add_optimization_profile(profile) < 0:
        raise BackendError("TensorRT refuses the sizes; expected min <= opt <= max on both sides")


def inspect(plan: memoryview, logger: Any) -> Census | None:
    """Open the engine and count its layers; None where the inspector gives nothing to count.

    Raises:
        BackendError: it cannot be opened.
    """
    runtime = trt.Runtime(logger)
    if hasattr(runtime, "engine_host_code_allowed"):
        runtime.engine_host_code_allowed = True  # our own, of a moment ago; some engines need it
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise BackendError(f"the engine cannot be opened where it was built: {logger.last()}")
    inspector = engine.create_engine_inspector()
    try:
        found = of_inspector(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
    except ValueError:  # the engine is whole, its description is not JSON
        return None
    return found if found.layers else None


def write(path: Path, data: memoryview) -> None:
    """Write a file and see it on the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def main() -> int:
    """0: the engine is written; 1: it is not, and the last line says why."""
    lock = threading.Lock()

    def notify(line: dict[str, Any]) -> None:
        with lock:
            print(json.dumps(line), flush=True)

    job = Job(**json.loads(Path(sys.argv[1]).read_text()))
    try:
        notify({"built": run(job, notify)})
    except NothingBuiltError as nothing:
        notify({"error": str(nothing), "retry": True, "half_scales": nothing.half_scales})
        return 1
    except EdgeSRError as error:
        notify({"error": str(error), "retry": False})
        return 1
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "out of memory"
        where = getattr(error, "filename", None) or job.engine
        notify({"error": f"{where}: {reason}", "retry": isinstance(error, MemoryError)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
