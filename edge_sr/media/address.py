"""Addresses of sources: which kind they are, and how they are told without their secrets."""

from __future__ import annotations

import os
import re

from edge_sr.errors import UsageError

NETWORK = ("rtsp://", "rtsps://", "http://", "https://")
ENVIRONMENT = "env:"
# greedy on purpose: a password may hold @, /, quotes and blanks; hiding too much is the safe side
CREDENTIALS = re.compile(r"(?<=://).*@", re.DOTALL)
QUERY = re.compile(r"(?<=\w)\?[^\s'\"]*=[^\s'\"]*")


def is_network(address: str) -> bool:
    """Whether an address is read over the network."""
    return address.lower().startswith(NETWORK)


def hide_credentials(text: str) -> str:
    """A text without what stands before the @ of its addresses, and without their queries.

    >>> hide_credentials("rtsp://me:secret@cam/1?key=abc refused")
    'rtsp://***@cam/1?*** refused'
    """
    return QUERY.sub("?***", CREDENTIALS.sub("***@", text))


def resolve_address(text: str) -> str:
    """The address itself, or the one in an environment variable: ``env:NAME``.

    A variable keeps a password out of the process list and of service files.

    Raises:
        UsageError: there is no such variable.
    """
    if not text.startswith(ENVIRONMENT):
        return text
    name = text.removeprefix(ENVIRONMENT)
    found = os.environ.get(name)
    if not found:
        raise UsageError(f"{text}: the environment variable {name} is not set; export it first")
    return found
