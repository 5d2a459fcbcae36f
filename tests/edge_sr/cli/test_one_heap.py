"""A run that may go on for days keeps one heap, so that memory does not grow by holes in many."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from edge_sr.cli import run
from edge_sr.pipeline.job import JobSpec

HEAPS = """
import ctypes, sys, tempfile, threading
from edge_sr.cli import run
if "one" in sys.argv:
    run._use_one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
all_there = threading.Barrier(5)
def work():
    libc.malloc(1000)  # ctypes leaves the GIL: each thread has its own heap, where it may
    all_there.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
all_there.wait()
with tempfile.NamedTemporaryFile() as file:
    out = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, out)
    libc.fclose(out)
    print(open(file.name).read().count("<heap nr"))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's heaps")
def test_threads_share_the_heap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)

    def heaps(*words: str) -> int:
        command = [sys.executable, "-c", HEAPS, *words]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert heaps("one") == 1
    assert heaps() > 1


@pytest.mark.parametrize(
    ("spec", "endless"),
    [
        (JobSpec(input="film.mp4", output="out.mp4"), False),
        (JobSpec(input="photos/"), False),
        (JobSpec(input="film.mp4", serve=("127.0.0.1", 0)), True),
        (JobSpec(input="film.mp4", publish=("udp://127.0.0.1:1",)), True),
        (JobSpec(input="rtsp://camera/1", output="out.mp4"), True),
        (JobSpec(input="test://64x48", output="out.mp4"), True),
        (JobSpec(camera="0"), True),
    ],
)
def test_what_may_be_endless(spec: JobSpec, endless: bool) -> None:
    assert run._may_be_endless(spec) is endless
