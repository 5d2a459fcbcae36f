"""ONNX Runtime sessions on the CPU, as conversion uses them: float execution, tensors tapped."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import onnx
import onnxruntime

from edge_sr.backend.cpu import usable_cores
from edge_sr.backend.onnxruntime.backend import session_entries
from edge_sr.errors import BackendError

PROVIDER = "CPUExecutionProvider"
SILENT = 4  # of ONNX Runtime's levels: what ends the process alone
NOT_AS_WRITTEN = ["WeightBiasQuantization"]  # quantises float biases, and fails on shared ones


def open_session(
    model: onnx.ModelProto | str | bytes, *, taps: Sequence[str] = (), integer: bool = False
) -> onnxruntime.InferenceSession:
    """A session of a model, a file or its bytes, of one thread; `run_each` runs inputs in parallel.

    Args:
        taps: tensors to give out besides the model's own outputs, after them, in this order.
        integer: let ONNX Runtime replace Q/DQ pairs by its integer kernels; otherwise they are
            computed as written, which is what TensorRT's definition of the file is.

    Raises:
        BackendError: ONNX Runtime refuses the model.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT  # its errors are raised; a second line helps nobody
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    for entry in session_entries():
        options.add_session_config_entry(*entry)
    if not integer:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        source = (
            model if isinstance(model, str | bytes) else with_taps(model, taps).SerializeToString()
        )
        return onnxruntime.InferenceSession(
            source, options, providers=[PROVIDER], disabled_optimizers=NOT_AS_WRITTEN
        )
    except Exception as error:  # ONNX Runtime's own classes share no public base
        raise BackendError(f"ONNX Runtime cannot open the network ({_line(error)})") from error


def run(session: onnxruntime.InferenceSession, batch: np.ndarray) -> list[np.ndarray]:
    """All outputs for one input, in the shapes and dtypes of the network.

    Raises:
        BackendError: ONNX Runtime fails on it.
    """
    feeds: dict[str, Any] = {session.get_inputs()[0].name: batch}
    try:
        found: list[np.ndarray] = session.run(None, feeds)
    except Exception as error:
        raise BackendError(f"ONNX Runtime failed on {batch.shape} ({_line(error)})") from error
    return found


def run_each(
    session: onnxruntime.InferenceSession, batches: Iterable[np.ndarray]
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """(input, all outputs) in order; as many inputs at once as there are cores, and no more.

    Raises:
        BackendError: ONNX Runtime fails on one.
    """
    cores = usable_cores()
    waiting: deque[tuple[np.ndarray, Future[list[np.ndarray]]]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for batch in batches:
            waiting.append((batch, pool.submit(run, session, batch)))
            if len(waiting) >= cores:
                first, result = waiting.popleft()
                yield first, result.result()
        for first, result in waiting:
            yield first, result.result()


def with_taps(model: onnx.ModelProto, taps: Sequence[str]) -> onnx.ModelProto:
    """A copy of the model that gives out these tensors too, after its own outputs."""
    tapped = onnx.ModelProto()
    tapped.CopyFrom(model)
    for name in taps:
        tapped.graph.output.append(onnx.ValueInfoProto(name=name))
    return tapped


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
