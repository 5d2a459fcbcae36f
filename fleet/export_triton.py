"""``edge-sr export-triton``: a model repository that Triton and KServe serve."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from edge_sr import zoo
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.cli.options import at_least_one
from edge_sr.errors import MediaError, MissingDependencyError, ModelFileError, UsageError
from edge_sr.extras import install_command
from edge_sr.files import whole_folder
from edge_sr.model.engine_facts import facts_of
from edge_sr.model.onnx_file import refuse_external_data
from edge_sr.model.sidecar import PRECISIONS, Sidecar
from edge_sr.pipeline.target import parse_scale

EXAMPLES = """\
examples:
  python -m fleet.export_triton edge-unet-s-x2 --output repository/
  python -m fleet.export_triton edge-unet-s edge-unet-m --precision int8 --output repository/
  python -m fleet.export_triton edge-unet-s-x2.engine --instances 2 --output repository/
"""
# ending of a model file -> Triton's backend, its platform, and the file name that it looks for
FORMATS = {
    ".onnx": ("onnxruntime", "onnxruntime_onnx", "model.onnx"),
    ".engine": ("tensorrt", "tensorrt_plan", "model.plan"),
}
IDLE_US = 60_000_000  # a camera that sends nothing for so long is forgotten; Triton's own is 1 s


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m fleet.export_triton",
        "Write a model repository for Triton Inference Server: uint8 frames in, uint8 frames out.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="shipped models or families, .onnx or .engine"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write"
    )
    parser.add_argument("--precision", choices=PRECISIONS, help="of shipped models (default: fp32)")
    parser.add_argument("--scale", type=parse_scale, help="of a family (default: 2)")
    parser.add_argument(
        "--instances",
        type=at_least_one,
        default=1,
        metavar="N",
        help="of each model, on each GPU or on the CPU (default: 1)",
    )
    parser.add_argument(
        "--cameras",
        type=at_least_one,
        default=64,
        metavar="N",
        help="sequences that are served at a time (default: 64)",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing folder")
    return parser


@exit_codes("export-triton")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the repository was written."""
    args = build_parser().parse_args(argv)
    names = write_repository(
        args.output,
        args.models,
        precision=args.precision,
        scale=args.scale,
        instances=args.instances,
        cameras=args.cameras,
        force=args.force,
    )
    print(f"{args.output}: {', '.join(names)}")
    print(f"serve it with: tritonserver --model-repository={args.output}")
    return 0


def write_repository(
    folder: Path,
    models: Sequence[str],
    *,
    precision: str | None = None,
    scale: Fraction | None = None,
    instances: int = 1,
    cameras: int = 64,
    force: bool = False,
) -> list[str]:
    """Write ``NAME/config.pbtxt`` and ``NAME/1/model.onnx`` (or ``.plan``) for each model.

    Returns:
        The names under which Triton serves them.

    Raises:
        ModelFileError: no such model, or one that Triton cannot serve.
        MediaError: the folder exists without `force`, or cannot be written.
        MissingDependencyError: tritonclient is not installed.
    """
    if folder.exists() and not force:
        raise MediaError(f"{folder}: exists; use --force to replace it")
    if folder.exists() and not _is_repository(folder):
        raise MediaError(f"{folder}: is no model repository; give another folder")
    found: dict[str, tuple[Path, str]] = {}
    for model in models:
        path, sidecar = zoo.find(model, scale or Fraction(2), precision=precision or "fp32")
        name = sidecar.name
        if name in found:
            raise UsageError(f"{name}: named twice; give each model once")
        text = config_text(name, path, sidecar, instances=instances, cameras=cameras)
        found[name] = (path, text)
    with whole_folder(folder, error=MediaError) as part:
        for name, (path, text) in found.items():
            (part / name / "1").mkdir(parents=True)
            (part / name / "config.pbtxt").write_text(text)
            shutil.copyfile(path, part / name / "1" / FORMATS[path.suffix][2])
    return list(found)


def config_text(name: str, path: Path, sidecar: Sidecar, *, instances: int, cameras: int) -> str:
    """The text of ``config.pbtxt``, made by tritonclient's own message: it has no other fields.

    Frames are not batched: each sequence is one camera, and its frames stay in order.

    Raises:
        ModelFileError: Triton cannot serve this file.
        MissingDependencyError: tritonclient is not installed.
    """
    _check(path, sidecar)
    try:
        from google.protobuf import text_format
        from tritonclient.grpc import model_config_pb2
    except ImportError as error:
        raise MissingDependencyError(
            f"tritonclient is not installed: {install_command('triton')}"
        ) from error
    backend, platform, _ = FORMATS[path.suffix]
    config = model_config_pb2.ModelConfig(
        name=name, backend=backend, platform=platform, max_batch_size=0
    )
    kind = "TYPE_UINT8"
    width, height = _sides(path, sidecar)
    bytes_each = 2 if sidecar.samples == "uint8x2" else 1
    channels = sidecar.channels * bytes_each
    output = sidecar.output_size(width, height) if width and height else (None, None)
    config.input.add(name=sidecar.inputs[0], data_type=kind, dims=_dims(width, height, channels))
    config.output.add(
        name=sidecar.outputs[0], data_type=kind, dims=_dims(output[0], output[1], channels)
    )
    config.sequence_batching.max_sequence_idle_microseconds = IDLE_US
    config.sequence_batching.oldest.max_candidate_sequences = cameras
    gpu_only = path.suffix == ".engine"
    config.instance_group.add(count=instances, kind="KIND_GPU" if gpu_only else "KIND_AUTO")
    for key, value in _facts(sidecar).items():
        config.parameters[key].string_value = value
    head = f"# {name}: written by edge-sr export-triton\n"
    return head + str(text_format.MessageToString(config))


def _check(path: Path, sidecar: Sidecar) -> None:
    if sidecar.scalars:
        asked = ", ".join(sidecar.scalars)
        raise ModelFileError(f"{path}: takes {asked} besides the frame, which is not exported")
    if path.suffix == ".onnx":
        refuse_external_data(path)
        return
    facts = facts_of(sidecar)
    if facts.flavour != "tensorrt":
        raise ModelFileError(
            f"{path}: is an engine of TensorRT-RTX, which Triton does not open; build one with "
            "TensorRT, or export the .onnx file"
        )
    if facts.batch > 1:
        raise ModelFileError(f"{path}: is for tiles of frames; export the engine of whole frames")


def _sides(path: Path, sidecar: Sidecar) -> tuple[int | None, int | None]:
    if path.suffix == ".engine" and facts_of(sidecar).sizes:
        return None, None
    return sidecar.width, sidecar.height


def _dims(width: int | None, height: int | None, channels: int) -> list[int]:
    """N, rows, columns, channels; -1 for a side of any length."""
    return [1, height or -1, width or -1, channels]


def _facts(sidecar: Sidecar) -> dict[str, str]:
    """What a client or an operator may want to know: parameters that Triton passes on."""
    facts = {
        "edge_sr_scale": sidecar.scale,
        "edge_sr_color": sidecar.color,
        "edge_sr_precision": sidecar.precision,
        "edge_sr_sha256": sidecar.sha256,
    }
    if sidecar.engine:
        facts["edge_sr_built"] = facts_of(sidecar).built
    return facts


def _is_repository(folder: Path) -> bool:
    """Whether a folder holds nothing but models of a repository."""
    return folder.is_dir() and all((path / "config.pbtxt").is_file() for path in folder.iterdir())


if __name__ == "__main__":
    sys.exit(main())
