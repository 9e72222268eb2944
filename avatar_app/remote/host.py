"""The engine of a server, in one thread that serves all sessions in turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar, cast

from avatar_app.types import Area, Avatar, Crop, Image, KeyPoints, Layer

T = TypeVar("T")
SMOOTH = 0.1
"""Weight of the newest measurement in the mean time for a picture."""


class Renderer(Protocol):
    """The part of an engine that a server needs; see ``avatar_app.engines.Engine``."""

    @property
    def size(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def reads_pictures(self) -> bool: ...

    def encode(self, crop: Crop) -> Avatar: ...

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image: ...

    def close(self) -> None: ...


class LayerRenderer(Renderer, Protocol):
    """A renderer whose avatars have a scene."""

    def render_layer(self, avatar: Avatar, pose: KeyPoints, area: Area) -> Layer: ...


class Host:
    """Owns an engine. A session has at most one picture here, so sessions alternate.

    Photos have a thread of their own if the engine allows it: one takes as long as tens of pictures.

    Args:
        open_engine: called in the engine's thread.
    """

    def __init__(self, open_engine: Callable[[], Renderer]) -> None:
        self._open = open_engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._photos = ThreadPoolExecutor(1, thread_name_prefix="photos")
        self._encoders = ThreadPoolExecutor(2, thread_name_prefix="pictures")
        self._engine: Renderer | None = None
        self.milliseconds = 0.0

    @property
    def engine(self) -> Renderer:
        """The engine. Its name, size and kind may be read from any thread."""
        if self._engine is None:
            raise RuntimeError("the engine is not open")
        return self._engine

    async def open(self) -> None:
        self._engine = await self._run(self._open)

    async def encode(self, crop: Crop) -> Avatar:
        thread = self._photos if getattr(self.engine, "encodes_aside", False) else self._thread
        return await asyncio.get_running_loop().run_in_executor(thread, self.engine.encode, crop)

    async def render(
        self, avatar: Avatar, pose: KeyPoints, area: Area | None, convert: Callable[[Layer], T]
    ) -> tuple[T, float]:
        """Return the converted layer, and the milliseconds that rendering took.

        An opaque square without an area, and for models without scenes.
        """

        def work() -> tuple[Future[T], float]:
            layer, milliseconds = self._timed(avatar, pose, area)
            # Not by way of the event loop, which may be busy.
            return self._encoders.submit(convert, layer), milliseconds

        converted, milliseconds = await self._run(work)
        return await asyncio.wrap_future(converted), milliseconds

    async def convert(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run work of milliseconds that needs no engine."""
        return await asyncio.get_running_loop().run_in_executor(self._encoders, function, *arguments)

    async def close(self) -> None:
        engine, self._engine = self._engine, None
        self._photos.shutdown()
        if engine is not None:
            await self._run(engine.close)
        self._thread.shutdown()
        self._encoders.shutdown()

    def _timed(self, avatar: Avatar, pose: KeyPoints, area: Area | None) -> tuple[Layer, float]:
        began = time.perf_counter()
        if area is None or avatar.scene is None:
            layer = Layer(self.engine.render(avatar, pose))
        else:
            layer = cast(LayerRenderer, self.engine).render_layer(avatar, pose, area)
        milliseconds = (time.perf_counter() - began) * 1000
        self.milliseconds += (milliseconds - self.milliseconds) * (SMOOTH if self.milliseconds else 1.0)
        return layer, milliseconds

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
