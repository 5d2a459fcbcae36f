"""Ranges of activations, and the file that keeps them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from calibration.frames.frames import FrameSet
from calibration.quantize.network import Network
from calibration.quantize.thresholds import METHODS
from edge_sr.errors import ModelFileError
from edge_sr.reading import parse_json
from edge_sr.writing import write_whole

SCHEMA = 2


@dataclass(frozen=True)
class Ranges:
    """Clips of every tensor that may become int8, and what they were measured with."""

    model: str  # file name
    model_sha256: str
    frames_sha256: str
    frames: int  # counted; corrupt ones left out
    skipped: list[str]
    default_frames: bool  # edge-sr's own set, not the user's scenes
    tensors: dict[str, dict[str, float]]  # name -> method -> magnitude that becomes 127
    schema: int = SCHEMA

    def check(self, network: Network, frames: FrameSet | None = None) -> None:
        """Refuse ranges of another model or other frames.

        Raises:
            ModelFileError: a digest differs.
        """
        if self.model_sha256 != network.sha256:
            raise ModelFileError(
                f"the ranges are of {self.model} ({self.model_sha256[:12]}); {network.path} is "
                f"{network.sha256[:12]}: measure them with python -m calibration.ranges"
            )
        if frames is not None and self.frames_sha256 != frames.sha256:
            raise ModelFileError(
                f"the ranges are of other frames ({self.frames_sha256[:12]}) than "
                f"{frames.folder} ({frames.sha256[:12]}): measure them again"
            )


def save_ranges(path: Path, ranges: Ranges, *, force: bool) -> None:
    """Write JSON, whole or not at all. Raises ModelFileError."""
    if path.exists() and not force:
        raise ModelFileError(f"{path}: exists; use --force to replace it")
    write_whole(path, json.dumps(asdict(ranges), indent=1) + "\n", error=ModelFileError)


def load_ranges(path: Path) -> Ranges:
    """Read what `save_ranges` wrote.

    Raises:
        ModelFileError: missing, damaged, or of another version.
    """
    try:
        found = parse_json(path.read_text())
        ranges = Ranges(**found)
        whole = ranges.schema == SCHEMA and all(
            set(METHODS) == set(clips) for clips in ranges.tensors.values()
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        why = " ".join(str(error).split())[:200]  # it may quote the file
        raise ModelFileError(f"{path}: cannot be read as ranges ({why})") from error
    if not whole:
        raise ModelFileError(f"{path}: is of another version; measure the ranges again")
    return ranges
