"""A network that was not exported by edge-sr, given edge-sr's ends: uint8 frames in and out."""

from __future__ import annotations

from pathlib import Path

from onnx import TensorProto, compose

from calibration.network.load import load_network, opset_of
from calibration.network.write import write_model
from convert.onnx.add_frame_io import add_frame_io
from edge_sr.errors import ModelFileError
from edge_sr.model.sidecar import Sidecar, sidecar_path


def wrap_onnx(source: Path, output: Path, *, value_range: str = "auto") -> Sidecar:
    """Write a float NCHW network as a model file with its sidecar.

    Args:
        value_range: what black..white is to the network: "0..1", "0..255", or "auto" to find out.

    Raises:
        ModelFileError: it is no image-to-image network, or cannot be converted or written.
    """
    network = load_network(source, value_range=value_range)
    if network.model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8:
        raise ModelFileError(
            f"{source}: takes uint8 frames, but {sidecar_path(source).name} is not beside it; "
            "put it there, or give the float network that the file was made from"
        )
    core = compose.add_prefix(network.model, "net/")
    wrapped = add_frame_io(
        core,
        channels=network.io.channels,
        scale=network.io.scale,
        multiple=1,
        size=network.io.size,
        value_range=(network.io.white, 0.0),
        opset=opset_of(core),
    )
    return write_model(
        output,
        wrapped,
        network,
        precision="fp32",
        quality={},
        conversion={"ends": "added", "white": network.io.white},
    )
