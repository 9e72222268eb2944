"""Global hotkeys: key combinations that work while another window, such as the call, has the focus.

On Linux the X server is asked for just these combinations (python-xlib), so nothing else that is typed ever comes here. pynput is not used
there: it listens to every key, and it needs a C compiler to install. On Windows and macOS it is the way. Wayland lets no ordinary program
have such keys; there the ``control`` command can be bound to keys in the desktop's own settings.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import string
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any, Protocol

from avatar_app.errors import ConfigError

log = logging.getLogger(__name__)

DEFAULT_HOTKEYS = {"recalibrate": "Ctrl+Alt+X", "pause": "Ctrl+Alt+P", "next": "Ctrl+Alt+PgDown", "previous": "Ctrl+Alt+PgUp"}
"""Action -> combination. Ctrl+Alt with arrows is not among them: many desktops change workspaces with it."""

MODIFIERS = ("Ctrl", "Alt", "Shift", "Meta")
"""In the order in which they are written. Meta is the key with the Windows logo, Command on macOS."""

NAMED_KEYS = {
    "Left": ("Left", "left"),
    "Right": ("Right", "right"),
    "Up": ("Up", "up"),
    "Down": ("Down", "down"),
    "Home": ("Home", "home"),
    "End": ("End", "end"),
    "PgUp": ("Prior", "page_up"),
    "PgDown": ("Next", "page_down"),
    "Ins": ("Insert", "insert"),
    "Del": ("Delete", "delete"),
    "Space": ("space", "space"),
    "Tab": ("Tab", "tab"),
    "Return": ("Return", "enter"),
    "Backspace": ("BackSpace", "backspace"),
    "Esc": ("Escape", "esc"),
} | {f"F{number}": (f"F{number}", f"f{number}") for number in range(1, 21)}
"""Name as Qt writes it -> the names that X11 and pynput use."""

ALIASES = {
    "control": "Ctrl",
    "option": "Alt",
    "win": "Meta",
    "super": "Meta",
    "cmd": "Meta",
    "command": "Meta",
    "pageup": "PgUp",
    "pagedown": "PgDown",
    "insert": "Ins",
    "delete": "Del",
    "enter": "Return",
    "escape": "Esc",
}
CHARACTERS = string.ascii_uppercase + string.digits
BY_NAME = {name.lower(): name for name in (*MODIFIERS, *NAMED_KEYS, *CHARACTERS)} | ALIASES

INSTEAD = "Bind keys of your desktop to `python run.py control recalibrate`"
PATIENCE = 2.0
"""Seconds in which the system must have given the keys."""


@dataclass(frozen=True, slots=True)
class Combination:
    """Keys pressed together: some of ``MODIFIERS`` in that order, and a letter, a digit or one of ``NAMED_KEYS``."""

    modifiers: tuple[str, ...]
    key: str

    def __str__(self) -> str:
        return "+".join((*self.modifiers, self.key))


def parse(text: str) -> Combination:
    """Read ``Ctrl+Alt+X``; upper and lower case are alike. Raises ConfigError."""
    hint = "Write it like Ctrl+Alt+X or Ctrl+Shift+F5."
    names = []
    for part in text.split("+"):
        name = BY_NAME.get(part.strip().lower())
        if name is None:
            raise ConfigError(f"The hotkey {text!r} has no key that is known as {part.strip()!r}.", hint)
        names.append(name)
    keys = [name for name in names if name not in MODIFIERS]
    if len(keys) != 1 or names[-1] != keys[0] or len(set(names)) != len(names):
        raise ConfigError(f"The hotkey {text!r} is not some of {', '.join(MODIFIERS)} and then one key.", hint)
    modifiers = tuple(name for name in MODIFIERS if name in names)
    if not set(modifiers) - {"Shift"} and not (keys[0].startswith("F") and len(keys[0]) > 1):
        raise ConfigError(f"The hotkey {text!r} would be pressed in ordinary typing.", "Add Ctrl, Alt or Meta to it.")
    return Combination(modifiers, keys[0])


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
        backend: _Backend = _XKeys(wanted, self._tell) if sys.platform == "linux" else _PynputKeys(wanted, self._tell)
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


class _XKeys:
    """Grabs the combinations from the X server. Its display is opened, used and closed in its thread."""

    def __init__(self, wanted: Mapping[Combination, str], tell: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._tell = tell
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._problems: list[str] = []
        self._places: dict[Combination, tuple[int, int]] = {}
        self._grabbed: dict[tuple[int, int], str] = {}
        self._locks: list[int] = []
        self._released = (0, 0)
        self._bell, self._ringer = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="hotkeys", daemon=True)

    def start(self) -> list[str]:
        wayland = bool(os.environ.get("WAYLAND_DISPLAY")) or os.environ.get("XDG_SESSION_TYPE") == "wayland"
        if not os.environ.get("DISPLAY"):
            where = "Wayland has no hotkeys for programs like this" if wayland else "There is no display for hotkeys (DISPLAY is not set)"
            return [f"{where}. {INSTEAD}."]
        self._thread.start()
        if not self._ready.wait(PATIENCE):
            return [f"The display {os.environ['DISPLAY']} does not answer, so there are no hotkeys. {INSTEAD}."]
        note = f"In a Wayland session hotkeys work only while an X11 window has the focus. {INSTEAD}."
        return [*self._problems, note] if wayland else list(self._problems)

    def close(self) -> None:
        self._stopping.set()
        with suppress(OSError):  # it may have ended by itself
            self._ringer.send(b"!")
        if self._thread.ident is not None and threading.current_thread() is not self._thread:
            self._thread.join(0.2)
        if self._thread.ident is None:
            self._bell.close()
        self._ringer.close()

    def _run(self) -> None:
        display = None
        try:
            display = self._open()
            if display:
                self._grab(display)
                self._ready.set()
                self._listen(display)
        except Exception as problem:
            # The display can go away at any moment, and python-xlib has errors without a common base for that.
            log.warning("hotkeys ended: %s", problem)
            self._problems.append(f"The display ended the hotkeys ({type(problem).__name__}). {INSTEAD}.")
        finally:
            self._ready.set()
            self._bell.close()
            if display:
                with suppress(Exception):
                    display.close()

    def _open(self) -> Any:
        """The display, or None with a problem."""
        try:
            from Xlib.display import Display
            from Xlib.error import DisplayError
        except ImportError:
            self._problems.append("Hotkeys need python-xlib, which is not installed. Install it with: pip install python-xlib.")
            return None
        try:
            with redirect_stdout(sys.stderr):  # where it has something to say about access rights, it prints
                return Display()
        except (DisplayError, OSError):
            self._problems.append(f"The display {os.environ['DISPLAY']} cannot be opened, so there are no hotkeys. {INSTEAD}.")
            return None

    def _grab(self, display: Any) -> None:
        """Ask for every combination, together with every state of the lock keys."""
        from Xlib import X, error

        root = display.screen().root
        root.ungrab_key(X.AnyKey, X.AnyModifier)
        self._places, self._locks, self._grabbed = self._find(display), _lock_masks(display), {}
        for combination, (code, mask) in self._places.items():
            taken = error.CatchError(error.BadAccess)
            for lock in self._locks if code else ():
                root.grab_key(code, mask | lock, False, X.GrabModeAsync, X.GrabModeAsync, onerror=taken)
            display.sync()
            if code and not taken.get_error():
                self._grabbed[code, mask] = self._wanted[combination]
                continue
            for lock in self._locks if code else ():
                root.ungrab_key(code, mask | lock)
            why = "is taken by another program" if code else "needs a key that this keyboard does not have"
            self._problems.append(f"The hotkey {combination} ({self._wanted[combination]}) {why}; choose another in the settings.")
        display.sync()

    def _find(self, display: Any) -> dict[Combination, tuple[int, int]]:
        """Key code and modifier mask of each combination, with the keyboard as it is now."""
        from Xlib import X

        masks = {"Ctrl": X.ControlMask, "Alt": X.Mod1Mask, "Shift": X.ShiftMask, "Meta": X.Mod4Mask}
        return {
            combination: (_key_code(display, combination.key), sum(masks[name] for name in combination.modifiers))
            for combination in self._wanted
        }

    def _listen(self, display: Any) -> None:
        from Xlib import X

        while not self._stopping.is_set():
            while display.pending_events() and not self._stopping.is_set():
                event = display.next_event()
                if event.type == X.MappingNotify:
                    self._keyboard_changed(display, event)
                elif event.type == X.KeyRelease:
                    self._released = (event.detail, event.time)
                # A key that is held sends releases and presses at the same instant; it counts once.
                elif event.type == X.KeyPress and (event.detail, event.time) != self._released:
                    mask = event.state & (X.ControlMask | X.Mod1Mask | X.ShiftMask | X.Mod4Mask)
                    if (event.detail, mask) in self._grabbed:
                        self._tell(self._grabbed[event.detail, mask])
            select.select([display, self._bell], [], [])

    def _keyboard_changed(self, display: Any, event: Any) -> None:
        """Grab again where another layout has the keys elsewhere."""
        from Xlib import X

        if event.request == X.MappingKeyboard:
            display.refresh_keyboard_mapping(event)
        if self._find(display) != self._places or _lock_masks(display) != self._locks:
            self._grab(display)


def _key_code(display: Any, key: str) -> int:
    """Code of a key on this keyboard, 0 if it has none."""
    from Xlib import XK

    name = NAMED_KEYS[key][0] if key in NAMED_KEYS else key.lower()
    code = int(display.keysym_to_keycode(XK.string_to_keysym(name)))
    if not code:
        # A layout without Latin letters: the key where they are on most keyboards.
        for first, row in ((10, "1234567890"), (24, "qwertyuiop"), (38, "asdfghjkl"), (52, "zxcvbnm")):
            if name in row:
                return first + row.index(name)
    return code


def _lock_masks(display: Any) -> list[int]:
    """Modifier masks of every state that CapsLock, NumLock and ScrollLock can be in."""
    from Xlib import XK, X

    rows = display.get_modifier_mapping()
    codes = [display.keysym_to_keycode(XK.string_to_keysym(name)) for name in ("Num_Lock", "Scroll_Lock")]
    locks = {X.LockMask} | {1 << index for index, row in enumerate(rows) for code in codes if code and code in row}
    return [sum(some) for some in chain.from_iterable(combinations(sorted(locks), count) for count in range(len(locks) + 1))]


class _PynputKeys:
    """Windows and macOS."""

    def __init__(self, wanted: Mapping[Combination, str], tell: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._tell = tell
        self._listener: Any = None

    def start(self) -> list[str]:
        try:
            from pynput.keyboard import GlobalHotKeys
        except ImportError as problem:
            return [f"Hotkeys need pynput, which cannot be used here: {problem}. {INSTEAD}."]
        bindings = {_pynput_name(combination): self._teller(action) for combination, action in self._wanted.items()}
        try:
            self._listener = GlobalHotKeys(bindings)
            self._listener.daemon = True
            self._listener.start()
            waiting = threading.Thread(target=self._listener.wait, name="hotkeys-wait", daemon=True)
            waiting.start()
            waiting.join(PATIENCE)
        except Exception as problem:
            log.warning("hotkeys failed", exc_info=True)
            return [f"The system gives no hotkeys: {problem or type(problem).__name__}. {INSTEAD}."]
        if not getattr(self._listener, "IS_TRUSTED", True):
            where = "System Settings, Privacy & Security, Accessibility"
            return [f"macOS does not let this program have hotkeys. Allow it in {where}, then start it again."]
        return []

    def close(self) -> None:
        if self._listener is not None:
            with suppress(Exception):  # whatever it stumbles over, it is over
                self._listener.stop()
                threading.Thread.join(self._listener, 0.15)  # its own would raise what its thread raised

    def _teller(self, action: str) -> Callable[[], None]:
        return lambda: self._tell(action)


def _pynput_name(combination: Combination) -> str:
    modifiers = [f"<{'cmd' if name == 'Meta' else name.lower()}>" for name in combination.modifiers]
    key = combination.key
    return "+".join([*modifiers, f"<{NAMED_KEYS[key][1]}>" if key in NAMED_KEYS else key.lower()])
