"""The address of the running app, and the check of who connects.

On Linux and macOS a socket file (mode 0600) in a private folder; the system reports the other end's user.
Windows has no such check for sockets, so there a random token, in a file in the user's own folder, precedes
the command.

A lock file belongs to the running instance: it is held as long as the app lives, and the system releases it
when the app crashes.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import stat
import struct
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from avatar_app.errors import AvatarError
from avatar_app.files import reason
from avatar_app.paths import user_data
from avatar_app.text import Text

SOCKET_FILES = sys.platform != "win32"
LONGEST_PATH = 100
"""Limit of a socket path in bytes; the systems' own limits are 104 and 108."""
BACKLOG = 64
"""Connections that the system queues."""


class AlreadyRunning(AvatarError):
    """Another instance of the app is running; it can be sent ``raise``."""


class NotRunning(AvatarError):
    """No instance is running."""


def default_path(name: str = "") -> Path:
    """Return the address of the running app.

    A socket file; on Windows a file with port and token.

    Args:
        name: of the instance, for which `is_name` is true; empty: the usual one.
    """
    kind = "socket" if SOCKET_FILES else "json"
    file = f"control-{name}.{kind}" if name else f"control.{kind}"
    if not SOCKET_FILES:
        return user_data() / file
    user = os.getuid()
    for folder in (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{user}"):
        if folder and is_own_folder(Path(folder)):
            path = Path(folder) / "avatar-app" / file
            if len(os.fsencode(path)) <= LONGEST_PATH:
                return path
    home = user_data() / file
    if len(os.fsencode(home)) <= LONGEST_PATH and can_hold(home.parent):
        return home
    # The last resort: any user can make a folder of this name there.
    return Path(tempfile.gettempdir()) / f"avatar-app-{user}" / file


def is_name(text: str) -> bool:
    """Whether an instance can have this name."""
    return re.fullmatch(r"[A-Za-z0-9_-]{1,24}", text) is not None


def can_hold(folder: Path) -> bool:
    """Whether the folder is this user's, or can be made inside one that is."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return is_own_folder(folder) and os.access(folder, os.W_OK | os.X_OK)


def is_own_folder(folder: Path) -> bool:
    """Return whether a folder belongs to this user and is not a link.

    Somebody else could redirect a link.
    """
    try:
        facts = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and (not SOCKET_FILES or facts.st_uid == os.getuid())


def make_private(folder: Path) -> None:
    """Make the folder, for this user alone.

    Raises AvatarError if somebody else could control it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = is_own_folder(folder)
        if own and SOCKET_FILES:
            folder.chmod(0o700)
    except OSError as problem:
        raise AvatarError(
            Text("The folder {} cannot be made: {}.", folder, reason(problem)),
            Text("Without it the app cannot be controlled."),
        ) from None
    if not own:
        raise AvatarError(
            Text("The folder {} is not yours alone.", folder),
            Text("Set XDG_RUNTIME_DIR to a folder of your own; without one the app cannot be controlled."),
        )


def peer_user(connection: socket.socket) -> int | None:
    """Return the user id at the other end, None if the system does not report it.

    The folder's permissions alone decide then.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    _, user, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    )
    return int(user)


def is_same_user(connection: socket.socket) -> bool:
    return not SOCKET_FILES or peer_user(connection) in (None, os.getuid())


def lock(path: Path) -> int:
    """Take the lock file; return its descriptor, whose closing releases the lock.

    Raises AlreadyRunning.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise AlreadyRunning(
            Text("The app is running already."), Text("Use the running one, or quit it first.")
        ) from None
    return descriptor


def listen(path: Path) -> tuple[socket.socket, str]:
    """Open the address at ``path``, replacing the remains of a crashed instance.

    Returns the token to expect, empty for a socket file.
    """
    if SOCKET_FILES:
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        path.chmod(0o600)
        token = ""
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        token = secrets.token_hex(32)
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"port": listener.getsockname()[1], "token": token}, file)
        fresh.replace(path)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener, token


def connect(path: Path, until: float) -> tuple[socket.socket, str]:
    """Return a connection and the token to begin with.

    Raises OSError; ConnectionRefusedError if the other end is another user's.
    """
    timeout = max(0.001, until - time.monotonic())
    if not SOCKET_FILES:
        try:
            address = json.loads(path.read_text(encoding="utf-8"))
            port, token = int(address["port"]), str(address["token"])
            if not 0 < port < 1 << 16:
                raise ValueError("no port")
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise ConnectionRefusedError(f"{path} is damaged") from None
        return socket.create_connection(("127.0.0.1", port), timeout), token
    if not is_own_folder(path.parent):
        raise ConnectionRefusedError(f"{path.parent} belongs to somebody else")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(str(path))
        if not is_same_user(connection):
            raise ConnectionRefusedError(f"{path} belongs to somebody else")
    except OSError:
        connection.close()
        raise
    return connection, ""


def running(beside: Path, until: float) -> list[str]:
    """Return the names of the instances that run, by their addresses in a folder.

    That of the usual one is empty and comes last.
    """
    names = []
    named = sorted(beside.parent.glob(f"control-*{beside.suffix}"))
    for path in (*named, beside.with_name(f"control{beside.suffix}")):
        with suppress(OSError):
            connect(path, until)[0].close()
            names.append(path.stem.removeprefix("control").removeprefix("-"))
    return names
