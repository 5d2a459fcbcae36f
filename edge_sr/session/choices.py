"""The models that a run may change to: those of its scale, and bicubic."""

from __future__ import annotations

from fractions import Fraction

from edge_sr import zoo
from edge_sr.upscaler import Upscaler

BICUBIC = "bicubic"
LIVE = "-live-"  # in the names of models for spoilt inputs


def full_name(upscaler: Upscaler) -> str:
    """The name that opens this file again: int8 files of the zoo end in it."""
    facts = upscaler.sidecar
    name = f"{facts.name}.{facts.precision}" if facts.precision != "fp32" else facts.name
    return name if name in choices(facts.ratio) else facts.name


def choices(ratio: Fraction) -> list[str]:
    """Shipped models of one scale, fp32 and int8, and bicubic."""
    known = [*zoo.names(), *zoo.names("int8")]
    same = [name for name in known if name.partition("-x")[2].removesuffix(".int8") == _text(ratio)]
    return [*sorted(same), BICUBIC]


def ladder(upscaler: Upscaler) -> list[str]:
    """From a model down: the smaller shipped ones of its scale and precision, then bicubic.

    A model for clean inputs makes way for none that is for spoilt ones, nor the other way round.
    """
    facts = upscaler.sidecar
    smaller = []
    for name in choices(facts.ratio)[:-1]:
        other = zoo.find(name)[1]
        alike = other.precision == facts.precision and (LIVE in name) == (LIVE in facts.name)
        if alike and other.parameters < facts.parameters:
            smaller.append((other.parameters, name))
    return [full_name(upscaler), *(name for _, name in sorted(smaller, reverse=True)), BICUBIC]


def _text(ratio: Fraction) -> str:
    return f"{float(ratio):g}"
