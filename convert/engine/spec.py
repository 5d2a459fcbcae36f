"""What an engine is built from and with, and the sidecar of the finished engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from convert.command import Size, size_text
from convert.engine import census
from convert.engine.flavours import engine_home
from convert.engine.options import BuildOptions
from convert.onnx.tiles import LEAVE_OUT, find_tile
from edge_sr import __version__
from edge_sr.errors import BackendError, ModelFileError
from edge_sr.model.engine_facts import EngineFacts, Machine
from edge_sr.model.sidecar import Sidecar, sha256_of

Notify = Callable[[str], None]
BATCHES = (1, 8, 16)  # tiles at once: least, usual, most


@dataclass(frozen=True, kw_only=True)
class EngineSpec:
    """One engine to build: the file, the machine, the sizes and the options."""

    onnx: Path  # with uint8 input and output, already of the precision wanted
    sidecar: Sidecar
    machine: Machine
    size: Size | None  # (rows, columns); None with ``sizes``
    sizes: tuple[Size, Size, Size] | None = None  # min, opt, max
    target: Size | None = None  # of the result, where it is resized
    batches: tuple[int, int, int] | None = None  # min, opt, max frames at once, of tiles
    rim: int = 0  # of a tile, input pixels
    bits: int = 8  # of a sample; above 8 the wide variant is built
    options: BuildOptions = field(default_factory=BuildOptions)
    frames: Path | None = None  # to try it on; None for the set that edge-sr brings
    log: Path | None = None  # for all that the builder says

    @property
    def sizes_text(self) -> str:
        """ "1280x720", or three of them."""
        some = [self.size] if self.size else list(self.sizes or ())
        return ",".join(size_text(size) for size in some)

    @property
    def batch(self) -> int:
        """Frames that the engine takes at once, at most."""
        return self.batches[2] if self.batches else 1

    @property
    def usual(self) -> Size:
        """The (rows, columns) that the engine is fastest at."""
        return self.size or (self.sizes or ((64, 64),) * 3)[1]


def tile_spec(spec: EngineSpec) -> EngineSpec:
    """What is to be built for tiles of the frames of another engine.

    Raises:
        ModelFileError: the frames have several sizes, or another one as the result than the network
            gives; or the network or its frames are none for tiles.
    """
    name = spec.onnx.name
    if spec.size is None:
        raise ModelFileError(f"{name}: tiles are for frames of one size; give --size instead")
    if spec.sidecar.width is not None:
        raise ModelFileError(
            f"{name}: takes {spec.sidecar.width}x{spec.sidecar.height} only, and no tiles: "
            f"{LEAVE_OUT}"
        )
    if spec.target is not None:
        raise ModelFileError(
            f"{name}: its result is resized to {size_text(spec.target)}, which tiles cannot be: "
            "leave --target or --tiles out"
        )
    tile, rim = find_tile(spec.onnx, spec.sidecar, spec.size)
    return replace(spec, size=tile, batches=BATCHES, rim=rim)


def warn(spec: EngineSpec, found: census.Census, notify: Notify) -> None:
    """Say so where the file's own exceptions outweigh its precision."""
    precision, total = spec.sidecar.precision, sum(found.convolutions.values())
    have = found.convolutions.get(precision, 0)
    if 2 * have < total:
        rest = {name: count for name, count in found.convolutions.items() if name != precision}
        notify(
            f"warning: only {have} of {total} convolutions are {precision}, the "
            f"others are {census.in_words(rest)}: the conversion kept them out because "
            "they lose too much; do not expect the speed of a network that is whole"
        )


def make_facts(spec: EngineSpec, reply: Mapping[str, Any], digest: str) -> EngineFacts:
    """What the sidecar says of a built engine.

    Args:
        reply: of the process that built it, see `build_child`.
        digest: of the cache key.
    """
    gpu, capabilities = engine_home(spec.machine, spec.options)
    rtx = spec.machine.flavour == "tensorrt-rtx"
    names = ("min", "opt", "max")
    return EngineFacts(
        flavour=spec.machine.flavour,
        version=spec.machine.version,
        gpu=gpu,
        compute_capabilities=capabilities,
        cuda="" if rtx else spec.machine.cuda,
        l4t=spec.machine.l4t,
        options=reply["options"],
        census=reply["layers"],
        census_source=reply["source"],
        onnx_sha256=spec.sidecar.sha256,
        cache_key=digest,
        sizes=dict(zip(names, spec.sizes, strict=True)) if spec.sizes else {},
        batch=spec.batch,
        rim=spec.rim,
        build_seconds=reply["seconds"],
    )


def make_sidecar(spec: EngineSpec, result: list[int], part: Path, path: Path) -> Sidecar:
    """The engine's own facts; what was measured of the ONNX file stays with the ONNX file."""
    source = spec.sidecar
    rows, columns = spec.size or (None, None)
    out: tuple[int | None, int | None] = (None, None)
    scale = source.scale
    if spec.batches:
        out = source.output_size(spec.usual[1], spec.usual[0])[::-1]
        if list(out) != result[1:3]:
            raise BackendError(
                f"TensorRT makes {result[2]}x{result[1]} of tiles of {spec.sizes_text}; expected "
                f"{out[1]}x{out[0]}: leave --tiles out"
            )
    elif spec.size:
        out = (result[1], result[2])
        ratios = {Fraction(a, b) for a, b in zip(out, spec.size, strict=True)}
        if spec.target and len(ratios) == 1:
            scale = str(ratios.pop())
    return replace(
        source if spec.bits == 8 else source.widened(spec.bits),
        name=path.stem,
        scale=scale,
        width=columns,
        height=rows,
        output_width=out[1],
        output_height=out[0],
        sha256=sha256_of(part),
        made_from=spec.onnx.name,
        made_from_sha256=source.sha256,
        quality={},
        tools=source.tools | {"edge_sr": __version__, spec.machine.flavour: spec.machine.version},
    )
