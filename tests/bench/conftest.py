"""Fixtures of the bench's tests."""

from __future__ import annotations

from tests.fakes.bench_data import folder, picture, rival_file, row

__all__ = ["folder", "picture", "rival_file", "row"]
