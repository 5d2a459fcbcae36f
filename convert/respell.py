"""A shipped int8 file, which has fp32 around for CPUs -> the same numbers with fp16 around."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx

from calibration.frames import open_frames, sample
from calibration.network import load_network
from edge_sr.errors import ModelFileError
from edge_sr.onnx_file import refuse_external_data
from edge_sr.sidecar import Sidecar, load_sidecar

from .check_placement import broken_rules
from .fp16 import make_half
from .half import to_half
from .int8 import raise_opset
from .lower import PICTURES, SIDE
from .write import write_model


def respell(single: Path, quantised: Path, output: Path) -> Sidecar:
    """Write ``quantised`` with fp16 in the place of fp32, for TensorRT.

    Args:
        single: the float32 file that ``quantised`` was made from.

    Raises:
        ModelFileError: the two do not belong together, or a file cannot be read or written.
    """
    facts = load_sidecar(quantised)
    network = load_network(single)
    if facts.made_from_sha256 != network.sha256:
        raise ModelFileError(
            f"{quantised}: was made from {facts.made_from_sha256[:12]}; {single} is "
            f"{network.sha256[:12]}: only files of one network go together"
        )
    images = sample(open_frames(None), network.ends, count=PICTURES, side=SIDE)
    kept = make_half(network, images).kept
    refuse_external_data(quantised)
    model = onnx.load(quantised, load_external_data=False)
    newer = raise_opset(replace(network, model=model))
    half = to_half(newer, keep=kept)
    if lines := broken_rules(half):
        raise ModelFileError(f"{quantised}: placement is wrong ({lines[0]}); please report")
    conversion = facts.training.get("conversion", {})
    return write_model(
        output,
        half,
        network,
        precision="int8",
        quality={key: facts.quality[key] for key in ("int8_loss_db",) if key in facts.quality},
        conversion=conversion | {"around": "fp16", "respelled_from": quantised.name},
        calibration_sha256=facts.calibration_sha256,
    )
