"""A client's connection to a server.

It comes back by itself, and what it brings is the newest.
"""

from __future__ import annotations

import hashlib
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from avatar_app.errors import AvatarError, DeviceError, EngineError
from avatar_app.remote.messages import (
    LARGEST_MESSAGE,
    PROTOCOL,
    Dropped,
    GoingAway,
    Hello,
    KeyFrame,
    MalformedMessage,
    Message,
    Photo,
    PictureMessage,
    Ping,
    Problem,
    Ready,
    Welcome,
    pack,
    unpack,
)
from avatar_app.remote.pairing import Pairing, pin_of
from avatar_app.text import Text

log = logging.getLogger(__name__)

CONNECT = 5.0
"""Seconds for connection and handshake."""

SILENCE = 3.0
"""Seconds without a message after which the connection counts as dead."""

AGAIN = 0.5, 8.0
"""Seconds before the first new try and at most before each further one."""

REFUSALS = {
    401: (Text("The other computer does not accept the token."), Text("Copy its pairing line again.")),
    426: (
        Text("The other computer speaks another version of the protocol."),
        Text("Install the same version of the app on both."),
    ),
    503: (
        Text("The other computer serves as many people as it can."),
        Text("Try again later, or use another one."),
    ),
}


class Refused(AvatarError):
    """The server said no; trying again does not help."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A picture message and when it came, in ``time.monotonic()`` seconds."""

    message: PictureMessage
    at: float


