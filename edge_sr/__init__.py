"""edge-sr: live video super-resolution for NVIDIA edge devices, and for any CPU.

Importing this package imports nothing heavy: `Upscaler` and `Sidecar` are loaded when they are
first asked for, and a model's runtime when the model is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_sr.errors import EdgeSRError

if TYPE_CHECKING:
    from edge_sr.model.sidecar import Sidecar
    from edge_sr.upscaler import Upscaler

__version__ = "0.1.0"

__all__ = ["EdgeSRError", "Sidecar", "Upscaler", "__version__"]


def __getattr__(name: str) -> object:
    if name == "Upscaler":
        from edge_sr.upscaler import Upscaler

        return Upscaler
    if name == "Sidecar":
        from edge_sr.model.sidecar import Sidecar

        return Sidecar
    raise AttributeError(f"module 'edge_sr' has no attribute {name!r}")
