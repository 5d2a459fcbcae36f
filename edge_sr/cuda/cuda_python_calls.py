"""Calls of the CUDA driver through cuda-python: a status that is not success is an error."""

from __future__ import annotations

from typing import Any

from cuda.bindings import driver

from edge_sr.cuda.errors import CudaError

SUCCESS = driver.CUresult.CUDA_SUCCESS


def check(result: tuple[Any, ...], doing: str) -> Any:
    """What a driver call gave besides its status.

    Raises:
        CudaError: its status is not success.
    """
    status = result[0]
    if status != SUCCESS:
        raise CudaError(
            doing,
            _text(driver.cuGetErrorString(status)),
            status=int(status),
            name=_text(driver.cuGetErrorName(status)),
        )
    return result[1] if len(result) > 1 else None


def _text(result: tuple[Any, bytes | None]) -> str:
    return (result[1] or b"unknown error").decode()
