"""Hotkeys on macOS.

The system is asked only for these combinations, so it requires no permission, and other keys are not read.

Carbon's event manager delivers them, to the main thread alone: in others some of its functions abort the
program. All work is therefore done in that thread, which runs the window.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from avatar_app.hotkeys.combination import CHARACTERS, INSTEAD, PATIENCE, Combination, refused
from avatar_app.text import Text, join

log = logging.getLogger(__name__)

MODIFIERS = {"Meta": 0x100, "Shift": 0x200, "Alt": 0x800, "Ctrl": 0x1000}
NAMED = {
    "Left": 0x7B,
    "Right": 0x7C,
    "Up": 0x7E,
    "Down": 0x7D,
    "Home": 0x73,
    "End": 0x77,
    "PgUp": 0x74,
    "PgDown": 0x79,
    "Ins": 0x72,
    "Del": 0x75,
    "Space": 0x31,
    "Tab": 0x30,
    "Return": 0x24,
    "Backspace": 0x33,
    "Esc": 0x35,
}
FUNCTION_KEYS = bytes.fromhex("7A 78 63 76 60 61 62 64 65 6D 67 6F 69 6B 71 6A 40 4F 50 5A")
NAMED |= {f"F{number}": code for number, code in enumerate(FUNCTION_KEYS, 1)}
LETTER_KEYS = bytes.fromhex("00 0B 08 02 0E 03 05 04 22 26 28 25 2E 2D 1F 23 0C 0F 01 11 20 09 0D 07 10 06")
DIGIT_KEYS = bytes.fromhex("1D 12 13 14 15 17 16 1A 1C 19")
KEYS = NAMED | dict(zip(CHARACTERS, LETTER_KEYS + DIGIT_KEYS, strict=True))
"""Key codes. Those of letters and digits are positions on an American keyboard, whatever the layout."""

TAKEN = -9878
"""eventHotKeyExistsErr."""


class System(Protocol):
    """The part of macOS that is used, in the main thread except ``in_main_thread``."""

    def in_main_thread(self, work: Callable[[], None]) -> None:
        """Call ``work`` in the main thread, soon; at once if this is the main thread."""

    def has_window(self) -> bool:
        """Whether the program has windows, without which no hotkeys arrive."""

    def listen(self, heard: Callable[[int, bool], None]) -> None:
        """Report each hotkey, by its number, when it goes down (True) and up (False).

        Raises OSError.
        """

    def register(self, number: int, modifiers: int, key: int) -> int:
        """Register a hotkey under this number; return 0, or the system's error number."""

    def release(self) -> None:
        """Release all hotkeys and stop listening."""


class MacKeys:
    """Hotkeys from macOS.

    Args:
        changed: called in the main thread when ``problems`` has changed.
    """

    def __init__(
        self,
        wanted: Mapping[Combination, str],
        on_press: Callable[[str], None],
        changed: Callable[[], None] = lambda: None,
        system: System | None = None,
    ) -> None:
        self._wanted = list(wanted.items())
        self._on_press = on_press
        self._changed = changed
        self._system = system
        self._problems: list[Text] = []
        self._held: set[int] = set()
        self._stopping = threading.Event()
        self._ready, self._over = threading.Event(), threading.Event()

    def start(self) -> None:
        try:
            self._system = self._system or Carbon()
            self._system.in_main_thread(self._begin)
        except Exception as problem:
            log.warning("hotkeys failed", exc_info=True)
            self._report([_none(problem)])
        self._ready.wait(PATIENCE)

    @property
    def problems(self) -> list[Text]:
        if not self._ready.is_set():
            return [join([Text("The system gives no hotkeys: {}.", Text("no answer")), INSTEAD])]
        return self._problems

    def close(self) -> None:
        self._stopping.set()
        if self._system is not None:
            self._system.in_main_thread(self._end)
            self._over.wait(0.15)

    def _begin(self) -> None:
        problems: list[Text] = []
        try:
            if self._system is not None and not self._stopping.is_set() and self._system.has_window():
                self._system.listen(self._hear)
                problems = self._register(self._system)
        except Exception as problem:
            log.warning("hotkeys failed", exc_info=True)
            problems = [_none(problem)]
        self._report(problems)

    def _report(self, problems: list[Text]) -> None:
        self._problems = problems
        self._ready.set()
        self._changed()

    def _register(self, system: System) -> list[Text]:
        """Return which hotkeys are refused and why."""
        reasons: dict[Combination, Text] = {}
        for number, (combination, _) in enumerate(self._wanted):
            key = KEYS[combination.key]
            error = system.register(number, sum(MODIFIERS[name] for name in combination.modifiers), key)
            if error:
                reasons[combination] = (
                    Text("taken by another program")
                    if error == TAKEN
                    else Text("refused by the system, error {}", error)
                )
        return refused(reasons, dict(self._wanted))

    def _end(self) -> None:
        if self._system is not None:
            try:
                self._system.release()
            except Exception:  # it must end, whatever fails
                log.warning("hotkeys ended", exc_info=True)
        self._over.set()

    def _hear(self, number: int, down: bool) -> None:
        """Handle a key; one that is held counts once."""
        if not down:
            self._held.discard(number)
        elif number not in self._held and number < len(self._wanted) and not self._stopping.is_set():
            self._held.add(number)
            self._on_press(self._wanted[number][1])


