"""What the builder is asked for, and which TensorRT takes it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from convert.engine.platforms import numbers
from edge_sr.errors import BackendError, UsageError
from edge_sr.model.engine_facts import Machine

HARDWARE = ("none", "ampere-plus", "same-compute-capability")


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """Options of one build. None and "none" leave TensorRT's own default."""

    workspace_mib: int | None = None
    optimization_level: int | None = None  # 0..5
    version_compatible: bool = False
    hardware: str = "none"  # of HARDWARE
    compute_capabilities: tuple[str, ...] = ()  # of TensorRT-RTX
    dla: int | None = None  # core

    def __post_init__(self) -> None:
        if self.workspace_mib is not None and self.workspace_mib < 1:
            raise UsageError(f"workspace is {self.workspace_mib} MiB; expected 1 or more")
        if self.optimization_level is not None and not 0 <= self.optimization_level <= 5:
            raise UsageError(f"optimisation level is {self.optimization_level}; expected 0 to 5")
        for item in self.compute_capabilities:
            if not re.fullmatch(r"\d+\.\d", item):
                raise UsageError(f"compute capability is {item!r}; expected one as 8.9")

    @property
    def key(self) -> dict[str, Any]:
        """Those that were set: they make another engine."""
        default = asdict(BuildOptions())
        return {name: value for name, value in asdict(self).items() if value != default[name]}

    def check(self, machine: Machine) -> None:
        """Refuse what this flavour, version or board does not have.

        Raises:
            BackendError: with the reason, and what to do.
        """
        for wrong, line in self._refusals(machine):
            if wrong:
                raise BackendError(line)

    def _refusals(self, machine: Machine) -> list[tuple[bool, str]]:
        rtx = machine.flavour == "tensorrt-rtx"
        version = numbers(machine.version)
        name = f"TensorRT {machine.version}"
        same = self.hardware == "same-compute-capability"
        return [
            (
                rtx and self.version_compatible,
                "TensorRT-RTX has no version-compatible engines; leave --version-compatible out",
            ),
            (
                rtx and self.hardware != "none",
                "TensorRT-RTX engines are portable already; choose GPUs with --compute-capability",
            ),
            (rtx and self.dla is not None, "TensorRT-RTX has no DLA; leave --dla out"),
            (
                not rtx and bool(self.compute_capabilities),
                "--compute-capability is TensorRT-RTX's: a TensorRT engine is built on its own GPU "
                "type; see --hardware-compatible",
            ),
            (
                not rtx and self.hardware != "none" and bool(machine.l4t),
                "TensorRT has no hardware-compatible engines on a Jetson; build on each board",
            ),
            (
                not rtx and same and version < (10, 13),
                f"{name} knows ampere-plus only; same-compute-capability came with 10.13",
            ),
            (
                not rtx and self.dla is not None and not _has_dla(version),
                f"{name} has no DLA (10.0 to 10.7 and 11.4.1 have, on AGX Orin and Orin NX); leave "
                "--dla out",
            ),
        ]


def _has_dla(version: tuple[int, ...]) -> bool:
    return (10, 0) <= version < (10, 8) or version >= (11, 4, 1)


def parse_capabilities(text: str) -> tuple[str, ...]:
    """ "8.6,12.0" -> ("8.6", "12.0"); "default" -> ()."""
    return () if text == "default" else tuple(sorted(text.split(","), key=numbers))
