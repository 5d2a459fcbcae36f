"""The ``edge-sr`` command."""
