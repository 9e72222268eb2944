"""``serve``: render for apps on other computers.

They send key points and get pictures.
"""

from __future__ import annotations

import argparse
import logging
import socket
from pathlib import Path

from avatar_app.bundles.bundle import open_bundle
from avatar_app.commands.numbers import whole_number
from avatar_app.commands.printer import say
from avatar_app.ending import ENDING
from avatar_app.engines.open import open_engine
from avatar_app.errors import OutputError
from avatar_app.extras import require
from avatar_app.paths import server_folder
from avatar_app.remote.pairing import (
    PORT,
    Pairing,
    certificate_files,
    certificate_pin,
    is_loopback,
    read_token,
)
from avatar_app.text import Text

ANY = ("0.0.0.0", "::", "")


def add_address_arguments(parser: argparse.ArgumentParser) -> None:
    """Add model, device and address; `cluster` has the same."""
    parser.add_argument(
        "--model", default="lite", metavar="BUNDLE", help="the model to render with (default: lite)"
    )
    what = (
        "address to listen on; 0.0.0.0 for all networks of this computer (default: "
        "127.0.0.1, only this computer)"
    )
    parser.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS", help=what)
    parser.add_argument(
        "--port", type=whole_number(1, 65535), default=PORT, metavar="N", help=f"(default: {PORT})"
    )
    parser.add_argument(
        "--name",
        metavar="HOST",
        help="this computer's name or address in the pairing line",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_address_arguments(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or webgpu (default: auto)")
    parser.add_argument(
        "--sessions",
        type=whole_number(1, 256),
        default=4,
        metavar="N",
        help="maximum number of people at the same time (default: 4)",
    )
    parser.add_argument(
        "--idle",
        type=whole_number(1, 86400),
        default=600,
        metavar="SECONDS",
        help="disconnect a client after this many idle seconds (default: 600)",
    )


def run(arguments: argparse.Namespace) -> int:
    require("serve", Text("Serving"))
    from avatar_app.remote.link import digest_of
    from avatar_app.remote.listening import listen_on
    from avatar_app.remote.server import Server, ServerConfig

    bundle = open_bundle(arguments.model)
    folder = server_folder()
    token = read_token(folder)
    config = ServerConfig(bundle.name, digest_of(bundle.hashes), token, arguments.sessions, arguments.idle)
    server = Server(config, lambda: open_engine(bundle, arguments.device))
    local = is_loopback(arguments.listen)
    certificate = None if local else certificate_files(folder)
    _require_free(arguments.listen, arguments.port)
    say(_pairing(arguments, token, certificate[0] if certificate else None).line)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    serving = listen_on(server.app, arguments.listen, arguments.port, certificate, config.farewell)
    # uvicorn handles SIGINT and SIGTERM itself; an exception for SIGHUP would be raised inside its event
    # loop.
    ENDING.call_instead(lambda: setattr(serving, "should_exit", True))
    serving.run()
    return 0


def _pairing(arguments: argparse.Namespace, token: str, certificate: Path | None) -> Pairing:
    host = arguments.name or (own_address() if arguments.listen in ANY else arguments.listen)
    return Pairing(host, arguments.port, token, certificate_pin(certificate) if certificate else "")


def own_address() -> str:
    """Return the address of this computer in its network.

    Nothing is sent: a datagram socket only looks up the route.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])


def _require_free(address: str, port: int) -> None:
    """Raise OutputError if the address cannot be listened on.

    Uvicorn would only log it.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as problem:
            raise OutputError(
                Text("Nothing can listen on {} port {}: {}.", address, port, problem.strerror),
                Text("Choose another --port, or an address of this computer."),
            ) from None
