"""One graph of a bundle as a live engine runs it: everything has a fixed place, one copy goes in and one comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avatar_app.engines.torch_place import Place
from avatar_app.engines.torch_weights import run
from avatar_app.networks.graphs import Graph

AnyArray = np.ndarray[tuple[int, ...], np.dtype[Any]]


class Pack:
    """Tensors of one type side by side in memory, so that one copy moves them all.

    Attributes:
        whole: all of them, (n,).
        parts: each in its shape.
    """

    def __init__(self, examples: Iterable[Tensor], device: torch.device, pinned: bool = False) -> None:
        """Args: pinned: in memory of the processor that a graphics card can read and write by itself."""
        examples = list(examples)
        ends = np.cumsum([0, *(example.numel() for example in examples)]).tolist()
        self.whole = torch.zeros(ends[-1], dtype=examples[0].dtype, device=device, pin_memory=pinned)
        self.parts = [self.whole[a:b].view(example.shape) for (a, b), example in zip(pairwise(ends), examples, strict=True)]


class Step:
    """A graph with places of its own for what goes in and what comes out. Calls take and give numpy arrays without the batch.

    Args:
        fed: examples of what changes with every call; of one type.
        kept: tensors on the device, the other inputs; whoever changes their content changes the next result.
        record: let the place record the computation; it raises RuntimeError where that fails.
    """

    def __init__(self, graph: Graph, place: Place, fed: Mapping[str, Tensor], kept: Mapping[str, Tensor], record: bool) -> None:
        self._graph, self._place = graph, place
        card = place.device.type == "cuda"
        self._fed_here = Pack(fed.values(), torch.device("cpu"), pinned=card)
        self._fed = Pack(fed.values(), place.device)
        self._tensors = dict(kept) | dict(zip(fed, self._fed.parts, strict=True))
        self._fill([example.numpy(force=True) for example in fed.values()])
        outputs = run(graph, self._tensors)
        self._made = Pack(outputs, place.device)
        self._made_here = Pack(outputs, torch.device("cpu"), pinned=card)
        self._go = place.record(self._compute) if record else self._compute

    def __call__(self, *arrays: AnyArray) -> list[AnyArray]:
        """Args: arrays: in the order of ``fed``."""
        self._fill([array[None] for array in arrays])
        self._go()
        self._made_here.whole.copy_(self._made.whole, non_blocking=True)
        self._place.wait()
        return [part.numpy()[0].copy() for part in self._made_here.parts]

    def _fill(self, arrays: Sequence[AnyArray]) -> None:
        for part, array in zip(self._fed_here.parts, arrays, strict=True):
            part.numpy()[...] = array
        self._fed.whole.copy_(self._fed_here.whole, non_blocking=True)

    def _compute(self) -> None:
        for part, output in zip(self._made.parts, run(self._graph, self._tensors), strict=True):
            part.copy_(output)
