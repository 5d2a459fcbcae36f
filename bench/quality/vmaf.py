"""VMAF and VMAF-NEG of luma frames, by the libvmaf of the ffmpeg that imageio-ffmpeg carries."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError

MODELS = {"vmaf": "vmaf_v0.6.1", "neg": "vmaf_v0.6.1neg"}
LIMIT_S = 600
Plane = NDArray[np.uint8]


def ffmpeg_path() -> str | None:
    """The ffmpeg program of the package imageio-ffmpeg; None where it is not installed."""
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def vmaf(result: Sequence[Plane], truth: Sequence[Plane], ffmpeg: str) -> tuple[float, float]:
    """Mean (VMAF, VMAF-NEG), 0..100, of consecutive uint8 (H, W) luma frames of one even size.

    VMAF (Li et al., Netflix, 2016) is trained on what viewers say; its NEG variant does not
    reward sharpening.

    Raises:
        MediaError: ffmpeg failed; the message has its last line.
        ValueError: the clips differ in length or shape, or a side is odd.
    """
    shapes = {frame.shape for frame in [*result, *truth]}
    height, width = truth[0].shape
    if len(result) != len(truth) or len(shapes) != 1 or height % 2 or width % 2:
        raise ValueError(
            f"clips have {len(result)} and {len(truth)} frames of {sorted(shapes)}; "
            "expected as many, of one shape with even sides"
        )
    models = "|".join(rf"version={version}\:name={name}" for name, version in MODELS.items())
    with tempfile.TemporaryDirectory(prefix="edge-sr-vmaf-") as name:
        folder = Path(name)
        inputs: list[str] = []
        for file, frames in (("result", result), ("truth", truth)):
            _write(folder / file, frames)
            raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}"]
            inputs += [*raw, "-i", file]
        graph = f"[0:v][1:v]libvmaf=model='{models}':log_fmt=json:log_path=log.json"
        command = [ffmpeg, "-hide_banner", *inputs, "-lavfi", graph, "-f", "null", "-"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MediaError(f"VMAF was not measured ({error})") from error
        log = folder / "log.json"
        if done.returncode or not log.is_file():
            lines = done.stderr.strip().splitlines() or [f"{ffmpeg} wrote no figures"]
            raise MediaError(f"VMAF was not measured: {lines[-1]}; expected an ffmpeg with libvmaf")
        pooled = json.loads(log.read_text())["pooled_metrics"]
    first, second = (float(pooled[model]["mean"]) for model in MODELS)
    return first, second


def _write(path: Path, frames: Sequence[Plane]) -> None:
    """Luma with grey chroma, as raw YUV 4:2:0."""
    height, width = frames[0].shape
    chroma = np.full(2 * (height // 2) * (width // 2), 128, np.uint8).tobytes()
    with path.open("wb") as file:
        for frame in frames:
            file.write(np.ascontiguousarray(frame).tobytes())
            file.write(chroma)
