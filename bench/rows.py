"""The rows of a bench: one JSON object a line, one line for each model, backend, size and device.

A row holds what was measured so far: ``latency``, ``quality`` (by picture set) and ``video`` (by
clip) are filled in one after the other. The file is replaced as a whole whenever a part is done.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edge_sr.errors import MediaError
from edge_sr.reading import parse_json
from edge_sr.writing import write_whole

SCHEMA = 1
Row = dict[str, Any]
KEY = ("name", "sha256", "backend", "width", "height", "threads", "device_name")


def key_of(row: Row) -> tuple[Any, ...]:
    """What makes two rows the same measurement."""
    return tuple(row[name] for name in KEY)


def read_rows(path: Path) -> list[Row]:
    """Read a rows file; a later line replaces an earlier one of the same key.

    Raises:
        MediaError: it cannot be read, or a line is not a row of this schema.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"{path}: cannot be read ({error})") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = parse_json(line)
        except ValueError as error:
            raise MediaError(
                f"{where}: is not JSON; expected rows of python -m bench run"
            ) from error
        if not isinstance(row, dict) or row.get("schema") != SCHEMA or not set(KEY) <= set(row):
            raise MediaError(f"{where}: is not a row of schema {SCHEMA} of python -m bench run")
        rows.append(row)
    return merge(rows)


def merge(rows: Iterable[Row]) -> list[Row]:
    """One row a key, the last one winning; parts that it lacks are taken from earlier ones."""
    merged: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        before = merged.get(key_of(row), {})
        whole = {**before, **{key: value for key, value in row.items() if value is not None}}
        for part in ("quality", "video"):
            whole[part] = {**before.get(part, {}), **(row.get(part) or {})}
        merged[key_of(row)] = {**dict.fromkeys(row), **whole}
    return list(merged.values())


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Replace the file, whole or not at all.

    Raises:
        MediaError: it cannot be written.
    """
    lines = [json.dumps(_finite(row), separators=(", ", ": ")) for row in rows]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror})") from error
    write_whole(path, "".join(f"{line}\n" for line in lines), error=MediaError)


def add_losses(rows: list[Row]) -> None:
    """Fill ``loss_db`` of rows of less precision: PSNR-Y of the fp32 model less theirs, by set.

    The fp32 model is the one whose name is theirs without ".int8" or ".fp16".
    """
    whole: dict[tuple[str, str], float] = {}
    for row in rows:
        for name, score in row["quality"].items():
            if row["precision"] == "fp32" and "psnr_y_db" in score:
                whole[row["name"], name + score["sha256"]] = score["psnr_y_db"]
    for row in rows:
        if row["precision"] == "fp32":
            continue
        base = base_name(row["name"])
        for name, score in row["quality"].items():
            reference = whole.get((base, name + score.get("sha256", "")))
            if reference is not None and "psnr_y_db" in score:
                score["loss_db"] = round(reference - score["psnr_y_db"], 4)


def base_name(name: str) -> str:
    """ "edge-unet-s-x2.int8" -> "edge-unet-s-x2"."""
    return name.removesuffix(".int8").removesuffix(".fp16")


def _finite(value: Any) -> Any:
    """JSON has no infinity: null instead."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
