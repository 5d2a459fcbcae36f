"""Upscale a film: python examples/film_with_progress.py film.mp4 film-1440p.mp4"""

from __future__ import annotations

import argparse

from edge_sr import EdgeSRError, Progress, upscale_file


def show(progress: Progress) -> None:
    """Called after each frame; `stats` has the rates of this moment."""
    total = progress.total or "?"
    print(f"\r{progress.done}/{total} frames, {progress.stats.current_fps:.1f} fps", end="")


def main() -> None:
    parser = argparse.ArgumentParser(description="Upscale a film by two.")
    parser.add_argument("input")
    parser.add_argument("output", help=".mp4, .m4v, .mov or .mkv")
    args = parser.parse_args()

    try:
        result = upscale_file(args.input, args.output, crf=20, force=True, progress=show)
    except EdgeSRError as error:  # its text is one line for the user
        raise SystemExit(str(error)) from error
    print(f"\n{result.written} frames in {result.seconds:.1f} s ({result.fps:.1f} fps)")
    for output in result.outputs:
        print(output.summary)
        print("sha256", output.digest())


if __name__ == "__main__":
    main()
