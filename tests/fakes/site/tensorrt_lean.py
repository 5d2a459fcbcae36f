"""TensorRT's lean runtime: the same fake."""

from tensorrt import *  # noqa: F403
from tensorrt import __version__ as __version__
