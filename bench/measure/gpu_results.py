"""What the checks of an engine on the GPU found, and what is good enough."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_DB = {"fp32": 55.0, "fp16": 48.0, "int8": 40.0}  # PSNR to ONNX Runtime's result
GROWTH_MIB = 8.0  # of host or GPU memory over the long run: more is a leak


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """The engine's results beside ONNX Runtime's."""

    frames: int
    psnr_db: float  # of the worst frame; 120 where all bytes are equal
    max_difference: int  # grey levels
    least_db: float  # that was asked for

    @property
    def good(self) -> bool:
        """Whether the worst frame reaches what was asked for."""
        return self.psnr_db >= self.least_db


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Frames through the slots, as fast as they go, from host memory to host memory."""

    graphs: bool
    slots: int
    frames: int
    p50_ms: float  # from one result to the next
    p99_ms: float
    fps: float
    gpu_ms: float  # mean, from events, copies included
    submit_us: float  # median time that beginning a frame takes the host, its copy included
    notes: tuple[str, ...]  # what the backend had to say


@dataclass(frozen=True, kw_only=True)
class Endurance:
    """A long run, and what memory it took for good."""

    frames: int
    host_growth_mib: float
    gpu_growth_mib: float
    gpu_left_mib: float  # taken still when the backend was closed
    black: int  # results that cannot be right
    constant: int

    @property
    def good(self) -> bool:
        """Whether memory stayed within GROWTH_MIB and every result can be right."""
        grown = max(self.host_growth_mib, self.gpu_growth_mib, self.gpu_left_mib)
        return grown <= GROWTH_MIB and not (self.black or self.constant)
