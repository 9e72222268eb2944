"""Where an engine's tensors are and its work is queued: the processor, or a graphics card that can record a computation.

All that is particular to CUDA is in `Card`. One stream is enough for an engine: a frame is detected, moved by the processor and
rendered, each of which needs the one before, so that a second stream would have nothing to do meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

Computation = Callable[[], None]
"""Reads tensors that stay where they are, and writes others that do."""

WARM_UPS = 3
"""Runs before a recording: libraries are loaded, kernels chosen and memory is found in them."""


class Place(Protocol):
    """Attributes:
    name: for people.
    records: what ``record`` makes, for people (``"CUDA graph"``), or empty where it only hands back what it is given.
    """

    device: torch.device
    name: str
    records: str

    def working(self) -> AbstractContextManager[object]:
        """All work on the device goes here, within this."""

    def wait(self) -> None:
        """Until all work is done."""

    def record(self, compute: Computation) -> Computation:
        """The same computation, quicker to start. Raises RuntimeError if it cannot be recorded."""

    def close(self) -> None:
        """Forget what was recorded and give memory back."""


class Processor:
    """Computes at once and records nothing."""

    device = torch.device("cpu")
    name = "CPU"
    records = ""

    def working(self) -> AbstractContextManager[object]:
        return nullcontext()

    def wait(self) -> None:
        pass

    def record(self, compute: Computation) -> Computation:
        return compute

    def close(self) -> None:
        pass


class Card:
    """A stream of a graphics card, and the CUDA graphs recorded on it, which share their memory: they are never run at the same time."""

    records = "CUDA graph"
    _one_at_a_time = threading.Lock()
    """PyTorch can record one graph at a time in a process."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.name = torch.cuda.get_device_name(device)
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        # Weights may still be on their way, on the stream that is current here.
        self._stream.wait_stream(torch.cuda.current_stream(device))
        self._graphs: list[torch.cuda.CUDAGraph] = []
        self._constants = FixedConstants()

    def working(self) -> AbstractContextManager[object]:
        return torch.cuda.stream(self._stream)

    def wait(self) -> None:
        self._stream.synchronize()

    def record(self, compute: Computation) -> Computation:
        graph = torch.cuda.CUDAGraph()
        pool = self._graphs[0].pool() if self._graphs else None
        with self._one_at_a_time, self.working(), tried_convolutions(), self._constants:
            for _ in range(WARM_UPS):
                compute()
            self.wait()
            # Another engine may be rendering in another thread, which must not spoil the recording.
            with torch.cuda.graph(graph, pool=pool, stream=self._stream, capture_error_mode="thread_local"):
                compute()
        self._graphs.append(graph)
        return graph.replay

    def close(self) -> None:
        with suppress(RuntimeError):  # a card that has failed cannot even do this
            self.wait()
            for graph in self._graphs:
                graph.reset()
        self._graphs = []
        self._constants = FixedConstants()
        with suppress(RuntimeError):
            torch.cuda.empty_cache()


@contextmanager
def tried_convolutions() -> Iterator[None]:
    """Within it cuDNN tries its ways to compute each new convolution and keeps the quickest, for this thread."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


class FixedConstants(TorchFunctionMode):
    """Within it, numbers and lists of indices in the networks' code go to the device the first time alone.

    Each would be a copy from ordinary memory that waits, which cannot be recorded. They live as long as this object; a recording
    that uses them must not live longer.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.tensor:
            return self._keep(f"{args} {kwargs}", lambda: torch.tensor(*args, **kwargs))
        if func is Tensor.__getitem__:
            tensor, index = args
            parts = index if isinstance(index, tuple) else (index,)
            fixed = tuple(self._index(part, tensor.device) if isinstance(part, list) else part for part in parts)
            return func(tensor, fixed)
        return func(*args, **kwargs)

    def _index(self, places: list[int], device: torch.device) -> Tensor:
        return self._keep(f"{places} {device}", lambda: torch.tensor(places, device=device))

    def _keep(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]
