"""ONNX Runtime on the CPU: the backend that works anywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_sr.backend import cpu
from edge_sr.backend.protocol import Batch, check_frame
from edge_sr.errors import BackendError, MissingDependencyError
from edge_sr.extras import install_command
from edge_sr.model.onnx_file import refuse_external_data
from edge_sr.model.sidecar import Sidecar
from edge_sr.model.wide import model_bytes

PROVIDER = "CPUExecutionProvider"


def session_entries(cpuinfo: Path = cpu.CPUINFO) -> list[tuple[str, str]]:
    """Session entries for this CPU.

    Threads of a session that waits for its next frame do not spin: they would take the cores from
    encoders, other sessions, and whatever is measured next to it. On x86 without VNNI, 16-bit sums
    of uint8 x int8 overflow in int8 files: an entry takes other, slower kernels there; a CPU that
    cannot be asked gets them too.
    """
    entries = [("session.force_spinning_stop", "1")]
    vnni = any("vnni" in flag for flag in cpu.flags(cpuinfo))
    if cpu.is_x86() and not vnni:
        entries.append(("session.x64quantprecision", "1"))
    return entries


class OnnxRuntimeBackend:
    """A model file in an ONNX Runtime session on the CPU provider.

    Args:
        threads: that one inference uses; None for all cores.

    Raises:
        MissingDependencyError: onnxruntime is not installed.
        ModelFileError: the file is damaged, or keeps weights in other files.
        BackendError: ONNX Runtime refuses the file, or runs it on another provider.
    """

    name = "onnxruntime"
    notices: tuple[str, ...] = ()

    def __init__(self, path: Path, sidecar: Sidecar, *, threads: int | None = None) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingDependencyError(
                f"ONNX Runtime is not installed: {install_command('cpu')}"
            ) from error
        refuse_external_data(path)
        self.sidecar = sidecar
        self.precision = sidecar.precision
        self.threads = threads or cpu.usable_cores()
        self.device = f"CPU, {self.threads} thread{'s' if self.threads > 1 else ''}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only: they are raised too
        for entry in session_entries():
            options.add_session_config_entry(*entry)
        model = str(path) if sidecar.bits == 8 else model_bytes(path, sidecar)
        try:
            session = onnxruntime.InferenceSession(model, options, providers=[PROVIDER])
        except Exception as error:  # ONNX Runtime's own classes share no public base
            raise BackendError(f"{path}: ONNX Runtime cannot open it ({_line(error)})") from error
        if session.get_providers() != [PROVIDER]:
            raise BackendError(
                f"{path}: ONNX Runtime runs it on {', '.join(session.get_providers())}; "
                f"{PROVIDER} was asked for"
            )
        tensors = (*session.get_inputs(), *session.get_outputs())
        found = [(item.name, item.type) for item in tensors]
        if found != [("frame", "tensor(uint8)"), ("upscaled", "tensor(uint8)")]:
            raise BackendError(
                f"{path}: its tensors are {found}; expected uint8 'frame' and 'upscaled': make the "
                "file with python -m convert.export_onnx"
            )
        self._session: onnxruntime.InferenceSession | None = session

    def infer(self, frame: Batch) -> Batch:
        """As `Backend.infer`."""
        check_frame(frame, self.sidecar)
        if self._session is None:
            raise BackendError(f"{self.sidecar.name}: the backend is closed")
        try:
            result: Batch = self._session.run(None, {"frame": np.ascontiguousarray(frame)})[0]
        except Exception as error:
            raise BackendError(
                f"{self.sidecar.name}: ONNX Runtime failed on a {frame.shape[2]}x{frame.shape[1]} "
                f"frame ({_line(error)})"
            ) from error
        return result

    def close(self) -> None:
        """As `Backend.close`."""
        self._session = None


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
