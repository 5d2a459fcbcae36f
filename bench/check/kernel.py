"""A kernel of our own in an engine's place: real work on the GPU without TensorRT.

It is PTX, which every driver compiles for its GPU: no CUDA toolkit is needed. ptxas 12.9 takes it
for compute capability 7.5, 8.7, 9.0 and 12.0.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from edge_sr.backend.protocol import Batch
from edge_sr.cuda import driver
from edge_sr.cuda.errors import CudaError

THREADS = 256  # of a block
# one thread a byte of the result: `shade` writes 255 - source[i % count] + i / count, `fail` stops
PTX = b"""
.version 6.3
.target sm_75
.address_size 64

.visible .entry shade(
    .param .u64 source, .param .u64 target, .param .u32 count, .param .u32 total
)
{
    .reg .pred %outside;
    .reg .b32 %r<10>;
    .reg .b64 %d<7>;
    ld.param.u64 %d1, [source];
    ld.param.u64 %d2, [target];
    ld.param.u32 %r1, [count];
    ld.param.u32 %r2, [total];
    mov.u32 %r3, %ctaid.x;
    mov.u32 %r4, %ntid.x;
    mov.u32 %r5, %tid.x;
    mad.lo.u32 %r6, %r3, %r4, %r5;
    setp.ge.u32 %outside, %r6, %r2;
    @%outside bra end;
    cvta.to.global.u64 %d1, %d1;
    cvta.to.global.u64 %d2, %d2;
    div.u32 %r7, %r6, %r1;
    rem.u32 %r8, %r6, %r1;
    cvt.u64.u32 %d3, %r8;
    add.u64 %d4, %d1, %d3;
    ld.global.u8 %r9, [%d4];
    sub.u32 %r9, 255, %r9;
    add.u32 %r9, %r9, %r7;
    cvt.u64.u32 %d5, %r6;
    add.u64 %d6, %d2, %d5;
    st.global.u8 [%d6], %r9;
end:
    ret;
}

.visible .entry fail()
{
    trap;
    ret;
}
"""


def shaded(frame: Batch, upscaled: tuple[int, ...]) -> Batch:
    """What `shade` makes of a frame, uint8; computed here."""
    count, total = frame.size, int(np.prod(upscaled))
    places = np.arange(total)
    levels = 255 - frame.reshape(-1)[places % count].astype(np.int64) + places // count
    return levels.astype(np.uint8).reshape(upscaled)


class Kernels:
    """The kernels, loaded into the context that is current; not to be used after `unload`."""

    def __init__(self) -> None:
        """Have the driver compile them.

        Raises:
            CudaError: it cannot.
        """
        library = driver.load_library()
        if library is None:
            raise CudaError("load a kernel", "the driver's library is missing", status=3)
        self._library = library
        self._module = ctypes.c_void_p()
        self._functions: dict[str, ctypes.c_void_p] = {}
        self._check(library.cuModuleLoadData(ctypes.byref(self._module), PTX), "load a kernel")

    def launch(self, name: str, stream: int, total: int, *values: Any) -> None:
        """Queue a kernel with a thread for each of ``total`` bytes; values are ctypes objects.

        Raises:
            CudaError: the driver refuses.
        """
        places = (ctypes.c_void_p * max(len(values), 1))(
            *(ctypes.cast(ctypes.byref(value), ctypes.c_void_p) for value in values)
        )
        blocks = -(-total // THREADS)
        grid, block = (blocks, 1, 1), (THREADS, 1, 1)
        handle = ctypes.c_void_p(stream)
        function = self._function(name)
        done = self._library.cuLaunchKernel(function, *grid, *block, 0, handle, places, None)
        self._check(done, f"launch the kernel {name}")

    def _function(self, name: str) -> ctypes.c_void_p:
        if name not in self._functions:
            function = ctypes.c_void_p()
            found = self._library.cuModuleGetFunction(
                ctypes.byref(function), self._module, name.encode()
            )
            self._check(found, f"find the kernel {name}")
            self._functions[name] = function
        return self._functions[name]

    def unload(self) -> None:
        """Give them back; safe to call twice."""
        module, self._module = self._module, ctypes.c_void_p()
        if module:
            self._check(self._library.cuModuleUnload(module), "unload a kernel")

    def _check(self, status: int, doing: str) -> None:
        if status:
            text = ctypes.c_char_p()
            self._library.cuGetErrorString(status, ctypes.byref(text))
            raise CudaError(doing, (text.value or b"unknown error").decode(), status=status)


class KernelContext:
    """As TensorRT's execution context: `shade` from "frame" to "upscaled"."""

    def __init__(self, kernels: Kernels, frame: tuple[int, ...], scale: int) -> None:
        self._kernels = kernels
        self._count = int(np.prod(frame))
        batch, rows, columns, channels = frame
        self.output_shape = (batch, rows * scale, columns * scale, channels)
        self._addresses = (0, 0)

    def bind(self, frame: int, upscaled: int) -> None:
        """As `Context.bind`."""
        self._addresses = frame, upscaled

    def enqueue(self, stream: int) -> None:
        """As `Context.enqueue`."""
        total = int(np.prod(self.output_shape))
        source, target = (ctypes.c_uint64(address) for address in self._addresses)
        sizes = ctypes.c_uint32(self._count), ctypes.c_uint32(total)
        self._kernels.launch("shade", stream, total, source, target, *sizes)

    def release(self) -> None:
        """As `Context.release`."""


class KernelEngine:
    """As an engine, for the ring of slots."""

    def __init__(self, scale: int = 2) -> None:
        """Load the kernels into the context that is current."""
        self._scale = scale
        self.kernels = Kernels()

    def context(self, shape: tuple[int, ...]) -> KernelContext:
        """As `Engine.context`."""
        return KernelContext(self.kernels, shape, self._scale)

    def keep_compiled(self) -> str:
        """As `Engine.keep_compiled`: nothing is kept."""
        return ""
