"""An engine computes a model on one kind of hardware.

``encode``, ``detect``, ``render``, ``close``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast, runtime_checkable

from avatar_app.errors import EngineError
from avatar_app.remote.traffic import Traffic
from avatar_app.text import Text
from avatar_app.types import Area, Avatar, Crop, Image, KeyPoints, Layer, Scene


class Engine(Protocol):
    """One opened bundle on one device.

    Not thread-safe: open, use and close it in one thread.

    Key points cross as numpy (a few hundred bytes); features stay where the engine computes.
    """

    @property
    def size(self) -> int:
        """Side of the pictures it takes and makes, in pixels."""

    @property
    def name(self) -> str:
        """What runs where, for people: ``"lite, ONNX Runtime, CPU"``."""

    @property
    def reads_pictures(self) -> bool:
        """Whether ``detect`` looks at the crop's picture.

        Else its landmarks are enough, and a live crop need not be cut.
        """

    def detect(self, crop: Crop) -> KeyPoints:
        """Key points of a square face picture of side ``size``."""

    def encode(self, crop: Crop) -> Avatar:
        """Everything that depends on the photo alone; once per photo."""

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        """The avatar in a pose, (size, size, 3) RGB, before its photo's own background."""

    def close(self) -> None:
        """Give back memory; the engine cannot be used afterwards."""


@runtime_checkable
class JoinsPhotos(Protocol):
    """An engine that can make one avatar of several photos of a person (X2Face)."""

    def join(self, avatars: Sequence[Avatar]) -> Avatar:
        """One avatar of several photos. Raises EngineError for models that take one photo."""


def require_joinable(kind: str, name: str) -> None:
    """Raise EngineError where a model of this kind takes one photo."""
    if kind != "x2face":
        raise EngineError(
            Text("The model {} takes one photo.", name), Text("Give one, or use an X2Face model.")
        )


Show = Callable[[Layer, float], None]
"""Takes a layer and the moment at which the frame of its pose was captured."""


@runtime_checkable
class StreamingEngine(Protocol):
    """An engine far away.

    Several poses are on the way at a time, and pictures come when they come.
    """

    def stream(
        self, avatar: Avatar, pose: KeyPoints, area: Area | None, captured_at: float, show: Show
    ) -> None:
        """Send a pose, and which area of the scene is wanted, if the avatar has one.

        ``show`` is called in another thread. Raises DeviceError while nothing answers.
        """

    def traffic(self) -> Traffic:
        """What the network does."""


def streaming(engine: object) -> StreamingEngine | None:
    """The engine, if it is far away."""
    return engine if isinstance(engine, StreamingEngine) else None


class LayerEngine(Engine, Protocol):
    """An engine whose avatars have a scene."""

    def render_layer(self, avatar: Avatar, pose: KeyPoints, area: Area) -> Layer:
        """The person alone in a pose, over an area of the square and around it."""


def render_layer(engine: Engine, avatar: Avatar, pose: KeyPoints, area: Callable[[Scene], Area]) -> Layer:
    """The avatar as a canvas takes it.

    The person alone, or an opaque square of a model that does not separate person from background.

    Args:
        area: which part of its scene is wanted.
    """
    if avatar.scene is None:
        return Layer(engine.render(avatar, pose))
    return cast(LayerEngine, engine).render_layer(avatar, pose, area(avatar.scene))
