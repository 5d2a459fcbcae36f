"""Arrays in, arrays out: python examples/numpy_arrays.py"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from edge_sr import Color, Frame, Upscaler


def main() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)

    with Upscaler.open("edge-unet-s-x2") as upscaler:
        # a still picture: uint8 (H, W), (H, W, 2), (H, W, 3) RGB or (H, W, 4) RGBA
        print("RGB", rgb.shape, "->", upscaler.upscale(rgb).shape)

        # the frames of a video: planar YUV, several in flight where the backend can
        luma, chroma = rgb[..., 0], np.full((45, 80), 128, np.uint8)
        color = Color(matrix=1, primaries=1, transfer=1, full_range=False)
        with upscaler.session((160, 90)) as session:
            for number in range(3):
                planes = (np.roll(luma, number, axis=1), chroma, chroma)
                session.submit(Frame(planes, number, Fraction(1, 25), color))
                done = session.collect()
                print("frame", done.pts, done.size, f"{session.frame_s * 1000:.0f} ms")
            session.reset()  # what comes next does not follow on these frames


if __name__ == "__main__":
    main()
