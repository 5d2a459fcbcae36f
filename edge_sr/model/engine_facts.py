"""Where a TensorRT engine runs and how it was built: what `Sidecar.engine` holds, sealed.

The seal is a digest over the whole sidecar: it shows when a byte of it was changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from edge_sr.errors import ModelFileError
from edge_sr.model.sidecar import Sidecar, to_dict

FLAVOURS = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT-RTX"}
CENSUS_SOURCES = ("inspector", "network")  # read back from the engine, or counted before building
SIZE_NAMES = ("min", "opt", "max")
SEAL = "seal"  # of a sidecar: the digest of all else in it
OF_TILES = {"batch": 1, "rim": 0}  # fields that only tile engines have in their sidecars
TILE_STEP = 16  # pixels: tiles begin at multiples of it, any stride and x1.5 divide it
TILE_KEPT = 128  # rows and columns that are kept of a tile


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What decides which engines a machine can open."""

    flavour: str  # the TensorRT it would open them with: a key of FLAVOURS
    version: str  # of that TensorRT, all four numbers
    gpu: str = ""  # as the driver names it; "" without a driver
    compute_capability: str = ""  # "8.7"; "" without a driver
    cuda: str = ""  # the newest CUDA the driver takes: "12.6"; "" without a driver
    l4t: str = ""  # Jetson's board support package: "36.4.3"; "" elsewhere

    def __str__(self) -> str:
        gpu = f"{self.gpu} ({self.compute_capability})" if self.gpu else "no GPU"
        cuda = f" with CUDA {self.cuda}" if self.cuda else ""
        return f"{FLAVOURS[self.flavour]} {self.version} on {gpu}{cuda}"


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """The part of an engine's sidecar that says where it runs and what is in it."""

    flavour: str  # "tensorrt" or "tensorrt-rtx"
    version: str  # of the TensorRT that built it, all four numbers
    gpu: str  # it was built on, as the driver names it; "" where it is portable
    compute_capabilities: tuple[str, ...]  # it was built for: ("8.7",)
    cuda: str  # the driver's CUDA version at the build: "12.6"; "" without a driver
    l4t: str  # Jetson's, at the build; "" elsewhere
    options: Mapping[str, Any]  # builder options as they were used, defaults filled in
    census: Mapping[str, int]  # precision -> layers that compute in it
    census_source: str  # "inspector" or "network"
    onnx_sha256: str  # of the ONNX file it was built from, hex
    cache_key: str = ""  # that it is cached under; "" for an engine built elsewhere
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """min, opt and max (rows, columns) of an engine that takes several; else empty."""
    batch: int = 1  # frames that it takes at once, at most; more than one of a tile engine
    rim: int = 0  # of a tile: input pixels on each side that are given and not kept
    build_seconds: float = 0.0  # that the builder took
    verified: Mapping[str, Any] | str = "skipped: not asked for"
    """What running it showed (frames, psnr_db, max_difference), or why it was not run."""

    def __post_init__(self) -> None:
        checks: dict[str, tuple[bool, str]] = {
            "flavour": (self.flavour in FLAVOURS, " or ".join(FLAVOURS)),
            "version": (bool(re.fullmatch(r"\d+(\.\d+){2,3}", self.version)), "1.2.3.4"),
            "compute_capabilities": (
                bool(self.compute_capabilities)
                and all(re.fullmatch(r"\d+\.\d", item) for item in self.compute_capabilities),
                'one or more, as "8.7"',
            ),
            "cuda": (bool(re.fullmatch(r"(\d+\.\d+)?", self.cuda)), '"12.6" or ""'),
            "census": (
                all(type(item) is int and item >= 0 for item in self.census.values()),
                "numbers of layers",
            ),
            "census_source": (self.census_source in CENSUS_SOURCES, " or ".join(CENSUS_SOURCES)),
            "onnx_sha256": (bool(re.fullmatch(r"[0-9a-f]{64}", self.onnx_sha256)), "64 hex digits"),
            "sizes": (_good_sizes(self.sizes), "nothing, or min <= opt <= max as [rows, columns]"),
            "batch": (1 <= self.batch <= 1024, "1 to 1024"),
            "rim": (
                self.rim >= 0 and self.rim % TILE_STEP == 0 and (self.rim > 0) == (self.batch > 1),
                f"a multiple of {TILE_STEP} of a tile engine, else 0",
            ),
            "verified": (
                not isinstance(self.verified, str) or self.verified.startswith("skipped: "),
                'figures, or "skipped: ..."',
            ),
        }
        for key, (good, expected) in checks.items():
            if not good:
                found = getattr(self, key)
                raise ModelFileError(f"engine.{key} is {found!r}; expected {expected}")

    @property
    def portable(self) -> bool:
        """Whether any newer GPU than those it was built for opens it too."""
        return bool(self.options.get("portable"))

    @property
    def version_compatible(self) -> bool:
        """Whether newer TensorRT versions of its major open it; needs host code to be allowed."""
        return bool(self.options.get("version_compatible"))

    @property
    def built(self) -> str:
        """Where it was built, in words."""
        first, *others = self.compute_capabilities
        more = " and later" if self.portable else "".join(f", {item}" for item in others)
        gpu = self.gpu or f"GPUs of compute capability {first}{more}"
        word = "on" if self.gpu else "for"
        cuda = f" with CUDA {self.cuda}" if self.cuda else ""
        return f"{FLAVOURS[self.flavour]} {self.version} {word} {gpu}{cuda}"

    def mismatch(self, machine: Machine) -> str | None:
        """Why ``machine`` must not open the engine, in one line; None where it may.

        A machine without a GPU opens none; a plain TensorRT engine needs the same version, GPU
        name and CUDA major, except where its options made it compatible.
        """
        if self._fits(machine):
            return None
        return f"built with {self.built}; this machine is {machine}"

    def _fits(self, machine: Machine) -> bool:
        if machine.flavour != self.flavour or not machine.compute_capability:
            return False
        if not (machine.version == self.version or self._newer(machine.version)):
            return False
        if self.cuda and machine.cuda and _major(self.cuda) != _major(machine.cuda):
            return False
        if machine.compute_capability in self.compute_capabilities:
            return self.gpu in ("", machine.gpu)
        oldest = min(_numbers(item) for item in self.compute_capabilities)
        return self.portable and _numbers(machine.compute_capability) >= oldest

    def _newer(self, version: str) -> bool:
        same_major = _major(version) == _major(self.version)
        return self.version_compatible and same_major and _numbers(version) > _numbers(self.version)

    def to_dict(self) -> dict[str, Any]:
        """For `Sidecar.engine`: what JSON holds."""
        plain = asdict(self)
        plain["compute_capabilities"] = list(self.compute_capabilities)
        plain["sizes"] = {name: list(size) for name, size in self.sizes.items()}
        return {key: value for key, value in plain.items() if OF_TILES.get(key) != value}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> EngineFacts:
        """`Sidecar.engine` -> facts, every field present and of its kind.

        Raises:
            ModelFileError: the sidecar is not an engine's, or a field is unknown, absent or wrong.
        """
        if not found:
            raise ModelFileError("its sidecar says nothing of an engine; build it again")
        found = OF_TILES | {key: value for key, value in found.items() if key != SEAL}
        wrong = sorted(set(found) ^ {item.name for item in fields(cls)})
        if wrong:
            raise ModelFileError(f"engine: missing or unknown fields: {', '.join(wrong)}")
        for key, kind in KINDS.items():
            if not isinstance(found[key], kind):
                names = " or ".join(item.__name__ for item in kind)
                raise ModelFileError(f"engine.{key} is {found[key]!r}; expected {names}")
        try:
            sizes = {name: (int(rows), int(cols)) for name, (rows, cols) in found["sizes"].items()}
            capabilities = tuple(str(item) for item in found["compute_capabilities"])
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"engine: sizes is {found['sizes']!r}; build it again") from error
        return cls(**{**found, "sizes": sizes, "compute_capabilities": capabilities})


KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("flavour", "version", "gpu", "cuda", "l4t"), (str,)),
    **dict.fromkeys(("census_source", "onnx_sha256", "cache_key"), (str,)),
    **dict.fromkeys(("options", "census", "sizes"), (dict,)),
    "compute_capabilities": (list, tuple),
    **dict.fromkeys(OF_TILES, (int,)),
    "build_seconds": (int, float),
    "verified": (dict, str),
}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _major(version: str) -> int:
    return _numbers(version)[0]


def _good_sizes(sizes: Mapping[str, tuple[int, int]]) -> bool:
    if not sizes:
        return True
    if tuple(sizes) != SIZE_NAMES:
        return False
    least, middle, most = sizes.values()
    return all(4 <= a <= b <= c <= 16384 for a, b, c in zip(least, middle, most, strict=True))


def tiles_path(engine: Path) -> Path:
    """Where the tile engine of an engine is, if it has one: ``x.engine`` -> ``x.tiles.engine``."""
    return engine.with_name(f"{engine.stem}.tiles.engine")


def tile_sides(rows: int, columns: int, rim: int) -> tuple[int, int]:
    """(rows, columns) of the tiles of frames of one size.

    Beyond what is kept and the rims they have what the frame has beyond a multiple of 16: so a tile
    that ends where the frame ends begins at a multiple of 16 too.
    """
    kept = TILE_KEPT + 2 * rim
    return kept + rows % TILE_STEP, kept + columns % TILE_STEP


def seal(sidecar: Sidecar, facts: EngineFacts) -> Sidecar:
    """The sidecar of an engine, closed with a digest over all that it says."""
    engine = facts.to_dict()
    return replace(sidecar, engine=engine | {SEAL: _digest(replace(sidecar, engine=engine))})


def facts_of(sidecar: Sidecar) -> EngineFacts:
    """The engine facts of a loaded sidecar whose seal holds: no byte of it was changed.

    Raises:
        ModelFileError: it is no engine's, a field is wrong, or it was changed since it was written.
    """
    facts = EngineFacts.from_dict(sidecar.engine)
    engine = {key: value for key, value in sidecar.engine.items() if key != SEAL}
    if sidecar.engine.get(SEAL) != _digest(replace(sidecar, engine=engine)):
        raise ModelFileError(f"{sidecar.name}: its sidecar was changed; build the engine again")
    return facts


def _digest(sidecar: Sidecar) -> str:
    return hashlib.sha256(json.dumps(to_dict(sidecar), sort_keys=True).encode()).hexdigest()
