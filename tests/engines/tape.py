"""A place that records on the processor, as a graphics card does.

It replays operations on fixed tensors, without the code between them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from avatar_app.engines.torch_place import Computation, Processor
from avatar_app.engines.torch_static_graph import StaticGraph


class Tape(Processor):
    """Records correctly."""

    records = "tape"

    def __init__(self) -> None:
        self.closed = False
        self.replays = 0

    def record(self, compute: Computation) -> Computation:
        def plain() -> None:  # not a method, whose object would count as an argument
            compute()

        tape = make_fx(plain)()

        def replay() -> None:
            self.replays += 1
            tape()

        return replay

    def close(self) -> None:
        self.closed = True


class NoTape(Tape):
    """Cannot record."""

    def record(self, compute: Computation) -> Computation:
        raise RuntimeError("operation not permitted when stream is capturing\nand a page of explanations")


class EmptyTape(Tape):
    """Replays nothing: the first run's result stays."""

    def record(self, compute: Computation) -> Computation:
        compute()
        return lambda: None


class OnePhotoTape(Tape):
    """Keeps the first photo's features in the recording instead of a reference to the features."""

    def record(self, compute: Computation) -> Computation:
        step: Any = getattr(compute, "__self__")  # noqa: B009
        assert isinstance(step, StaticGraph)
        step._tensors = {
            name: tensor.clone() if "features" in name else tensor for name, tensor in step._tensors.items()
        }
        return super().record(compute)


class WrongPointsTape(Tape):
    """Moves key points; pictures, which are bytes, are correct."""

    def record(self, compute: Computation) -> Computation:
        step: Any = getattr(compute, "__self__")  # noqa: B009

        def moved() -> None:
            compute()
            if step._made.whole.dtype == torch.float32:
                step._made.whole.add_(0.1)

        return super().record(moved)
