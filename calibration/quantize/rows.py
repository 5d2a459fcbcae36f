"""What each layer costs in int8: a row each, as text, with the reason of what stays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.quantize.qdq import Plan

LOSS_BOUND = "loss bound"  # why a layer stays out of int8: with it, too much would be lost


@dataclass(frozen=True)
class Row:
    """One layer (or the identity of a residual addition) quantised alone."""

    name: str
    loss_db: float  # PSNR-Y lost on held-out pictures
    sqnr_db: float  # signal to quantisation noise of its output; nan for an identity
    kept: str = ""  # why it stays out of int8; empty: it is int8

    @property
    def is_identity(self) -> bool:
        """Whether it is the identity of a residual addition, not a layer."""
        return bool(np.isnan(self.sqnr_db))


def table(rows: Sequence[Row]) -> str:
    """The sensitivity of each layer as text, the dearest first."""
    lines = [f"{'layer':48} {'loss dB':>8} {'SQNR dB':>8}  "]
    for row in sorted(rows, key=lambda item: -item.loss_db):
        noise = "identity" if row.is_identity else f"{row.sqnr_db:8.1f}"
        lines.append(f"{row.name[-48:]:48} {row.loss_db:8.4f} {noise:>8}  {row.kept}")
    return "\n".join(lines)


def explain(
    rows: Sequence[Row],
    plan: Plan,
    last: set[str],
    anchor: set[str],
    otherwise: str = LOSS_BOUND,
) -> list[Row]:
    """The rows with the reason of what the plan leaves out."""
    explained = []
    for row in rows:
        out = row.name in plan.float_residuals
        inside = not out if row.is_identity else row.name in plan.layers
        if inside:
            reason = ""
        elif row.name in anchor:
            reason = "anchor"
        elif row.name in last:
            reason = "last layer"
        else:
            reason = otherwise
        explained.append(replace(row, kept=reason))
    return explained
