"""Where an engine's tensors lie and its work is queued: the processor, or a card.

Everything specific to CUDA is in `CudaPlace`. One stream suffices for an engine: a frame is detected, moved
by the processor and rendered, each step waiting for the one before, so a second stream would be idle.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

Computation = Callable[[], None]
"""Reads tensors at fixed addresses, and writes others at fixed addresses."""

WARM_UPS = 3
"""Runs before a recording, in which libraries are loaded, kernels chosen and memory allocated."""


class Place(Protocol):
    """Where the networks run: a device, and how its work is recorded.

    Attributes:
        name: for people.
        records: what ``record`` returns, for people (``"CUDA graph"``); empty if it returns its argument.
    """

    device: torch.device
    name: str
    records: str

    def working(self) -> AbstractContextManager[object]:
        """Context in which all work goes to this device."""

    def wait(self) -> None:
        """Wait until all work is done."""

    def shared(self, count: int, kind: torch.dtype) -> Tensor:
        """Return zeros (count,) in processor memory that the device can access."""

    def record(self, compute: Computation) -> Computation:
        """Return the same computation in a form that is faster to start.

        Raises RuntimeError if it cannot be recorded.
        """

    def close(self) -> None:
        """Drop recordings and free memory; raises nothing.

        The caller must drop its own references before.
        """


class Processor:
    """Computes immediately and records nothing."""

    device = torch.device("cpu")
    name = "CPU"
    records = ""

    def working(self) -> AbstractContextManager[object]:
        return nullcontext()

    def wait(self) -> None:
        pass

    def shared(self, count: int, kind: torch.dtype) -> Tensor:
        return torch.zeros(count, dtype=kind)

    def record(self, compute: Computation) -> Computation:
        return compute

    def close(self) -> None:
        pass


class CudaPlace:
    """A stream of a graphics card and the CUDA graphs recorded on it.

    The graphs share their memory: never run two at the same time.
    """

    records = "CUDA graph"
    _one_at_a_time = threading.Lock()
    """PyTorch can record one graph at a time in a process."""
    _idle: ClassVar[dict[torch.device, list[torch.cuda.Stream]]] = {}
    """Streams of closed places. PyTorch has 32 and hands them out in turn, whether in use or not; on a shared
    stream, a recording would include the other place's work, and closing one place would free the other's
    working memory.
    """
    _refused: ClassVar[dict[torch.device, str]] = {}
    """Why a recording has failed. PyTorch keeps its memory until the process ends, so there is no
    second try.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.name = torch.cuda.get_device_name(device)
        try:
            self._stream = self._idle.setdefault(device, []).pop()
        except IndexError:
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        # Weights may still be being copied on the current stream.
        self._stream.wait_stream(torch.cuda.current_stream(device))
        self._graphs: list[torch.cuda.CUDAGraph] = []
        self._pinned: list[Tensor] = []
        self._constants = FixedConstants()
        self._open = self._sound = True

    def working(self) -> AbstractContextManager[object]:
        return torch.cuda.stream(self._stream)

    def wait(self) -> None:
        self._stream.synchronize()

    def shared(self, count: int, kind: torch.dtype) -> Tensor:
        self._pinned.append(pinned_zeros(count, kind))
        return self._pinned[-1]

    def record(self, compute: Computation) -> Computation:
        if self.device in self._refused:
            raise RuntimeError(f"a recording has failed before: {self._refused[self.device]}")
        graph = torch.cuda.CUDAGraph()
        with self._one_at_a_time, self.working(), tried_convolutions(), self._constants:
            for _ in range(WARM_UPS):
                compute()
            self.wait()
            self._capture(graph, compute)
        self._graphs.append(graph)
        return graph.replay

    def _capture(self, graph: torch.cuda.CUDAGraph, compute: Computation) -> None:
        pool = self._graphs[0].pool() if self._graphs else None
        try:
            # Another engine may be rendering in another thread, which must not spoil the recording.
            with torch.cuda.graph(graph, pool=pool, stream=self._stream, capture_error_mode="thread_local"):
                compute()
        except RuntimeError as error:
            self._sound = False
            self._refused[self.device] = reason(error)
            raise

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        try:
            self.wait()
            for graph in self._graphs:
                graph.reset()
        except RuntimeError:  # the card has failed
            keep_forever([*self._graphs, *self._pinned])
            self._sound = False
        self._graphs, self._pinned, self._constants = [], [], FixedConstants()
        if self._sound:
            self._idle[self.device].append(self._stream)
        # Not during a recording, which this work does not belong to.
        if self._one_at_a_time.acquire(blocking=False):
            with suppress(RuntimeError):
                torch.cuda.empty_cache()
            self._one_at_a_time.release()


def pinned_zeros(count: int, kind: torch.dtype) -> Tensor:
    """Return zeros (count,) in processor memory that a card can access."""
    return torch.zeros(count, dtype=kind, pin_memory=True)


def keep_forever(things: Iterable[object]) -> None:
    """Keep these objects until the process ends.

    After a failure of the card no CUDA function works. Destructors of graphs and of pinned memory call some
    and cannot raise, so they would end the process.
    """
    for thing in things:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def reason(error: BaseException) -> str:
    """Return the first error's message as one line.

    The end of a failed recording raises an error of its own.
    """
    while error.__context__ is not None:
        error = error.__context__
    return str(error).partition("\n")[0]


@contextmanager
def tried_convolutions() -> Iterator[None]:
    """Let cuDNN benchmark its algorithms for each new convolution, for this thread.

    The switch belongs to the process: other threads that compute meanwhile without a recording benchmark too,
    which takes longer once.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


class FixedConstants(TorchFunctionMode):
    """Copies numbers and index lists in the networks' code to the device only once.

    Each copy from ordinary memory blocks, which cannot be recorded. The copies live as long as this object; a
    recording that uses them must not live longer.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, Tensor] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.tensor:
            return self._keep(f"{args} {kwargs}", lambda: torch.tensor(*args, **kwargs))
        if func is Tensor.__getitem__:
            tensor, index = args
            parts = index if isinstance(index, tuple) else (index,)
            fixed = tuple(
                self._index(part, tensor.device) if isinstance(part, list) else part for part in parts
            )
            return func(tensor, fixed)
        return func(*args, **kwargs)

    def _index(self, places: list[int], device: torch.device) -> Tensor:
        return self._keep(f"{places} {device}", lambda: torch.tensor(places, device=device))

    def _keep(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]
