"""The kernels that TensorRT-RTX compiled for this GPU, kept between runs."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from edge_sr.cuda.protocol import Device
from edge_sr.model.engine_cache import cache_dir


class RuntimeCacheFile:
    """One engine's kernels: ``$XDG_CACHE_HOME/edge-sr/kernels/KEY.bin``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = b""

    @classmethod
    def of(cls, sha256: str, device: Device, version: str) -> RuntimeCacheFile:
        """The file for an engine on a GPU with a driver and a TensorRT-RTX version."""
        facts = [sha256, version, device.name, device.compute_capability, device.cuda]
        key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
        return cls(cache_dir() / "kernels" / f"{key}.bin")

    def read(self) -> bytes:
        """What was kept; empty where nothing was, or it cannot be read."""
        try:
            self._known = self.path.read_bytes()
        except OSError:
            self._known = b""
        return self._known

    def forget(self) -> None:
        """What was read did not fit: `write` replaces it."""
        self._known = b""

    def write(self, kernels: bytes) -> str:
        """Keep the kernels, whole or not at all, unless they are the ones that were read.

        Returns:
            Why that failed, in one line; "" if it worked. The next start is then slow again.
        """
        if not kernels or kernels == self._known:
            return ""
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(kernels)
            os.replace(part, self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            return f"compiled kernels were not kept ({self.path}: {error.strerror})"
        self._known = kernels
        return ""
