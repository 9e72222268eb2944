"""Hotkeys on Windows.

The system is asked only for these combinations, so no other key is ever read. They are registered by key, not
by character: a key stays the same under a layout that has other letters on it.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable, Mapping
from ctypes import wintypes
from typing import Any, Protocol

from avatar_app.hotkeys.combination import CHARACTERS, INSTEAD, PATIENCE, Combination, refused
from avatar_app.text import Text, join

log = logging.getLogger(__name__)

MODIFIERS = {"Alt": 0x1, "Ctrl": 0x2, "Shift": 0x4, "Meta": 0x8}
NO_REPEAT = 0x4000
"""A held key counts once."""
KEYS = {
    "Left": 0x25,
    "Right": 0x27,
    "Up": 0x26,
    "Down": 0x28,
    "Home": 0x24,
    "End": 0x23,
    "PgUp": 0x21,
    "PgDown": 0x22,
    "Ins": 0x2D,
    "Del": 0x2E,
    "Space": 0x20,
    "Tab": 0x09,
    "Return": 0x0D,
    "Backspace": 0x08,
    "Esc": 0x1B,
}
KEYS |= {f"F{number}": 0x6F + number for number in range(1, 21)}
KEYS |= {character: ord(character) for character in CHARACTERS}
"""Virtual key codes."""

TAKEN = 1409
"""ERROR_HOTKEY_ALREADY_REGISTERED."""
WM_QUIT, WM_HOTKEY = 0x0012, 0x0312


class System(Protocol):
    """The part of Windows that is used.

    All but ``post_quit`` belong to one thread: hotkeys arrive in the thread that registered them.
    """

    def open_queue(self) -> int:
        """Create this thread's message queue; return the thread's number."""

    def register(self, number: int, modifiers: int, key: int) -> int:
        """Register a hotkey under this number; return 0, or the system's error number."""

    def unregister(self, number: int) -> None: ...

    def next_hotkey(self) -> int | None:
        """Wait for a hotkey and return its number; None at the end. Raises OSError."""

    def types_character(self, key: int) -> bool:
        """Return whether Ctrl, Alt and this key type a character under one of the layouts.

        As AltGr does.
        """

    def post_quit(self, thread: int) -> None:
        """End the waiting of that thread."""


