"""Count the arithmetic and memory traffic that networks need and devices provide.

Together they give the floor with which measured times are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from avatar_app.evaluation.benchmark.original import Reference
from avatar_app.networks.graphs import Graph, MotionGraphs
from avatar_app.onnx_export.export import example_poses
from avatar_app.types import Image

aten = torch.ops.aten
HEAVY = (
    aten.convolution,
    aten.mm,
    aten.addmm,
    aten.bmm,
    aten.baddbmm,
    aten.grid_sampler_2d,
    aten.gather,
    aten.index,
)
"""Operations that cannot be fused into their neighbours: each has to read its inputs and write its
outputs.
"""

SIDE = {"cpu": 1536, "cuda": 8192}
"""Side of the matrices whose product measures a device's arithmetic."""
COPIED = {"cpu": 1 << 25, "cuda": 1 << 26}
"""Number of floats whose copy measures the memory's speed."""


@dataclass(frozen=True, slots=True)
class Work:
    """The work of one call.

    Attributes:
        flop: floating-point operations of convolutions and matrix products; a multiplication and an addition
            are two.
        values: values that move between those and memory, weights included, if everything else is fused.
    """

    flop: int
    values: int


class _Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.values = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in HEAVY:
            self.values += sum(tensor.numel() for tensor in (*args, result) if isinstance(tensor, Tensor))
        return result


def count(call: Callable[[], object]) -> Work:
    """Count the work of a call of networks on the processor."""
    with torch.no_grad(), FlopCounterMode(display=False) as operations, _Traffic() as traffic:
        call()
    return Work(operations.get_total_flops(), traffic.values)


def count_graphs(graphs: MotionGraphs) -> dict[str, Work]:
    """Count the work of ``encode``, ``detect`` and ``render``.

    ``detect`` is empty without a detector; the values of the weights do not matter.
    """
    image = torch.zeros(1, graphs.size, graphs.size, 3, dtype=torch.uint8)
    tensors: dict[str, Tensor] = {"image": image} | example_poses(graphs.points)

    def work(graph: Graph) -> Work:
        return count(lambda: graph.module(*(tensors[name] for name in graph.inputs)))

    with torch.no_grad():
        tensors |= dict(
            zip(
                graphs.encode.outputs,
                graphs.encode.module(*(tensors[name] for name in graphs.encode.inputs)),
                strict=True,
            )
        )
    return {
        "encode": work(graphs.encode),
        "detect": work(graphs.detect) if graphs.detect else Work(0, 0),
        "render": work(graphs.render),
    }


def count_reference(reference: Reference, driver: Image) -> Work:
    """Count the work of one frame of the reference, which must be on the processor."""
    return count(lambda: reference.step(driver))


class Peak:
    """The measured peak of a device, in the precision that engines use on it.

    Float32 on processors, float16 on cards.
    """

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self.kind = self._device.type
        self.precision = "float32" if self.kind == "cpu" else "float16"
        kind = torch.float32 if self.kind == "cpu" else torch.float16
        side = SIDE[self.kind]
        self._matrix = torch.ones(side, side, dtype=kind, device=self._device)
        self._product = torch.empty_like(self._matrix)
        self._from = torch.ones(COPIED[self.kind], device=self._device)
        self._to = torch.empty_like(self._from)
        self.flops = self.bytes = 0.0

    def measure(self) -> None:
        """Measure again; the best result counts."""
        side = len(self._matrix)
        self.flops = max(
            self.flops,
            2 * side**3 / self._seconds(lambda: torch.mm(self._matrix, self._matrix, out=self._product)),
        )
        self.bytes = max(
            self.bytes, 2 * 4 * self._from.numel() / self._seconds(lambda: self._to.copy_(self._from))
        )

    def floor(self, work: Work) -> float:
        """Return the least milliseconds for this work at these peaks."""
        size = 4 if self.precision == "float32" else 2
        return 1000 * max(work.flop / self.flops, work.values * size / self.bytes)

    def _seconds(self, call: Callable[[], object]) -> float:
        """Return the shortest of three: the first touches memory for the first time."""
        return min(self._once(call) for _ in range(3))

    def _once(self, call: Callable[[], object]) -> float:
        synchronise(str(self._device))
        began = time.perf_counter()
        call()
        synchronise(str(self._device))
        return time.perf_counter() - began


def synchronise(device: str) -> None:
    """Wait until the device has finished."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def set_threads(count: int) -> None:
    """Set the processor threads of PyTorch."""
    torch.set_num_threads(count)


class Copies:
    """The copies of one frame: its bytes to the device and the picture's back.

    On a processor there are none.

    Args:
        up, down: bytes.
    """

    def __init__(self, device: str, up: int, down: int) -> None:
        self.up, self.down = (up, down) if device.startswith("cuda") else (0, 0)
        ways = ((self.up, "cpu", device), (self.down, device, "cpu")) if self.down else ()
        self._pairs = [(_memory(count, start), _memory(count, end)) for count, start, end in ways]

    def both(self) -> None:
        """Copy both ways; the caller waits for the device."""
        for start, end in self._pairs:
            end.copy_(start, non_blocking=True)


def _memory(count: int, device: str) -> Tensor:
    """Allocate bytes on a card, or processor memory that a card can access.

    Engines use both.
    """
    return torch.zeros(count, dtype=torch.uint8, device=device, pin_memory=device == "cpu")


def card(device: str) -> str:
    """Return the graphics card's name and its CUDA version, or an empty text."""
    return (
        f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"
        if device.startswith("cuda")
        else ""
    )
