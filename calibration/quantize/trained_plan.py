"""What quantisation-aware training found: placement and clips that are used as they are."""

from __future__ import annotations

import json
from pathlib import Path

from calibration.quantize.network import Network
from calibration.quantize.placement import residuals, weighted_layers
from calibration.quantize.qdq import Plan, tensors_of
from edge_sr.errors import ModelFileError
from edge_sr.model.sidecar import load_sidecar, sidecar_path


def load_trained_plan(path: Path, network: Network) -> Plan:
    """Read ``best.plan.json`` of `training.qat` for the network exported from ``best.keras``.

    Raises:
        ModelFileError: it cannot be read, or belongs to other weights.
    """
    try:
        content = json.loads(path.read_text())
        wanted, found = str(content["keras_sha256"]), content["plan"]
        clips = {str(name): float(clip) for name, clip in found["clips"].items()}
        plan = Plan(
            frozenset(map(str, found["layers"])),
            clips,
            frozenset(map(str, found["float_residuals"])),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"{path}: cannot be read as a plan of training.qat ({error!r})"
        ) from error
    made_from = (
        load_sidecar(network.path).made_from_sha256
        if sidecar_path(network.path).is_file()
        else "unknown"
    )
    if made_from != wanted:
        raise ModelFileError(
            f"{path}: is of weights {wanted[:12]}; {network.path} was made from {made_from[:12]}: "
            "export the best.keras that lies beside the plan"
        )
    known = {layer.name for layer in weighted_layers(network.model)}
    missing = plan.layers - known
    if not missing:
        missing = frozenset(tensors_of(network.model, plan)) - set(clips)
    if missing or not all(clip > 0 for clip in clips.values()):
        what = f"knows nothing of {sorted(missing)[0]}" if missing else "has a clip of 0"
        raise ModelFileError(f"{path}: {what}; train again with the plan of this network")
    names = {item.name for item in residuals(network.model, plan.layers)}
    return Plan(plan.layers, clips, plan.float_residuals & names)
