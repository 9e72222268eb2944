"""Hotkeys on Windows, with fake system functions.

Hotkeys and messages belong to a thread, as on Windows.
"""

from __future__ import annotations

import ctypes
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from avatar_app.hotkeys.combination import CHARACTERS, NAMED_KEYS, Combination
from avatar_app.hotkeys.listener import DEFAULT_HOTKEYS, Hotkeys, desktop_limit, parse
from avatar_app.hotkeys.windows import KEYS, TAKEN, WM_HOTKEY, WM_QUIT, User32, WindowsKeys
from avatar_app.text import Text
from tests.hotkeys.cases import outlive_a_fault
from tests.support.native import Library, pointed

CTRL_ALT = 0x1 | 0x2 | 0x4000


class Windows:
    """The functions of user32 and kernel32 that are used, with their original signatures.

    Attributes:
        taken: modifiers and keys that another program uses.
        characters: keys that type a character with AltGr.
    """

    def __init__(self) -> None:
        self.messages: dict[int, queue.Queue[tuple[int, int]]] = {}
        self.held: dict[int, tuple[int, int, int]] = {}
        self.taken: set[tuple[int, int]] = set()
        self.characters: dict[int, str] = {}
        self.refused = 0
        self.broken = False
        self.error = 0

    def GetCurrentThreadId(self) -> int:
        return threading.get_ident() & 0xFFFF_FFFF

    def PeekMessageW(self, message: Any, window: None, first: int, last: int, remove: int) -> int:
        assert remove == 0
        self.messages[self.GetCurrentThreadId()] = queue.Queue()
        return 0

    def RegisterHotKey(self, window: None, number: int, modifiers: int, key: int) -> int:
        assert number not in self.held
        self.error = TAKEN if (modifiers, key) in self.taken else self.refused
        if not self.error:
            self.held[number] = (self.GetCurrentThreadId(), modifiers, key)
        return int(not self.error)

    def UnregisterHotKey(self, window: None, number: int) -> int:
        assert self.held.pop(number)[0] == self.GetCurrentThreadId()
        return 1

    def GetMessageW(self, message: Any, window: None, first: int, last: int) -> int:
        if self.broken:
            self.error = 5
            return -1
        pointed(message).message, pointed(message).wParam = self.messages[self.GetCurrentThreadId()].get(
            timeout=20
        )
        return int(pointed(message).message != WM_QUIT)

    def PostThreadMessageW(self, thread: int, message: int, first: int, second: int) -> int:
        self.messages[thread].put((message, first))
        return 1

    def GetKeyboardLayoutList(self, room: int, layouts: Any) -> int:
        layouts[0], layouts[1] = 0x04090409, 0x04150415
        return 2

    def MapVirtualKeyExW(self, key: int, kind: int, layout: int) -> int:
        return key + 1

    def ToUnicodeEx(
        self, key: int, scan: int, held: Any, typed: Any, room: int, flags: int, layout: int
    ) -> int:
        assert (scan, flags) == (key + 1, 4)
        assert [place for place, state in enumerate(held) if state] == [0x11, 0x12, 0xA2, 0xA5]
        character = self.characters.get(key, "") if layout == 0x04150415 else ""
        typed.value = character
        return -1 if character == "~" else len(character)

    def press(self, modifiers: int, key: int) -> None:
        """As a user does."""
        for number, (thread, *combination) in self.held.items():
            if combination == [modifiers | 0x4000, key]:
                self.PostThreadMessageW(thread, WM_HOTKEY, number, 0)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Windows:
    made = Windows()
    libraries: dict[str, Callable[[], Library]] = {
        "user32": lambda: Library(made),
        "kernel32": lambda: Library(made),
    }
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, use_last_error: libraries[name](), raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: made.error, raising=False)
    return made


@pytest.fixture
def pressed() -> queue.Queue[str]:
    return queue.Queue()


def test_they_are_asked_for_by_key_and_told(windows: Windows, pressed: queue.Queue[str]) -> None:
    keys = Hotkeys({**DEFAULT_HOTKEYS, "show": "Shift+Meta+F5"}, pressed.put)
    assert keys.start() == []
    asked = sorted(combination for _, *combination in windows.held.values())
    assert asked == [
        [CTRL_ALT, 0x21],
        [CTRL_ALT, 0x22],
        [CTRL_ALT, ord("P")],
        [CTRL_ALT, ord("X")],
        [0x4 | 0x8 | 0x4000, 0x74],
    ]
    for modifiers, key, action in (
        (3, ord("X"), "recalibrate"),
        (3, 0x22, "next"),
        (12, 0x74, "show"),
        (3, ord("P"), "pause"),
    ):
        windows.press(modifiers, key)
        assert pressed.get(timeout=20) == action
    keys.close()
    assert windows.held == {}
    assert not any(thread.name == "hotkeys" for thread in threading.enumerate())