class WindowsKeys:
    """Hotkeys from Windows, in a thread of their own.

    Args:
        changed: called in the thread of the keys when ``problems`` has changed.
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
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._problems: list[Text] = []
        self._number: int | None = None
        self._thread = threading.Thread(target=self._run, name="hotkeys", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait(PATIENCE)

    @property
    def problems(self) -> list[Text]:
        if not self._ready.is_set():
            return [join([Text("The system gives no hotkeys: {}.", Text("no answer")), INSTEAD])]
        return self._problems

    def close(self) -> None:
        self._stopping.set()  # before the number is read: the thread does it in the opposite order
        if self._system is not None and self._number is not None:
            self._system.post_quit(self._number)
        if self._thread.ident is not None and threading.current_thread() is not self._thread:
            self._thread.join(0.2)

    def _run(self) -> None:
        registered: list[int] = []
        try:
            self._system = system = self._system or User32()
            self._number = system.open_queue()
            registered, problems = self._register(system)
            self._report(problems)
            while not self._stopping.is_set():
                number = system.next_hotkey()
                if number is None:
                    break
                if number in registered:
                    self._on_press(self._wanted[number][1])
        except Exception as problem:
            log.warning("hotkeys ended", exc_info=True)
            none = Text("The system gives no hotkeys: {}.", str(problem) or type(problem).__name__)
            self._report([*self._problems, join([none, INSTEAD])])
        finally:
            for number in registered:
                system.unregister(number)

    def _report(self, problems: list[Text]) -> None:
        self._problems = problems
        self._ready.set()
        self._changed()

    def _register(self, system: System) -> tuple[list[int], list[Text]]:
        """Return the numbers of the registered hotkeys, and which are refused and why."""
        registered = []
        reasons: dict[Combination, Text] = {}
        for number, (combination, _) in enumerate(self._wanted):
            key = KEYS[combination.key]
            # AltGr is Ctrl and Alt to Windows: nobody could type that character any more.
            if (
                set(combination.modifiers) == {"Ctrl", "Alt"}
                and combination.key in CHARACTERS
                and system.types_character(key)
            ):
                reasons[combination] = Text("would type a character on this keyboard")
                continue
            error = system.register(
                number, sum(MODIFIERS[name] for name in combination.modifiers) | NO_REPEAT, key
            )
            if error:
                reasons[combination] = (
                    Text("taken by another program")
                    if error == TAKEN
                    else Text("refused by the system, error {}", error)
                )
            else:
                registered.append(number)
        return registered, refused(reasons, dict(self._wanted))


class User32:
    """The Windows system itself."""

    def __init__(self) -> None:
        # Other systems have neither, so the type checker does not know them.
        library: Callable[..., Any] = vars(ctypes)["WinDLL"]
        self._last_error: Callable[[], int] = vars(ctypes)["get_last_error"]
        self._user = library("user32", use_last_error=True)
        self._kernel = library("kernel32", use_last_error=True)
        message = ctypes.POINTER(wintypes.MSG)
        self._user.PeekMessageW.argtypes = [
            message,
            wintypes.HWND,
            wintypes.UINT,
            wintypes.UINT,
            wintypes.UINT,
        ]
        self._user.GetMessageW.argtypes = [message, wintypes.HWND, wintypes.UINT, wintypes.UINT]
        self._user.GetMessageW.restype = ctypes.c_int
        self._user.RegisterHotKey.argtypes = [wintypes.HWND, ctypes.c_int, wintypes.UINT, wintypes.UINT]
        self._user.RegisterHotKey.restype = wintypes.BOOL
        self._user.UnregisterHotKey.argtypes = [wintypes.HWND, ctypes.c_int]
        self._user.PostThreadMessageW.argtypes = [
            wintypes.DWORD,
            wintypes.UINT,
            wintypes.WPARAM,
            wintypes.LPARAM,
        ]
        self._user.GetKeyboardLayoutList.argtypes = [ctypes.c_int, ctypes.POINTER(wintypes.HKL)]
        self._user.MapVirtualKeyExW.argtypes = [wintypes.UINT, wintypes.UINT, wintypes.HKL]
        self._user.MapVirtualKeyExW.restype = wintypes.UINT
        self._user.ToUnicodeEx.argtypes = [
            wintypes.UINT,
            wintypes.UINT,
            ctypes.POINTER(ctypes.c_ubyte),
            wintypes.LPWSTR,
            ctypes.c_int,
            wintypes.UINT,
            wintypes.HKL,
        ]
        self._kernel.GetCurrentThreadId.restype = wintypes.DWORD

    def open_queue(self) -> int:
        self._user.PeekMessageW(
            ctypes.byref(wintypes.MSG()), None, 0, 0, 0
        )  # creates the queue without taking anything from it
        return int(self._kernel.GetCurrentThreadId())

    def register(self, number: int, modifiers: int, key: int) -> int:
        return 0 if self._user.RegisterHotKey(None, number, modifiers, key) else self._last_error() or -1

    def unregister(self, number: int) -> None:
        self._user.UnregisterHotKey(None, number)

    def next_hotkey(self) -> int | None:
        message = wintypes.MSG()
        while True:
            got = self._user.GetMessageW(ctypes.byref(message), None, 0, 0)
            if got == 0:  # WM_QUIT
                return None
            if got < 0:
                raise OSError(f"Windows error {self._last_error()}")
            if message.message == WM_HOTKEY:
                return int(message.wParam)

    def types_character(self, key: int) -> bool:
        layouts = (wintypes.HKL * 32)()
        count = self._user.GetKeyboardLayoutList(len(layouts), layouts)
        held = (ctypes.c_ubyte * 256)()
        for modifier in (
            0x11,
            0x12,
            0xA2,
            0xA5,
        ):  # Ctrl and Alt, and the left and right ones that form AltGr
            held[modifier] = 0x80
        typed = ctypes.create_unicode_buffer(8)
        for layout in layouts[:count]:
            scan = self._user.MapVirtualKeyExW(key, 0, layout)
            # 4: do not change the keyboard's state. Below zero is an accent that waits for its letter.
            length = self._user.ToUnicodeEx(key, scan, held, typed, len(typed), 4, layout)
            if length < 0 or (length > 0 and typed[0].isprintable()):
                return True
        return False

    def post_quit(self, thread: int) -> None:
        self._user.PostThreadMessageW(thread, WM_QUIT, 0, 0)
