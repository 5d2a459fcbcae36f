"""Send a clip to a Triton server: python examples/triton_clip.py film.mp4 film-x2.mp4"""

from __future__ import annotations

import argparse
import contextlib
import secrets

import numpy as np
import tritonclient.http as triton

from edge_sr import EdgeSRError, Frame, open_source
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.session.model_session import assemble, network_input


class Model:
    """A model of the server, for the frames of one film: a sequence, which stays in order."""

    def __init__(self, client: triton.InferenceServerClient, name: str, sequence: int) -> None:
        config = client.get_model_config(name)
        self.color = config["parameters"]["edge_sr_color"]["string_value"]
        self._input, self._output = config["input"][0]["name"], config["output"][0]["name"]
        self._client, self._name, self._sequence, self._sent = client, name, sequence, 0

    def upscale(self, frame: Frame) -> Frame:
        """Send one frame and wait for the answer."""
        image = np.ascontiguousarray(network_input(frame, self.color)[None])
        tensor = triton.InferInput(self._input, image.shape, "UINT8")
        tensor.set_data_from_numpy(image)
        self._sent += 1
        answer = self._client.infer(
            self._name, [tensor], sequence_id=self._sequence, sequence_start=self._sent == 1
        )
        return assemble(frame, answer.as_numpy(self._output)[0], self.color)


def main() -> None:
    parser = argparse.ArgumentParser(description="Upscale a film on a Triton server.")
    parser.add_argument("input")
    parser.add_argument("output", help=".mp4, .m4v, .mov or .mkv")
    parser.add_argument("--url", default="127.0.0.1:8000")
    parser.add_argument("--model", default="edge-unet-s-x2")
    args = parser.parse_args()
    try:
        with triton.InferenceServerClient(args.url) as client, open_source(args.input) as source:
            model = Model(client, args.model, sequence=1 + secrets.randbelow(1 << 31))
            writer = VideoWriter(args.output, source=source.info, copy_from=source.beside)
            with contextlib.ExitStack() as undo:
                undo.callback(writer.abort)  # does nothing once it is finished
                for frame in source:
                    writer.write(model.upscale(frame))
                print(writer.finish())
    except (EdgeSRError, triton.InferenceServerException, OSError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
