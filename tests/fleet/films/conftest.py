"""Fixtures of the library's tests."""

from __future__ import annotations

from tests.fakes.library_films import spec

__all__ = ["spec"]
