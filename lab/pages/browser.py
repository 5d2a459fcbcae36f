"""A run with its page, and a headless Chromium that looks at it."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from edge_sr.children import child_environment, module_command
from edge_sr.errors import EdgeSRError, MissingDependencyError

LIMIT_S = 120.0  # to wait for a picture, and for a run to end


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Playwright's browser.

    Raises:
        MissingDependencyError: there is no Chromium, or no Playwright.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise MissingDependencyError("Playwright is missing: pip install 'edge-sr[dev]'") from error
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise MissingDependencyError("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def serving(words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """``edge-sr run`` with a page on any free port; standard input and error are pipes."""
    with subprocess.Popen(
        module_command("edge_sr.cli.main", ["run", *words, "--serve", "127.0.0.1:0"]),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
    ) as job:
        try:
            yield job
        finally:
            job.terminate()
            job.communicate(timeout=LIMIT_S)


def page_address(job: subprocess.Popen[bytes]) -> str:
    """Of the page of a run, once it is there.

    Raises:
        EdgeSRError: the run has ended before.
    """
    lines = (re.search(rb"page: (\S+)", line) for line in job.stderr or ())
    found = next(filter(None, lines), None)
    if found is None:
        raise EdgeSRError("the run has ended before its page began")
    return found[1].decode()


def wait(page: Any, expression: str, meanwhile: Callable[[], None] | None = None) -> None:
    """Until it is true; the page's own policy forbids Playwright's way of waiting.

    Args:
        page: Playwright's.
        expression: JavaScript.
        meanwhile: called after each look; None: a pause of 20 ms.

    Raises:
        EdgeSRError: it is not true for `LIMIT_S` seconds.
    """
    deadline = time.monotonic() + LIMIT_S
    while not page.evaluate(expression):
        if time.monotonic() > deadline:
            seen = page.evaluate("JSON.stringify({head: shown.head, stats})")
            raise EdgeSRError(f"the page, after {LIMIT_S:g} s: not {expression}, but {seen}")
        if meanwhile is None:
            time.sleep(0.02)
        else:
            meanwhile()
