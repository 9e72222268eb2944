"""One graph of a bundle with fixed memory: one copy in, one copy out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avatar_app.engines.torch_place import Place
from avatar_app.engines.torch_weights import run
from avatar_app.networks.graphs import Graph

AnyArray = np.ndarray[tuple[int, ...], np.dtype[Any]]


class FlatTensors:
    """Tensors of one type, contiguous in memory, so that one copy moves them all.

    Attributes:
        whole: all of them, (n,).
        parts: each in its shape.
    """

    def __init__(self, examples: Iterable[Tensor], zeros: Callable[[int, torch.dtype], Tensor]) -> None:
        """Allocate by ``zeros(count, type)``."""
        examples = list(examples)
        ends = np.cumsum([0, *(example.numel() for example in examples)]).tolist()
        self.whole = zeros(ends[-1], examples[0].dtype)
        self.parts = [
            self.whole[a:b].view(example.shape)
            for (a, b), example in zip(pairwise(ends), examples, strict=True)
        ]


class StaticGraph:
    """A graph with fixed memory for its inputs and outputs.

    Calls take and return numpy arrays without the batch dimension.

    Args:
        fed: examples of the inputs that change with every call; of one type.
        kept: tensors on the device, the other inputs; changing their content changes the next result.
        record: let the place record the computation; raises RuntimeError if that fails.
    """

    def __init__(
        self, graph: Graph, place: Place, fed: Mapping[str, Tensor], kept: Mapping[str, Tensor], record: bool
    ) -> None:
        self._graph, self._place = graph, place
        self._fed_here = FlatTensors(fed.values(), place.shared)
        self._fed = FlatTensors(fed.values(), self._zeros)
        self._tensors = dict(kept) | dict(zip(fed, self._fed.parts, strict=True))
        self._fill([example.numpy(force=True) for example in fed.values()])
        outputs = run(graph, self._tensors)
        self._made = FlatTensors(outputs, self._zeros)
        self._made_here = FlatTensors(outputs, place.shared)
        self._go = place.record(self._compute) if record else self._compute
        place.wait()  # the first call overwrites buffers that may still be being copied

    def __call__(self, *arrays: AnyArray) -> list[AnyArray]:
        """Run on arrays in the order of ``fed``."""
        self._fill([array[None] for array in arrays])
        self._go()
        self._made_here.whole.copy_(self._made.whole, non_blocking=True)
        self._place.wait()
        return [part.numpy()[0].copy() for part in self._made_here.parts]

    def _fill(self, arrays: Sequence[AnyArray]) -> None:
        for part, array in zip(self._fed_here.parts, arrays, strict=True):
            part.numpy()[...] = array
        self._fed.whole.copy_(self._fed_here.whole, non_blocking=True)

    def _zeros(self, count: int, kind: torch.dtype) -> Tensor:
        return torch.zeros(count, dtype=kind, device=self._place.device)

    def _compute(self) -> None:
        for part, output in zip(self._made.parts, run(self._graph, self._tensors), strict=True):
            part.copy_(output)
