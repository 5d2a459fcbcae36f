"""More rebuilt Keras networks with random weights, each for a kind of layer."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers as L  # noqa: N812 - as Keras's own examples call it

from lab.forms.keras_parts import FILTERS, Tensor, conv, network, shuffle
from lab.forms.user_layers import Doubler, PixelShuffle, ReflectionPadding, ResidualBlock


def attention_unet(x: Tensor) -> Tensor:
    """U-Net whose skip is gated."""
    a = conv(activation="relu")(x)
    b = conv(activation="relu")(L.MaxPooling2D(2)(a))
    up = L.Conv2DTranspose(FILTERS, 2, strides=2)(b)
    gate = L.Activation("relu")(L.Add()([conv(FILTERS, 1)(up), conv(FILTERS, 1)(a)]))
    gate = L.Activation("sigmoid")(conv(1, 1)(gate))
    a = L.Concatenate()([up, L.Multiply()([a, gate])])
    return shuffle(conv(activation="relu")(a))


def autoencoder(x: Tensor) -> Tensor:
    """Strided convolutions and as many transposed ones."""
    y = L.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    y = L.Conv2D(8, 3, strides=2, padding="same", activation="relu")(y)
    for _ in range(2):
        y = L.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(y)
    return conv(3, activation="sigmoid")(y)


def squeeze(x: Tensor) -> Tensor:
    """Squeeze and excitation with Dense layers."""
    y = conv()(x)
    z = L.Dense(2, activation="relu")(L.GlobalAveragePooling2D()(y))
    z = L.Reshape((1, 1, FILTERS))(L.Dense(FILTERS, activation="sigmoid")(z))
    return shuffle(L.Multiply()([y, z]))


def cbam(x: Tensor) -> Tensor:
    """Spatial attention by keras.ops."""
    y = conv(activation="relu")(x)
    mean, peak = (f(y, axis=-1, keepdims=True) for f in (keras.ops.mean, keras.ops.max))
    return shuffle(y * conv(1, 7, activation="sigmoid")(L.Concatenate()([mean, peak])))


def mobile(x: Tensor) -> Tensor:
    """Depthwise and separable convolutions, relu6."""
    y = L.ReLU(max_value=6.0)(L.BatchNormalization()(conv()(x)))
    y = L.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(y)
    y = L.SeparableConv2D(FILTERS, 3, padding="same", activation="relu6")(y)
    return shuffle(y)


def group_norm(x: Tensor) -> Tensor:
    """GroupNormalization and silu."""
    y = L.Activation("silu")(L.GroupNormalization(4)(conv()(x)))
    return conv(3)(L.UpSampling2D(2)(conv()(y)))


def cyclegan(x: Tensor) -> Tensor:
    """Mirrored borders and instance normalisation."""
    y = L.Conv2D(FILTERS, 7)(ReflectionPadding(3)(x))
    y = L.ReLU()(L.GroupNormalization(groups=-1)(y))
    y = L.Conv2D(FILTERS, 3)(ReflectionPadding(1)(y))
    return L.Conv2D(3, 7, activation="tanh")(ReflectionPadding(3)(y))


def convnext(x: Tensor) -> Tensor:
    """A ConvNeXt block: Dense layers over the channels."""
    y = conv()(x)
    z = L.LayerNormalization(epsilon=1e-6)(L.DepthwiseConv2D(7, padding="same")(y))
    z = L.Dense(FILTERS)(L.Dense(4 * FILTERS, activation="gelu")(z))
    return shuffle(L.Add()([y, z]))


def swish(x: Tensor) -> Tensor:
    """Activations that ONNX writes in several operators."""
    y = conv(activation="swish")(x)
    for name in ("hard_sigmoid", "mish", "elu", "selu", "softplus"):
        y = conv(activation=name)(y)
    return shuffle(y)


def mixed(x: Tensor) -> Tensor:
    """Layers of mixed_float16, the last of float32."""
    y = conv(dtype="mixed_float16", activation="relu")(x)
    y = L.UpSampling2D(2, dtype="mixed_float16")(conv(dtype="mixed_float16")(y))
    return conv(3, dtype="float32")(y)


def attention(x: Tensor) -> Tensor:
    """Self-attention over a picture of one size."""
    y = L.Reshape((16 * 16, FILTERS))(conv()(x))
    y = L.Add()([y, L.MultiHeadAttention(2, 4)(L.LayerNormalization()(y), y)])
    return shuffle(L.Reshape((16, 16, FILTERS))(y))


def dilated(x: Tensor) -> Tensor:
    """Dilated convolutions."""
    y = x
    for step in (1, 2, 4):
        y = conv(activation="relu", dilation_rate=step)(y)
    return shuffle(y)


def valid(x: Tensor) -> Tensor:
    """Convolutions without padding, and cropping."""
    y = L.Conv2D(FILTERS, 3, activation="relu")(L.ZeroPadding2D(2)(x))
    y = L.Conv2D(FILTERS, 3, activation="relu")(y)
    return L.Cropping2D(1)(L.Conv2DTranspose(3, 4, strides=2)(y))


def three_halves(x: Tensor) -> Tensor:
    """x1.5."""
    return L.AveragePooling2D(2)(conv(3)(L.UpSampling2D(3)(conv(activation="relu")(x))))


def nested(x: Tensor) -> Tensor:
    """Models as layers of a model; one is used twice."""
    inner = network(lambda y: conv()(conv(activation="relu")(y)), channels=FILTERS)
    head = keras.Sequential([conv(), L.PReLU(shared_axes=[1, 2])])
    return shuffle(L.Add()([head(x), inner(head(x))]))


def tensor_operations(x: Tensor) -> Tensor:
    """Tensor operations outside layers."""
    y = keras.ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="symmetric")
    y = keras.ops.relu(L.Conv2D(FILTERS, 3)(y))
    return keras.ops.clip(conv(3)(L.UpSampling2D(2, interpolation="bilinear")(y)), 0.0, 1.0)


def noise(x: Tensor) -> Tensor:
    """Layers that only training uses."""
    y = L.SpatialDropout2D(0.2)(conv(activation="relu")(L.GaussianNoise(0.1)(x)))
    return L.Activation("linear")(shuffle(y))


def own_layers(x: Tensor) -> Tensor:
    """A user's own registered layers."""
    return PixelShuffle(2)(conv(12)(ResidualBlock(FILTERS)(ResidualBlock(FILTERS)(conv()(x)))))


