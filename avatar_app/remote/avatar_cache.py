"""Keep the photos of one client on a server, and the avatars made of them."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict

from avatar_app.remote.messages import Photo
from avatar_app.types import Avatar

MOST_AVATARS = 8
"""Limit of avatars that a session keeps, the least recently used goes first, and of photos that wait."""


class AvatarCache:
    """Photos that wait, and avatars by number. Belongs to one event loop."""

    def __init__(self) -> None:
        self._avatars: OrderedDict[int, Avatar] = OrderedDict()
        self._waiting: asyncio.Queue[Photo] = asyncio.Queue(MOST_AVATARS)
        self._coming: Counter[int] = Counter()
        self._changed = asyncio.Event()

    async def add(self, photo: Photo) -> None:
        """Queue a photo; return when there is room for it."""
        self._coming[photo.avatar] += 1
        await self._waiting.put(photo)

    async def next(self) -> Photo:
        """Return the photo to encode now. `done` has to follow."""
        return await self._waiting.get()

    def done(self, number: int, avatar: Avatar | None) -> None:
        """Note that a photo has been encoded, or refused."""
        self._coming[number] -= 1
        if self._coming[number] <= 0:
            del self._coming[number]
        if avatar is not None:
            self._avatars[number] = avatar
            self._avatars.move_to_end(number)
        while len(self._avatars) > MOST_AVATARS:
            self._avatars.popitem(last=False)
        self._changed.set()

    def comes(self, number: int) -> bool:
        """Whether a photo is still to be encoded."""
        return number in self._coming

    async def change(self) -> None:
        """Wait until the next photo has been encoded."""
        self._changed.clear()
        await self._changed.wait()

    def get(self, number: int) -> Avatar | None:
        avatar = self._avatars.get(number)
        if avatar is not None:
            self._avatars.move_to_end(number)
        return avatar
