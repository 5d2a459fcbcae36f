"""What one run is asked for, and what came of it: plain values without open handles."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from edge_sr.errors import UsageError
from edge_sr.model.import_options import ImportOptions, options_from
from edge_sr.pipeline.stats import Stats
from edge_sr.pipeline.target import Target
from edge_sr.types import Size

CAMERA_SIZE = Size(1280, 720)


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """What to read, which model to run, and where the result goes. Sizes are in pixels.

    ``input`` and ``camera`` may hold a password: they are left out of the ``repr``, but not of
    `to_dict`.
    """

    input: str | None = field(default=None, repr=False)  # path, address, "-", "test://..."
    camera: str | None = field(default=None, repr=False)  # number, device or address
    output: str | None = None  # file, folder for a folder of images, "-" or "null"
    more_outputs: tuple[str, ...] = ()  # other files; "?codec=h265&crf=20" may follow a name
    publish: tuple[str, ...] = field(default=(), repr=False)  # servers, or a playlist of HLS
    rtsp: tuple[str, int] | None = None  # address and port of a server that others read from
    show: bool = False  # in a window
    model: str = "auto"  # the default family, in the flavour that fits the input
    flavour: str | None = None  # of a family: "auto", "plain", "live", "vivid"
    range: str | None = None  # black and white of an external model, as "0..1"; None: detected
    input_range: str | None = None  # of its input alone
    output_range: str | None = None
    layout: str | None = None  # of an external model: "nchw" or "nhwc"
    channels: str | None = None  # of an external model: "luma" or "rgb"
    output_name: str | None = None  # which of several outputs is the picture
    custom_objects: str | None = None  # a Python file with the layers of a Keras model; it is run
    trust: bool = False  # of a Keras model: code that is stored in it may run
    scale: Fraction | None = None  # output side / input side
    target: Target | None = None
    precision: str | None = None  # None: fp16 with TensorRT; with backend "auto" as "auto" for
    # videos, which is the fastest on this CPU that loses 0.05 dB at most; fp32 for the others
    backend: str = "auto"
    device: str | None = None  # of OpenVINO: CPU, GPU, NPU; a GPU's number is bound beforehand
    threads: int | None = None  # of CPU inference; None: all cores
    slots: int = 2  # frames in flight on a GPU or in OpenVINO
    graphs: str = "auto"  # CUDA graphs: "on", "off", or "auto" for what is measured better
    still: str | None = None  # "off", "exact", "auto" or grey levels, as `Upscaler.session`; None:
    # exact for files, auto for live sources
    tile: int | None = None  # side in input pixels; 0: never; None: frames above 4 megapixels
    max_frames: int | None = None  # None: all; also the number of images of a folder
    fps: Fraction | None = None  # of raw H.264, HEVC and AV1 streams, which have no times
    strict: bool = False  # refuse a file that is cut off, where it could be read up to there
    camera_size: Size = CAMERA_SIZE  # asked of the camera
    camera_fps: int = 30
    camera_format: str = "MJPG"  # or YUYV, NV12
    crf: int = 18  # 0 (lossless) to 51
    preset: str = "veryfast"
    codec: str = "auto"  # h264 for 8 bits, h265 for more; or "h264", "h265", "av1", an encoder
    bits: str = "keep"  # "8" reduces films of more bits a sample, and their 4:2:2 or 4:4:4
    audio: str = "copy"  # or "convert": sound that the container cannot hold
    force: bool = False  # replace an existing output
    resume: bool = False  # continue a file job that was stopped
    serve: tuple[str, int] | None = None  # address and port of the browser page
    virtual_camera: str | None = None  # device; "" for the first one that is free
    compare: str | None = None  # "split", "side" or "diff": what window and page show
    overlay: bool = True  # figures in the window
    drop_policy: str = "auto"  # "newest" drops late frames, "none" keeps all
    deadline_ms: float | None = None  # take a smaller model when a frame takes longer
    calm: str | None = None  # "off", "auto" or 0 to 1; None: "auto" where live
    strength: float = 1.0  # 0 (bicubic) to 1 (the network) to 1.5
    max_reconnect: int | None = None  # attempts in a row; None: no limit
    save_to: str = "."  # folder of snapshots and recordings

    def __post_init__(self) -> None:
        """Refuse what a shell gives for a variable that is not set.

        Raises:
            UsageError: an output without a name.
        """
        if any(not text.strip() for text in self.outputs):
            raise UsageError('the output is ""; expected a file, a folder, - or null')

    @property
    def outputs(self) -> tuple[str, ...]:
        """All files and pipes, in the order of their results."""
        return (() if self.output is None else (self.output,)) + self.more_outputs

    @property
    def goes_somewhere(self) -> bool:
        """Whether the result goes anywhere but to a window or a page."""
        servers = self.publish or self.rtsp is not None
        return bool(self.outputs or servers) or self.virtual_camera is not None

    @property
    def import_options(self) -> ImportOptions:
        """What the job says of an external model.

        Raises:
            UsageError: a range, a layout or channels that do not exist.
        """
        return options_from(
            range_=self.range,
            input_range=self.input_range,
            output_range=self.output_range,
            layout=self.layout,
            channels=self.channels,
            output_name=self.output_name,
            custom_objects=self.custom_objects,
            trust=self.trust,
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as values that JSON can hold: a Fraction is "3/2", a Size is [1280, 720]."""
        found: dict[str, Any] = msgspec.to_builtins(self, enc_hook=_encode)
        return found

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> JobSpec:
        """The reverse of `to_dict`; a missing field has its default.

        Raises:
            UsageError: an unknown field, or a value of the wrong type; the message names it.
        """
        unknown = sorted(set(values) - {item.name for item in fields(cls)})
        if unknown:
            raise UsageError(f"job: unknown fields {', '.join(unknown)}")
        try:
            return msgspec.convert(values, cls, dec_hook=_decode)
        except (msgspec.ValidationError, ValueError) as error:
            raise UsageError(f"job: {error}") from error


