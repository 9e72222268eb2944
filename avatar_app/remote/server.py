"""The ASGI application: admits clients and limits their number."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from avatar_app.remote.host import Host, Renderer
from avatar_app.remote.messages import POLICY, PROTOCOL, TOO_MANY, MalformedMessage, Problem, pack
from avatar_app.remote.session import Session

log = logging.getLogger(__name__)

DENIAL_SECONDS = 0.5
"""Seconds before a wrong token is refused."""

TRIES, TRY_SECONDS = 5, 60.0
"""Wrong tokens that an address may send in this many seconds; any further one takes longer."""

SLOW_DENIAL_SECONDS = 5.0
"""Seconds before these are refused."""

SEND_SECONDS = 10.0
"""Seconds that a client has to take a message; one that stops reading must not keep its place."""

FULL = "The other computer serves as many people as it can."


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Settings of a server.

    Attributes:
        model, digest: name of the bundle, and a digest of its files.
        token: the secret that clients have to know.
        sessions: number of clients served at a time.
        idle: seconds without a pose after which a client is disconnected.
        farewell: seconds that clients have when the server ends.
    """

    model: str
    digest: str
    token: str = field(repr=False)
    sessions: int = 4
    idle: float = 600.0
    farewell: float = 2.0


class Wire:
    """A Starlette WebSocket for a session. One message is sent at a time."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket, self._sending = socket, asyncio.Lock()

    async def send(self, data: bytes) -> None:
        async with self._sending:
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._socket.send_bytes(data)
            except (WebSocketDisconnect, RuntimeError, TimeoutError) as problem:
                raise ConnectionError("the client is gone") from problem

    async def receive(self) -> bytes:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise ConnectionError("the client is gone")
        data = message.get("bytes")
        if not isinstance(data, bytes):
            raise MalformedMessage("not a binary message")
        return data


class TokenFailures:
    """Counts the wrong tokens of each address."""

    def __init__(self) -> None:
        self._wrong: defaultdict[str, deque[float]] = defaultdict(deque)

    def wrong(self, address: str) -> int:
        """Count one; return how many there were in the last ``TRY_SECONDS``."""
        now = time.monotonic()
        for other, times in list(self._wrong.items()):
            while times and now - times[0] > TRY_SECONDS:
                times.popleft()
            if not times:
                del self._wrong[other]
        self._wrong[address].append(now)
        return len(self._wrong[address])


class Server:
    """Accepts clients and ends with all of them."""

    def __init__(self, config: ServerConfig, open_engine: Callable[[], Renderer]) -> None:
        self._config, self._host = config, Host(open_engine)
        self._failures = TokenFailures()
        self._sessions: set[Session] = set()
        self.app = Starlette(
            routes=[WebSocketRoute("/session", self._session), Route("/state", self._state)],
            lifespan=self._life,
        )

    @asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        await self._host.open()
        try:
            yield
        finally:
            await self.say_goodbye()
            await self._host.close()

    async def say_goodbye(self) -> None:
        """Send clients elsewhere before the server ends."""
        farewells = (session.leave(self._config.farewell) for session in list(self._sessions))
        await asyncio.gather(*farewells, return_exceptions=True)

    async def _state(self, request: Request) -> Response:
        if not await self._admitted(request.headers.get("authorization", ""), request.client):
            return Response(status_code=401)
        return JSONResponse(
            {
                "engine": self._host.engine.name,
                "model": self._config.model,
                "sessions": len(self._sessions),
                "largest": self._config.sessions,
                "milliseconds": round(self._host.milliseconds, 2),
            }
        )

    async def _admitted(self, header: str, client: object) -> bool:
        wanted = f"Bearer {self._config.token}".encode()
        right = hmac.compare_digest(header.encode("utf-8", "replace"), wanted)
        address = str(getattr(client, "host", ""))
        if right:  # whatever others behind the same address have tried
            return True
        await asyncio.sleep(DENIAL_SECONDS if self._failures.wrong(address) <= TRIES else SLOW_DENIAL_SECONDS)
        return False

    async def _session(self, socket: WebSocket) -> None:
        if not await self._admitted(socket.headers.get("authorization", ""), socket.client):
            await socket.send_denial_response(Response(status_code=401))
            return
        if PROTOCOL not in socket.scope.get("subprotocols", []):
            await socket.send_denial_response(Response(f"This server speaks {PROTOCOL}.", 426))
            return
        wire = Wire(socket)
        if len(self._sessions) >= self._config.sessions:
            # Sent after the handshake: not every proxy passes on a status in its place.
            await socket.accept(subprotocol=PROTOCOL)
            await _quietly(wire.send(pack(Problem("full", FULL, "Try again later, or use another one."))))
            await _quietly(socket.close(TOO_MANY))
            return
        session = Session(self._host, wire, self._config.model, self._config.digest, self._config.idle)
        self._sessions.add(session)
        try:
            await socket.accept(subprotocol=PROTOCOL)
            await self._serve(session, wire, socket)
        finally:
            self._sessions.discard(session)

    async def _serve(self, session: Session, wire: Wire, socket: WebSocket) -> None:
        code = 1000
        try:
            await session.run()
        except* MalformedMessage as problems:
            code = POLICY
            text = f"The client breaks the protocol: {problems.exceptions[0]}."
            log.warning("%s", text)
            await _quietly(wire.send(pack(Problem("protocol", text, "Use the same version on both sides."))))
        except* (ConnectionError, TimeoutError) as problems:
            log.info("a session ends: %s", problems.exceptions[0])
        except* Exception as problems:
            code = 1011
            log.exception("a session failed", exc_info=problems)
            text = f"The server failed: {type(problems.exceptions[0]).__name__}."
            await _quietly(wire.send(pack(Problem("engine", text, "Look into its log."))))
        await _quietly(socket.close(code))


async def _quietly(work: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await work
    except (ConnectionError, RuntimeError, TimeoutError, WebSocketDisconnect):
        log.debug("the client was gone before the farewell")