class Link:
    """Keeps one connection. Its callbacks run in its own thread.

    Args:
        pairing: where and how.
        hello: what is asked for.
        on_picture: takes each picture message; returns False if it could not be decoded and a key frame is
            needed.
    """

    def __init__(self, pairing: Pairing, hello: Hello, on_picture: Callable[[Arrived], bool]) -> None:
        self._pairing, self._hello, self._on_picture = pairing, hello, on_picture
        self._socket: ClientConnection | None = None
        self._changed = threading.Condition()
        self._photos: dict[int, Photo] = {}
        self._ready: dict[int, Mapping[str, bytes] | Problem] = {}
        self._ending = threading.Event()
        self._sent = self._answered = 0
        self._problem: AvatarError | None = None
        self.welcome: Welcome | None = None
        self.received_bytes = 0
        self._thread = threading.Thread(target=self._run, name="remote engine", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        return self._socket is not None

    @property
    def waiting(self) -> int:
        """Poses that were sent and not yet answered."""
        return self._sent - self._answered

    def wait_for_welcome(self, seconds: float) -> Welcome:
        """Raises EngineError if the server refuses, DeviceError if it is not reached in time."""
        with self._changed:
            self._changed.wait_for(lambda: self.welcome or isinstance(self._problem, Refused), seconds)
            if self.welcome is None:
                problem = self._problem
                if isinstance(problem, Refused):
                    raise EngineError(problem.message, problem.hint)
                raise problem or _unreached(self._pairing, "no answer")
            return self.welcome

    def place_photo(self, photo: Photo, seconds: float) -> Mapping[str, bytes]:
        """Send a photo and wait for its key points. Raises DeviceError or EngineError."""
        with self._changed:
            self._photos[photo.avatar] = photo
        self._send(photo)
        with self._changed:
            self._changed.wait_for(lambda: photo.avatar in self._ready, seconds)
            answer = self._ready.get(photo.avatar)
        if isinstance(answer, Problem):
            self.forget_photo(photo.avatar)
            raise EngineError(Text("{}", answer.text), Text("{}", answer.hint))
        if answer is None:
            raise DeviceError(
                Text("{} did not take the photo in time.", self._pairing.address), Text("Try again.")
            )
        return answer

    def forget_photo(self, avatar: int) -> None:
        with self._changed:
            self._photos.pop(avatar, None)

    def send_pose(self, message: Message, number: int) -> bool:
        """Send a pose; False if there is no connection now."""
        with self._changed:
            self._sent = number
        return self._send(message)

    def close(self) -> None:
        self._ending.set()
        socket = self._socket
        if socket is not None:
            socket.close()
        self._thread.join(CONNECT)

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
        pause = AGAIN[0]
        while not self._ending.is_set():
            try:
                with self._connected() as socket:
                    pause = AGAIN[0]
                    self._talk(socket)
            except Refused as problem:
                self._note(problem)
                if self.welcome is None:
                    return
            except (OSError, WebSocketException, MalformedMessage, EOFError) as problem:
                log.info("no connection to %s: %s", self._pairing.address, problem)
                self._note(_unreached(self._pairing, str(problem) or type(problem).__name__))
            self._leave()
            self._ending.wait(pause * random.uniform(0.75, 1.25))
            pause = min(2 * pause, AGAIN[1])

    def _connected(self) -> ClientConnection:
        pairing = self._pairing
        secure = bool(pairing.pin) or not pairing.local
        try:
            return connect(
                f"{'wss' if secure else 'ws'}://{pairing.address}/session",
                ssl=trusting(pairing) if secure else None,
                additional_headers={"Authorization": f"Bearer {pairing.token}"},
                subprotocols=[Subprotocol(PROTOCOL)],
                compression=None,
                max_size=LARGEST_MESSAGE,
                open_timeout=CONNECT,
                close_timeout=1,
                proxy=None,
            )
        except InvalidStatus as problem:
            code = problem.response.status_code
            if code in REFUSALS:
                raise Refused(*REFUSALS[code]) from None
            raise
        except InvalidHandshake as problem:
            raise OSError(str(problem)) from None

    def _talk(self, socket: ClientConnection) -> None:
        socket.send(pack(self._hello))
        heard = beaten = time.monotonic()
        while not self._ending.is_set():
            with suppress(TimeoutError):
                data = socket.recv(timeout=0.5)
                heard = time.monotonic()
                self.received_bytes += len(data)
                self._take(socket, unpack(data))
            now = time.monotonic()
            if now - heard > SILENCE:
                raise OSError("it is silent")
            if now - beaten > 1:
                socket.send(pack(Ping()))
                beaten = now

    def _take(self, socket: ClientConnection, message: Message | None) -> None:
        if isinstance(message, PictureMessage):
            with self._changed:
                self._answered = max(self._answered, message.number)
            if not self._on_picture(Arrived(message, time.monotonic())):
                socket.send(pack(KeyFrame()))
        elif isinstance(message, Dropped):
            with self._changed:
                self._answered = max(self._answered, message.last)
        elif isinstance(message, Welcome):
            self._enter(socket, message)
        elif isinstance(message, Ready):
            self._note_ready(message.avatar, message.points)
        elif isinstance(message, Problem):
            self._take_problem(socket, message)
        elif isinstance(message, GoingAway):
            raise OSError("it ends")

    def _enter(self, socket: ClientConnection, welcome: Welcome) -> None:
        with self._changed:
            photos = list(self._photos.values())
            self._ready.clear()
            self._answered = self._sent
            self.welcome, self._socket, self._problem = welcome, socket, None
            self._changed.notify_all()
        for photo in photos:
            socket.send(pack(photo))

    def _take_problem(self, socket: ClientConnection, problem: Problem) -> None:
        if problem.code == "avatar" and problem.avatar in self._photos:
            socket.send(pack(self._photos[problem.avatar]))
        elif problem.avatar is not None:
            self._note_ready(problem.avatar, problem)
        else:
            raise Refused(Text("{}", problem.text), Text("{}", problem.hint))

    def _note_ready(self, avatar: int, answer: Mapping[str, bytes] | Problem) -> None:
        with self._changed:
            self._ready[avatar] = answer
            self._changed.notify_all()

    def _note(self, problem: AvatarError) -> None:
        with self._changed:
            self._problem = problem
            self._changed.notify_all()

    def _leave(self) -> None:
        with self._changed:
            self._socket = None
            self._answered = self._sent


def trusting(pairing: Pairing) -> ssl.SSLContext:
    """A TLS context that accepts the pinned certificate and no other.

    Raises Refused if the server shows another one.
    """
    if not pairing.pin:
        return ssl.create_default_context()
    shown = ssl.get_server_certificate((pairing.host, pairing.port), timeout=CONNECT)
    if pin_of(ssl.PEM_cert_to_DER_cert(shown)) != pairing.pin:
        raise Refused(
            Text(
                "{} is not the computer that the pairing line is from: its certificate is another one.",
                pairing.address,
            ),
            Text("Copy the pairing line again from the computer itself."),
        )
    # The key is proven in the connection itself: only this certificate is trusted there.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=shown)
    return context


def digest_of(hashes: Mapping[str, str]) -> str:
    """One digest of a bundle's files and their SHA-256."""
    text = "\n".join(f"{name} {hashes[name]}" for name in sorted(hashes))
    return hashlib.sha256(text.encode()).hexdigest()


def _unreached(pairing: Pairing, why: str) -> DeviceError:
    return DeviceError(
        Text("The other computer at {} cannot be reached: {}.", pairing.address, why),
        Text("See that `avatar-app serve` runs there, and that nothing between blocks the port."),
    )
