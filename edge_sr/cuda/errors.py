"""What a CUDA driver says, turned into one line for the user."""

from __future__ import annotations

from edge_sr.errors import BackendError

OUT_OF_MEMORY, NO_DEVICE, NOT_SUPPORTED = 2, 100, 801
CAPTURE = range(900, 909)  # everything that is about stream capture
# the context is lost: every later call reports the same, and only a new process helps
LOST = {
    46: "all CUDA-capable devices are busy or unavailable",
    214: "uncorrectable ECC error encountered",
    700: "an illegal memory access was encountered",
    702: "the launch timed out and was terminated",
    709: "context is destroyed",
    710: "device-side assert triggered",
    714: "hardware stack error",
    715: "an illegal instruction was encountered",
    716: "misaligned address",
    717: "operation not supported on global/shared address space",
    718: "invalid program counter",
    719: "unspecified launch failure",
}
OTHER = {OUT_OF_MEMORY: "out of memory", NO_DEVICE: "no CUDA-capable device is detected"}
ELSEWHERE = "or run on the CPU with --backend onnxruntime"
ADVICE = {
    OUT_OF_MEMORY: "close what else uses the GPU, or use smaller frames, or --slots 1",
    3: f"look at the driver with nvidia-smi, {ELSEWHERE}",
    34: f"the driver is a stub: install NVIDIA's driver, {ELSEWHERE}",
    35: f"the driver is older than the CUDA binding: update one of them, {ELSEWHERE}",
    NO_DEVICE: f"check nvidia-smi and CUDA_VISIBLE_DEVICES, {ELSEWHERE}",
    101: f"check nvidia-smi and CUDA_VISIBLE_DEVICES, {ELSEWHERE}",
    803: f"the driver does not fit the installed CUDA: update the driver, {ELSEWHERE}",
}


class CudaError(BackendError):
    """A call of the CUDA driver failed.

    ``status`` is the driver's number, or None where the binding does not give it.
    """

    def __init__(self, doing: str, words: str, *, status: int | None, name: str = "") -> None:
        self.status = status
        found = f"{name}, {words}" if name else words
        advice = ADVICE.get(status or 0, "")
        if self.lost:
            advice = "the GPU's context is lost: start again; if it comes back, look at dmesg"
        super().__init__(f"CUDA cannot {doing} ({found})" + (f": {advice}" if advice else ""))

    @property
    def lost(self) -> bool:
        """Whether the context is unusable from now on."""
        return self.status in LOST

    @property
    def refuses_capture(self) -> bool:
        """Whether it says that this work cannot be captured into a graph."""
        return self.status == NOT_SUPPORTED or self.status in CAPTURE


def no_driver(error: Exception) -> CudaError:
    """The driver's library is not there at all."""
    return CudaError(
        "start: there is no NVIDIA driver, libcuda.so.1 was not found",
        _first_line(error),
        status=3,
    )


def too_new(binding: str, cuda: str) -> CudaError:
    """The binding is for a later CUDA than the driver takes."""
    major = cuda.partition(".")[0]
    return CudaError(
        f"start: {binding} needs a later driver",
        f"this one takes CUDA {cuda}: pip install 'cuda-python<{int(major) + 1}'",
        status=None,
    )


def status_of(words: str) -> int | None:
    """The number of an error that a binding gives in words only; None for most."""
    return next((code for code, known in (LOST | OTHER).items() if known in words), None)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
