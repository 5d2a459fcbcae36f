"""The networks, by the name a recipe gives them."""

from __future__ import annotations

from collections.abc import Callable

import keras

from training.models.edge_unet import collapse, deploy, edge_unet, is_edge_unet
from training.models.first_cnn import first_cnn
from training.models.resize import BicubicAnchor
from training.models.unet_2020 import unet_2020
from training.models.vdsr import vdsr

ARCHITECTURES: dict[str, Callable[..., keras.Model]] = {
    "edge_unet": edge_unet,
    "first_cnn": first_cnn,
    "unet_2020": unet_2020,
    "vdsr": vdsr,
}

__all__ = [
    "ARCHITECTURES",
    "BicubicAnchor",
    "collapse",
    "deploy",
    "edge_unet",
    "first_cnn",
    "is_edge_unet",
    "unet_2020",
    "vdsr",
]
