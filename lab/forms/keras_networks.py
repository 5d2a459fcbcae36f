"""Rebuilt Keras architectures with random weights: small, but with the layers of the real ones."""

from __future__ import annotations

import keras
from keras import layers as L  # noqa: N812 - as Keras's own examples call it

from lab.forms.keras_parts import FILTERS, Tensor, anchor, conv, shuffle
from lab.forms.user_layers import PixelShuffle


def srcnn(x: Tensor) -> Tensor:
    """SRCNN: bicubic first, then three convolutions."""
    x = L.UpSampling2D(2, interpolation="bicubic")(x)
    return conv(3, 5)(conv(FILTERS, 1, activation="relu")(conv(FILTERS, 9, activation="relu")(x)))


def fsrcnn(x: Tensor) -> Tensor:
    """FSRCNN: PReLU, and a transposed convolution at the end."""
    y = L.PReLU(shared_axes=[1, 2])(conv(FILTERS, 5)(x))
    for _ in range(2):
        y = L.PReLU(shared_axes=[1, 2])(conv()(y))
    return L.Conv2DTranspose(1, 9, strides=2, padding="same")(y)


def espcn(x: Tensor) -> Tensor:
    """ESPCN: tanh and pixel shuffle."""
    return shuffle(conv(FILTERS, 3, activation="tanh")(conv(FILTERS, 5, activation="tanh")(x)))


def vdsr(x: Tensor) -> Tensor:
    """VDSR: a residual on the bicubic picture."""
    big = y = L.UpSampling2D(2, interpolation="bicubic")(x)
    for _ in range(4):
        y = conv(activation="relu", kernel_initializer="he_normal")(y)
    return L.Add()([big, conv(1)(y)])


def edsr(x: Tensor) -> Tensor:
    """EDSR: residual blocks scaled by 0.1, of 0..255."""
    first = y = conv()(L.Rescaling(1 / 255.0)(x))
    for _ in range(2):
        z = conv()(conv(activation="relu")(y))
        y = L.Add()([y, L.Lambda(lambda t: t * 0.1)(z)])
    return L.Rescaling(255.0)(PixelShuffle(2)(conv(12)(L.Add()([first, conv()(y)]))))


def wdsr(x: Tensor) -> Tensor:
    """WDSR: wide activation, two pixel shuffles."""
    y = conv()(x)
    for _ in range(2):
        z = conv(4 * FILTERS, 1, activation="relu")(y)
        y = L.Add()([y, conv(FILTERS, 3)(conv(FILTERS, 1)(z))])
    return L.Add()([shuffle(y), shuffle(conv(FILTERS, 5)(x))])


def srgan(x: Tensor) -> Tensor:
    """SRGAN's generator: batch normalisation, x4, tanh."""
    first = y = L.PReLU(shared_axes=[1, 2])(conv(FILTERS, 9)(x))
    for _ in range(2):
        z = L.PReLU(shared_axes=[1, 2])(L.BatchNormalization(momentum=0.8)(conv()(y)))
        y = L.Add()([y, L.BatchNormalization(momentum=0.8)(conv()(z))])
    y = L.Add()([first, L.BatchNormalization(momentum=0.8)(conv()(y))])
    for _ in range(2):
        y = L.PReLU(shared_axes=[1, 2])(L.UpSampling2D(2)(conv()(y)))
    return conv(3, 9, activation="tanh")(y)


def rdn(x: Tensor) -> Tensor:
    """RDN: dense blocks, their results fused."""
    first = y = conv()(x)
    blocks = []
    for _ in range(2):
        parts = [y]
        for _ in range(2):
            parts.append(conv(activation="relu")(L.Concatenate()(parts)))
        y = L.Add()([y, conv(FILTERS, 1)(L.Concatenate()(parts))])
        blocks.append(y)
    return shuffle(L.Add()([first, conv()(conv(FILTERS, 1)(L.Concatenate()(blocks)))]))


def channel_attention(x: Tensor) -> Tensor:
    """A factor for each channel, from its mean."""
    y = L.GlobalAveragePooling2D(keepdims=True)(x)
    y = conv(FILTERS, 1, activation="sigmoid")(conv(2, 1, activation="relu")(y))
    return L.Multiply()([x, y])


