"""A double of TensorRT's builder half, for tests: what convert calls, on the ONNX file's own types.

What it should do badly is read from the JSON file that FAKE_TENSORRT names: "version", "none" (how
often the builder gives nothing), "crash" (a signal's name), "parser_errors", "inspector" (a word
that every layer claims), "dla_cores", "half_scales" (messages with which int8 with fp16 around it
is refused), "no_int8" (with which all int8 is). What was asked of it is appended to that file +
".log".
"""

from __future__ import annotations

import enum
import json
import os
import signal
from pathlib import Path
from typing import Any

import onnx

FILE = Path(os.environ["FAKE_TENSORRT"])
ORDERS: dict[str, Any] = json.loads(FILE.read_text())
__version__ = ORDERS.get("version", "10.3.0.26")
MAJOR = int(__version__.split(".")[0])


def note(word: str, value: Any = None) -> None:
    with FILE.with_name(FILE.name + ".log").open("a") as file:
        file.write(json.dumps([word, value]) + "\n")


class DataType(enum.Enum):
    FLOAT, HALF, INT8, INT32, UINT8, INT64 = range(6)


float32, float16, int8 = DataType.FLOAT, DataType.HALF, DataType.INT8
KINDS = {1: DataType.FLOAT, 10: DataType.HALF, 3: DataType.INT8, 2: DataType.UINT8}
WORDS = {DataType.FLOAT: "Float", DataType.HALF: "Half", DataType.INT8: "Int8"}


class LayerType(enum.Enum):
    CONVOLUTION, DECONVOLUTION, CONSTANT, QUANTIZE, DEQUANTIZE, ELEMENTWISE = range(6)


LAYERS = {
    "Conv": LayerType.CONVOLUTION,
    "ConvTranspose": LayerType.DECONVOLUTION,
    "QuantizeLinear": LayerType.QUANTIZE,
    "DequantizeLinear": LayerType.DEQUANTIZE,
}


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1


class BuilderFlag(enum.Enum):
    VERSION_COMPATIBLE, GPU_FALLBACK, TF32 = range(3)
    if MAJOR < 11:  # gone in 11
        FP16, INT8 = range(3, 5)


class HardwareCompatibilityLevel(enum.Enum):
    NONE, AMPERE_PLUS, SAME_COMPUTE_CAPABILITY = range(3)


class MemoryPoolType(enum.Enum):
    WORKSPACE = 0


class ProfilingVerbosity(enum.Enum):
    LAYER_NAMES_ONLY, NONE, DETAILED = range(3)


class LayerInformationFormat(enum.Enum):
    ONELINE, JSON = range(2)


class DeviceType(enum.Enum):
    GPU, DLA = range(2)


class ILogger:
    class Severity(enum.Enum):
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class IProgressMonitor:
    pass


class Dims4(tuple):  # type: ignore[type-arg]
    pass


class Tensor:
    def __init__(self, name: str, dtype: DataType | None, shape: tuple[int, ...] = ()) -> None:
        self.name, self.dtype, self.shape = name, dtype, shape


class Layer:
    def __init__(self, kind: LayerType, inputs: list[Tensor], output: Tensor, name: str) -> None:
        self.type, self.inputs, self.output, self.name = kind, inputs, output, name
        self.num_outputs = 1

    def get_input(self, place: int) -> Tensor:
        return self.inputs[place]

    def get_output(self, place: int) -> Tensor:
        return self.output


class INetworkDefinition:
    def __init__(self) -> None:
        self.layers: list[Layer] = []

    @property
    def num_layers(self) -> int:
        return len(self.layers)

    def get_layer(self, place: int) -> Layer:
        return self.layers[place]

    def get_input(self, place: int) -> Tensor:
        return self.source

    def has(self, dtype: DataType) -> bool:
        return any(port.dtype == dtype for item in self.layers for port in item.inputs)

    def get_output(self, place: int) -> Tensor:
        return self.result

    def fill(self, model: onnx.ModelProto) -> None:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        tensors = (*graph.input, *graph.value_info, *graph.output)
        kinds = {item.name: KINDS.get(item.type.tensor_type.elem_type) for item in tensors}
        kinds |= {item.name: KINDS.get(item.data_type) for item in graph.initializer}
        for node in graph.node:
            inputs = [Tensor(name, kinds.get(name)) for name in node.input]
            output = Tensor(node.output[0], kinds.get(node.output[0]))
            kind = LAYERS.get(node.op_type, LayerType.ELEMENTWISE)
            self.layers.append(Layer(kind, inputs, output, node.name))
        dims = [item.dim_value or -1 for item in graph.input[0].type.tensor_type.shape.dim]
        self.source = Tensor(graph.input[0].name, None, tuple(dims))
        twice = (dims[0], 2 * dims[1], 2 * dims[2], dims[3])
        self.result = Tensor(graph.output[0].name, None, twice)


