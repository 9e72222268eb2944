"""Fake a graphics card on the processor.

It provides the functions that the app uses of `torch.cuda`, and replays recordings operation by operation.

Like a real card it refuses, while recording, to wait for the device and to copy new values to it, and
after a failure it does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from avatar_app.engines import torch_place
from avatar_app.engines.torch_place import CudaPlace

DEVICE = torch.device("cpu")
REFUSED = ("aten::_local_scalar_dense", "aten::nonzero", "aten::lift_fresh", "aten::lift_fresh_copy")
"""The device's values are read, or a number becomes a tensor."""

Call = tuple[Any, tuple[Any, ...], dict[str, Any], Any]


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Executes and records operations."""

    def __init__(self, calls: list[Call]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._calls = calls

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            with self:
                return func.decompose(*args, **kwargs)
        if func.name().partition(".")[0] in REFUSED:
            raise RuntimeError("operation not permitted when stream is capturing")
        result = func(*args, **kwargs)
        self._calls.append((func, args, kwargs, result))
        return result


class Graph:
    """Results are written where they were at recording, as with CUDA."""

    def __init__(self, cuda: PretendedCuda) -> None:
        self._cuda = cuda
        self.calls: list[Call] = []
        self.reset_done = False

    def pool(self) -> object:
        return self

    @torch.inference_mode()
    def replay(self) -> None:
        self._cuda.check()
        for func, args, kwargs, result in self.calls:
            schema = func._schema
            if schema.is_mutable:
                func(*args, **kwargs)
            elif not any(value.alias_info is not None for value in schema.returns):
                new = func(*args, **kwargs)
                for place, value in zip(tree_leaves(result), tree_leaves(new), strict=True):
                    if isinstance(place, Tensor):
                        place.copy_(value)

    def reset(self) -> None:
        self._cuda.check()
        self.calls.clear()
        self.reset_done = True


class Stream:
    def __init__(self, cuda: PretendedCuda) -> None:
        self._cuda = cuda

    def wait_stream(self, other: object) -> None:
        self._cuda.check()

    def synchronize(self) -> None:
        self._cuda.check()


class PretendedCuda:
    """A fake card's state.

    Attributes:
        broken: why nothing works any more; empty if everything does.
        unrecordable: what recording an operation raises.
        emptied: how often memory was given back to the system.
    """

    def __init__(self) -> None:
        self.broken = self.unrecordable = ""
        self.streams: list[Stream] = []
        self.graphs: list[Graph] = []
        self.pinned: list[int] = []
        self.emptied = self.recordings = 0

    def check(self) -> None:
        if self.broken:
            raise torch.AcceleratorError(self.broken)

    def new_stream(self, device: torch.device) -> Stream:
        self.streams.append(Stream(self))
        return self.streams[-1]

    def new_graph(self) -> Graph:
        self.graphs.append(Graph(self))
        return self.graphs[-1]

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        assert isinstance(stream, Stream)
        yield

    @contextmanager
    def graph(self, graph: Graph, pool: object, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        self.check()
        assert capture_error_mode == "thread_local"
        self.recordings += 1
        try:
            with Recorder(graph.calls):
                yield
                if self.unrecordable:
                    raise RuntimeError(self.unrecordable)
        except RuntimeError as error:
            raise torch.AcceleratorError(
                "CUDA error: operation failed due to a previous error during capture"
            ) from error

    def empty_cache(self) -> None:
        self.check()
        self.emptied += 1

    def pinned_zeros(self, count: int, kind: torch.dtype) -> Tensor:
        self.check()
        self.pinned.append(count)
        return torch.zeros(count, dtype=kind)


def install(monkeypatch: pytest.MonkeyPatch) -> PretendedCuda:
    cuda = PretendedCuda()
    replacements = {
        "Stream": cuda.new_stream,
        "stream": cuda.stream,
        "current_stream": lambda device: None,
        "CUDAGraph": cuda.new_graph,
        "graph": cuda.graph,
        "empty_cache": cuda.empty_cache,
        "get_device_name": lambda device: "Pretended",
    }
    for name, replacement in replacements.items():
        monkeypatch.setattr(torch.cuda, name, replacement)
    monkeypatch.setattr(torch_place, "pinned_zeros", cuda.pinned_zeros)
    monkeypatch.setattr(CudaPlace, "_idle", {})
    monkeypatch.setattr(CudaPlace, "_refused", {})
    return cuda
