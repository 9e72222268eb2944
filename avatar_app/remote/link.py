"""Keep a client's connection to a server; it reconnects by itself."""

from __future__ import annotations

import hashlib
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection

from avatar_app.errors import AvatarError, DeviceError, EngineError
from avatar_app.remote.dial import CONNECT, REFUSED, Refused, dial, refusal_in
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
    Problem,
    Ready,
    SceneMessage,
    Welcome,
    pack,
    unpack,
)
from avatar_app.remote.pairing import Pairing
from avatar_app.remote.picture_receiver import ReceivedPicture
from avatar_app.remote.sent_photos import Answer, SentPhotos
from avatar_app.text import Text

log = logging.getLogger(__name__)

SILENCE = 3.0
"""Seconds without a message after which the connection counts as dead."""

AGAIN = 0.1, 8.0
"""Seconds before the first retry, and the maximum. They double with each round of all addresses."""

SPREAD = 0.5, 1.5
"""Each pause is multiplied by a random number in this range: a server that ends disconnects all of its
clients at once.
"""

STEADY = 5.0
"""Seconds that a connection must last for the pauses to start over."""


class Link:
    """Keeps one connection. Its callbacks run in its own thread.

    Args:
        pairing: addresses, tried in turn, and the secret.
        hello: the request.
        on_picture: takes each picture message; returns False if it could not be decoded and a key frame is
            needed.
    """

    def __init__(self, pairing: Pairing, hello: Hello, on_picture: Callable[[ReceivedPicture], bool]) -> None:
        self._pairings, self._hello, self._on_picture = pairing.each, hello, on_picture
        self._address = pairing.address
        self._socket: ClientConnection | None = None
        self._changed = threading.Condition()
        self._photos = SentPhotos()
        self._ending = threading.Event()
        self._sent = self._answered = 0
        self._problem: AvatarError | None = None
        self._refusals = 0
        self._begun: tuple[Welcome, float] | None = None
        self.received_bytes = 0
        self._thread = threading.Thread(target=self._run, name="remote engine", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        return self._socket is not None

    @property
    def welcome(self) -> Welcome | None:
        """The welcome of the server that is or was connected last."""
        return self._begun[0] if self._begun else None

    @property
    def welcomed_at(self) -> float:
        """The time of that welcome; 0 without one."""
        return self._begun[1] if self._begun else 0.0

    @property
    def waiting(self) -> int:
        """Number of poses that were sent and not yet answered."""
        return self._sent - self._answered

    @property
    def address(self) -> str:
        """Address of the server that is or was connected last."""
        return self._address

    def wait_for_welcome(self, seconds: float) -> Welcome:
        """Wait until a server has answered.

        Raises EngineError if all servers refuse, DeviceError if none is reached in time.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.welcome or self._refused, seconds)
            if self.welcome is None:
                problem = self._problem
                if isinstance(problem, Refused):
                    raise EngineError(problem.message, problem.hint)
                raise problem or _unreached(self._address, "no answer")
            return self.welcome

    def wait_for_connection(self, seconds: float) -> None:
        """Wait until a server is connected, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self.connected, seconds)

    @property
    def _refused(self) -> bool:
        return self._refusals >= len(self._pairings)

    def place_photo(self, photo: Photo, seconds: float) -> Answer:
        """Send a photo and wait for its key points and scene.

        Raises DeviceError or EngineError.
        """
        self._photos.add(photo)
        self._send(photo)
        return self._photos.wait_for(photo.avatar, seconds, self._address)

    def send_pose(self, message: Message, number: int) -> bool:
        """Send a pose; return False if there is no connection now."""
        with self._changed:
            self._sent = number
        return self._send(message)

    def close(self) -> None:
        self._ending.set()
        socket = self._socket
        if socket is not None:
            socket.close()
        self._thread.join(CONNECT)
        self._photos.clear()

    def _send(self, message: Message) -> bool:
        socket = self._socket
        if socket is None:
            return False
        try:
            socket.send(pack(message))
        except (OSError, WebSocketException):
            return False
        return True

    def _run(self) -> None:
        pause, tries = AGAIN[0], 0
        while not self._ending.is_set():
            pairing, began = self._pairings[tries % len(self._pairings)], time.monotonic()
            try:
                with dial(pairing) as socket:
                    began = time.monotonic()
                    self._address = pairing.address
                    self._talk(socket)
            except Refused as problem:
                self._note(problem, self._refusals + 1)
                if self.welcome is None and self._refused:
                    return
            except (OSError, WebSocketException, MalformedMessage, EOFError) as problem:
                log.info("no connection to %s: %s", pairing.address, problem)
                self._note(_unreached(pairing.address, str(problem) or type(problem).__name__), 0)
            steady = self.connected and time.monotonic() - began > STEADY
            self._leave()
            tries += 1
            pause = AGAIN[0] if steady else pause
            if steady or tries % len(self._pairings) == 0:
                self._ending.wait(pause * random.uniform(*SPREAD))
                pause = min(2 * pause, AGAIN[1])

    def _talk(self, socket: ClientConnection) -> None:
        try:
            self._converse(socket)
        except ConnectionClosed as end:
            raise refusal_in(end) or end from None

    def _converse(self, socket: ClientConnection) -> None:
        socket.send(pack(self._hello))
        heard = beaten = time.monotonic()
        while not self._ending.is_set():
            with suppress(TimeoutError):
                data = socket.recv(timeout=0.5)
                self.received_bytes += len(data)
                self._take(socket, unpack(data))
                heard = time.monotonic()  # not earlier: sending a photo may take longer than ``SILENCE``
            now = time.monotonic()
            if now - heard > SILENCE:
                raise OSError("it is silent")
            if now - beaten > 1:
                socket.send(pack(Ping()))
                beaten = now

    def _take(self, socket: ClientConnection, message: Message | None) -> None:
        if isinstance(message, PictureMessage):
            socket.send(pack(PictureSeen(message.number)))
            self._count(message.number)
            if not self._on_picture(ReceivedPicture(message, time.monotonic())):
                socket.send(pack(KeyFrame()))
        elif isinstance(message, Dropped):
            self._count(message.last)
        elif isinstance(message, Ping):
            socket.send(pack(Pong(message.moment)))
        elif isinstance(message, Welcome):
            self._enter(socket, message)
        elif isinstance(message, Ready | SceneMessage):
            self._photos.take(message)
        elif isinstance(message, Problem):
            self._take_problem(socket, message)
        elif isinstance(message, GoingAway):
            raise OSError("it ends")

    def _count(self, answered: int) -> None:
        with self._changed:
            self._answered = max(self._answered, answered)

    def _enter(self, socket: ClientConnection, welcome: Welcome) -> None:
        for photo in self._photos.again():  # before any of their poses
            socket.send(pack(photo))
        with self._changed:
            self._answered = self._sent
            self._begun, self._socket = (welcome, time.monotonic()), socket
            self._problem, self._refusals = None, 0
            self._changed.notify_all()

    def _take_problem(self, socket: ClientConnection, problem: Problem) -> None:
        photo = self._photos.one(problem.avatar)
        if problem.code == "avatar" and photo is not None:
            socket.send(pack(photo))
        elif problem.avatar is not None:
            self._photos.take(problem)
        else:
            raise Refused(*REFUSED.get(problem.code, (Text("{}", problem.text), Text("{}", problem.hint))))

    def _note(self, problem: AvatarError, refusals: int) -> None:
        with self._changed:
            self._problem, self._refusals = problem, refusals
            self._changed.notify_all()

    def _leave(self) -> None:
        with self._changed:
            self._socket = None
            self._answered = self._sent


def digest_of(hashes: Mapping[str, str]) -> str:
    """Return one digest of a bundle's files and their SHA-256."""
    text = "\n".join(f"{name} {hashes[name]}" for name in sorted(hashes))
    return hashlib.sha256(text.encode()).hexdigest()


def _unreached(address: str, why: str) -> DeviceError:
    return DeviceError(
        Text("The other computer at {} cannot be reached: {}.", address, why),
        Text("See that `avatar-app serve` runs there, and that nothing between blocks the port."),
    )
