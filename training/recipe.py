"""A recipe: everything a training run depends on, in one small TOML file."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.errors import EdgeSRError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


LOSSES = ("l1", "charbonnier", "rmse")
OPTIMIZERS = ("adam", "muon")
# keys that the first runs did not have
LATER = (
    *("loss", "teacher", "teacher_weight", "degrade", "bfloat16_until", "fresh", "revive"),
    *(
        "optimizer",
        "adam_ratio",
        "shrinks",
        "spread",
        "mixtures",
        "taught",
        "phases",
        "drawn",
        "vivid",
    ),
)


class RecipeError(EdgeSRError):
    """A recipe cannot be used; the text names the file, the key and what is expected."""


@dataclass(frozen=True)
class Recipe:
    """What to train and how. Sizes in low-resolution pixels, rates per step."""

    name: str
    architecture: str = "edge_unet"
    options: dict[str, Any] = field(default_factory=dict)  # keyword arguments of the architecture
    scale: str = "2"
    start_from: str = ""  # a .keras file whose weights are copied first, see start.py
    fresh: str = ""  # layers that get new weights all the same, names with spaces between
    revive: bool = False  # give dead channels of start_from new weights, see revive.py
    steps: int = 60_000
    batch: int = 16
    patch: int = 48
    seed: int = 1
    learning_rate: float = 1e-3
    final_rate: float = 1e-5
    warmup: int = 500
    clip_norm: float = 0.5
    ema: float = 0.999
    l2_from: float = 0.9  # the part of the run after which the loss is L2, for PSNR
    gain_chance: float = 0.25
    shrinks: str = ""  # parts of their size at which photographs come as well, such as "0.7 0.5"
    spread: float = 0.0  # of each of these copies around its part, see data.load_pairs
    phases: bool = False  # photographs from all four corners, see data.load_pairs
    mixtures: float = 0.0  # the part of patches whose grey is a random mixture of colours, not luma
    taught: float = 0.0  # the part of patches from pictures of training.teach
    drawn: float = 0.0  # the part of patches from pictures of training.draw
    vivid: bool = False  # learn a pool's sharpened truth, see training.scenes.vivid
    held_out: int = 16  # pictures kept away from training, for validation
    validate_every: int = 2_000
    loss: str = "l1"  # or "charbonnier", or "rmse" of each patch, until l2_from
    teacher: str = ""  # a .keras file whose results are learnt from beside the truth
    teacher_weight: float = 0.5  # the teacher's part of the loss
    degrade: dict[str, Any] = field(default_factory=dict)  # of the inputs, see degrade.py
    bfloat16_until: float = 0.0  # the part of the run before which convolutions are in bfloat16
    optimizer: str = "adam"  # or "muon" for the branch blocks' kernels, see muon.py
    adam_ratio: float = 0.5  # with muon, the part of learning_rate for all other weights

    def __post_init__(self) -> None:
        for key in ("steps", "batch", "patch", "validate_every", "held_out"):
            self._expect(key, getattr(self, key) >= 1, "at least 1")
        self._expect("patch", self.patch % 4 == 0, "a multiple of 4")
        self._expect("warmup", self.warmup >= 0, "at least 0")
        self._expect("seed", self.seed >= 0, "at least 0")
        for key in ("learning_rate", "clip_norm"):
            self._expect(key, 0 < getattr(self, key) < float("inf"), "more than 0")
        self._expect("final_rate", 0 <= self.final_rate <= self.learning_rate, "0..learning_rate")
        parts = ("ema", "l2_from", "gain_chance", "teacher_weight", "bfloat16_until", "mixtures")
        for key in parts:
            self._expect(key, 0 <= getattr(self, key) <= 1, "0..1")
        for key in ("taught", "drawn"):
            self._expect(key, 0 <= getattr(self, key) < 1, "0 or more, less than 1")
        self._expect("spread", 0 <= self.spread <= 0.2, "0..0.2")
        self._expect("adam_ratio", 0 < self.adam_ratio <= 10, "more than 0, at most 10")
        self._expect("loss", self.loss in LOSSES, " or ".join(LOSSES))
        self._expect("optimizer", self.optimizer in OPTIMIZERS, " or ".join(OPTIMIZERS))
        good = all(0.1 <= factor < 1 for factor in self.shrink_factors())
        self._expect("shrinks", good, 'numbers from 0.1 to 1 with spaces between, as "0.7 0.5"')
        self._expect("scale", self._scale() > 1, 'a ratio above 1 in quotes, such as "2" or "3/2"')

    def _expect(self, key: str, good: bool, expected: str) -> None:
        if not good:
            raise RecipeError(f"{key} is {getattr(self, key)!r}; expected {expected}")

    def shrink_factors(self) -> list[float]:
        """``shrinks`` as numbers; one that is none becomes 0, which is refused."""
        words = self.shrinks.split()
        return [float(word) if re.fullmatch(r"[01]?\.?\d+", word) else 0.0 for word in words]

    def _scale(self) -> Fraction:
        try:
            return Fraction(self.scale)
        except (ValueError, ZeroDivisionError):
            return Fraction(0)

    def digest(self) -> str:
        """sha256 of everything in the recipe, hex: two runs with one digest are one run.

        Keys of LATER count only where they are set, so that older runs keep their digest.
        """
        plain = {item.name: item for item in fields(Recipe) if item.name in LATER}
        facts = {
            key: value
            for key, value in asdict(self).items()
            if key not in plain or value != _default(plain[key])
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _default(item: Field[Any]) -> Any:
    return {} if item.default is MISSING else item.default


def load_recipe(path: Path, *, steps: int | None = None) -> Recipe:
    """Read a recipe; ``steps`` replaces its number of steps.

    Raises:
        RecipeError: the file is missing or not TOML, a key is unknown, or a value is of the
            wrong type or out of range.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}; expected a TOML recipe") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not TOML ({error})") from error
    found = parse_toml(text, str(path))
    replaced = {} if steps is None else {"steps": steps}
    return make_recipe({"name": path.stem} | found | replaced, str(path))


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        RecipeError: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where}: not TOML ({error})") from error


def make_recipe(found: dict[str, Any], where: str) -> Recipe:
    """A recipe of checked keys and values.

    Raises:
        RecipeError: a key is unknown, or a value is of the wrong type or out of range.
    """
    known = {item.name: item for item in fields(Recipe)}
    for key, value in found.items():
        if key not in known:
            raise RecipeError(f"{where}: unknown key {key!r}; known: {', '.join(known)}")
        expected: Any = {"str": str, "int": int, "float": (int, float), "bool": bool}.get(
            str(known[key].type), dict
        )
        if not isinstance(value, expected) or isinstance(value, bool) != (expected is bool):
            kind = "a table" if expected is dict else known[key].type
            raise RecipeError(f"{where}: {key} is {value!r}; expected {kind}")
    try:
        return Recipe(**found)
    except (RecipeError, TypeError) as error:
        raise RecipeError(f"{where}: {error}") from error
