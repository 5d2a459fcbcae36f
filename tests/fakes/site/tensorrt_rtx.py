"""TensorRT-RTX: the same fake, with the runtime configuration and its cache."""

from __future__ import annotations

import enum

import tensorrt
from tensorrt import DataType as DataType
from tensorrt import ILogger as ILogger
from tensorrt import LayerInformationFormat as LayerInformationFormat
from tensorrt import TensorIOMode as TensorIOMode
from tensorrt import refuse as refuse
from tensorrt import write_plan as write_plan

__version__ = tensorrt.__version__
compiled: list[str] = []  # "cold" or "warm" for every execution context made


class DynamicShapesKernelSpecializationStrategy(enum.Enum):
    LAZY = 0
    EAGER = 1
    NONE = 2


class IRuntimeCache:
    def __init__(self) -> None:
        self.content = b""

    def deserialize(self, blob: bytes) -> bool:
        if not bytes(blob).startswith(b"KERNELS"):
            return False
        self.content = bytes(blob)
        return True

    def serialize(self) -> bytes:
        return self.content


class IRuntimeConfig:
    def __init__(self) -> None:
        self.cache: IRuntimeCache | None = None
        self.dynamic_shapes_kernel_specialization_strategy = (
            DynamicShapesKernelSpecializationStrategy.LAZY
        )

    def create_runtime_cache(self) -> IRuntimeCache:
        return IRuntimeCache()

    def set_runtime_cache(self, cache: IRuntimeCache) -> bool:
        self.cache = cache
        return True


class ICudaEngine(tensorrt.ICudaEngine):
    def create_runtime_config(self) -> IRuntimeConfig:
        return IRuntimeConfig()

    def create_execution_context(self, config: object = None) -> tensorrt.IExecutionContext | None:
        if isinstance(config, IRuntimeConfig) and config.cache is not None:
            compiled.append("warm" if config.cache.content else "cold")
            config.cache.content = config.cache.content or b"KERNELS of this GPU"
        return super().create_execution_context()


class Runtime(tensorrt.Runtime):
    def deserialize_cuda_engine(self, plan: bytes) -> tensorrt.ICudaEngine | None:
        engine = super().deserialize_cuda_engine(plan)
        if engine is not None:
            engine.__class__ = ICudaEngine
        return engine
