"""Global hotkeys: key combinations that work while another window, such as the call, has the focus.

On Linux the X server is asked for just these combinations (python-xlib). pynput is not used there: it listens to every key, and it needs
a C compiler to install. On Windows and macOS it is the way. Wayland lets no ordinary program have such keys; there the ``control``
command can be bound to keys in the desktop's own settings.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Protocol

from avatar_app.errors import ConfigError
from avatar_app.hotkeys_pynput import PynputKeys
from avatar_app.hotkeys_x11 import X11Keys
from avatar_app.key_combination import Combination, parse

__all__ = ["DEFAULT_HOTKEYS", "Combination", "Hotkeys", "parse"]

log = logging.getLogger(__name__)

DEFAULT_HOTKEYS = {"recalibrate": "Ctrl+Alt+X", "pause": "Ctrl+Alt+P", "next": "Ctrl+Alt+PgDown", "previous": "Ctrl+Alt+PgUp"}
"""Action -> combination. Ctrl+Alt with arrows is not among them: many desktops change workspaces with it."""


class _Backend(Protocol):
    def start(self) -> list[str]: ...

    def close(self) -> None: ...


class Hotkeys:
    """Global hotkeys, in a thread of their own.

    Args:
        bindings: action -> combination, empty for none.
        pressed: told the action, in that thread; must be quick. What it raises is logged.
    """

    def __init__(self, bindings: Mapping[str, str], pressed: Callable[[str], None]) -> None:
        self._bindings = dict(bindings)
        self._pressed = pressed
        self._backend: _Backend | None = None

    def start(self) -> list[str]:
        """Ask the system for the keys; returns what does not work and why, a sentence each. Never raises."""
        problems: list[str] = []
        wanted: dict[Combination, str] = {}
        for action, text in self._bindings.items():
            try:
                combination = parse(text) if text else None
            except ConfigError as problem:
                problems.append(str(problem))
                continue
            if combination in wanted:
                problems.append(f"The hotkey {combination} is given to both {wanted[combination]} and {action}; it does the first.")
            elif combination:
                wanted[combination] = action
        if not wanted:
            return problems
        backend: _Backend = X11Keys(wanted, self._tell) if sys.platform == "linux" else PynputKeys(wanted, self._tell)
        self._backend = backend
        return problems + backend.start()

    def close(self) -> None:
        """Give the keys back, within 0.2 seconds."""
        if self._backend is not None:
            self._backend.close()
            self._backend = None

    def _tell(self, action: str) -> None:
        try:
            self._pressed(action)
        except Exception:
            log.exception("the hotkey for %s failed", action)