def bytes_in(x: Tensor) -> Tensor:
    """Takes bytes."""
    return L.Rescaling(255.0)(conv(3)(L.UpSampling2D(2)(conv()(L.Rescaling(1 / 255.0)(x)))))


def first(x: Tensor) -> Tensor:
    """Channels first."""
    y = L.Conv2D(FILTERS, 3, padding="same", data_format="channels_first", activation="relu")(x)
    y = L.PReLU(shared_axes=[2, 3])(y)
    y = L.Concatenate(axis=1)([y, L.BatchNormalization(axis=1)(y)])
    y = L.UpSampling2D(2, data_format="channels_first")(y)
    return L.Conv2D(3, 3, padding="same", data_format="channels_first")(y)


def channels_first() -> keras.Model:
    """Input (N, 3, H, W)."""
    image = keras.Input((3, None, None))
    return keras.Model(image, first(image))


def video() -> keras.Model:
    """A network of films: five axes, which edge-sr refuses."""
    film = keras.Input((None, None, None, 3))
    return keras.Model(film, L.Conv3D(3, 3, padding="same")(film))


def sequential() -> keras.Model:
    """Layers in a row, saved without an input."""
    return keras.Sequential([conv(activation="relu"), L.UpSampling2D(2), conv(3)])


def subclassed() -> keras.Model:
    """A model with a call method, built by a first picture."""
    model = Doubler()
    model(tf.zeros((1, 32, 32, 3)))
    return model
