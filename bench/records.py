"""The typed records of a bench row: what is measured, on which device, in which state.

Every record is frozen and reads the JSON of edge-sr 0.1 as well. Unknown fields are refused.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

SCHEMA: Literal[1] = 1
Kind = Literal["model", "rival", "floor"]  # ours, another network, plain resizing


class Gpu(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One GPU, in the words of nvidia-smi."""

    name: str
    driver_version: str
    compute_cap: str
    memory: str = field(name="memory.total")  # "139264 MiB"
    power_limit: str = field(name="power.limit")  # "25.00 W"


class DeviceFacts(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What does not change while a machine runs. Facts that cannot be read are None."""

    cpu: str = ""
    cores: int = 0  # that this process may use
    machine: str = ""  # "x86_64", "aarch64"
    memory_mib: int | None = None
    os: str = ""
    python: str = ""
    edge_sr: str = ""
    versions: dict[str, str] = {}  # of the packages that do the work
    board: str | None = None  # of a Jetson or another single-board computer
    l4t: str | None = None
    power_mode: str | None = None
    gpus: tuple[Gpu, ...] = ()

    @property
    def name(self) -> str:
        """One line that identifies a kind of machine: "AMD EPYC, 2 cores"."""
        parts = [self.board or self.cpu, f"{self.cores} cores", *(gpu.name for gpu in self.gpus)]
        return ", ".join(parts)


class DeviceState(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What changes while a machine runs. Values that cannot be read are None."""

    utc: str  # "2026-11-30T04:23:34Z"
    load_1min: float | None = None
    available_mib: int | None = None
    cpu_mhz: int | None = None
    temperature_c: float | None = None  # of the hottest zone
    power_w: float | None = None
    throttle_count: int | None = None

    @property
    def load(self) -> str:
        """The load average for a sentence; "?" where it cannot be read."""
        return "?" if self.load_1min is None else f"{self.load_1min:g}"


class Times(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times of one model at one size; milliseconds of wall time unless named otherwise."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    mean_ms: float
    cpu_p50_ms: float  # CPU time of all threads
    gpu_p50_ms: float | None = None  # by the GPU's own events, on a GPU
    ran_on: str = "on the CPU"  # "onnxruntime: CPU, 2 threads"
    runs: int
    warmup: int  # untimed runs in all
    round_p50_ms: tuple[float, ...]
    noise_percent: float  # robust standard deviation of the rounds' medians, of p50
    frames30_s: float  # wall time of 30 frames, YUV in, YUV out
    frames30_measured: int  # frames it was measured on; scaled to 30 if fewer
    power_w: float | None = None  # mean while it ran, where a sensor can be read
    energy_mj: float | None = None  # per frame: power x mean time

    @property
    def fps(self) -> float:
        """Frames a second of the whole runtime path."""
        return 30 / self.frames30_s


class Latency(Times, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times, and how they were taken."""

    harness_us: float  # that timing adds to each run
    interleaved_with: tuple[str, ...]  # models that took turns
    kept_open: bool  # models stayed open between their turns
    cores: tuple[int, ...]  # pinned to these; empty where the system cannot
    state_before: DeviceState
    state_after: DeviceState
    throttled: bool | None = None  # None where it cannot be read


class CropFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A strip of patches (bicubic, the model, the truth) that was written beside the rows."""

    kind: str  # "best" or "worst"
    picture: str
    left: int  # pixels of the ground truth
    top: int
    gain_db: float  # over bicubic
    file: str  # relative to the rows file


class SetScore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mean quality on one set of pictures."""

    sha256: str  # of the set
    protocol: str
    pictures: int
    psnr_y_db: float
    ssim_y: float
    psnr_rgb_db: float | None = None  # of colour pictures only
    rgb_pictures: int = 0
    each: tuple[tuple[str, float], ...] = ()  # (picture, PSNR-Y in dB)
    crops: tuple[CropFile, ...] = ()
    loss_db: float | None = None  # PSNR-Y of the fp32 model less this one's


class ClipScore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mean quality on the frames of one clip; luma as the file has it."""

    name: str
    sha256: str  # of the HR file, or of both files of a pair
    frames: int
    psnr_y_db: float
    ssim_y: float
    # between frames, in levels: mean |change of the result - change of the truth|; where the motion
    # is known, mean |result - result before, moved by it| less the truth's own
    flicker: float
    moved: bool = False  # which of the two
    # standard deviation over time where the truth holds still, mean of these blocks, levels
    still_std: float | None = None
    crf: int | None = None  # x264's rate factor of the LR frames; None: not coded
    noise: float = 0.0  # standard deviation that was added to the LR luma, levels
    calm: str = "off"  # what was done about it, as --calm
    vmaf: float | None = None  # 0..100, of luma
    vmaf_neg: float | None = None


class Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model on one backend and device at one size; parts are None until they are measured."""

    schema: Literal[1] = SCHEMA
    name: str
    kind: Kind
    architecture: str
    precision: str
    color: str
    scale: str  # output side / input side, a fraction
    backend: str  # as it was asked for: "auto", "onnxruntime", ...
    width: int  # of the input frame, pixels
    height: int
    threads: int
    device_name: str
    sha256: str  # of the model file
    made_from: str | None = None
    made_from_sha256: str | None = None
    calibration_sha256: str | None = None
    file_bytes: int
    parameters: int
    macs: int | None = None  # multiply-accumulates of a frame
    activation_bytes: int | None = None  # written and read between fused layers
    layers: int | None = None
    peak_mib: int | None = None  # resident memory of a process with this model
    latency: Latency | None = None
    error: str | None = None  # why it could not be timed
    quality: dict[str, SetScore] = {}  # by picture set
    video: dict[str, ClipScore] = {}  # by clip
    device: DeviceFacts

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two rows the same measurement."""
        return (
            *(self.name, self.sha256, self.backend),
            *(self.width, self.height, self.threads, self.device_name),
        )

    @property
    def measured(self) -> bool:
        """Whether any part is there."""
        return bool(self.latency or self.quality or self.video)
