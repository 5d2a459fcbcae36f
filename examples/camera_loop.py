"""A camera in a loop of your own, shown with OpenCV; q ends it: python examples/camera_loop.py 0"""

from __future__ import annotations

import argparse
import itertools

import cv2
import numpy as np

from edge_sr import Frame, Upscaler


def to_bgr(frame: Frame) -> np.ndarray:
    """The planes of an 8-bit 4:2:0 frame as OpenCV wants pictures: uint8 (H, W, 3)."""
    planes = (np.ascontiguousarray(plane).reshape(-1) for plane in frame.planes)
    packed = np.concatenate(list(planes)).reshape(frame.size.height * 3 // 2, frame.size.width)
    return cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420)


def main() -> None:
    parser = argparse.ArgumentParser(description="Show a camera at twice its size.")
    parser.add_argument("source", nargs="?", default="0", help="0, rtsp://..., test://640x360@30")
    parser.add_argument("--frames", type=int, help="stop after so many")
    parser.add_argument("--save", help="write the last picture here, where there is no screen")
    args = parser.parse_args()

    with Upscaler.open("edge-unet-s-x2") as upscaler:
        for frame in itertools.islice(upscaler.stream(args.source), args.frames):
            picture = to_bgr(frame)
            if not args.save:
                cv2.imshow("edge-sr", picture)
                if cv2.waitKey(1) & 0xFF == ord("q"):
                    break
    if args.save:
        cv2.imwrite(args.save, picture)


if __name__ == "__main__":
    main()