@dataclass(frozen=True)
class Output:
    """One place where frames went."""

    path: Path | None  # of a file or folder; None for a window, a page, a pipe or "null"
    summary: str  # one line: what it is, its size and length

    def digest(self) -> str | None:
        """SHA-256 of the file in hexadecimal, computed now; None where there is no file."""
        if self.path is None or not self.path.is_file():
            return None
        with self.path.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a job did. Counts are frames of a video, or images."""

    read: int
    written: int  # by this job; `kept` others were there from an earlier one
    dropped: int  # live frames that newer ones replaced before they were upscaled
    seconds: float  # wall time from the first read to the last write
    outputs: tuple[Output, ...] = ()
    notices: tuple[str, ...] = ()  # what to know about the run, a line each
    kept: int = 0  # frames or images of an earlier job that were not made again
    failed: int = 0  # images of a folder that were left out; `notices` names them
    interrupted: int | None = None  # number of the signal that ended the job early

    @property
    def fps(self) -> float:
        """Frames written per second of wall time; 0 without any."""
        return self.written / self.seconds if self.seconds > 0 else 0.0

    @property
    def exit_code(self) -> int:
        """0: complete; 1: images were left out; 128 + N: signal N ended it early."""
        if self.interrupted is not None:
            return 128 + self.interrupted
        return 1 if self.failed else 0


@dataclass(frozen=True)
class Progress:
    """How far a job is. One object serves a whole job: `done` and `stats` change meanwhile."""

    name: str  # of what is read; never with credentials
    unit: str  # "frame" or "image"
    total: int | None  # an estimate; None for a live source without a limit
    live: bool
    stats: Stats  # rates, latencies and counts of this moment
    kept: int = 0  # done by an earlier job

    @property
    def done(self) -> int:
        """Frames or images that are written, those of an earlier job included."""
        return self.kept + self.stats.written


def _encode(value: Any) -> Any:
    if isinstance(value, Fraction):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} is not a field of a job")


def _decode(kind: Any, value: Any) -> Any:
    if kind is Fraction and isinstance(value, str | int):
        try:
            return Fraction(value)
        except ZeroDivisionError as error:
            raise ValueError(f"{value!r} divides by 0") from error
    raise NotImplementedError(f"{kind} is not a field of a job")
