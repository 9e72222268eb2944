"""Check whether this computer could render for others, and say what to do if not."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from avatar_app.doctor.checks import Check, check_graphics, check_models, check_python
from avatar_app.doctor.speed import measure_speed
from avatar_app.errors import AvatarError
from avatar_app.extras import install, missing
from avatar_app.paths import server_folder
from avatar_app.text import Text

RATE = 30
"""Pictures a second for one person."""

SECRETS = ("token", "key.pem")


def server_checks(model: str, device: str, port: int, quick: bool = False) -> Iterator[Check]:
    """Yield the results of all checks of a server.

    Args:
        port: on which it will listen.
        quick: leave out the measurement of the speed.
    """
    yield check_python()
    yield check_packages()
    yield check_graphics()
    yield check_models(model)
    yield check_port(port)
    yield check_secrets(server_folder())
    if not quick:
        yield check_capacity(model, device)


def check_packages() -> Check:
    lacking = missing("serve")
    if lacking:
        found = Text("Not installed: {}.", ", ".join(lacking))
        return Check(Text("Packages"), "problem", found, install(lacking), needed=True)
    if missing("cluster"):
        found = Text("All that one process needs is there; Ray, for `cluster`, is not.")
        return Check(Text("Packages"), "ok", found, needed=True)
    return Check(Text("Packages"), "ok", Text("All are there."), needed=True)


def check_port(port: int) -> Check:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            todo = Text("If that is not a server of this app, end it, or choose another --port.")
            return Check(Text("Port"), "note", Text("Something listens on {} already.", str(port)), todo)
    found = Text("{} is free. Others reach it where no firewall blocks it.", str(port))
    return Check(Text("Port"), "ok", found)


def check_secrets(folder: Path) -> Check:
    """Check whether other users of this computer can read the server's secrets."""
    files = [folder / name for name in SECRETS if (folder / name).exists()]
    if not files:
        return Check(Text("Secrets"), "ok", Text("They will be made in {}.", folder))
    open_ones = [file.name for file in files if os.name == "posix" and file.stat().st_mode & 0o077]
    if open_ones:
        todo = Text("Run `chmod 600 {}`.", " ".join(str(folder / name) for name in open_ones))
        found = Text("Others can read {} in {}.", ", ".join(open_ones), folder)
        return Check(Text("Secrets"), "problem", found, todo)
    return Check(Text("Secrets"), "ok", Text("Only you can read those in {}.", folder))


def check_capacity(model: str, device: str) -> Check:
    """Check for how many people this computer can render."""
    try:
        speed = measure_speed(model, device)
    except AvatarError as error:
        return Check(Text("Speed"), "problem", error.message, error.hint, needed=True)
    people = int(speed.fps // RATE)
    if people < 1:
        todo = Text(
            "Close other programs that keep the processor busy, or use a computer with a graphics card."
        )
        found = Text("{:.0f} fps with {}: less than one person needs.", speed.fps, speed.engine)
        return Check(Text("Speed"), "note", found, todo, needed=True)
    todo = Text("Run `avatar-app serve --listen 0.0.0.0 --sessions {}`.", people)
    found = Text("{:.0f} fps with {}: enough for {}, {} fps each.", speed.fps, speed.engine, people, RATE)
    return Check(Text("Speed"), "ok", found, todo, needed=True)
