"""A package that is imported when it is first used: one binding is enough."""

from __future__ import annotations

import importlib
from typing import Any


class Lazy:
    """Stands for a module; its names are looked up once."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        """The module's own, imported now if it is the first.

        Raises:
            ImportError, AttributeError: as importing it, or looking there, does.
        """
        found = getattr(importlib.import_module(self._name), attribute)
        setattr(self, attribute, found)
        return found
