"""Control the running app from other programs of the same user.

One line with a command in, one line of JSON out.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from avatar_app.control.address import (
    AlreadyRunning,
    NotRunning,
    connect,
    default_path,
    is_same_user,
    listen,
    lock,
    make_private,
    running,
)
from avatar_app.errors import AvatarError
from avatar_app.files import parse_json, reason
from avatar_app.paths import program
from avatar_app.text import Text, join

__all__ = [
    "COMMANDS",
    "AlreadyRunning",
    "ControlServer",
    "NotRunning",
    "Reply",
    "default_path",
    "send_command",
]

log = logging.getLogger(__name__)


class Command(NamedTuple):
    """A command.

    Attributes:
        summary: what it does.
        takes: its argument; empty: none.
        needed: the argument is required.
    """

    summary: str
    takes: str = ""
    needed: bool = False


COMMANDS = {
    "recalibrate": Command("take the current pose as the neutral one"),
    "pause": Command("show the still card"),
    "resume": Command("show the avatar again"),
    "toggle": Command("pause or resume"),
    "next": Command("the next avatar"),
    "previous": Command("the previous avatar"),
    "avatar": Command("the avatar with this name in the gallery", "NAME", needed=True),
    "record": Command("start or stop recording the output; start or stop: only that", "START"),
    "snapshot": Command("save the output as a PNG, in this file or beside the recordings", "FILE"),
    "mirror": Command("switch mirroring of the output; on or off: only that", "ON"),
    "zoom": Command("enlarge the person: in, out, reset, or a number from 0.5 to 2", "HOW", needed=True),
    "expression": Command(
        "a moment of smile, wink, surprise or look (into the camera); `smile hold` keeps it, off ends it",
        "WHICH",
        needed=True,
    ),
    "status": Command("report the state of the session"),
    "raise": Command("bring the window to the front"),
    "quit": Command("end the app"),
}
"""Commands by their word."""

LONGEST_LINE = 1024
LONGEST_ANSWER = 1 << 20
AT_ONCE = 8
PATIENCE = 2.0
"""Seconds within which a connection must have sent its line."""

Reply = str | Mapping[str, object]


@dataclass(slots=True, eq=False)
class _Connection:
    """A client that has not sent a whole line yet, and its deadline.

    The deadline is in ``time.monotonic()`` seconds.
    """

    socket: socket.socket
    until: float
    said: bytes = b""


class ControlServer:
    """Answers commands in a thread of its own.

    Args:
        handle: given a command of ``COMMANDS`` and its argument, returns the message of the reply or all its
            fields. It runs in the server's thread and must be quick. An AvatarError becomes a reply that is
            not ok.
        path: the app's address; None: ``default_path`` of ``name``.
    """

    def __init__(self, handle: Callable[[str], Reply], path: Path | None = None, name: str = "") -> None:
        self._handle = handle
        self._path = path or default_path(name)
        self._connections: list[_Connection] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start to answer.

        Raises AlreadyRunning, or AvatarError if no address can be opened.
        """
        make_private(self._path.parent)
        try:
            self._held = lock(self._path.with_suffix(".lock"))
        except OSError as problem:
            raise AvatarError(
                Text("The app cannot be controlled: {}.", reason(problem)),
                Text("Check the folder {}.", self._path.parent),
            ) from None
        try:
            self._listener, self._token = listen(self._path)
        except OSError as problem:
            os.close(self._held)
            raise AvatarError(
                Text("The app cannot be controlled: {}.", reason(problem)),
                Text("Check the folder {}.", self._path.parent),
            ) from None
        self._bell, self._ringer = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the address for the next instance."""
        if self._thread is None:
            return
        self._stopping.set()
        with suppress(OSError):  # it may have seen the flag already and closed
            self._ringer.send(b"!")
        if threading.current_thread() is not self._thread:  # ``quit`` may end the app from within
            self._thread.join(PATIENCE)
        self._thread = None
        self._path.unlink(missing_ok=True)
        self._ringer.close()
        os.close(self._held)

    def _run(self) -> None:
        with self._listener, self._bell, selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._stopping.is_set():
                soonest = min((connection.until for connection in self._connections), default=None)
                ready = selector.select(None if soonest is None else max(0.0, soonest - time.monotonic()))
                for key, _ in ready:
                    if key.fileobj is self._listener:
                        self._accept(selector)
                    elif key.data is not None and key.data in self._connections and self._finished(key.data):
                        self._drop(key.data, selector)
                for late in [
                    connection for connection in self._connections if connection.until <= time.monotonic()
                ]:
                    self._drop(late, selector)
            for connection in list(self._connections):
                self._drop(connection, selector)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        try:
            other, _ = self._listener.accept()
            other.setblocking(False)
            allowed = is_same_user(other)
        except (BlockingIOError, ConnectionError, InterruptedError):
            return
        except OSError as problem:
            # Out of file descriptors: the listener stays ready, and polling it at once would use a whole
            # core.
            log.warning("control cannot accept: %s", reason(problem))
            self._stopping.wait(0.1)
            return
        if not allowed:
            other.close()
            return
        connection = _Connection(other, time.monotonic() + PATIENCE)
        if self._finished(connection):  # an honest client has sent its line by now
            other.close()
            return
        if len(self._connections) >= AT_ONCE:
            # Silent clients must not keep others out: the oldest is dropped.
            self._drop(self._connections[0], selector)
        self._connections.append(connection)
        selector.register(other, selectors.EVENT_READ, connection)

    def _drop(self, connection: _Connection, selector: selectors.BaseSelector) -> None:
        selector.unregister(connection.socket)
        self._connections.remove(connection)
        connection.socket.close()

    def _finished(self, connection: _Connection) -> bool:
        """Read data and answer a whole line; return whether this connection is over."""
        try:
            piece = connection.socket.recv(LONGEST_LINE + 1)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        connection.said += piece
        line, end, _ = connection.said.partition(b"\n")
        if len(line) > LONGEST_LINE:
            answer = _as_line(_refusal("The command is longer than 1 kB."))
        elif end:
            answer = self._answer(line)
        else:
            return not piece
        with suppress(OSError):  # the client did not wait for the answer
            connection.socket.send(answer)
        return True

    def _answer(self, line: bytes) -> bytes:
        token, _, rest = line.partition(b" ") if self._token else (b"", b"", line)
        if not hmac.compare_digest(token, self._token.encode()):
            return _as_line(_refusal("The token is wrong."))
        try:
            command, _, name = rest.decode("utf-8").strip().partition(" ")
        except UnicodeDecodeError:
            return _as_line(_refusal("The command is not UTF-8."))
        problem = _problem(command, name.strip())
        if problem:
            return _as_line(_refusal(problem))
        try:
            reply = self._handle(f"{command} {name.strip()}".strip())
            return _as_line(
                {"ok": True, "message": reply}
                if isinstance(reply, str)
                else {"ok": True, "message": "", **reply}
            )
        except AvatarError as error:
            return _as_line(_refusal(error.message, error.hint))
        except Exception:
            log.exception("the command %s failed", command)
            return _as_line(_refusal(f"The command {command} failed.", "The log of the app has the details."))


def _problem(command: str, name: str) -> str:
    """Return what is wrong with a command, empty if nothing."""
    known = COMMANDS.get(command)
    if known is None or not name.isprintable():
        return f"There is no command {command[:40]!r}."
    if known.needed and not name:
        wanted = "the name of one" if command == "avatar" else known.takes.lower()
        return f"The command {command} needs {wanted}."
    if name and not known.takes:
        return f"The command {command} takes nothing more."
    return ""


def _refusal(message: str, hint: str = "") -> dict[str, Any]:
    return {"ok": False, "message": message, "hint": hint}


def _as_line(reply: dict[str, Any]) -> bytes:
    return json.dumps(reply, default=str).encode() + b"\n"


def send_command(
    command: str, timeout: float = 2.0, path: Path | None = None, name: str = ""
) -> dict[str, Any]:
    """Send a command to the running app.

    Args:
        command: one of ``COMMANDS`` and its argument.
        timeout: seconds.
        path: the app's address; None: ``default_path`` of ``name``.

    Returns:
        The reply: ``ok``, ``message`` and more; if not ok, ``hint``.

    Raises:
        NotRunning: no instance is running.
        AvatarError: it does not answer.
    """
    until = time.monotonic() + timeout
    line = command.strip()
    if not line.isprintable() or len(line.encode()) > LONGEST_LINE // 2:
        raise AvatarError(
            Text(
                "The command {} is not a single line of {} bytes at most.",
                repr(command[:40]),
                LONGEST_LINE // 2,
            ),
            Text("Check its spelling."),
        )
    while time.monotonic() < until:
        with suppress(
            BlockingIOError, BrokenPipeError, ConnectionResetError, ConnectionAbortedError
        ):  # too many clients at this moment
            try:
                answer = _exchange(line, until, path or default_path(name))
            except TimeoutError:
                break
            except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError, PermissionError):
                raise _not_running(name, path or default_path(name), until) from None
            if answer.endswith(b"\n"):
                return _understood(answer)
        time.sleep(0.01)
    raise AvatarError(
        Text("The app did not answer within {:g} seconds.", timeout),
        Text("Try again; if that does not help, quit it and start it again."),
    )


def _not_running(name: str, path: Path, until: float) -> NotRunning:
    found = running(path, until)
    others = [other for other in found if other]
    hints = []
    if others:
        said = Text("Running now: {}. Say which one: `control --name {}`.", ", ".join(others), others[0])
        hints.append(said)
    if "" in found:
        hints.append(Text("One without a name is running: leave out --name to control it."))
    return NotRunning(
        Text("No instance named {} is running.", name) if name else Text("The app is not running."),
        join(hints) or Text("Start it first: `{}`, or `{} live`.", program(), program()),
    )


def _exchange(line: str, until: float, path: Path) -> bytes:
    """Send one line and receive one.

    The answer is incomplete if the app closed early. Raises OSError.
    """
    connection, token = connect(path, until)
    with connection:
        connection.sendall(f"{token} {line}\n".lstrip().encode())
        heard = b""
        while not heard.endswith(b"\n") and len(heard) <= LONGEST_ANSWER:
            connection.settimeout(max(0.001, until - time.monotonic()))
            piece = connection.recv(65536)
            if not piece:
                break
            heard += piece
        return heard


def _understood(answer: bytes) -> dict[str, Any]:
    try:
        reply = parse_json(answer)
    except ValueError:
        reply = None
    if (
        not isinstance(reply, dict)
        or not isinstance(reply.get("ok"), bool)
        or not isinstance(reply.get("message"), str)
    ):
        raise AvatarError(
            Text("The running app gave an answer that makes no sense."),
            Text("It may be another version: quit it and start it again."),
        )
    return reply
