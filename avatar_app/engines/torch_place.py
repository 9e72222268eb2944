"""Where an engine's tensors are and its work is queued.

The processor, or a graphics card that can record a computation.

All that is particular to CUDA is in `Card`. One stream is enough for an engine: a frame is detected, moved by
the processor and rendered, each of which needs the one before, so that a second stream would have nothing to
do meanwhile.
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
"""Reads tensors that stay where they are, and writes others that do."""

WARM_UPS = 3
"""Runs before a recording: libraries are loaded, kernels chosen and memory is found in them."""


class Place(Protocol):
    """Where the networks run: a device, and how its work is recorded.

    Attributes:
        name: for people.
        records: what ``record`` makes, for people (``"CUDA graph"``); empty where it only returns what it
            is given.
    """

    device: torch.device
    name: str
    records: str

    def working(self) -> AbstractContextManager[object]:
        """All work on the device goes here, within this."""

    def wait(self) -> None:
        """Until all work is done."""

    def shared(self, count: int, kind: torch.dtype) -> Tensor:
        """Return zeros (count,) in processor memory that the device accesses itself."""

    def record(self, compute: Computation) -> Computation:
        """The same computation, quicker to start.

        Raises RuntimeError if it cannot be recorded.
        """

    def close(self) -> None:
        """Forget what was recorded and give memory back.

        Raises nothing; what the caller held must be dropped before.
        """


class Processor:
    """Computes at once and records nothing."""

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


class Card:
    """A stream of a graphics card and the CUDA graphs recorded on it.

    The graphs share their memory: never run two at the same time.
    """

    records = "CUDA graph"
    _one_at_a_time = threading.Lock()
    """PyTorch can record one graph at a time in a process."""
    _idle: ClassVar[dict[torch.device, list[torch.cuda.Stream]]] = {}
    """Streams of closed places. PyTorch has 32 and hands them out in turns, in use or not; on one that
    another place uses, a recording would swallow that one's work, and the end of either place would take
    the other's working memory away."""
    _refused: ClassVar[dict[torch.device, str]] = {}
    """Why a recording has failed. PyTorch keeps its memory as long as the process lives, so there is no
    second try."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.name = torch.cuda.get_device_name(device)
        try:
            self._stream = self._idle.setdefault(device, []).pop()
        except IndexError:
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        # Weights may still be on their way, on the stream that is current here.
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
        # Not while a recording goes on, of which that is not a part.
        if self._one_at_a_time.acquire(blocking=False):
            with suppress(RuntimeError):
                torch.cuda.empty_cache()
            self._one_at_a_time.release()


def pinned_zeros(count: int, kind: torch.dtype) -> Tensor:
    """Return zeros (count,) in processor memory that a card accesses itself."""
    return torch.zeros(count, dtype=kind, pin_memory=True)


def keep_forever(things: Iterable[object]) -> None:
    """Never free these.

    After a failure of the card no function of CUDA works, and the destructors of graphs and of memory that it
    reads by itself would call some: they can raise nothing, so the process would end there and then.
    """
    for thing in things:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def reason(error: BaseException) -> str:
    """What came first, in a line.

    The end of a recording that has failed raises an error of its own.
    """
    while error.__context__ is not None:
        error = error.__context__
    return str(error).partition("\n")[0]


@contextmanager
def tried_convolutions() -> Iterator[None]:
    """Let cuDNN try its algorithms for each new convolution and keep the quickest.

    For this thread.

    The switch is the process's: what other threads compute meanwhile without a recording is tried too, which
    takes them longer once.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


class FixedConstants(TorchFunctionMode):
    """Copy numbers and index lists in the networks' code to the device only once.

    Each would be a copy from ordinary memory that waits, which cannot be recorded. They live as long as this
    object; a recording that uses them must not live longer.
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
