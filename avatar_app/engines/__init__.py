"""Engines: a model computed on one kind of hardware."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast, runtime_checkable

from avatar_app.errors import EngineError
from avatar_app.remote.traffic import Traffic
from avatar_app.text import Text
from avatar_app.types import Area, Avatar, Crop, Image, KeyPoints, Layer, Scene


class Engine(Protocol):
    """One opened bundle on one device.

    Not thread-safe: only one thread at a time may use it. Key points are numpy arrays (a few hundred bytes);
    features stay in the engine's memory.
    """

    @property
    def size(self) -> int:
        """Side of the input and output pictures, in pixels."""

    @property
    def name(self) -> str:
        """Model, library and device, for people: ``"lite, ONNX Runtime, CPU"``."""

    @property
    def reads_pictures(self) -> bool:
        """Whether ``detect`` needs the crop's picture.

        Otherwise its landmarks are enough, and live crops need not be cut.
        """

    def detect(self, crop: Crop) -> KeyPoints:
        """Return the key points of a square face picture of side ``size``."""

    def encode(self, crop: Crop) -> Avatar:
        """Compute everything that depends on the photo alone, once for each photo."""

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        """Render the avatar in a pose, (size, size, 3) RGB, before its own background."""

    def close(self) -> None:
        """Free memory; the engine cannot be used afterwards."""


@runtime_checkable
class JoinsPhotos(Protocol):
    """An engine that can make one avatar of several photos of a person (X2Face)."""

    def join(self, avatars: Sequence[Avatar]) -> Avatar:
        """Join several photos into one avatar; raise EngineError if the model takes one."""


def require_joinable(kind: str, name: str) -> None:
    """Raise EngineError if models of this kind take one photo."""
    if kind != "x2face":
        raise EngineError(
            Text("The model {} takes one photo.", name), Text("Give one, or use an X2Face model.")
        )


Show = Callable[[Layer, float], None]
"""Takes a layer and the time at which the frame of its pose was captured."""


@runtime_checkable
class Improvable(Protocol):
    """An engine in use until a better device has been tried."""

    def improved(self) -> Engine | None:
        """Try what may be better, and open it; None if nothing is.

        May take minutes. For another thread than the one that uses this engine.
        """


def improvable(engine: object) -> Improvable | None:
    """Return the engine if there may be a better device for it, else None."""
    return engine if isinstance(engine, Improvable) else None


@runtime_checkable
class StreamingEngine(Protocol):
    """An engine on another computer, with several poses in flight at a time."""

    def stream(
        self, avatar: Avatar, pose: KeyPoints, area: Area | None, captured_at: float, show: Show
    ) -> None:
        """Send a pose; ``show`` gets the picture later, in another thread.

        Raises DeviceError while there are no answers.

        Args:
            area: wanted area of the scene, if the avatar has one.
        """

    def traffic(self) -> Traffic:
        """Return figures about the network."""


def streaming(engine: object) -> StreamingEngine | None:
    """Return the engine if it is on another computer, else None."""
    return engine if isinstance(engine, StreamingEngine) else None


class LayerEngine(Engine, Protocol):
    """An engine whose avatars have a scene."""

    def render_layer(self, avatar: Avatar, pose: KeyPoints, area: Area) -> Layer:
        """Render the person alone in a pose, over an area of the square and around it."""


def render_layer(engine: Engine, avatar: Avatar, pose: KeyPoints, area: Callable[[Scene], Area]) -> Layer:
    """Render the avatar for a canvas.

    The person alone, or an opaque square if the model does not separate person and background.

    Args:
        area: wanted area of the scene.
    """
    if avatar.scene is None:
        return Layer(engine.render(avatar, pose))
    return cast(LayerEngine, engine).render_layer(avatar, pose, area(avatar.scene))
