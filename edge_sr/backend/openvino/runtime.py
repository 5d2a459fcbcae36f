"""OpenVINO's package, imported without its telemetry."""

from __future__ import annotations

import sys
from typing import Any

from edge_sr.errors import MissingDependencyError
from edge_sr.extras import install_command

TELEMETRY = "openvino_telemetry"


def load() -> Any:
    """The module ``openvino``.

    Importing it sends an event to Intel's statistics, where its dependency ``openvino-telemetry``
    is installed and not switched off. It has a stub for machines without that package; so the
    package is hidden while OpenVINO is imported. A program that has imported it before has decided
    for itself.

    Raises:
        MissingDependencyError: openvino is not installed.
    """
    hidden = "openvino" not in sys.modules and TELEMETRY not in sys.modules
    if hidden:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # Python: cannot be imported
    try:
        import openvino
    except ImportError as error:
        raise MissingDependencyError(
            f"OpenVINO is not installed: {install_command('openvino')}"
        ) from error
    finally:
        if hidden:
            del sys.modules[TELEMETRY]
    return openvino
