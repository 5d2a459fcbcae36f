"""Reading TOML on every Python we support."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from edge_sr.errors import MissingDependencyError, ModelFileError


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ModelFileError: it cannot be read, or is not TOML.
        MissingDependencyError: Python 3.10 without tomli.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError as error:
            raise MissingDependencyError(
                "tomli is not installed: pip install 'edge-sr[bench]'"
            ) from error
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path}: is not TOML ({error})") from error
