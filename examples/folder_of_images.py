"""Upscale every picture of a folder: python examples/folder_of_images.py photos/ bigger/"""

from __future__ import annotations

import argparse

from edge_sr import upscale_file


def main() -> None:
    parser = argparse.ArgumentParser(description="Upscale every picture of a folder.")
    parser.add_argument("input", help="folder of .png, .jpg, .webp, .bmp or .tif files")
    parser.add_argument("output", help="folder for the results; it is created")
    args = parser.parse_args()

    result = upscale_file(args.input, args.output, model="edge-unet-s", resume=True)
    for line in result.notices:  # pictures that were left out, and why
        print(line)
    print(f"{result.written} upscaled, {result.kept} were there, {result.failed} left out")


if __name__ == "__main__":
    main()
