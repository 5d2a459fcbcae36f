"""Where int8 rounds, as Keras layers: the plan names the exported file's tensors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from edge_sr.errors import EdgeSRError
from training.quantization.fake_quant import FakeQuantise


class QatError(EdgeSRError):
    """The stage cannot begin or has come to nothing; the text says what to do."""


@dataclass(frozen=True)
class Places:
    """A plan, by Keras layers.

    The export names them after their layer: ``stem_relu`` is what ``stem`` makes.
    """

    layers: frozenset[str]
    tensors: dict[str, str]  # tensor -> the layer that makes it
    clips: dict[str, float]  # layer -> magnitude that becomes level 127
    float_adds: frozenset[str]

    @staticmethod
    def of(plan: dict[str, Any], model: keras.Model) -> Places:
        """Raises QatError: the plan is of another network."""
        names = [layer.name for layer in model.layers]
        tensors = {}
        for tensor in plan["clips"]:
            owners = [n for n in names if tensor == n or tensor.rpartition("_")[0] == n]
            if owners:
                tensors[tensor] = owners[0]
        layers = frozenset(plan["layers"])
        if not layers or not layers <= set(names):
            raise QatError(
                f"the plan speaks of {', '.join(sorted(layers - set(names))) or 'no layer'}; "
                f"expected layers of {model.name}: run calibration.sensitivity on its own export"
            )
        clips = {owner: float(plan["clips"][tensor]) for tensor, owner in tensors.items()}
        if "centre" in clips:
            clips["centre"] /= 255  # the export centres grey levels, the network units
        adds = {name.removesuffix("_add") for name in plan["float_residuals"]}
        return Places(layers, tensors, clips, frozenset(adds))

    def trained(self, model: keras.Model) -> dict[str, float]:
        """tensor -> clip, as the rounders of ``model`` have it now; the others as they were."""
        now = dict(self.clips)
        for layer in model.layers:
            if isinstance(layer, FakeQuantise):
                now[layer.name.removesuffix("_int8")] = layer.clip
        units = {"centre": 255.0}
        return {t: now[owner] * units.get(owner, 1.0) for t, owner in self.tensors.items()}


def load_plan(path: Path) -> dict[str, Any]:
    """The ``plan`` of what `calibration.sensitivity` wrote.

    Raises:
        QatError: it cannot be read, or holds none.
    """
    try:
        plan = json.loads(path.read_text())["plan"]
        known = {key: plan[key] for key in ("layers", "clips", "float_residuals")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise QatError(
            f"{path}: holds no plan ({error}); make one: python -m calibration.sensitivity"
        ) from error
    return known