def test_every_key_has_a_code() -> None:
    assert set(KEYS) == {*CHARACTERS, *NAMED_KEYS}
    assert len(set(KEYS.values())) == len(KEYS)
    assert [KEYS[name] for name in ("F1", "F20", "A", "0")] == [0x70, 0x83, 0x41, 0x30]


def test_a_taken_one_is_said_as_on_other_systems(windows: Windows, pressed: queue.Queue[str]) -> None:
    windows.taken = {(CTRL_ALT, ord("X"))}
    keys = Hotkeys({"recalibrate": "Ctrl+Alt+X", "pause": "Ctrl+Alt+P"}, pressed.put)
    assert keys.start() == [
        "Shortcuts not available (taken by another program): Ctrl+Alt+X (recalibrate). "
        "Choose others in the settings."
    ]
    windows.press(3, ord("P"))
    assert pressed.get(timeout=20) == "pause"
    keys.close()


def test_another_refusal_has_its_number(windows: Windows) -> None:
    windows.refused = 87
    keys = Hotkeys({"pause": "Ctrl+Alt+P"}, print)
    (problem,) = keys.start()
    keys.close()
    assert "(refused by the system, error 87): Ctrl+Alt+P (pause). Choose others" in problem


@pytest.mark.parametrize("character", ["ź", "~"])
def test_a_letter_that_people_type_with_alt_gr_is_left_to_them(windows: Windows, character: str) -> None:
    windows.characters = {ord("X"): character, ord("Q"): "\x11"}
    keys = Hotkeys({"recalibrate": "Ctrl+Alt+X", "pause": "Ctrl+Alt+Shift+X", "next": "Ctrl+Alt+Q"}, print)
    (problem,) = keys.start()
    assert "(would type a character on this keyboard): Ctrl+Alt+X (recalibrate)." in problem
    assert sorted(combination for _, *combination in windows.held.values()) == [
        [CTRL_ALT, ord("Q")],
        [CTRL_ALT | 4, ord("X")],
    ]
    keys.close()


def test_a_fault_in_the_app_does_not_end_them(windows: Windows, caplog: pytest.LogCaptureFixture) -> None:
    outlive_a_fault(lambda: windows.press(3, ord("P")), caplog)


def test_close_from_within_and_twice(windows: Windows) -> None:
    done = threading.Event()

    def end(action: str) -> None:
        keys.close()
        done.set()

    keys = Hotkeys({"pause": "Ctrl+Alt+P"}, end)
    assert keys.start() == []
    windows.press(3, ord("P"))
    assert done.wait(20)
    keys.close()


def test_queue_that_fails(windows: Windows, caplog: pytest.LogCaptureFixture) -> None:
    windows.broken = True
    keys = WindowsKeys({parse("Ctrl+Alt+P"): "pause"}, print)
    keys.start()
    keys._thread.join(20)
    assert "Windows error 5" in caplog.text
    assert windows.held == {}
    keys.close()


def test_closed_before_the_system_has_answered(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys are released as soon as it does."""
    asked, answered = threading.Event(), threading.Event()

    class Slow(User32):
        def register(self, number: int, modifiers: int, key: int) -> int:
            asked.set()
            answered.wait(20)
            return super().register(number, modifiers, key)

    monkeypatch.setattr("avatar_app.hotkeys.windows.PATIENCE", 0.01)
    wanted: dict[Combination, str] = {parse("Ctrl+Alt+P"): "pause"}
    keys = WindowsKeys(wanted, print, system=Slow())
    keys.start()
    assert "no answer" in keys.problems[0]
    assert asked.wait(20)
    keys.close()
    answered.set()
    keys._thread.join(20)
    assert not keys._thread.is_alive()
    assert windows.held == {}


def test_a_late_answer_is_told(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    windows.taken = {(CTRL_ALT, ord("X"))}
    answer = threading.Event()
    real = User32.open_queue

    def late(self: User32) -> int:
        assert answer.wait(20)
        return real(self)

    monkeypatch.setattr(User32, "open_queue", late)
    monkeypatch.setattr("avatar_app.hotkeys.windows.PATIENCE", 0.01)
    told: queue.Queue[list[Text]] = queue.Queue()
    keys = Hotkeys(DEFAULT_HOTKEYS, print, changed=lambda: told.put(keys.problems))
    (problem,) = keys.start()
    assert "no answer" in problem
    assert told.empty()
    answer.set()
    (problem,) = told.get(timeout=20)
    assert "Ctrl+Alt+X (recalibrate)" in problem
    keys.close()


def test_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(ctypes, "WinDLL", raising=False)
    keys = Hotkeys(DEFAULT_HOTKEYS, print)
    (problem,) = keys.start()
    keys.close()
    assert "The system gives no hotkeys" in problem
    assert "python run.py control" in problem


def test_this_desktop_has_no_limit(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert desktop_limit() == ""
