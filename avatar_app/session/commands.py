"""Carry out commands from other processes, for `live` and for the window."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from avatar_app.errors import AvatarError, OutputError
from avatar_app.files import new_file
from avatar_app.motion.presets import PRESETS
from avatar_app.photos.library import Entry, Library
from avatar_app.photos.lookup import find_photo
from avatar_app.session.controls import CENTRED, ZOOM_STEP, ZOOMS, Controls, Status, expressed, zoomed
from avatar_app.text import Text

Reply = dict[str, object]
Action = Callable[[str], object]
"""Takes the command's argument; may return the answer."""


class Commanded(Protocol):
    """The part of a session that commands need."""

    @property
    def controls(self) -> Controls: ...

    def change(self, **changes: Any) -> Controls: ...

    def recalibrate(self) -> None: ...

    def status(self) -> Status: ...

    def snapshot(self, path: Path) -> None: ...


DONE = {
    "recalibrate": "taking the pose of this moment",
    "pause": "the call sees the still card",
    "resume": "the call sees the avatar again",
    "next": "the next avatar",
    "previous": "the previous avatar",
    "quit": "ending",
}
"""Answers to commands that return none."""


class Commands:
    """Carries out the lines of ``control.server.COMMANDS``. Any thread may call it.

    Args:
        others: actions that a window does in its own way, or that only the caller can do (``quit``), by
            command. ``record`` starts or ends a recording, ``snapshot`` chooses a name itself.
    """

    def __init__(self, session: Commanded, library: Library, others: Mapping[str, Action]) -> None:
        self._session, self._library = session, library
        own: dict[str, Action] = {
            "recalibrate": lambda _: session.recalibrate(),
            "pause": lambda _: session.change(paused=True),
            "resume": lambda _: session.change(paused=False),
            "toggle": self._toggle,
            "next": lambda _: self._step(1),
            "previous": lambda _: self._step(-1),
            "avatar": lambda name: self._use(find_photo(name, library)),
            "mirror": self._mirror,
            "zoom": self._zoom,
            "expression": self._express,
            "raise": _no_window,
        }
        self._keep = {"record": self._switch_recording, "snapshot": self._take_photo, **others}
        self._actions = {**own, **others, "record": self._record, "snapshot": self._snapshot}

    def __call__(self, line: str) -> Reply:
        """Carry out a command; raise AvatarError if it fails."""
        word, _, rest = line.partition(" ")
        if word == "status":
            return described(self._session.status(), self._session.controls)
        answer = self._actions[word](rest)
        return {"message": answer if isinstance(answer, str) else DONE.get(word, "done")}

    def _toggle(self, _: str) -> str:
        paused = self._session.change(paused=not self._session.controls.paused).paused
        return DONE["pause" if paused else "resume"]

    def _record(self, wish: str) -> str:
        on = self._session.controls.recording is not None
        wanted = _wish("record", wish, "start", "stop", on)
        if wanted != on:
            self._keep["record"]("")
        return "recording" if wanted else "not recording"

    def _switch_recording(self, _: str) -> None:
        running = self._session.controls.recording is not None
        self._session.change(recording=None if running else new_file(Path.cwd(), ".mp4"))

    def _snapshot(self, name: str) -> object:
        if not name:
            return self._keep["snapshot"]("")
        path = Path(name)
        if path.suffix.lower() != ".png":
            raise OutputError(
                Text("The picture {} has an ending that cannot be written.", path), Text("Use .png.")
            )
        self._session.snapshot(path)
        return f"saved {path}"

    def _take_photo(self, _: str) -> str:
        path = new_file(Path.cwd(), ".png")
        self._session.snapshot(path)
        return f"saved {path}"

    def _mirror(self, wish: str) -> str:
        wanted = _wish("mirror", wish, "on", "off", self._session.controls.mirror_output)
        self._session.change(mirror_output=wanted)
        return "mirrored" if wanted else "not mirrored"

    def _zoom(self, how: str) -> str:
        steps = {"in": ZOOM_STEP, "out": -ZOOM_STEP}
        if how == "reset":
            changes = dict(CENTRED)
        elif how in steps:
            changes = {"zoom": zoomed(self._session.controls, steps[how])}
        else:
            changes = {"zoom": _factor(how)}
        return f"zoom {self._session.change(**changes).zoom:g}"

    def _express(self, wish: str) -> str:
        name, _, rest = wish.partition(" ")
        if wish == "off":
            self._session.change(preset="", hold=False)
            return "no expression"
        if name not in PRESETS or rest not in ("", "hold"):
            message = Text("The command {} does not know {}.", "expression", repr(wish[:40]))
            hint = Text("Say one of {}, hold after it to keep it, or off.", ", ".join(PRESETS))
            raise AvatarError(message, hint)
        if rest:
            self._session.change(preset=name)
        else:
            self._session.change(**expressed(self._session.controls, name, hold=False))
        return f"{name} {rest}".strip()

    def _step(self, step: int) -> None:
        entries = self._library.entries()
        paths = [entry.path for entry in entries]
        current = self._session.controls.avatar
        if current in paths:
            self._use(entries[(paths.index(current) + step) % len(entries)])
        elif entries:
            self._use(entries[0])

    def _use(self, entry: Entry) -> None:
        """Show a photo of the gallery with its crop and turn."""
        self._session.change(avatar=entry.path, avatar_box=entry.box, avatar_turn=entry.turn, avatar_face=0)


def _wish(command: str, said: str, yes: str, no: str, now: bool) -> bool:
    """Return whether something should be on; without argument the opposite of ``now``."""
    if said not in ("", yes, no):
        message = Text("The command {} does not know {}.", command, repr(said[:40]))
        raise AvatarError(message, Text("Say {} or {}, or nothing to change it.", yes, no))
    return said == yes if said else not now


def _factor(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not ZOOMS[0] <= number <= ZOOMS[1]:
        message = Text("The command zoom does not know {}.", repr(text[:40]))
        raise AvatarError(message, Text("Say in, out, reset, or a number from 0.5 to 2."))
    return round(number, 2)


def _no_window(_: str) -> None:
    raise AvatarError(Text("The app runs without a window."), Text("Stop `live` first to use the window."))


def described(status: Status, controls: Controls) -> Reply:
    """Return the answer to ``status``."""
    return {
        "message": f"shows {status.shows} {status.reason}".strip(),
        "shows": status.shows,
        "reason": status.reason,
        "avatar": status.avatar.stem if status.avatar else "",
        "paused": controls.paused,
        "recording": str(status.recording) if status.recording else "",
        "mirror": controls.mirror_output,
        "zoom": controls.zoom,
        "expression": controls.preset,
        "calibrated": status.calibrated,
        "camera": status.camera,
        "output": status.output,
        "statistics": dataclasses.asdict(status.statistics),
        "notices": [notice.message for notice in status.notices],
    }
