"""What may lie beside the repository: the standard sets of pictures and networks of other people.

``../shared``, or the folder that EDGE_SR_SHARED names. Tests that need them are skipped without.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("EDGE_SR_SHARED") or Path(__file__).parents[2] / "shared")
EVAL = SHARED / "data" / "eval"  # Set5, Set14, BSD100
PEERS = SHARED / "peers"  # ONNX files
needs_eval = pytest.mark.skipif(not EVAL.is_dir(), reason=f"the standard sets are not in {EVAL}")
needs_peers = pytest.mark.skipif(not PEERS.is_dir(), reason=f"the rivals are not in {PEERS}")