def rcan(x: Tensor) -> Tensor:
    """RCAN: residual blocks with channel attention."""
    first = y = conv()(x)
    for _ in range(2):
        y = L.Add()([y, channel_attention(conv()(conv(activation="relu")(y)))])
    return shuffle(L.Add()([first, conv()(y)]))


def rrdb(x: Tensor) -> Tensor:
    """ESRGAN's generator: dense blocks scaled by 0.2, x4."""
    first = y = conv()(x)
    for _ in range(2):
        a = L.LeakyReLU(negative_slope=0.2)(conv()(y))
        b = L.LeakyReLU(negative_slope=0.2)(conv()(L.Concatenate()([y, a])))
        c = conv()(L.Concatenate()([y, a, b]))
        y = L.Add()([y, L.Rescaling(0.2)(c)])
    y = L.Add()([first, conv()(y)])
    for _ in range(2):
        y = L.LeakyReLU(negative_slope=0.2)(conv()(L.UpSampling2D(2)(y)))
    return conv(3)(y)


def lapsrn(x: Tensor) -> Tensor:
    """LapSRN: two steps of x2 with transposed convolutions."""
    picture, y = x, conv()(x)
    for _ in range(2):
        y = L.Conv2DTranspose(FILTERS, 4, strides=2, padding="same")(conv()(y))
        y = L.LeakyReLU(negative_slope=0.2)(y)
        picture = L.Conv2DTranspose(1, 4, strides=2, padding="same")(picture)
        picture = L.Add()([picture, conv(1)(y)])
    return picture


def drrn(x: Tensor) -> Tensor:
    """DRRN: two layers that are used three times."""
    first, second = conv(activation="relu"), conv(activation="relu")
    big = anchor(x)
    start = y = conv()(big)
    for _ in range(3):
        y = L.Add()([start, second(first(y))])
    return L.Add()([big, conv(3)(y)])


def carn(x: Tensor) -> Tensor:
    """CARN: cascades with grouped convolutions."""
    y = conv()(x)
    parts = [y]
    for _ in range(2):
        z = conv(activation="relu", groups=4)(y)
        z = L.ReLU()(L.Add()([y, conv(FILTERS, 1)(conv(groups=4)(z))]))
        parts.append(z)
        y = conv(FILTERS, 1, activation="relu")(L.Concatenate()(parts))
    return shuffle(y)


def imdn(x: Tensor) -> Tensor:
    """IMDN: features split into kept and refined ones."""
    y = conv()(x)
    kept, rest = keras.ops.split(L.LeakyReLU(negative_slope=0.05)(conv()(y)), [2], axis=-1)
    more = conv(activation="relu")(rest)
    y = L.Add()([y, conv(FILTERS, 1)(L.Concatenate()([kept, more[..., :4]]))])
    return shuffle(y)


def pix2pix(x: Tensor) -> Tensor:
    """pix2pix: a U-Net of strided and transposed convolutions."""
    skips, y = [], x
    for filters in (8, 8, 16, 16):
        y = L.Conv2D(filters, 4, strides=2, padding="same", use_bias=False)(y)
        y = L.LeakyReLU()(L.BatchNormalization()(y))
        skips.append(y)
    for skip in (skips[2], skips[1], skips[0]):
        filters = skip.shape[-1]
        y = L.Conv2DTranspose(filters, 4, strides=2, padding="same", use_bias=False)(y)
        y = L.ReLU()(L.Dropout(0.5)(L.BatchNormalization()(y)))
        y = L.Concatenate()([y, skip])
    return L.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh")(y)


def unet(x: Tensor) -> Tensor:
    """U-Net with pooling and bilinear enlargement."""
    a = conv(activation="relu")(x)
    b = conv(activation="relu")(L.MaxPooling2D(2)(a))
    c = conv(activation="relu")(L.MaxPooling2D(2)(b))
    b = conv(activation="relu")(L.Concatenate()([b, anchor(c)]))
    a = conv(activation="relu")(L.Concatenate()([a, anchor(b)]))
    return conv(3, 1)(a)
