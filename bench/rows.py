"""Rows files of a bench: one JSON object a line, one line for each model, backend, size and device.

A row holds what was measured so far: ``latency``, ``quality`` (by picture set) and ``video`` (by
clip) are filled in one after the other. The file is replaced as a whole whenever a part is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import asdict, replace

from bench.records import Row
from edge_sr.errors import MediaError
from edge_sr.files import write_whole

COMMAND = "python -m bench run"


def read_rows(path: Path) -> list[Row]:
    """Read a rows file; a later line replaces an earlier one of the same key.

    Raises:
        MediaError: it cannot be read, or a line is not a row; the message has its number.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise MediaError(f"{path}: cannot be read ({error})") from error
    decoder = msgspec.json.Decoder(Row)
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            rows.append(decoder.decode(line))
        except msgspec.ValidationError as error:
            raise MediaError(f"{where}: is not a row of {COMMAND} ({error})") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MediaError(f"{where}: is not JSON; expected rows of {COMMAND}") from error
    return merge(rows)


def read_files(paths: Sequence[Path]) -> list[Row]:
    """The rows of several files merged, with the losses of reduced precisions.

    Raises:
        MediaError: as `read_rows`, or there is no row in them.
    """
    rows = merge(row for path in paths for row in read_rows(path))
    if not rows:
        raise MediaError(f"{paths[0]}: holds no row; measure with {COMMAND}")
    return add_losses(rows)


def merge(rows: Iterable[Row]) -> list[Row]:
    """One row a key, the last one winning; parts that it lacks are taken from earlier ones."""
    merged: dict[tuple[object, ...], Row] = {}
    for row in rows:
        before = merged.get(row.key)
        if before is not None:
            present = {name: value for name, value in asdict(row).items() if value is not None}
            present["quality"] = {**before.quality, **row.quality}
            present["video"] = {**before.video, **row.video}
            if row.latency is not None:
                present["error"] = row.error  # an error of before it could be timed is over
            row = replace(before, **present)
        merged[row.key] = row
    return list(merged.values())


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Replace the file, whole or not at all. Numbers that are not finite are written as null.

    Raises:
        MediaError: it cannot be written.
    """
    text = "".join(f"{msgspec.json.encode(row).decode()}\n" for row in rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror})") from error
    write_whole(path, text, error=MediaError)


def add_losses(rows: Sequence[Row]) -> list[Row]:
    """The rows with ``loss_db`` of reduced precisions: PSNR-Y of the fp32 model less theirs.

    The fp32 model is the one whose name is theirs without ".int8" or ".fp16"; a set counts where
    both were measured on the same pictures.
    """
    whole = {
        (row.name, name, score.sha256): score.psnr_y_db
        for row in rows
        if row.precision == "fp32"
        for name, score in row.quality.items()
    }
    found = []
    for row in rows:
        if row.precision == "fp32" or not row.quality:
            found.append(row)
            continue
        quality = {}
        for name, score in row.quality.items():
            full = whole.get((base_name(row.name), name, score.sha256))
            loss = None if full is None else round(full - score.psnr_y_db, 4)
            quality[name] = replace(score, loss_db=loss)
        found.append(replace(row, quality=quality))
    return found


def base_name(name: str) -> str:
    """ "edge-unet-s-x2.int8" -> "edge-unet-s-x2"."""
    return name.removesuffix(".int8").removesuffix(".fp16")
