"""edge-sr: live video super-resolution for NVIDIA edge devices, and for any CPU.

Importing this package imports nothing heavy: each public name is loaded when it is first asked for,
and a model's runtime when the model is opened. `docs/api.md` lists the names with examples.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_sr.errors import (
        BackendError,
        EdgeSRError,
        FrameError,
        MediaError,
        MissingDependencyError,
        ModelFileError,
        UsageError,
    )
    from edge_sr.media.frame import Color, Frame
    from edge_sr.media.sources.open import open_source
    from edge_sr.model.sidecar import Sidecar
    from edge_sr.pipeline.job import JobSpec, Progress, Result
    from edge_sr.pipeline.run import run_job, upscale_file
    from edge_sr.session.base import Session
    from edge_sr.types import Size
    from edge_sr.upscaler import Upscaler, list_models

# ONNX Runtime reads it when it is imported: without it, builds of 2026 write a device id into the
# user's cache and send usage events. Who wants that sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.2.0"

__all__ = [
    "BackendError",
    "Color",
    "EdgeSRError",
    "Frame",
    "FrameError",
    "JobSpec",
    "MediaError",
    "MissingDependencyError",
    "ModelFileError",
    "Progress",
    "Result",
    "Session",
    "Sidecar",
    "Size",
    "Upscaler",
    "UsageError",
    "__version__",
    "list_models",
    "open_source",
    "run_job",
    "upscale_file",
]

_PLACES = {
    "Color": "edge_sr.media.frame",
    "Frame": "edge_sr.media.frame",
    "JobSpec": "edge_sr.pipeline.job",
    "Progress": "edge_sr.pipeline.job",
    "Result": "edge_sr.pipeline.job",
    "Session": "edge_sr.session.base",
    "Sidecar": "edge_sr.model.sidecar",
    "Size": "edge_sr.types",
    "Upscaler": "edge_sr.upscaler",
    "list_models": "edge_sr.upscaler",
    "open_source": "edge_sr.media.sources.open",
    "run_job": "edge_sr.pipeline.run",
    "upscale_file": "edge_sr.pipeline.run",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'edge_sr' has no attribute {name!r}")
    found: object = getattr(importlib.import_module(_PLACES.get(name, "edge_sr.errors")), name)
    globals()[name] = found  # asked for once
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
