"""Keep the photos that a client has sent to its server, and the answers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

from avatar_app.errors import DeviceError, EngineError
from avatar_app.remote.messages import Photo, Problem, Ready, SceneMessage
from avatar_app.text import Text

KEPT = 2
"""Photos that are sent again after a reconnection: the avatar's, and the next one's while it is being
encoded.
"""

Answer = tuple[Mapping[str, bytes], SceneMessage | None]
"""A photo's own key points, and its scene if it has one."""


class SentPhotos:
    """Photos and the server's answer to each. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._photos: OrderedDict[int, Photo] = OrderedDict()
        self._scenes: dict[int, SceneMessage] = {}
        self._ready: dict[int, Ready | Problem] = {}

    def add(self, photo: Photo) -> None:
        with self._changed:
            self._photos[photo.avatar] = photo
            while len(self._photos) > KEPT:
                self._forget(next(iter(self._photos)))

    def wait_for(self, avatar: int, seconds: float, address: str) -> Answer:
        """Wait for the answer to a photo.

        Raises DeviceError if none arrives in time, EngineError if the photo is refused.
        """
        with self._changed:
            self._changed.wait_for(lambda: avatar in self._ready, seconds)
            answer, scene = self._ready.get(avatar), self._scenes.pop(avatar, None)
            if isinstance(answer, Problem):
                self._forget(avatar)
        if isinstance(answer, Problem):
            raise EngineError(Text("{}", answer.text), Text("{}", answer.hint))
        if answer is None:
            raise DeviceError(Text("{} did not take the photo in time.", address), Text("Try again."))
        return answer.points, scene

    def take(self, message: Ready | SceneMessage | Problem) -> None:
        """Take the server's answer about a photo."""
        with self._changed:
            if message.avatar is None or message.avatar not in self._photos:
                return
            if isinstance(message, SceneMessage):
                self._scenes[message.avatar] = message
            else:
                self._ready[message.avatar] = message
            self._changed.notify_all()

    def again(self) -> list[Photo]:
        """Return the photos, for a server that does not have them."""
        with self._changed:
            return list(self._photos.values())

    def one(self, avatar: int | None) -> Photo | None:
        with self._changed:
            return None if avatar is None else self._photos.get(avatar)

    def clear(self) -> None:
        with self._changed:
            for kept in (self._photos, self._scenes, self._ready):
                kept.clear()

    def _forget(self, avatar: int) -> None:
        for kept in (self._photos, self._scenes, self._ready):
            kept.pop(avatar, None)
