"""The facts about a model file, kept beside it as JSON: ``x.onnx`` -> ``x.onnx.json``."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from edge_sr.errors import ModelFileError
from edge_sr.files import parse_json, parse_ratio, write_whole

SCHEMA = 2
WIDE_SCHEMA = 3  # of models that take more than 8 bits: earlier versions of edge-sr refuse them
READ = (1, 2, 3)  # versions of sidecars that are read: edge-sr 0.1 wrote the first, 0.2 the second
SAMPLES = ("uint8", "uint8x2")  # one byte a sample, or two: low byte first, (H, W, 2) for one plane
SINCE_2 = ("inputs", "outputs", "samples", "scalars", "data_sha256")
SINCE_3 = ("bits",)
COLORS = {"luma": 1, "rgb": 3}  # channels of a frame
LARGEST_SCALE = 16
PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True, kw_only=True)
class Scalar:
    """A number that a model takes besides the frame, such as a strength."""

    low: float
    high: float
    default: float

    def __post_init__(self) -> None:
        if not self.low <= self.default <= self.high:
            raise ModelFileError(
                f"scalar: default {self.default} is not in {self.low}..{self.high}"
            )


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """What the runtime must know before it opens a model, and where the model came from."""

    name: str
    architecture: str  # "edge_unet", "vdsr", ... or "unknown"
    scale: str  # output side / input side as a fraction: "2", "3/2"
    color: str  # "luma" or "rgb": what the channels of a frame are
    width: int | None  # input columns in pixels if the file takes one size only, else None
    height: int | None  # input rows, likewise
    output_width: int | None  # output columns of a one-size file; else columns * scale
    output_height: int | None  # output rows, likewise
    precision: str  # "fp32", "fp16" or "int8"
    parameters: int  # trained numbers in the deployed network, biases included
    macs_720p: int  # multiply-accumulates for a 1280x720 frame (or the one size taken)
    sha256: str  # of the model file, hex
    made_from: str  # file name of what it was made from
    made_from_sha256: str  # hex
    calibration_sha256: str | None = None  # digest of the calibration frames, for int8
    quality: dict[str, float] = field(default_factory=dict)  # measured figures, named with units
    training: dict[str, Any] = field(default_factory=dict)  # recipe, digest, steps, data
    tools: dict[str, str] = field(default_factory=dict)  # versions of what made it
    engine: dict[str, Any] = field(default_factory=dict)  # of a TensorRT engine: where it runs
    inputs: tuple[str, ...] = ("frame",)  # names of the frame inputs, in order
    outputs: tuple[str, ...] = ("upscaled",)  # names of the frame outputs
    samples: str = "uint8"  # of SAMPLES: how a sample of a frame is stored
    bits: int = 8  # of a sample: 8 of uint8, 9 to 16 of uint8x2; white is 2**bits - 1
    scalars: dict[str, Scalar] = field(default_factory=dict)  # further inputs, float32, by name
    data_sha256: str | None = None  # digest of the training data; None where it is not known
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        checks = {
            "schema": (self.schema in READ, f"{_listed(READ)}; update edge-sr"),
            "inputs": (len(self.inputs) == 1 and bool(self.inputs[0]), "one name"),
            "outputs": (len(self.outputs) == 1 and bool(self.outputs[0]), "one name"),
            "samples": (self.samples in SAMPLES, " or ".join(SAMPLES)),
            "bits": (self._are_bits(), "8 of uint8, 9 to 16 of uint8x2"),
            "color": (self.color in COLORS, "luma or rgb"),
            "precision": (self.precision in PRECISIONS, ", ".join(PRECISIONS)),
            "width": (_is_size(self.width), "4..16384 or null"),
            "height": (_is_size(self.height), "4..16384 or null"),
            "output_width": (_is_size(self.output_width), "4..16384 or null"),
            "output_height": (_is_size(self.output_height), "4..16384 or null"),
            "scale": (_is_scale(self.scale), 'a fraction of 1 to 16, as "3/2"'),
        }
        for key, (good, expected) in checks.items():
            if not good:
                raise ModelFileError(f"{key} is {getattr(self, key)!r}; expected {expected}")

    def _are_bits(self) -> bool:
        return self.bits in (range(8, 9) if self.samples == SAMPLES[0] else range(9, 17))

    @property
    def ratio(self) -> Fraction:
        """Output side / input side."""
        return parse_ratio(self.scale)

    @property
    def channels(self) -> int:
        """1 for luma, 3 for RGB."""
        return COLORS[self.color]

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel, which are the last axis of a frame: channels, twice with uint8x2."""
        return self.channels * (1 if self.bits == 8 else 2)

    def widened(self, bits: int) -> Sidecar:
        """The facts of its variant for samples of 9 to 16 bits; see `edge_sr.model.wide`."""
        return replace(self, samples=SAMPLES[1], bits=bits, schema=WIDE_SCHEMA)

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """(columns, rows) of the upscaled frame; fractions of a pixel are cut off."""
        whole = (width, height) == (self.width, self.height) or self.window is None
        if self.output_width and self.output_height and whole:
            return self.output_width, self.output_height
        return int(width * self.ratio), int(height * self.ratio)

    @property
    def window(self) -> tuple[int, int] | None:
        """(columns, rows) of the tiles in which a file of one size takes other frames.

        None for a file of any size, and for one that resizes its result.
        """
        if self.width is None or self.height is None:
            return None
        plain = int(self.width * self.ratio), int(self.height * self.ratio)
        given = self.output_width or plain[0], self.output_height or plain[1]
        return (self.width, self.height) if given == plain else None


