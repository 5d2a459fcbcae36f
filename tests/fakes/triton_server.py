"""A small server of the v2 inference protocol on loopback, for one model repository.

It reads the ``config.pbtxt`` that we write by Triton's own message, runs ``model.onnx`` in ONNX
Runtime, and refuses tensors that do not fit the configuration, as Triton does. Binary data only.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2

LENGTH = "Inference-Header-Content-Length"


class Model:
    """One model of the repository, with the requests that it has answered."""

    def __init__(self, folder: Path) -> None:
        message = text_format.Parse(
            (folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig()
        )
        self.config: dict[str, Any] = json_format.MessageToDict(
            message, preserving_proto_field_name=True
        )
        self.requests: list[dict[str, Any]] = []
        self._session = onnxruntime.InferenceSession(str(folder / "1" / "model.onnx"))

    def infer(self, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Answer a request; ValueError for one that does not fit."""
        (asked,), (known,) = request["inputs"], self.config["input"]
        dims = [int(side) for side in known["dims"]]
        fits = all(want in (-1, side) for want, side in zip(dims, asked["shape"], strict=True))
        if not fits or asked["name"] != known["name"] or asked["datatype"] != "UINT8":
            raise ValueError(f"unexpected shape or name for input: {asked}, expected {known}")
        self.requests.append(request)
        frame = np.frombuffer(data, np.uint8).reshape(asked["shape"])
        (result,) = self._session.run(None, {asked["name"]: frame})
        output = {
            "name": self.config["output"][0]["name"],
            "datatype": "UINT8",
            "shape": list(result.shape),
            "parameters": {"binary_data_size": result.nbytes},
        }
        return {"model_name": self.config["name"], "outputs": [output]}, result.tobytes()


class _Handler(BaseHTTPRequestHandler):
    models: dict[str, Model]

    def do_GET(self) -> None:
        parts = self.path.split("/")
        if self.path == "/v2/health/ready":
            self._answer(200, b"")
        elif len(parts) == 5 and parts[4] == "config" and parts[3] in self.models:
            self._answer(200, json.dumps(self.models[parts[3]].config).encode())
        else:
            self._answer(400, json.dumps({"error": f"unknown model: {self.path}"}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        size = int(self.headers.get(LENGTH, len(body)))
        try:
            request = json.loads(body[:size])
            head, data = self.models[self.path.split("/")[3]].infer(request, body[size:])
        except (KeyError, ValueError) as error:
            self._answer(400, json.dumps({"error": str(error)}).encode())
            return
        text = json.dumps(head).encode()
        self._answer(200, text + data, **{LENGTH: str(len(text))})

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def serving(repository: Path) -> Iterator[tuple[str, dict[str, Model]]]:
    """Serve a repository; gives (address:port, models by name)."""
    models = {path.name: Model(path) for path in repository.iterdir()}
    handler = type("Handler", (_Handler,), {"models": models})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}", models
        server.shutdown()
        thread.join()
