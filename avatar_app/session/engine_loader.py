"""Open engines beside the running picture, and try better devices."""

from __future__ import annotations

import logging
from collections.abc import Callable

from avatar_app.engines import Engine, Improvable, improvable
from avatar_app.session.loader import Loader

log = logging.getLogger(__name__)


class EngineLoader(Loader[Engine]):
    """Belongs to the thread that uses the engines.

    Args:
        open_engine: from a model's and a device's name.
    """

    def __init__(self, open_engine: Callable[[str, str], Engine]) -> None:
        super().__init__("engine loader", _close)
        self._open = open_engine
        self._trials: Loader[Engine | None] = Loader("device trial", _close)
        self._to_improve: Improvable | None = None

    def open(self, wanted: tuple[str, str]) -> None:
        """Begin to open an engine for a model and a device."""
        self.begin(wanted, lambda: self._open(*wanted))

    def improve(self, engine: Engine | None) -> None:
        """Let a better device than this engine's be tried soon."""
        self._to_improve = improvable(engine)

    def better(self, engine: Engine | None) -> Engine | None:
        """Return what is better than the engine in use, once, as soon as it is there."""
        if self._to_improve is not None and not self._trials.busy:
            self._trials.begin(engine, self._to_improve.improved)
            self._to_improve = None
        done = self._trials.poll(engine)
        if done is None:
            return None
        if done.error is not None:
            log.error("no better device could be tried", exc_info=done.error)
        return done.value

    def close(self, seconds: float) -> None:
        super().close(seconds)
        self._trials.close(seconds)
        self._to_improve = None


def _close(engine: Engine | None) -> None:
    if engine is not None:
        engine.close()
