"""What is wanted of an engine, and what its sidecar tells once it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from convert.engine import census
from convert.engine.flavours import engine_home
from convert.options import BuildOptions
from convert.sizes import Size, words
from edge_sr import __version__
from edge_sr.model.engine_facts import EngineFacts, Machine
from edge_sr.model.sidecar import Sidecar, sha256_of

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One engine that is wanted."""

    onnx: Path  # with uint8 frames at its ends, already of the precision wanted
    sidecar: Sidecar
    machine: Machine
    size: Size | None  # (rows, columns); None with ``sizes``
    sizes: tuple[Size, Size, Size] | None = None  # min, opt, max
    target: Size | None = None  # of the result, where it is resized
    options: BuildOptions = field(default_factory=BuildOptions)
    frames: Path | None = None  # to try it on; None for the set that edge-sr brings
    log: Path | None = None  # for all that the builder says

    @property
    def size_text(self) -> str:
        """ "1280x720", or three of them."""
        some = [self.size] if self.size else list(self.sizes or ())
        return ",".join(words(size) for size in some)

    @property
    def usual(self) -> Size:
        """The (rows, columns) that the engine is fastest at."""
        return self.size or (self.sizes or ((64, 64),) * 3)[1]


def warn(request: Request, found: census.Census, tell: Tell) -> None:
    """Say so where the file's own exceptions outweigh its precision."""
    precision, total = request.sidecar.precision, sum(found.convolutions.values())
    have = found.convolutions.get(precision, 0)
    if 2 * have < total:
        rest = {name: count for name, count in found.convolutions.items() if name != precision}
        tell(
            f"warning: only {have} of {total} convolutions are {precision}, the "
            f"others are {census.tell(rest)}: the conversion kept them out because "
            "they lose too much; do not expect the speed of a network that is whole"
        )


def make_facts(request: Request, reply: Mapping[str, Any], digest: str) -> EngineFacts:
    """What the sidecar says of a built engine.

    Args:
        reply: of the process that built it, see `build_child`.
        digest: of the cache key.
    """
    gpu, capabilities = engine_home(request.machine, request.options)
    rtx = request.machine.flavour == "tensorrt-rtx"
    names = ("min", "opt", "max")
    return EngineFacts(
        flavour=request.machine.flavour,
        version=request.machine.version,
        gpu=gpu,
        compute_capabilities=capabilities,
        cuda="" if rtx else request.machine.cuda,
        l4t=request.machine.l4t,
        options=reply["options"],
        census=reply["layers"],
        census_source=reply["source"],
        onnx_sha256=request.sidecar.sha256,
        cache_key=digest,
        sizes=dict(zip(names, request.sizes, strict=True)) if request.sizes else {},
        build_seconds=reply["seconds"],
    )


def make_sidecar(request: Request, result: list[int], part: Path, path: Path) -> Sidecar:
    """The engine's own facts; what was measured of the ONNX file stays with the ONNX file."""
    source = request.sidecar
    rows, columns = request.size or (None, None)
    out: tuple[int | None, int | None] = (None, None)
    scale = source.scale
    if request.size:
        out = (result[1], result[2])
        ratios = {Fraction(a, b) for a, b in zip(out, request.size, strict=True)}
        scale = str(ratios.pop()) if len(ratios) == 1 else scale
    return replace(
        source,
        name=path.stem,
        scale=scale,
        width=columns,
        height=rows,
        output_width=out[1],
        output_height=out[0],
        sha256=sha256_of(part),
        made_from=request.onnx.name,
        made_from_sha256=source.sha256,
        quality={},
        tools=source.tools
        | {"edge_sr": __version__, request.machine.flavour: request.machine.version},
    )
