"""How far encoders may look ahead, so that a killed job loses little.

The frames that an encoder holds are lost when the process is killed. A killed job may cost `LOST_S`
seconds of film: `HELD_S` of frames that the encoder and the writer hold, a fragment of the file
that is not written yet, and packets that wait for another stream.
"""

from __future__ import annotations

from fractions import Fraction

LOST_S = 2
HELD_S = Fraction("1.2")
FRAGMENT_S = Fraction("0.5")
INTERLEAVE_S = Fraction("0.2")
VP9_AHEAD = 25  # frames of lookahead that libvpx takes at most
OUTSIDE = 3  # of the held frames: two wait in case they are the last, one ends the fragment
X265_BESIDES = 12  # frames that x265 holds beside its lookahead with 4 B-frames and 32 cores

# preset: frames of lookahead, and B-frames in a row; of x264 and x265 themselves
X264 = {
    "ultrafast": (0, 0), "superfast": (0, 3), "veryfast": (10, 3), "faster": (20, 3),
    "fast": (30, 3), "medium": (40, 3), "slow": (50, 3), "slower": (60, 3), "veryslow": (60, 8),
    "placebo": (60, 16),
}  # fmt: skip
X265 = {
    "ultrafast": (5, 3), "superfast": (10, 3), "veryfast": (15, 4), "faster": (15, 4),
    "fast": (15, 4), "medium": (20, 4), "slow": (25, 4), "slower": (40, 8), "veryslow": (40, 8),
    "placebo": (60, 8),
}  # fmt: skip
SVT = {  # frames that SVT-AV1 holds at most with these parameters; fewer cost size
    31: "hierarchical-levels=4:lookahead=0",
    21: "hierarchical-levels=3:lookahead=0",
    13: "hierarchical-levels=2:lookahead=0",
    0: "pred-struct=1",
}


def held_frames(rate: Fraction) -> int:
    """How many frames an encoder may hold of a film of `rate` frames a second; at least 0."""
    return max(0, int(HELD_S * rate) - OUTSIDE)


def lookahead_options(encoder: str, preset: str, rate: Fraction) -> dict[str, str]:
    """FFmpeg's options that keep an encoder to `held_frames`, where the preset goes beyond.

    From 12 frames a second on; slower films lose more. Encoders in hardware are left alone: as
    they are set up here they have no lookahead and no B-frames.
    """
    frames = held_frames(rate)
    found: dict[str, str] = {}
    if encoder == "libx264":
        ahead, between = X264[preset]
        if between > frames // 4:  # the slow presets look at four groups of B-frames
            found["bf"] = str(frames // 4)
        if ahead > frames:
            found["rc-lookahead"] = str(frames)
    elif encoder == "libx265":
        ahead, between = X265[preset]
        if between > frames // 6:
            between = frames // 6
            found["bf"] = str(between)
        most = max(between + 1, frames - X265_BESIDES)  # x265 wants more than B-frames in a row
        if ahead > most:
            found["x265-params"] = f"rc-lookahead={most}"
    elif encoder == "libsvtav1":
        most = next(held for held in SVT if held <= frames)
        found["svtav1-params"] = SVT[most]
    elif encoder == "libvpx-vp9":
        found["lag-in-frames"] = str(min(VP9_AHEAD, frames))
    return found