def _none(problem: Exception) -> Text:
    return join([Text("The system gives no hotkeys: {}.", str(problem) or type(problem).__name__), INSTEAD])


class _EventType(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_uint32), ("number", ctypes.c_uint32))


class _HotkeyId(ctypes.Structure):
    _fields_ = (("signature", ctypes.c_uint32), ("number", ctypes.c_uint32))


_HANDLER = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)

KEYBOARD, HOTKEY_ID, DIRECT_OBJECT, OURS = (
    int.from_bytes(name, "big") for name in (b"keyb", b"hkid", b"----", b"avtr")
)
"""Carbon's names of an event class, a type and a parameter, and our own signature."""
DOWN, UP = 5, 6
"""kEventHotKeyPressed, kEventHotKeyReleased."""
NOT_HANDLED = -9874
"""eventNotHandledErr: other handlers may have the event."""


class Carbon:
    """The macOS system itself."""

    def __init__(self) -> None:
        self._carbon: Any = ctypes.CDLL("/System/Library/Frameworks/Carbon.framework/Carbon")
        self._heard: Callable[[int, bool], None] | None = None
        self._handler = ctypes.c_void_p()
        self._hotkeys: list[ctypes.c_void_p] = []
        self._callback = _HANDLER(self._handle)  # a reference: Carbon has only its address
        pointer = ctypes.POINTER(ctypes.c_void_p)
        self._carbon.GetApplicationEventTarget.argtypes = []
        self._carbon.GetApplicationEventTarget.restype = ctypes.c_void_p
        self._carbon.InstallEventHandler.argtypes = [
            ctypes.c_void_p,
            _HANDLER,
            ctypes.c_ulong,
            ctypes.POINTER(_EventType),
            ctypes.c_void_p,
            pointer,
        ]
        self._carbon.RemoveEventHandler.argtypes = [ctypes.c_void_p]
        self._carbon.RegisterEventHotKey.argtypes = [
            ctypes.c_uint32,
            ctypes.c_uint32,
            _HotkeyId,
            ctypes.c_void_p,
            ctypes.c_uint32,
            pointer,
        ]
        self._carbon.UnregisterEventHotKey.argtypes = [ctypes.c_void_p]
        self._carbon.GetEventKind.argtypes = [ctypes.c_void_p]
        self._carbon.GetEventKind.restype = ctypes.c_uint32
        self._carbon.GetEventParameter.argtypes = [
            ctypes.c_void_p,
            ctypes.c_uint32,
            ctypes.c_uint32,
            ctypes.c_void_p,
            ctypes.c_ulong,
            ctypes.c_void_p,
            ctypes.POINTER(_HotkeyId),
        ]

    def in_main_thread(self, work: Callable[[], None]) -> None:
        if threading.current_thread() is threading.main_thread():
            work()
            return
        from PyObjCTools.AppHelper import callAfter

        callAfter(work)

    def has_window(self) -> bool:
        from AppKit import NSApp

        return NSApp() is not None

    def listen(self, heard: Callable[[int, bool], None]) -> None:
        self._heard = heard
        kinds = (_EventType * 2)(_EventType(KEYBOARD, DOWN), _EventType(KEYBOARD, UP))
        target = self._carbon.GetApplicationEventTarget()
        error = self._carbon.InstallEventHandler(
            target, self._callback, len(kinds), kinds, None, ctypes.byref(self._handler)
        )
        if error:
            raise OSError(f"macOS error {error}")

    def register(self, number: int, modifiers: int, key: int) -> int:
        hotkey = ctypes.c_void_p()
        target = self._carbon.GetApplicationEventTarget()
        error = int(
            self._carbon.RegisterEventHotKey(
                key, modifiers, _HotkeyId(OURS, number), target, 0, ctypes.byref(hotkey)
            )
        )
        if not error:
            self._hotkeys.append(hotkey)
        return error

    def release(self) -> None:
        while self._hotkeys:
            self._carbon.UnregisterEventHotKey(self._hotkeys.pop())
        if self._handler:
            self._carbon.RemoveEventHandler(self._handler)
            self._handler = ctypes.c_void_p()

    def _handle(self, _caller: int, event: int, _data: int) -> int:
        """Handle an event; called by Carbon, so nothing may be raised."""
        try:
            hotkey = _HotkeyId()
            error = self._carbon.GetEventParameter(
                event, DIRECT_OBJECT, HOTKEY_ID, None, ctypes.sizeof(hotkey), None, ctypes.byref(hotkey)
            )
            if error or hotkey.signature != OURS or self._heard is None:
                return NOT_HANDLED
            self._heard(hotkey.number, self._carbon.GetEventKind(event) == DOWN)
        except Exception:
            log.exception("a hotkey failed")
            return NOT_HANDLED
        return 0