class ParserError:
    def __init__(self, found: dict[str, str]) -> None:
        self.found = found

    def node_name(self) -> str:
        return self.found["node"]

    def node_operator(self) -> str:
        return self.found["op"]

    def desc(self) -> str:
        return self.found["desc"]


class OnnxParser:
    def __init__(self, network: INetworkDefinition, logger: Any) -> None:
        self.network, self.errors = network, ORDERS.get("parser_errors", [])

    def parse(self, model: bytes) -> bool:
        self.network.fill(onnx.load_from_string(model))
        return not self.errors

    @property
    def num_errors(self) -> int:
        return len(self.errors)

    def get_error(self, place: int) -> ParserError:
        return ParserError(self.errors[place])


class TimingCache:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def serialize(self) -> bytes:
        return b"timings" + self.data


class IBuilderConfig:
    progress_monitor: Any = None

    def __setattr__(self, name: str, value: Any) -> None:
        note(name, str(value))
        object.__setattr__(self, name, value)

    def set_flag(self, flag: BuilderFlag) -> None:
        note("flag", flag.name)

    def clear_flag(self, flag: BuilderFlag) -> None:
        note("cleared", flag.name)

    def set_memory_pool_limit(self, pool: MemoryPoolType, size: int) -> None:
        note("workspace", size)

    def create_timing_cache(self, data: bytes) -> TimingCache | None:
        return None if data.startswith(b"damaged") else TimingCache(data)

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        note("timing", len(cache.data))
        object.__setattr__(self, "cache", cache)
        return True

    def get_timing_cache(self) -> TimingCache | None:
        return getattr(self, "cache", None)

    def add_optimization_profile(self, profile: Any) -> int:
        note("profile", profile.shapes)
        return 0


class Profile:
    def set_shape(self, name: str, low: Any, middle: Any, high: Any) -> None:
        self.shapes = [list(low), list(middle), list(high)]


class Builder:
    num_DLA_cores = ORDERS.get("dla_cores", 0)  # noqa: N815 - TensorRT's name

    def __init__(self, logger: Any) -> None:
        self.logger = logger

    def create_network(self, flags: int) -> INetworkDefinition:
        note("typed", flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        return INetworkDefinition()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: Any, config: Any) -> bytes | None:
        log = FILE.with_name(FILE.name + ".log").read_text()
        note("build")
        monitor = config.progress_monitor
        monitor.phase_start("Building engine", None, 2)
        assert monitor.step_complete("Building engine", 0)
        monitor.phase_finish("Building engine")
        refusals: list[str] = []
        if network.has(DataType.INT8):
            refusals = ORDERS.get("no_int8", [])
            if network.has(DataType.HALF):
                refusals = ORDERS.get("half_scales", refusals)
        for message in refusals:
            self.logger.log(ILogger.Severity.ERROR, message)
        if refusals:
            return None
        if log.count('"build"') < ORDERS.get("none", 0):
            self.logger.log(ILogger.Severity.ERROR, "Tactic needs\n900 MiB: OutOfMemory")
            return None
        if log.count('"build"') < ORDERS.get("crashes", 99 if "crash" in ORDERS else 0):
            os.kill(os.getpid(), getattr(signal, ORDERS["crash"]))
        layers = [
            {
                "Name": layer.name,
                "LayerType": "CaskConvolution" if "CONV" in layer.type.name else layer.type.name,
                "Inputs": [{"Format/Datatype": f"{claim(network, layer)} NC/32HW32"}],
            }
            for layer in network.layers
            if layer.inputs and layer.inputs[0].dtype in WORDS
        ]
        return json.dumps({"Layers": layers, "Bindings": ["frame", "upscaled"]}).encode()


def claim(network: INetworkDefinition, layer: Layer) -> str:
    """The type that the inspector will report of a layer."""
    made = {item.output.name: item.type for item in network.layers}
    if "inspector" in ORDERS:
        return str(ORDERS["inspector"])
    if made.get(layer.inputs[0].name) == LayerType.DEQUANTIZE:
        return "Int8"
    return WORDS.get(layer.inputs[0].dtype, "Float") if layer.inputs[0].dtype else "Float"


class Runtime:
    engine_host_code_allowed = False

    def __init__(self, logger: Any) -> None:
        pass

    def deserialize_cuda_engine(self, plan: Any) -> Any:
        return None if ORDERS.get("unopenable") else Engine(bytes(plan))


class Engine:
    def __init__(self, plan: bytes) -> None:
        self.plan = plan

    def create_engine_inspector(self) -> Engine:
        return self

    def get_engine_information(self, kind: LayerInformationFormat) -> str:
        assert kind is LayerInformationFormat.JSON
        return str(ORDERS.get("description", self.plan.decode()))
