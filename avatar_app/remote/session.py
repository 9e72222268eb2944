"""Serve one client: its photos, its newest pose, its pictures."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import Protocol

from avatar_app.errors import AvatarError
from avatar_app.remote.avatar_cache import AvatarCache
from avatar_app.remote.flow import CodecChoice, Flow
from avatar_app.remote.host import Host
from avatar_app.remote.messages import (
    Dropped,
    GoingAway,
    Hello,
    KeyFrame,
    MalformedMessage,
    Message,
    Photo,
    PictureMessage,
    PictureSeen,
    Ping,
    Pong,
    Pose,
    Problem,
    Ready,
    Welcome,
    pack,
    unpack,
)
from avatar_app.remote.photos import layer_area, packed_scene, read_photo
from avatar_app.remote.pictures import CODECS, Encoder, open_encoder
from avatar_app.remote.points import packed_points, unpacked_points
from avatar_app.types import Avatar

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that a client has for its hello."""

HEARTBEAT, MISSED = 1.0, 30
FASTEST = 120


class Wire(Protocol):
    """A connection that carries binary messages."""

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes:
        """Return the next message. Raises ConnectionError when the other side has gone."""


class Session:
    """Serves one client until it goes.

    Args:
        idle: seconds without a pose after which the client is disconnected.
    """

    def __init__(self, host: Host, wire: Wire, model: str, digest: str, idle: float) -> None:
        self._host, self._wire = host, wire
        self._model, self._digest, self._idle = model, digest, idle
        self._pose: tuple[Pose, float] | None = None
        self._posed = asyncio.Event()
        self._avatars = AvatarCache()
        self._heard = self._busy = time.monotonic()
        self._key = False

    async def run(self) -> None:
        """Serve the client until it leaves.

        Raises ConnectionError when it goes, MalformedMessage when it breaks the protocol.
        """
        hello = await asyncio.wait_for(self._next(), PATIENCE)
        if not isinstance(hello, Hello):
            raise MalformedMessage("the first message is no hello")
        if not await self._welcome(hello):
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            tasks.create_task(self._take_photos())
            tasks.create_task(self._paint())
            tasks.create_task(self._beat())

    async def leave(self, seconds: float) -> None:
        """Notify the client that the server ends."""
        await self._say(GoingAway(seconds))

    async def _welcome(self, hello: Hello) -> bool:
        if hello.model != self._model or (hello.digest and hello.digest != self._digest):
            text = f"This server runs the model {self._model}, not {hello.model}."
            if hello.model == self._model:
                text = f"The model {self._model} of this server is another version of it."
            await self._say(Problem("model", text, "Choose the same model and version on both computers."))
            return False
        engine = self._host.engine
        known = [codec for codec in hello.codecs if codec in CODECS] or [CODECS[0]]
        self._layers, self._fps = hello.layers, min(max(hello.fps, 1), FASTEST)
        self._flow = Flow(self._fps, hello.sees)
        self._codecs = CodecChoice(known, self._flow)
        await self._say(
            Welcome(
                engine.name,
                engine.size,
                engine.reads_pictures,
                known[0],
                self._host.milliseconds,
                HEARTBEAT,
                paces=True,
            )
        )
        return True

    async def _read(self) -> None:
        while True:
            message = await self._next()
            if isinstance(message, Photo):
                await self._avatars.add(message)
            elif isinstance(message, Pose):
                await self._take_pose(message)
            elif isinstance(message, PictureSeen):
                self._flow.seen(message.number, time.monotonic())
            elif isinstance(message, Pong):
                self._flow.echoed(time.monotonic() - message.moment / 1e6)
            elif isinstance(message, KeyFrame):
                self._key = True

    async def _take_photos(self) -> None:
        """Encode photos, which takes seconds on a busy computer, while messages are read."""
        while True:
            photo = await self._avatars.next()
            self._busy = time.monotonic()
            self._avatars.done(photo.avatar, await self._take_photo(photo))

    async def _take_photo(self, photo: Photo) -> Avatar | None:
        try:
            crop = await self._host.convert(read_photo, photo, self._host.engine.size)
            avatar = await self._host.encode(crop)
        except AvatarError as problem:
            await self._say(Problem("photo", problem.message, problem.hint, photo.avatar))
            return None
        self._key = True
        if self._layers and avatar.scene is not None:
            await self._say(await self._host.convert(packed_scene, photo.avatar, avatar.scene))
        await self._say(Ready(photo.avatar, packed_points(avatar.key_points)))
        return avatar

    async def _take_pose(self, pose: Pose) -> None:
        waiting, self._pose = self._pose, (pose, time.monotonic())
        self._busy = time.monotonic()
        self._posed.set()
        if waiting is not None:
            await self._say(Dropped(waiting[0].number, waiting[0].number))

    async def _paint(self) -> None:
        encoders: dict[str, Encoder] = {}
        try:
            while True:
                await self._posed.wait()
                if self._pose is not None and self._avatars.comes(self._pose[0].avatar):
                    await self._avatars.change()
                    continue
                await self._flow.wait()
                self._posed.clear()
                waiting, self._pose = self._pose, None
                if waiting is not None:
                    await self._answer(*waiting, encoders)
        finally:
            for encoder in encoders.values():
                await self._host.convert(encoder.close)

    async def _answer(self, pose: Pose, came: float, encoders: dict[str, Encoder]) -> None:
        avatar = self._avatars.get(pose.avatar)
        if avatar is None:
            text = "The photo of this pose is not on the server."
            await self._say(Problem("avatar", text, "It is sent again.", pose.avatar))
            return
        points = unpacked_points(pose.points)
        if points.value.shape != avatar.key_points.value.shape:
            raise MalformedMessage(f"a pose of {len(points.value)} key points")
        area = None if pose.area is None else layer_area(pose.area, self._host.engine.size)
        queued = (time.monotonic() - came) * 1000
        before, codec = self._codecs.now, self._codecs.look()
        key, self._key = self._key or codec != before, False
        encoder = encoders.setdefault(codec, open_encoder(codec, self._fps))
        made, rendered = await self._host.render(avatar, points, area, partial(encoder.encode, key=key))
        self._flow.sent(pose.number, len(made.data) + len(made.alpha), time.monotonic())
        await self._say(
            PictureMessage(
                pose.number,
                pose.sent,
                queued,
                rendered,
                made.key,
                made.data,
                codec,
                made.alpha,
                made.corner,
            )
        )

    async def _beat(self) -> None:
        while True:
            await self._say(Ping(int(time.monotonic() * 1e6)))
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