def _listed(versions: tuple[int, ...]) -> str:
    return " or ".join(map(str, versions))


def _is_size(value: object) -> bool:
    return value is None or (type(value) is int and 4 <= value <= 16384)


def _is_scale(value: object) -> bool:
    try:
        return isinstance(value, str) and 1 <= parse_ratio(value) <= LARGEST_SCALE
    except ValueError:
        return False


def sidecar_path(model: Path) -> Path:
    """Where the facts about ``model`` are."""
    return model.with_name(model.name + ".json")


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def to_dict(sidecar: Sidecar) -> dict[str, Any]:
    """What its JSON file holds: the fields of its schema."""
    facts = asdict(sidecar)
    facts["inputs"], facts["outputs"] = list(sidecar.inputs), list(sidecar.outputs)
    later = {1: (*SINCE_2, *SINCE_3), 2: SINCE_3}.get(sidecar.schema, ())
    return {name: value for name, value in facts.items() if name not in later}


def write_sidecar(model: Path, sidecar: Sidecar) -> None:
    """Write the facts beside the model, whole or not at all."""
    text = json.dumps(to_dict(sidecar), indent=2) + "\n"
    write_whole(sidecar_path(model), text, error=ModelFileError)


def load_sidecar(model: Path) -> Sidecar:
    """Read the sidecar of ``model`` and check that the two belong together.

    Raises:
        ModelFileError: a file is missing or unreadable, a field is unknown, absent or out of
            range, or the file's hash is not the one the sidecar names.
    """
    path = sidecar_path(model)
    for needed in (model, path):
        if not needed.is_file():
            raise ModelFileError(f"{needed}: no such file; a model and its .json travel together")
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
        actual = sha256_of(model)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: cannot be read ({error})") from error
    sidecar = _parse(path, found)
    if actual != sidecar.sha256:
        raise ModelFileError(
            f"{model}: sha256 is {actual[:12]}, its sidecar says {sidecar.sha256[:12]}; "
            "convert the model again, or copy it again together with its .json"
        )
    return sidecar


def _parse(path: Path, found: object) -> Sidecar:
    if not isinstance(found, dict):
        raise ModelFileError(f"{path}: holds a {type(found).__name__}; expected a JSON object")
    if found.get("schema", 1) not in READ:  # first: a later one has fields that are unknown here
        expected = f"expected {_listed(READ)}; update edge-sr"
        raise ModelFileError(f"{path}: schema is {found['schema']!r}; {expected}")
    known = {item.name for item in fields(Sidecar)}
    optional = {"engine", *SINCE_2, *SINCE_3}  # sidecars from before engines have none
    wrong = sorted((set(found) - known) | (known - set(found) - optional))
    if wrong:
        names = ", ".join(repr(name)[1:-1] for name in wrong)
        raise ModelFileError(f"{path}: missing or unknown fields: {names}")
    try:
        return msgspec.convert(found, Sidecar)
    except msgspec.ValidationError as error:
        raise ModelFileError(f"{path}: {_reason(error, found)}") from error
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error


def _reason(error: Exception, found: dict[str, Any]) -> str:
    """msgspec's "Expected `str`, got `null` - at `$.scale`" with the value that was found."""
    said = re.fullmatch(r"Expected `([^`]*)`.* - at `\$\.(\w+)(.*)`", str(error))
    if not said:
        return str(error)
    expected, name, inside = said.groups()
    return f"{name}{inside} is {found[name]!r}; expected {expected.replace(' | null', ' or null')}"


def data_digest(training: dict[str, Any]) -> str | None:
    """The digest of what a network was trained on, by its training record.

    One data set's own; of several, as of a mean of networks, the sha256 of their sorted lines.
    """
    found = sorted(set(_data_digests(training)))
    if len(found) < 2:
        return found[0] if found else None
    return hashlib.sha256("".join(f"{item}\n" for item in found).encode()).hexdigest()


def _data_digests(training: dict[str, Any]) -> Iterator[str]:
    for key in ("data_sha256", "pool_sha256", "drawn_sha256"):
        if key in training:
            yield str(training[key])
    for part in training.get("mean_of", ()):
        yield from _data_digests(part)
