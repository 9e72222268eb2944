"""Connect to a server whose identity matches the pairing line."""

from __future__ import annotations

import ssl

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from avatar_app.errors import AvatarError
from avatar_app.remote.messages import LARGEST_PHOTO, PROTOCOL, TOO_MANY
from avatar_app.remote.pairing import Pairing, pin_of
from avatar_app.text import Text

CONNECT = 5.0
"""Seconds for connection and handshake."""

REFUSED = {
    "token": (Text("The other computer does not accept the token."), Text("Copy its pairing line again.")),
    "version": (
        Text("The other computer speaks another version of the protocol."),
        Text("Install the same version of the app on both."),
    ),
    "full": (
        Text("The other computer serves as many people as it can."),
        Text("Try again later, or use another one."),
    ),
}
"""Reasons for which a server refuses, and what to do."""

STATUS = {401: "token", 403: "token", 426: "version", 503: "full"}
"""The reason for an HTTP status."""


class Refused(AvatarError):
    """The server refused; trying again does not help."""


def dial(pairing: Pairing) -> ClientConnection:
    """Connect to the first address of a pairing line.

    Raises:
        Refused: wrong token, certificate or version, or the server is full.
        OSError, WebSocketException, EOFError: it is not reached.
    """
    secure = bool(pairing.pin) or not pairing.local
    try:
        return connect(
            f"{'wss' if secure else 'ws'}://{pairing.address}/session",
            ssl=trusting(pairing) if secure else None,
            additional_headers={"Authorization": f"Bearer {pairing.token}"},
            subprotocols=[Subprotocol(PROTOCOL)],
            compression=None,
            max_size=LARGEST_PHOTO + 65536,
            open_timeout=CONNECT,
            close_timeout=1,
            proxy=None,
        )
    except InvalidStatus as problem:
        code = STATUS.get(problem.response.status_code)
        if code is not None:
            raise Refused(*REFUSED[code]) from None
        raise
    except InvalidHandshake as problem:
        raise OSError(str(problem)) from None


def refusal_in(end: ConnectionClosed) -> Refused | None:
    """Return the server's refusal, if the connection's end carries one.

    A server that is full closes at once. The client's first message may meet the closed connection, and the
    server's earlier message is then lost.
    """
    return Refused(*REFUSED["full"]) if end.rcvd is not None and end.rcvd.code == TOO_MANY else None


def trusting(pairing: Pairing) -> ssl.SSLContext:
    """Return a TLS context that accepts the pinned certificate and no other.

    Raises Refused if the server shows another one.
    """
    if not pairing.pin:
        return ssl.create_default_context()
    shown = ssl.get_server_certificate((pairing.host, pairing.port), timeout=CONNECT)
    if pin_of(ssl.PEM_cert_to_DER_cert(shown)) not in pairing.pin.split(","):
        raise Refused(
            Text(
                "{} is not the computer that the pairing line is from: its certificate is another one.",
                pairing.address,
            ),
            Text("Copy the pairing line again from the computer itself."),
        )
    # The connection itself proves the key: it trusts only this certificate.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=shown)
    return context
