"""The processor's engine, in use until a better device has been tried."""

from __future__ import annotations

from collections.abc import Callable

from avatar_app.bundles.bundle import Bundle
from avatar_app.engines import Engine
from avatar_app.engines.onnx_engine import OnnxEngine


class ProvisionalEngine(OnnxEngine):
    """An `Improvable` engine.

    Args:
        better: as `Improvable.improved`.
    """

    def __init__(self, bundle: Bundle, threads: int, better: Callable[[], Engine | None]) -> None:
        super().__init__(bundle, threads)
        self._better = better

    def improved(self) -> Engine | None:
        return self._better()
