"""Carry out the commands that other processes send to a running app.

The same for `live` and for the window.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from avatar_app.errors import AvatarError
from avatar_app.photos.library import Library
from avatar_app.photos.lookup import find_photo
from avatar_app.session.controls import Controls, Status
from avatar_app.text import Text

Reply = dict[str, object]
Action = Callable[[str], object]
"""Takes what follows the command's word."""


class Commanded(Protocol):
    """What commands need of a session."""

    @property
    def controls(self) -> Controls: ...

    def change(self, **changes: Any) -> Controls: ...

    def recalibrate(self) -> None: ...

    def status(self) -> Status: ...


DONE = {
    "recalibrate": "taking the pose of this moment",
    "pause": "the call sees the still card",
    "resume": "the call sees the avatar again",
    "next": "the next avatar",
    "previous": "the previous avatar",
    "quit": "ending",
}
"""What is answered after a command."""


class Commands:
    """Answers the lines of ``control.server.COMMANDS``. May be called from any thread.

    Args:
        others: what a window does in its own way, or what only the caller can do (``quit``), by the command's
            word.
    """

    def __init__(self, session: Commanded, library: Library, others: Mapping[str, Action]) -> None:
        self._session, self._library = session, library
        self._actions: dict[str, Action] = {
            "recalibrate": lambda _: session.recalibrate(),
            "pause": lambda _: session.change(paused=True),
            "resume": lambda _: session.change(paused=False),
            "next": lambda _: self._step(1),
            "previous": lambda _: self._step(-1),
            "avatar": lambda name: self._use(find_photo(name, library).path),
            "raise": _no_window,
            **others,
        }

    def __call__(self, line: str) -> Reply:
        """Carry out a command; raises AvatarError where it cannot be."""
        word, _, rest = line.partition(" ")
        if word == "status":
            return described(self._session.status())
        self._actions[word](rest)
        return {"message": DONE.get(word, "done")}

    def _step(self, step: int) -> None:
        paths = [entry.path for entry in self._library.entries()]
        current = self._session.controls.avatar
        if current in paths:
            self._use(paths[(paths.index(current) + step) % len(paths)])
        else:
            self._use(paths[0] if paths else current)

    def _use(self, avatar: Path | None) -> None:
        self._session.change(avatar=avatar, avatar_box=None, avatar_turn=None, avatar_face=0)


def _no_window(_: str) -> None:
    raise AvatarError(Text("The app runs without a window."), Text("Stop `live` first to use the window."))


def described(status: Status) -> Reply:
    """The answer to ``status``."""
    return {
        "message": f"shows {status.shows} {status.reason}".strip(),
        "shows": status.shows,
        "reason": status.reason,
        "calibrated": status.calibrated,
        "camera": status.camera,
        "output": status.output,
        "statistics": dataclasses.asdict(status.statistics),
        "notices": [notice.message for notice in status.notices],
    }
