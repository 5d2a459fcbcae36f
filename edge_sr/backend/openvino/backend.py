"""OpenVINO: on Intel, AMD and Arm CPUs, with several frames in flight; also Intel GPUs and NPUs.

A network is compiled for each size of frame: fixed sizes are faster than free ones.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sr.backend import cpu
from edge_sr.backend.openvino.runtime import load
from edge_sr.backend.protocol import Batch, check_frame
from edge_sr.errors import BackendError
from edge_sr.model.engine_cache import cache_dir
from edge_sr.model.onnx_file import refuse_external_data
from edge_sr.model.sidecar import Sidecar
from edge_sr.model.wide import model_bytes

if TYPE_CHECKING:
    import openvino

SIZES = 10  # of frames and tiles that stay compiled
NEEDS_BF16 = "AVX512_BF16, AMX, or Arm's BF16"
Shape = tuple[int, ...]


class OpenVinoBackend:
    """A model file in OpenVINO. `submit` and `collect` keep several frames in flight.

    A frame that is in flight is computed while Python prepares the next one. A network is compiled
    when the first frame of its size comes.
    """

    name = "openvino"

    def __init__(
        self,
        path: Path,
        sidecar: Sidecar,
        *,
        threads: int | None = None,
        device: str = "CPU",
        bf16: bool = False,
        slots: int = 2,
    ) -> None:
        """Open a model file.

        Args:
            threads: of CPU inference; None for all cores.
            device: OpenVINO's name: "CPU"; "GPU" and "NPU" of Intel, which no test has run.
            bf16: compute in bfloat16 what is not int8, on a CPU that has instructions for it.
            slots: frames that may be in flight.

        Raises:
            MissingDependencyError: openvino is not installed.
            ModelFileError: the file is damaged, or keeps weights in other files.
            BackendError: OpenVINO refuses the file, has no such device, or the CPU has no bfloat16.
        """
        package = load()
        refuse_external_data(path)
        self.sidecar, self.slots, self.threads = sidecar, slots, threads or cpu.usable_cores()
        self.precision = precision_name(sidecar.precision, bf16=bf16)
        self.notices = _notices(sidecar.precision, device)
        self._target, self._path = device, path
        self._core: openvino.Core | None = package.Core()
        self.device = self._check_device(device)
        if bf16:
            self._check_bf16()
        self._options = self._settings(package, bf16=bf16)
        self._compiled: OrderedDict[Shape, list[openvino.InferRequest]] = OrderedDict()
        self._idle: deque[openvino.InferRequest] = deque()  # of the size in use
        self._busy: deque[openvino.InferRequest] = deque()  # oldest first
        self._shape: Shape = ()  # in use
        model = self._read()
        found = [(item.get_any_name(), item.get_element_type()) for item in model.inputs]
        found += [(item.get_any_name(), item.get_element_type()) for item in model.outputs]
        byte = package.Type.u8
        if found != [("frame", byte), ("upscaled", byte)]:
            shown = [(name, kind.get_type_name()) for name, kind in found]
            raise BackendError(
                f"{path}: its inputs and outputs are {shown}; expected uint8 'frame' and "
                "'upscaled': make the file with python -m convert.export_onnx"
            )

    def infer(self, frame: Batch) -> Batch:
        """As `Backend.infer`.

        Raises:
            BackendError: frames that were submitted are in flight, besides.
        """
        if self._busy:
            raise BackendError(f"{self.sidecar.name}: collect the submitted frames first")
        self.submit(frame)
        return self.collect().copy()

    def submit(self, frame: Batch) -> None:
        """As `Overlapping.submit`; the frame is copied."""
        check_frame(frame, self.sidecar)
        if self._core is None:
            raise BackendError(f"{self.sidecar.name}: the backend is closed")
        if frame.shape != self._shape:
            if self._busy:
                raise BackendError(f"{self.sidecar.name}: collect the frames of another size first")
            self._resize(frame.shape)
        if not self._idle:
            raise BackendError(
                f"{self.sidecar.name}: all {self.slots} slots are in flight; collect one first"
            )
        request = self._idle.popleft()
        try:
            np.copyto(request.get_input_tensor().data, frame)
            request.start_async()
        except RuntimeError as error:  # OpenVINO's errors are plain ones
            self._fail(error)
        self._busy.append(request)

    def collect(self) -> Batch:
        """As `Overlapping.collect`."""
        if not self._busy:
            raise BackendError(f"{self.sidecar.name}: no frame is in flight; submit one first")
        request = self._busy.popleft()
        try:
            request.wait()
            result: Batch = request.get_output_tensor().data
        except RuntimeError as error:
            self._idle.append(request)
            self._fail(error)
        self._idle.append(request)  # behind the others: overwritten last
        return result

    def close(self) -> None:
        """As `Backend.close`; waits for what is in flight."""
        self._drain()
        self._idle.clear()
        self._compiled.clear()
        self._shape, self._core = (), None

    def _resize(self, shape: Shape) -> None:
        """Take the requests for frames of this shape; compiles the network where there are none."""
        requests = self._compiled.pop(shape, None) or self._compile(shape)
        self._compiled[shape] = requests  # newest last
        while len(self._compiled) > SIZES:
            self._compiled.popitem(last=False)
        self._shape, self._idle = shape, deque(requests)

    def _compile(self, shape: Shape) -> list[openvino.InferRequest]:
        core = self._opened()
        model = self._read()
        try:
            if model.inputs[0].get_partial_shape().is_dynamic:
                model.reshape(list(shape))
            compiled = core.compile_model(model, self._target, self._options)
            return [compiled.create_infer_request() for _ in range(self.slots)]
        except Exception as error:
            raise BackendError(
                f"{self._path}: OpenVINO cannot compile it for {shape[2]}x{shape[1]} frames and "
                f"{self.precision} on {self._target} ({_line(error)})"
            ) from error

    def _read(self) -> openvino.Model:
        core = self._opened()
        wide = self.sidecar.bits > 8
        model = model_bytes(self._path, self.sidecar) if wide else self._path
        try:
            return core.read_model(model)
        except Exception as error:  # OpenVINO raises plain RuntimeError
            raise BackendError(f"{self._path}: OpenVINO cannot open it ({_line(error)})") from error

    def _opened(self) -> openvino.Core:
        if self._core is None:
            raise BackendError(f"{self.sidecar.name}: the backend is closed")
        return self._core

    def _check_device(self, device: str) -> str:
        """The device in words; BackendError if there is none of this name."""
        core = self._opened()
        found = list(core.available_devices)
        if device.partition(".")[0] not in {item.partition(".")[0] for item in found}:
            raise BackendError(
                f"OpenVINO finds no device {device} here; expected {', '.join(found)}: leave "
                "--device out, or install the driver of the device"
            )
        if device == "CPU":
            return f"CPU, {self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{device}, {core.get_property(device, 'FULL_DEVICE_NAME')}"

    def _check_bf16(self) -> None:
        """BackendError where bfloat16 would be emulated, which is slower than float32."""
        if self._target == "CPU" and not cpu.BF16 & cpu.flags():
            raise BackendError(
                f"{self.precision}: this CPU has no instructions for bfloat16 ({NEEDS_BF16}) and "
                f"would be slower with it: use --precision {self.sidecar.precision}"
            )
        if "BF16" not in self._opened().get_property(self._target, "OPTIMIZATION_CAPABILITIES"):
            raise BackendError(
                f"{self.precision}: OpenVINO has no bfloat16 on {self._target}: use --precision "
                f"{self.sidecar.precision}"
            )

    def _settings(self, package: Any, *, bf16: bool) -> dict[str, Any]:
        properties = package.properties
        hint = properties.hint
        options: dict[Any, Any] = {hint.performance_mode: hint.PerformanceMode.LATENCY}
        if self._target != "CPU":
            # compiling takes long there; on a CPU the cache was measured to gain nothing
            options[properties.cache_dir] = str(cache_dir() / "openvino")
            return options
        return options | {
            hint.inference_precision: package.Type.bf16 if bf16 else package.Type.f32,
            properties.inference_num_threads: self.threads,
            properties.num_streams: 1,  # all threads work on one frame: the least latency
            hint.enable_cpu_pinning: False,  # encoders and the page need the cores, too
        }

    def _fail(self, error: Exception) -> None:
        """Raise our error; nothing is in flight any more."""
        self._drain()
        _, rows, columns, _ = self._shape
        raise BackendError(
            f"{self.sidecar.name}: OpenVINO failed on a {columns}x{rows} frame ({_line(error)})"
        ) from error

    def _drain(self) -> None:
        while self._busy:
            request = self._busy.popleft()
            with contextlib.suppress(RuntimeError):  # the first error is the one that is raised
                request.wait()
            self._idle.append(request)


def precision_name(file: str, *, bf16: bool) -> str:
    """What a file is computed in: "fp32" -> "bf16", "int8" -> "int8-bf16" with bf16.

    Args:
        file: the precision of its sidecar.
    """
    if not bf16:
        return file
    return "bf16" if file == "fp32" else f"{file}-bf16"


def _notices(precision: str, device: str) -> tuple[str, ...]:
    """Without VNNI, 16-bit sums of int8 files overflow; OpenVINO has no other kernels for them."""
    vnni = any("vnni" in flag for flag in cpu.flags())
    if precision != "int8" or device != "CPU" or vnni or not cpu.is_x86():
        return ()
    return (
        "int8 in OpenVINO on a CPU without VNNI: sums overflow, 0.06 dB were lost by it in m: "
        "--backend onnxruntime has kernels that do not",
    )


def _line(error: Exception) -> str:
    """The reason among OpenVINO's lines, which begin with places in its source."""
    lines = [line.strip() for line in str(error).splitlines()]
    reasons = [
        line for line in lines if line and not line.startswith(("Exception from", "Check '"))
    ]
    return reasons[-1] if reasons else type(error).__name__
