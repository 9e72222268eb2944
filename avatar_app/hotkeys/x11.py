"""Hotkeys on X11.

The server is asked only for these combinations, so no other key is ever read.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from itertools import chain, combinations
from typing import Any

from avatar_app.hotkeys.bell import ring
from avatar_app.hotkeys.combination import INSTEAD, NAMED_KEYS, PATIENCE, Combination, refused
from avatar_app.hotkeys.portal import under_wayland
from avatar_app.text import NOTHING, Text, join

log = logging.getLogger(__name__)


def wayland_limit() -> Text:
    """Return what Wayland without the portal never allows, a sentence; else empty.

    ``X11Keys.start`` includes it in its result.
    """
    if not under_wayland():
        return NOTHING
    if not os.environ.get("DISPLAY"):
        return join([Text("Wayland has no hotkeys for programs like this."), INSTEAD])
    focus = Text("In a Wayland session hotkeys work only while an X11 window has the focus.")
    return join([focus, INSTEAD])


class X11Keys:
    """Grabs the combinations from the X server.

    Its display is opened, used and closed in its thread.

    Args:
        changed: called in that thread when ``problems`` has changed.
    """

    def __init__(
        self,
        wanted: Mapping[Combination, str],
        on_press: Callable[[str], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._wanted = wanted
        self._on_press = on_press
        self._changed = changed
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._problems: list[Text] = []
        self._places: dict[Combination, tuple[int, int]] = {}
        self._grabbed: dict[tuple[int, int], str] = {}
        self._locks: list[int] = []
        self._released = (0, 0)
        self._display_name = os.environ.get("DISPLAY", "")
        self._bell, self._ringer = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="hotkeys", daemon=True)

    def start(self) -> None:
        if self._display_name:
            self._thread.start()
            self._ready.wait(PATIENCE)

    @property
    def problems(self) -> list[Text]:
        limit, name = wayland_limit(), self._display_name
        if not name:
            return [limit or join([Text("There is no display for hotkeys (DISPLAY is not set)."), INSTEAD])]
        if not self._ready.is_set():
            return [join([Text("The display {} does not answer, so there are no hotkeys.", name), INSTEAD])]
        return [*self._problems, limit] if limit else self._problems

    def close(self) -> None:
        ring(self._stopping, self._ringer, self._thread)
        if self._thread.ident is None:
            self._bell.close()
        self._ringer.close()

    def _run(self) -> None:
        display = None
        try:
            display = self._open()
            if display:
                self._grab(display)
                self._listen(display)
        except Exception as problem:
            # The display can go away at any moment, and python-xlib's errors for that have no common base.
            log.warning("hotkeys ended: %s", problem)
            ended = Text("The display ended the hotkeys ({}).", type(problem).__name__)
            self._report([join([ended, INSTEAD])])
        finally:
            self._bell.close()
            if display:
                with suppress(Exception):
                    display.close()

    def _report(self, problems: list[Text]) -> None:
        self._problems = problems
        self._ready.set()
        self._changed()

    def _open(self) -> Any:
        """Return the display, or None and report a problem."""
        try:
            from Xlib.display import Display
            from Xlib.error import DisplayError
        except ImportError:
            missing = Text("Hotkeys need python-xlib, which is not installed.")
            self._report([join([missing, Text("Install it with: pip install python-xlib.")])])
            return None
        try:
            with redirect_stdout(sys.stderr):  # it prints messages about access rights
                return Display(self._display_name)
        except (DisplayError, OSError):
            shut = Text("The display {} cannot be opened, so there are no hotkeys.", self._display_name)
            self._report([join([shut, INSTEAD])])
            return None

    def _grab(self, display: Any) -> None:
        """Grab every combination, together with every state of the lock keys."""
        from Xlib import X, error

        root = display.screen().root
        root.ungrab_key(X.AnyKey, X.AnyModifier)
        self._places, self._locks, self._grabbed = self._find(display), _lock_masks(display), {}
        reasons: dict[Combination, Text] = {}
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
            reasons[combination] = Text("taken by another program") if code else Text("not on this keyboard")
        display.sync()
        self._report(refused(reasons, self._wanted))

    def _find(self, display: Any) -> dict[Combination, tuple[int, int]]:
        """Return key code and modifier mask of each combination on the current keyboard."""
        from Xlib import X

        masks = {"Ctrl": X.ControlMask, "Alt": X.Mod1Mask, "Shift": X.ShiftMask, "Meta": X.Mod4Mask}
        return {
            combination: (
                _key_code(display, combination.key),
                sum(masks[name] for name in combination.modifiers),
            )
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
                # A held key sends releases and presses at the same instant; it counts once.
                elif event.type == X.KeyPress and (event.detail, event.time) != self._released:
                    mask = event.state & (X.ControlMask | X.Mod1Mask | X.ShiftMask | X.Mod4Mask)
                    if (event.detail, mask) in self._grabbed:
                        self._on_press(self._grabbed[event.detail, mask])
            select.select([display, self._bell], [], [])

    def _keyboard_changed(self, display: Any, event: Any) -> None:
        """Grab again if another layout moves the keys."""
        from Xlib import X

        if event.request == X.MappingKeyboard:
            display.refresh_keyboard_mapping(event)
        if self._find(display) != self._places or _lock_masks(display) != self._locks:
            self._grab(display)


def _key_code(display: Any, key: str) -> int:
    """Return the code of a key on this keyboard, 0 if it has none."""
    from Xlib import XK

    name = NAMED_KEYS[key] if key in NAMED_KEYS else key.lower()
    code = int(display.keysym_to_keycode(XK.string_to_keysym(name)))
    if not code:
        # A layout without Latin letters: the key where they are on most keyboards.
        for first, row in ((10, "1234567890"), (24, "qwertyuiop"), (38, "asdfghjkl"), (52, "zxcvbnm")):
            if name in row:
                return first + row.index(name)
    return code


def _lock_masks(display: Any) -> list[int]:
    """Return the modifier masks of all states of CapsLock, NumLock and ScrollLock."""
    from Xlib import XK, X

    rows = display.get_modifier_mapping()
    codes = [display.keysym_to_keycode(XK.string_to_keysym(name)) for name in ("Num_Lock", "Scroll_Lock")]
    locks = {X.LockMask} | {
        1 << index for index, row in enumerate(rows) for code in codes if code and code in row
    }
    return [
        sum(some)
        for some in chain.from_iterable(combinations(sorted(locks), count) for count in range(len(locks) + 1))
    ]
