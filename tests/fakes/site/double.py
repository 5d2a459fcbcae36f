"""Python's hand on the CUDA driver double that this process runs on."""

from __future__ import annotations

import ctypes
import json
import time
from collections.abc import Callable
from typing import Any

from edge_sr.cuda import driver

LIBRARY = ctypes.CDLL("libcuda.so.1")
WORK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
LIBRARY.double_map.restype = ctypes.c_void_p
LIBRARY.double_map.argtypes = [ctypes.c_uint64, ctypes.c_size_t]
LIBRARY.double_enqueue.argtypes = [ctypes.c_void_p, WORK, ctypes.c_void_p]
LIBRARY.double_fail.argtypes = [ctypes.c_long, ctypes.c_long]
LIBRARY.double_report.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
LIBRARY.double_name.restype = ctypes.c_char_p
LIBRARY.double_name.argtypes = [ctypes.c_long]
LIBRARY.double_violate.argtypes = [ctypes.c_char_p, ctypes.c_char_p]

_jobs: dict[int, tuple[Callable[[], None], bool]] = {}
_next = [1]
failures: list[BaseException] = []  # what queued work raised: shown by `clean`


def reset(**options: int) -> None:
    """A fresh device: options as the double's source lists them."""
    configuration()
    LIBRARY.double_reset(",".join(f"{key}={value}" for key, value in options.items()).encode())
    _jobs.clear()
    failures.clear()


def fail(call: int, status: int) -> None:
    """Let the call-th driver call from now (1 is the next) return ``status``."""
    LIBRARY.double_fail(call, status)


def report() -> dict[str, Any]:
    """What is alive, what was done wrong, how many calls were made."""
    text = ctypes.create_string_buffer(16384)
    LIBRARY.double_report(text, len(text))
    found: dict[str, Any] = json.loads(text.value)
    return found


def configuration() -> dict[str, Any]:
    """`report`, once threads that ended have taken their stack of contexts with them."""
    driver.release_primary_contexts()  # which the process would do at its exit
    for _ in range(200):
        found = report()
        if not found["left"]["pushed"]:
            break
        time.sleep(0.005)
    return found


def names(count: int) -> list[str]:
    """What the first ``count`` driver calls since the reset were."""
    return [LIBRARY.double_name(call).decode() for call in range(1, count + 1)]


def violate(what: str, where: str) -> None:
    """Note something that a real GPU would have punished by luck only."""
    LIBRARY.double_violate(what.encode(), where.encode())


def clean() -> None:
    """Assert that nothing was done wrong and nothing is left."""
    found = configuration()
    assert not failures, failures
    assert found["violations"] == "", found["violations"]
    left = {key: value for key, value in found["left"].items() if value}
    assert left == {}, left


@WORK
def _run(key: int) -> int:
    work, captured = _jobs[key]
    if not captured:
        del _jobs[key]
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - C cannot raise: `clean` shows it
        failures.append(error)
        return 1
    return 0


def enqueue(stream: int, work: Callable[[], None]) -> bool:
    """Queue ``work`` on a stream as the GPU would have it; False if the stream is no stream."""
    key = _next[0]
    _next[0] += 1
    _jobs[key] = (work, True)  # kept until it is known whether a graph replays it
    captured = LIBRARY.double_enqueue(stream, _run, key)
    if captured == 0 and key in _jobs:
        _jobs[key] = (work, False)
    return bool(captured >= 0)
