"""Run in the image that jetson-containers has built: the CPU path, and TensorRT if it loads."""

from __future__ import annotations

import subprocess
import sys

RUN = ("run", "test://320x180@30", "--output", "null", "--max-frames", "10")

for backend in ("onnxruntime", "tensorrt"):
    print(f"edge-sr on {backend} ...", flush=True)
    words = [sys.executable, "-m", "edge_sr", *RUN, "--backend", backend]
    subprocess.run(words, check=True)
subprocess.run([sys.executable, "-m", "edge_sr", "doctor", "--json"], check=True)
print("edge-sr OK")
