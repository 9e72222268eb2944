"""Open engines and encode the photo on them beside the running picture."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from avatar_app.engines import Engine, Improvable, improvable
from avatar_app.faces.portrait import Portrait
from avatar_app.session.loader import Loaded, Loader
from avatar_app.types import Avatar, Crop

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """An engine with the photo encoded on it.

    Attributes:
        portrait: the photo; None if there was none yet.
    """

    engine: Engine
    portrait: Portrait | None = None
    crop: Crop | None = None
    avatar: Avatar | None = None


class EngineLoader:
    """Belongs to the thread that uses the engines.

    Encoding takes up to seconds. It is done in the loading thread, so that a running call misses no picture
    when the engine is exchanged.

    Args:
        open_engine: from a model's and a device's name.
        portrait: returns the photo in use; called in other threads too.
    """

    def __init__(
        self, open_engine: Callable[[str, str], Engine], portrait: Callable[[], Portrait | None]
    ) -> None:
        self._open, self._portrait = open_engine, portrait
        self._engines: Loader[Ready | None] = Loader("engine loader", _close)
        self._trials: Loader[Ready | None] = Loader("device trial", _close)
        self._to_improve: Improvable | None = None

    @property
    def loading(self) -> tuple[str, str] | None:
        """Model and device that are being opened."""
        key = self._engines.key
        return key if self._engines.busy and isinstance(key, tuple) else None

    def open(self, wanted: tuple[str, str]) -> None:
        """Begin to open an engine for a model and a device."""
        self._engines.begin(wanted, lambda: self._ready(self._open(*wanted)))

    def poll(self, wanted: tuple[str, str]) -> Loaded[Ready | None] | None:
        """Return the finished build, once; one that is no longer wanted is closed."""
        return self._fresh(self._engines, self._engines.poll(wanted))

    def improve(self, engine: Engine | None) -> None:
        """Let a better device than this engine's be tried soon."""
        self._to_improve = improvable(engine)

    def better(self, engine: Engine | None) -> Loaded[Ready | None] | None:
        """Return what is better than the engine in use, once, as soon as it is there."""
        if self._to_improve is not None and not self._trials.busy:
            improved = self._to_improve.improved
            self._trials.begin(engine, lambda: self._ready(found) if (found := improved()) else None)
            self._to_improve = None
        return self._fresh(self._trials, self._trials.poll(engine))

    def close(self, seconds: float) -> None:
        self._engines.close(seconds)
        self._trials.close(seconds)
        self._to_improve = None

    def _ready(self, engine: Engine) -> Ready:
        """Encode the photo; close the engine if that fails."""
        portrait = self._portrait()
        if portrait is None:
            return Ready(engine)
        try:
            crop = portrait.crop(engine.size)
            return Ready(engine, portrait, crop, engine.encode(crop))
        except BaseException:
            engine.close()
            raise

    def _fresh(
        self, loader: Loader[Ready | None], done: Loaded[Ready | None] | None
    ) -> Loaded[Ready | None] | None:
        """Return what was built; if the photo has changed, encode that one first."""
        ready = done.value if done else None
        if done is None or ready is None or ready.portrait is self._portrait():
            return done
        loader.begin(done.key, lambda: self._ready(ready.engine))
        return None


def _close(ready: Ready | None) -> None:
    if ready is not None:
        ready.engine.close()
