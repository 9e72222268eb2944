"""One client's session on a server: its photos, its newest pose, its pictures."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from avatar_app.errors import AvatarError
from avatar_app.remote.host import Host
from avatar_app.remote.messages import (
    LARGEST_PHOTO,
    Dropped,
    GoingAway,
    Hello,
    KeyFrame,
    MalformedMessage,
    Message,
    Photo,
    PictureMessage,
    Ping,
    Pose,
    Problem,
    Ready,
    Welcome,
    pack,
    packed_points,
    png_header,
    unpack,
    unpacked_floats,
    unpacked_points,
)
from avatar_app.remote.pictures import CODECS, open_encoder
from avatar_app.types import Avatar, Crop, Image

log = logging.getLogger(__name__)

MOST_AVATARS = 8
"""Photos that a session keeps ready; the one used longest ago goes first."""

PATIENCE = 10.0
"""Seconds that a client has for its hello."""

HEARTBEAT, MISSED = 1.0, 3
LANDMARKS = 88
FASTEST = 120

Encode = Callable[[Image, bool], tuple[bytes, bool]]


class Wire(Protocol):
    """A connection that carries binary messages."""

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes:
        """The next message. Raises ConnectionError when the other side has gone."""


class Session:
    """Serves one client until it goes.

    Args:
        idle: seconds without a pose after which the client is sent away.
    """

    def __init__(self, host: Host, wire: Wire, model: str, digest: str, idle: float) -> None:
        self._host, self._wire = host, wire
        self._model, self._digest, self._idle = model, digest, idle
        self._avatars: OrderedDict[int, Avatar] = OrderedDict()
        self._pose: tuple[Pose, float] | None = None
        self._posed = asyncio.Event()
        self._photos: asyncio.Queue[Photo] = asyncio.Queue(MOST_AVATARS)
        self._heard = self._busy = time.monotonic()
        self._key = False

    async def run(self) -> None:
        """Raises ConnectionError when the client goes, MalformedMessage when it breaks the protocol."""
        hello = await asyncio.wait_for(self._next(), PATIENCE)
        if not isinstance(hello, Hello):
            raise MalformedMessage("the first message is no hello")
        if not await self._welcome(hello):
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            tasks.create_task(self._take_photos())
            tasks.create_task(self._paint(hello))
            tasks.create_task(self._beat())

    async def leave(self, seconds: float) -> None:
        """Tell the client that the server ends."""
        await self._say(GoingAway(seconds))

    async def _welcome(self, hello: Hello) -> bool:
        if hello.model != self._model or (hello.digest and hello.digest != self._digest):
            text = f"This server runs the model {self._model}, not {hello.model}."
            if hello.model == self._model:
                text = f"The model {self._model} of this server is another version of it."
            await self._say(Problem("model", text, "Choose the same model and version on both computers."))
            return False
        engine = self._host.engine
        self._codec = next((codec for codec in hello.codecs if codec in CODECS), CODECS[0])
        await self._say(
            Welcome(
                engine.name,
                engine.size,
                engine.reads_pictures,
                self._codec,
                self._host.milliseconds,
                HEARTBEAT,
            )
        )
        return True

    async def _read(self) -> None:
        while True:
            message = await self._next()
            if isinstance(message, Photo):
                await self._photos.put(message)
            elif isinstance(message, Pose):
                await self._take_pose(message)
            elif isinstance(message, KeyFrame):
                self._key = True

    async def _take_photos(self) -> None:
        """A photo takes seconds on a busy computer; its client is heard meanwhile."""
        while True:
            photo = await self._photos.get()
            self._busy = time.monotonic()
            await self._take_photo(photo)

    async def _take_photo(self, photo: Photo) -> None:
        try:
            crop = await self._host.convert(read_photo, photo, self._host.engine.size)
            avatar = await self._host.encode(crop)
        except AvatarError as problem:
            await self._say(Problem("photo", problem.message, problem.hint, photo.avatar))
            return
        self._avatars[photo.avatar] = avatar
        while len(self._avatars) > MOST_AVATARS:
            self._avatars.popitem(last=False)
        self._key = True
        await self._say(Ready(photo.avatar, packed_points(avatar.key_points)))

    async def _take_pose(self, pose: Pose) -> None:
        waiting, self._pose = self._pose, (pose, time.monotonic())
        self._busy = time.monotonic()
        self._posed.set()
        if waiting is not None:
            await self._say(Dropped(waiting[0].number, waiting[0].number))

    async def _paint(self, hello: Hello) -> None:
        encoder = open_encoder(self._codec, self._host.engine.size, min(max(hello.fps, 1), FASTEST))
        try:
            while True:
                await self._posed.wait()
                self._posed.clear()
                waiting, self._pose = self._pose, None
                if waiting is not None:
                    await self._answer(*waiting, encoder.encode)
        finally:
            await self._host.convert(encoder.close)

    async def _answer(self, pose: Pose, came: float, encode: Encode) -> None:
        avatar = self._avatars.get(pose.avatar)
        if avatar is None:
            text = "The photo of this pose is not on the server."
            await self._say(Problem("avatar", text, "It is sent again.", pose.avatar))
            return
        self._avatars.move_to_end(pose.avatar)
        points = unpacked_points(pose.points)
        if points.value.shape != avatar.key_points.value.shape:
            raise MalformedMessage(f"a pose of {len(points.value)} key points")
        queued = (time.monotonic() - came) * 1000
        picture, rendered = await self._host.render(avatar, points)
        key, self._key = self._key, False
        data, is_key = await self._host.convert(encode, picture, key)
        await self._say(PictureMessage(pose.number, pose.sent, queued, rendered, is_key, data))

    async def _beat(self) -> None:
        while True:
            await self._say(Ping())
            await asyncio.sleep(HEARTBEAT)
            now = time.monotonic()
            if now - self._heard > MISSED * HEARTBEAT:
                raise ConnectionError("the client is silent")
            if now - self._busy > self._idle:
                raise ConnectionError("nothing was asked for")

    async def _next(self) -> Message | None:
        data = await self._wire.receive()
        self._heard = time.monotonic()
        return unpack(data)

    async def _say(self, message: Message) -> None:
        await self._wire.send(pack(message))


MOST_OTHERS = 16
"""Faces in a photo beside the one that moves."""


def read_photo(photo: Photo, size: int) -> Crop:
    """Decode a photo. Its size is read before it is decoded. Raises MalformedMessage."""
    header = png_header(photo.png)
    if len(photo.png) > LARGEST_PHOTO or (header.width, header.height) != (size, size):
        raise MalformedMessage(f"a photo of {header.width} x {header.height} pixels")
    picture = cv2.imdecode(np.frombuffer(photo.png, np.uint8), cv2.IMREAD_COLOR)
    if picture is None or picture.shape != (size, size, 3):
        raise MalformedMessage("the photo is damaged")
    landmarks = None if photo.landmarks is None else unpacked_floats(photo.landmarks)
    if landmarks is not None and len(landmarks) != 3 * LANDMARKS:
        raise MalformedMessage(f"{len(landmarks)} numbers for landmarks")
    others = [unpacked_floats(other) for other in photo.others[:MOST_OTHERS]]
    if any(len(other) != 3 * LANDMARKS for other in others):
        raise MalformedMessage("landmarks that are no face's")
    image: Image = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
    own = None if landmarks is None else landmarks.reshape(LANDMARKS, 3)
    return Crop(image, own, tuple(other.reshape(LANDMARKS, 3) for other in others))
