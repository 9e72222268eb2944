"""Listen to global hotkeys, which work while another window has the focus.

Each system is asked only for these combinations, so no other key is ever read: the X server (python-xlib),
Windows and macOS (ctypes), the desktop's portal under Wayland (jeepney). If Wayland has no portal for
shortcuts, the ``control`` command can be bound to keys in the desktop's settings.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Protocol

from avatar_app.errors import ConfigError
from avatar_app.hotkeys.combination import ACTIONS, Combination, parse
from avatar_app.hotkeys.macos import MacKeys
from avatar_app.hotkeys.portal import PortalKeys, portal_binds
from avatar_app.hotkeys.windows import WindowsKeys
from avatar_app.hotkeys.x11 import X11Keys, wayland_limit
from avatar_app.text import NOTHING, Text, join

__all__ = ["DEFAULT_HOTKEYS", "Combination", "Hotkeys", "by_portal", "desktop_limit", "parse", "way"]

log = logging.getLogger(__name__)

DEFAULT_HOTKEYS = {
    "recalibrate": "Ctrl+Alt+X",
    "pause": "Ctrl+Alt+P",
    "next": "Ctrl+Alt+PgDown",
    "previous": "Ctrl+Alt+PgUp",
}
"""Action -> combination. Ctrl+Alt with arrows is left out: many desktops change workspaces with it."""


class _Backend(Protocol):
    @property
    def problems(self) -> list[Text]: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


BACKENDS: dict[
    str, Callable[[Mapping[Combination, str], Callable[[str], None], Callable[[], None]], _Backend]
] = {
    "win32": WindowsKeys,
    "darwin": MacKeys,
}
"""Platform -> its hotkeys; all others use the portal or X11."""


def desktop_limit() -> Text:
    """Return what this desktop never allows hotkeys to do, a sentence, or empty.

    Each ``Hotkeys.start`` returns it, so showing it once is enough.
    """
    return NOTHING if sys.platform in BACKENDS or portal_binds() else wayland_limit()


def by_portal() -> bool:
    """Return whether the desktop itself binds the keys, and its settings show them."""
    return sys.platform not in BACKENDS and portal_binds()


def way() -> str:
    """Return the provider of hotkeys on this desktop, a ``Text`` if it is not a name."""
    if by_portal():
        return Text("portal of the Wayland desktop")
    return {"win32": "Windows", "darwin": "macOS"}.get(sys.platform, "X11")


def _given_twice(combination: Combination, first: str, second: str) -> Text:
    return Text(
        "The hotkey {} is given to both {} and {}; it does the first.",
        combination,
        ACTIONS.get(first, first),
        ACTIONS.get(second, second),
    )


class Hotkeys:
    """Global hotkeys, in a thread of their own.

    Args:
        bindings: action -> combination, empty for none.
        pressed: called with the action, in that thread, or on macOS in the main thread; must be quick. Its
            exceptions are logged.
        describe: returns what an action does, in the user's language, for a desktop that lists shortcuts.
        changed: called in that thread when ``problems`` has changed.
    """

    def __init__(
        self,
        bindings: Mapping[str, str],
        pressed: Callable[[str], None],
        describe: Callable[[str], str] = str,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._bindings = dict(bindings)
        self._pressed = pressed
        self._describe = describe
        self._changed = changed
        self._wrong: list[Text] = []
        self._backend: _Backend | None = None

    @property
    def problems(self) -> list[Text]:
        """What does not work now and why, a sentence or two each."""
        return [*self._wrong, *(self._backend.problems if self._backend else [])]

    def start(self) -> list[Text]:
        """Register the keys; return ``problems``. Never raises."""
        self._wrong = []
        wanted: dict[Combination, str] = {}
        for action, text in self._bindings.items():
            try:
                combination = parse(text) if text else None
            except ConfigError as problem:
                self._wrong.append(join([problem.message, problem.hint]))
                continue
            if combination in wanted:
                self._wrong.append(_given_twice(combination, wanted[combination], action))
            elif combination:
                wanted[combination] = action
        if wanted:
            self._backend = self._backend_for(wanted)
            self._backend.start()
        return self.problems

    def _backend_for(self, wanted: Mapping[Combination, str]) -> _Backend:
        if sys.platform in BACKENDS:
            return BACKENDS[sys.platform](wanted, self._call, self._changed)
        if by_portal():
            return PortalKeys(wanted, self._call, self._describe, self._changed)
        return X11Keys(wanted, self._call, self._changed)

    def close(self) -> None:
        """Release the keys, within 0.2 seconds."""
        if self._backend is not None:
            self._backend.close()
            self._backend = None

    def _call(self, action: str) -> None:
        try:
            self._pressed(action)
        except Exception:
            log.exception("the hotkey for %s failed", action)
