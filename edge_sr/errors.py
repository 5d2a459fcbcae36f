"""Everything edge-sr raises on purpose.

EdgeSRError                one line, addressed to the user; the CLI prints it and exits 1
├── ModelFileError         a model file or its sidecar is missing, damaged or mismatched
├── FrameError             a frame or image has the wrong shape, dtype or size
├── MediaError             a video, image or camera cannot be read or written
├── BackendError           ONNX Runtime or TensorRT refused to load or run the model
├── UsageError             options that do not go together; the CLI exits 2
└── MissingDependencyError an optional package is not installed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EdgeSRError(Exception):
    """Base class: catch this to handle any failure that is not a bug."""


class ModelFileError(EdgeSRError):
    """A model file or its sidecar is missing, damaged or mismatched."""


class FrameError(EdgeSRError):
    """A frame or image has the wrong shape, dtype or size."""


class MediaError(EdgeSRError):
    """A video, image or camera cannot be read or written."""


class BackendError(EdgeSRError):
    """ONNX Runtime or TensorRT refused to load or run the model."""


class UsageError(EdgeSRError):
    """Options that do not go together."""


class MissingDependencyError(EdgeSRError):
    """An optional package is not installed."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: "; did you mean NAME?", or "".

    >>> did_you_mean("--ouput", ["--output", "--input"])
    '; did you mean --output?'
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.65)
    return f"; did you mean {near[0]}?" if near else ""
