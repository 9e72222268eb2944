"""An engine computes a model on one kind of hardware: ``encode``, ``detect``, ``render``, ``close``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from avatar_app.errors import EngineError
from avatar_app.types import Avatar, Crop, Image, KeyPoints


class Engine(Protocol):
    """One opened bundle on one device. Not thread-safe: open, use and close it in one thread.

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
        """Whether ``detect`` looks at the crop's picture; else its landmarks are enough, and a live crop need not be cut."""

    def detect(self, crop: Crop) -> KeyPoints:
        """Key points of a square face picture of side ``size``."""

    def encode(self, crop: Crop) -> Avatar:
        """Everything that depends on the photo alone; once per photo."""

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        """The avatar in a pose, (size, size, 3) RGB."""

    def close(self) -> None:
        """Give back memory; the engine cannot be used afterwards."""


@runtime_checkable
class JoinsPhotos(Protocol):
    """An engine that can make one avatar of several photos of a person, if its model can (X2Face)."""

    def join(self, avatars: Sequence[Avatar]) -> Avatar:
        """One avatar of several photos. Raises EngineError for models that take one photo."""


def require_joinable(kind: str, name: str) -> None:
    """Raise EngineError where a model of this kind takes one photo."""
    if kind != "x2face":
        raise EngineError(f"The model {name} takes one photo.", "Give one, or use an X2Face model.")
