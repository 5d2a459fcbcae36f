"""The 36 Keras architectures of the table: how each is built, saved and exported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from lab.forms import keras_layers as more
from lab.forms import keras_networks as own
from lab.forms.keras_parts import network

LAYERS = Path(__file__).with_name("user_layers.py")  # what a user gives with --custom-objects


@dataclass(frozen=True, kw_only=True)
class KerasRow:
    """One network. Its range is given where it cannot be found from random weights."""

    name: str
    make: Callable[[], keras.Model]
    ending: str = ".keras"  # or ".h5", or "" for a SavedModel folder
    input_range: str = "0..1"
    output_range: str = "0..1"
    custom_objects: bool = False
    trust: bool = False
    size: tuple[int, int] | None = None  # (rows, columns) that the export is fixed to
    refused: str = ""  # what the refusal says, of a network that edge-sr does not take

    def save(self, folder: Path) -> Path:
        """Build it with fixed random weights, and write it as a user has it."""
        keras.utils.set_random_seed(0)
        model = self.make()
        path = folder / f"{self.name.split(',')[0].lower().replace(' ', '-')}{self.ending}"
        if not self.ending:
            signature = tf.TensorSpec((1, None, None, 3), tf.float32)
            model.export(path, verbose=False, input_signature=[signature])
        else:
            model.save(path)
        return path


def rows() -> list[KerasRow]:
    """All of them, in the order of the table."""
    lam = {"trust": True}
    file = {"custom_objects": True}
    both = {"trust": True, "custom_objects": True}
    gan = {"output_range": "-1..1"}

    def row(name: str, make: Callable[[], keras.Model], **options: object) -> KerasRow:
        return KerasRow(name=name, make=make, **options)  # type: ignore[arg-type]

    return [
        row("SRCNN, bicubic UpSampling2D", lambda: network(own.srcnn)),
        row("FSRCNN, luma", lambda: network(own.fsrcnn, channels=1)),
        row("ESPCN, Lambda depth_to_space", lambda: network(own.espcn), **lam),
        row("VDSR, luma, residual", lambda: network(own.vdsr, channels=1)),
        row("EDSR, 0..255", lambda: network(own.edsr), **both, **levels()),
        row("WDSR, wide activation", lambda: network(own.wdsr), **lam),
        row("SRGAN generator, 96x96 only, x4", lambda: network(own.srgan, 96, 96), **gan),
        row("RDN, dense blocks", lambda: network(own.rdn), **lam),
        row("RCAN, channel attention", lambda: network(own.rcan), **lam),
        row("RRDB (ESRGAN), x4", lambda: network(own.rrdb)),
        row("LapSRN, luma, x4", lambda: network(own.lapsrn, channels=1)),
        row("DRRN, layers used several times", lambda: network(own.drrn)),
        row("CARN, grouped convolutions", lambda: network(own.carn), **lam),
        row("IMDN, split and slices", lambda: network(own.imdn), **lam),
        row("pix2pix U-Net, 64x64 only, x1", lambda: network(own.pix2pix, 64, 64), **tanh()),
        row("U-Net, bilinear UpSampling2D, x1", lambda: network(own.unet)),
        row("Attention U-Net", lambda: network(more.attention_unet), **lam),
        row("Autoencoder, Conv2DTranspose, x1", lambda: network(more.autoencoder)),
        row("Squeeze and excitation, Dense", lambda: network(more.squeeze), **lam),
        row("CBAM, keras.ops", lambda: network(more.cbam), **lam),
        row("Mobile, depthwise and separable", lambda: network(more.mobile), **lam),
        row("GroupNormalization, silu", lambda: network(more.group_norm)),
        row(
            "CycleGAN, instance normalisation, x1",
            lambda: network(more.cyclegan),
            **file,
            **tanh(),
        ),
        row("ConvNeXt block, LayerNormalization, gelu", lambda: network(more.convnext), **lam),
        row("swish, mish, elu, selu, softplus", lambda: network(more.swish), **lam),
        row("mixed_float16", lambda: network(more.mixed)),
        row("MultiHeadAttention, 16x16 only", lambda: network(more.attention, 16, 16), **lam),
        row("Dilated convolutions", lambda: network(more.dilated), **lam),
        row("Valid convolutions, Cropping2D", lambda: network(more.valid)),
        row("x1.5 by UpSampling2D and pooling", lambda: network(more.three_halves)),
        row("Models inside a model, .h5", lambda: network(more.nested), ending=".h5", **lam),
        row("keras.ops without layers", lambda: network(more.tensor_operations)),
        row("Sequential without Input", more.sequential),
        row("SavedModel folder", lambda: network(more.noise), ending="", size=(48, 64), **lam),
        row("Subclassed model, own layers", more.subclassed, **file),
        row("uint8 input", lambda: network(more.bytes_in, dtype="uint8"), **levels()),
        row("Own registered layers", lambda: network(more.own_layers), **file),
        row("channels_first", more.channels_first),
        row("Conv3D, films", more.video, refused="expected one input (N, H, W, 1 or 3)"),
    ]


def levels() -> dict[str, str]:
    """Ranges of a network of grey levels."""
    return {"input_range": "0..255", "output_range": "0..255"}


def tanh() -> dict[str, str]:
    """Ranges of a generator that ends in tanh."""
    return {"input_range": "-1..1", "output_range": "-1..1"}
