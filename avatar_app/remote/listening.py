"""Listen as a server, with limits on what a stranger can make it hold."""

from __future__ import annotations

import asyncio
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from avatar_app.remote.messages import LARGEST_PHOTO

HANDSHAKE = 10.0
"""Seconds within which a connection must become a session."""

QUEUE = 8
"""Limit of queued messages of one client; more wait in its own computer."""


class ImpatientProtocol(H11Protocol):
    """HTTP that drops clients which only hold a connection open."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(HANDSHAKE, self._end_unless_session)

    def _end_unless_session(self) -> None:
        # A WebSocket has another protocol by then. Any other request is answered at once. A closed connection
        # with TLS has no protocol to ask for.
        if not self.transport.is_closing() and self.transport.get_protocol() is self:
            self.transport.close()


def listen_on(
    app: ASGIApp, host: str, port: int, certificate: tuple[Path, Path] | None, farewell: float
) -> uvicorn.Server:
    """Return a server that is ready to run.

    Args:
        certificate: its file and that of its key; None: without TLS.
        farewell: seconds that clients have when it ends.
    """
    file, key = certificate or (None, None)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=ImpatientProtocol,
            ssl_certfile=file,
            ssl_keyfile=key,
            ws_max_size=LARGEST_PHOTO + 65536,
            ws_max_queue=QUEUE,
            ws_per_message_deflate=False,
            server_header=False,
            lifespan="on",
            log_config=None,
            timeout_graceful_shutdown=int(farewell) + 1,
        )
    )
