"""float32 network -> float16 network, with whatever half cannot hold found by running it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from calibration.frames.frames import open_frames, sample
from calibration.network.budget import Budget
from calibration.network.compare import pooled_psnr, upscale_all
from calibration.network.frame_io import Image
from calibration.network.half import KEPT_INPUTS, float_tensors, size_nodes, to_half
from calibration.network.load import Network, load_network
from calibration.network.rounding import rounded
from calibration.network.session import open_session, run_each
from calibration.network.write import BEST_DB, check_output, write_model
from edge_sr.errors import BackendError, ModelFileError
from edge_sr.model.sidecar import Sidecar

logger = logging.getLogger(__name__)
NO_TIME = "not tried: no time was left"
PICTURES, SIDE = 6, 96  # that the fp16 network is run on
BAR_DB = 55.0  # the half network's result against the float32 network's
LARGEST = 65504.0  # of float16
HEADROOM = 4.0  # activations of other pictures may be this much larger
ROUNDING = 2.0**-10  # a factor may lose twice the rounding of a normal half
FACTORS = {"Mul": (0, 1), "Div": (0, 1), "Conv": (1,), "ConvTranspose": (1,), "PRelu": (1,)}


@dataclass(frozen=True)
class HalfResult:
    """A float16 network and what it lost."""

    model: onnx.ModelProto
    psnr_db: float  # against the float32 network's result, every tensor rounded as on a GPU
    kept: dict[str, str] = field(default_factory=dict)  # node left in float32 -> why


def make_half(
    network: Network,
    images: Sequence[Image],
    *,
    bar_db: float = BAR_DB,
    budget: Budget | None = None,
) -> HalfResult:
    """Convert, keeping nodes in float32 where a constant or an activation needs it.

    Args:
        images: uint8 (H, W, C) pictures to run; what overflows on them is found.
        budget: of the search for nodes to keep; the best plan so far is used when it is spent.

    Raises:
        ModelFileError: even with the worst nodes in float32 the result is below ``bar_db``.
        BackendError: the float32 network itself gives NaN or infinity.
    """
    kept = _bad_constants(network.model) | _bad_activations(network, images)
    expected = upscale_all(network.model, network.io, images)

    def measure(keep: Collection[str], count: int | None = None) -> float:
        some = images[:count]
        try:
            found = upscale_all(rounded(network.model, keep=keep), network.io, some)
        except BackendError:  # NaN or infinity came out
            return float("-inf")
        return pooled_psnr(found, expected[:count])

    psnr_db = measure(kept)
    if psnr_db < bar_db:
        budget = budget or Budget.of_minutes(None)
        kept, psnr_db = _keep_worst(network.model, kept, measure, bar_db, budget)
        if budget.left_out:
            logger.warning(
                "%s: stopped at the end of its time; the best plan so far is used, without: %s",
                network.path.name,
                "; ".join(budget.left_out),
            )
    if psnr_db < bar_db:
        raise ModelFileError(
            f"{network.path}: in fp16 its result is {psnr_db:.1f} dB from fp32's, even with "
            f"{len(kept)} nodes kept in fp32; {bar_db:g} dB expected: use the fp32 file"
        )
    return HalfResult(to_half(network.model, keep=kept), psnr_db, kept)


def to_fp16(
    source: Path,
    output: Path,
    *,
    frames: Path | None = None,
    minutes: float | None = None,
    force: bool = False,
) -> tuple[Sidecar, dict[str, str]]:
    """Write the float16 form of a float32 file. Returns its sidecar, and nodes kept in float32.

    Args:
        frames: a folder of pictures to run it on; None for the set that edge-sr brings.
        minutes: that the search for nodes to keep may take, about; None: no bound.

    Raises:
        EdgeSRError: a file cannot be read, converted or written, or the result is further than
            55 dB from the float32 network's.
    """
    check_output(output, force=force)
    network = load_network(source)
    images = sample(open_frames(frames), network.io, count=PICTURES, side=SIDE)
    result = make_half(network, images, budget=Budget.of_minutes(minutes))
    ours, theirs = (upscale_all(m, network.io, images) for m in (result.model, network.model))
    sidecar = write_model(
        output,
        result.model,
        network,
        precision="fp16",
        quality={
            "fp16_psnr_db": round(result.psnr_db, 2),
            "fp16_onnxruntime_psnr_db": round(min(pooled_psnr(ours, theirs), BEST_DB), 2),
        },
        conversion={"kept_fp32": result.kept},
    )
    return sidecar, result.kept


def _bad_constants(model: onnx.ModelProto) -> dict[str, str]:
    """Nodes with a constant that overflows in half, or a factor that loses more than a rounding.

    A small addend may lose all its digits: it adds little.
    """
    constants = {
        item.name: numpy_helper.to_array(item)
        for item in model.graph.initializer
        if item.data_type == onnx.TensorProto.FLOAT
    }
    found = {}
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            value = constants.get(name)
            if value is None or value.size == 0 or index in KEPT_INPUTS.get(node.op_type, ()):
                continue
            peak = float(np.max(np.abs(value)))
            with np.errstate(over="ignore"):
                lost = float(np.max(np.abs(value - value.astype(np.float16).astype(np.float32))))
            if peak > LARGEST:
                found[node.name] = f"constant {name} reaches {peak:.3g}; fp16 ends at {LARGEST:g}"
            elif index in FACTORS.get(node.op_type, ()) and lost > ROUNDING * peak:
                found[node.name] = f"constant {name} of {peak:.3g} loses {lost / peak:.1%} in fp16"
    return found


def _bad_activations(network: Network, images: Sequence[Image]) -> dict[str, str]:
    """Nodes that make or read a tensor too large for half."""
    sizes, floats = size_nodes(network.model), float_tensors(network.model)
    names = sorted(
        name
        for node in network.model.graph.node
        if node.name not in sizes
        for name in floats.intersection(node.output)
    )
    session = open_session(network.model, taps=names)
    peaks = dict.fromkeys(names, 0.0)
    for _, found in run_each(session, (network.io.feed(image) for image in images)):
        for name, value in zip(names, found[1:], strict=True):
            peak = float(np.max(np.abs(value), initial=0.0))
            if not np.isfinite(peak):
                raise BackendError(f"{network.path}: tensor {name} holds NaN or infinity in fp32")
            peaks[name] = max(peaks[name], peak)
    large = {name: peak for name, peak in peaks.items() if peak * HEADROOM > LARGEST}
    return {
        node.name: f"tensor {name} reaches {large[name]:.3g}; fp16 ends at {LARGEST:g}"
        for node in network.model.graph.node
        for name in (*node.input, *node.output)
        if name in large
    }


def _keep_worst(
    model: onnx.ModelProto,
    kept: dict[str, str],
    measure: Callable[..., float],
    bar_db: float,
    budget: Budget,
) -> tuple[dict[str, str], float]:
    """Keep further nodes in float32, those that lose most on their own first.

    Nodes are ranked by one picture; how many of them must stay is found by halving. Nodes that no
    time is left to rank count as the last ones.
    """
    floats = float_tensors(model)
    names = [node.name for node in model.graph.node if floats.intersection(node.output)]
    free = [name for name in names if name not in kept]
    alone: dict[str, float] = {}
    for name in free:
        if budget.spent(0.7, "what some nodes lose alone"):
            break
        alone[name] = measure([other for other in names if other != name], 1)
    worst = sorted(free, key=lambda name: alone.get(name, float("inf")))

    def with_worst(count: int) -> dict[str, str]:
        return kept | {
            name: f"alone in fp16 it leaves {alone[name]:.1f} dB" if name in alone else NO_TIME
            for name in worst[:count]
        }

    few, many = 0, len(worst)
    while many - few > 1 and not budget.spent(1.0, "fewer nodes in fp32"):
        middle = (few + many) // 2
        few, many = (few, middle) if measure(with_worst(middle)) >= bar_db else (middle, many)
    return with_worst(many), measure(with_worst(many))
