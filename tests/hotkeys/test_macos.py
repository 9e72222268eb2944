"""Hotkeys on macOS, with fake system functions.

They are called in the main thread only, as macOS requires.
"""

from __future__ import annotations

import ctypes
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from avatar_app.hotkeys.combination import CHARACTERS, NAMED_KEYS
from avatar_app.hotkeys.listener import DEFAULT_HOTKEYS, Hotkeys
from avatar_app.hotkeys.macos import DIRECT_OBJECT, DOWN, HOTKEY_ID, KEYBOARD, KEYS, TAKEN, UP
from avatar_app.text import Text
from tests.support.native import Library, pointed

CTRL_ALT = 0x1000 | 0x800


class Mac:
    """The Carbon functions that are used, with their original signatures, and the main thread's loop.

    Attributes:
        taken: modifiers and keys that another program uses.
        window: the program's NSApp.
    """

    def __init__(self) -> None:
        self.held: dict[int, tuple[int, int, int]] = {}
        self.taken: set[tuple[int, int]] = set()
        self.refused = self.no_handler = 0
        self.window: object | None = object()
        self.work: queue.Queue[Callable[[], None]] = queue.Queue()
        self._handler: Any = None
        self._event = (0, 0, 0)

    def GetApplicationEventTarget(self) -> int:
        assert threading.current_thread() is threading.main_thread()
        return 77

    def InstallEventHandler(
        self, target: int, handler: Any, count: int, kinds: Any, data: None, made: Any
    ) -> int:
        assert threading.current_thread() is threading.main_thread()
        assert (target, self._handler) == (77, None)
        assert [(kind.kind, kind.number) for kind in kinds] == [(KEYBOARD, DOWN), (KEYBOARD, UP)]
        assert count == 2
        if not self.no_handler:
            self._handler = handler
            pointed(made).value = 5
        return self.no_handler

    def RemoveEventHandler(self, handler: Any) -> int:
        assert threading.current_thread() is threading.main_thread()
        assert (handler.value, self.held) == (5, {})
        self._handler = None
        return 0

    def RegisterEventHotKey(
        self, key: int, modifiers: int, hotkey: Any, target: int, options: int, made: Any
    ) -> int:
        assert threading.current_thread() is threading.main_thread()
        assert (target, options) == (77, 0)
        error = TAKEN if (modifiers, key) in self.taken else self.refused
        if not error:
            pointed(made).value = 1000 + hotkey.number
            self.held[1000 + hotkey.number] = (hotkey.signature, modifiers, key)
        return error

    def UnregisterEventHotKey(self, made: Any) -> int:
        assert threading.current_thread() is threading.main_thread()
        del self.held[made.value]
        return 0

    def GetEventKind(self, event: int) -> int:
        assert event == 9
        return self._event[2]

    def GetEventParameter(
        self, event: int, name: int, kind: int, got: None, size: int, needed: None, value: Any
    ) -> int:
        assert (event, name, kind, size) == (9, DIRECT_OBJECT, HOTKEY_ID, 8)
        pointed(value).signature, pointed(value).number = self._event[:2]
        return 0

    def send(self, modifiers: int, key: int, kind: int = DOWN) -> None:
        """An event of a combination, as the main thread's loop delivers it."""
        for made, (signature, *combination) in self.held.items():
            if combination == [modifiers, key]:
                self._event = (signature, made - 1000, kind)
                assert self._handler(None, 9, None) == 0

    def press(self, modifiers: int, key: int) -> None:
        self.send(modifiers, key)
        self.send(modifiers, key, UP)

    def send_foreign(self) -> int:
        self._event = (1, 0, DOWN)
        return int(self._handler(None, 9, None))

    def run(self, work: Callable[[], Any]) -> Any:
        """Run this in another thread, while this one, the main thread, processes its requests."""
        with ThreadPoolExecutor(1) as others:
            done: Future[Any] = others.submit(work)
            done.add_done_callback(lambda _: self.work.put(lambda: None))
            while not done.done() or not self.work.empty():
                self.work.get(timeout=20)()
        return done.result()


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    made = Mac()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda path: Library(made))
    monkeypatch.setitem(sys.modules, "AppKit", SimpleNamespace(NSApp=lambda: made.window))
    monkeypatch.setitem(sys.modules, "PyObjCTools", ModuleType("PyObjCTools"))
    monkeypatch.setitem(sys.modules, "PyObjCTools.AppHelper", SimpleNamespace(callAfter=made.work.put))
    yield made
    assert made.held == {}
    assert made._handler is None


@pytest.fixture
def pressed() -> queue.Queue[str]:
    return queue.Queue()


def test_they_are_asked_for_in_the_main_thread_and_told(mac: Mac, pressed: queue.Queue[str]) -> None:
    keys = Hotkeys({**DEFAULT_HOTKEYS, "show": "Shift+Meta+F5"}, pressed.put)
    assert mac.run(keys.start) == []
    asked = sorted(combination for _, *combination in mac.held.values())
    assert asked == [
        [0x100 | 0x200, 0x60],
        [CTRL_ALT, 0x07],
        [CTRL_ALT, 0x23],
        [CTRL_ALT, 0x74],
        [CTRL_ALT, 0x79],
    ]
    for modifiers, key, action in (
        (CTRL_ALT, 0x07, "recalibrate"),
        (CTRL_ALT, 0x79, "next"),
        (0x300, 0x60, "show"),
    ):
        mac.press(modifiers, key)
        assert pressed.get_nowait() == action
    mac.run(keys.close)


def test_from_the_main_thread_it_is_done_at_once(mac: Mac, pressed: queue.Queue[str]) -> None:
    keys = Hotkeys({"pause": "Ctrl+Alt+P"}, pressed.put)
    assert keys.start() == []
    mac.press(CTRL_ALT, 0x23)
    assert pressed.get_nowait() == "pause"
    keys.close()
    keys.close()
    assert mac.work.empty()


def test_a_key_that_is_held_counts_once(mac: Mac, pressed: queue.Queue[str]) -> None:
    keys = Hotkeys({"pause": "Ctrl+Alt+P"}, pressed.put)
    keys.start()
    for kind in (DOWN, DOWN, DOWN, UP, DOWN, UP):
        mac.send(CTRL_ALT, 0x23, kind)
    assert pressed.qsize() == 2
    keys.close()


def test_every_key_has_a_code() -> None:
    assert set(KEYS) == {*CHARACTERS, *NAMED_KEYS}
    assert len(set(KEYS.values())) == len(KEYS)
    assert [KEYS[name] for name in ("A", "Z", "M", "0", "9", "F1", "F20")] == [
        0x00,
        0x06,
        0x2E,
        0x1D,
        0x19,
        0x7A,
        0x5A,
    ]


def test_a_taken_one_is_said_as_on_other_systems(mac: Mac, pressed: queue.Queue[str]) -> None:
    mac.taken = {(CTRL_ALT, 0x07)}
    keys = Hotkeys({"recalibrate": "Ctrl+Alt+X", "pause": "Ctrl+Alt+P"}, pressed.put)
    assert keys.start() == [
        "Shortcuts not available (taken by another program): Ctrl+Alt+X (recalibrate). "
        "Choose others in the settings."
    ]
    mac.press(CTRL_ALT, 0x23)
    assert pressed.get_nowait() == "pause"
    keys.close()


def test_another_refusal_has_its_number(mac: Mac) -> None:
    mac.refused = -9868
    keys = Hotkeys({"pause": "Alt+P"}, print)
    (problem,) = keys.start()
    keys.close()
    assert "(refused by the system, error -9868): Alt+P (pause). Choose others" in problem


def test_events_of_others_are_left_to_them(mac: Mac, pressed: queue.Queue[str]) -> None:
    keys = Hotkeys({"pause": "Ctrl+Alt+P"}, pressed.put)
    keys.start()
    assert mac.send_foreign() != 0
    assert pressed.empty()
    keys.close()


def test_a_fault_in_the_app_does_not_end_them(mac: Mac, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def fail(action: str) -> None:
        told.append(action)
        raise ZeroDivisionError

    keys = Hotkeys({"pause": "Ctrl+Alt+P"}, fail)
    keys.start()
    for _ in range(2):
        mac.press(CTRL_ALT, 0x23)
    keys.close()
    assert told == ["pause", "pause"]
    assert "ZeroDivisionError" in caplog.text


def test_without_a_window_nothing_is_asked(mac: Mac) -> None:
    mac.window = None
    keys = Hotkeys(DEFAULT_HOTKEYS, print)
    assert keys.start() == []
    keys.close()


def test_a_window_that_does_not_answer(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request arrives too late, after the keys were released."""
    monkeypatch.setattr("avatar_app.hotkeys.macos.PATIENCE", 0.01)
    keys = Hotkeys(DEFAULT_HOTKEYS, print)
    with ThreadPoolExecutor(1) as others:
        (problem,) = others.submit(keys.start).result()
        others.submit(keys.close).result()
    assert "no answer" in problem
    while not mac.work.empty():
        mac.work.get_nowait()()


def test_a_late_answer_is_told(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_app.hotkeys.macos.PATIENCE", 0.01)
    mac.taken = {(CTRL_ALT, 0x07)}
    told: list[list[Text]] = []
    keys = Hotkeys(DEFAULT_HOTKEYS, print, changed=lambda: told.append(keys.problems))
    with ThreadPoolExecutor(1) as others:
        (problem,) = others.submit(keys.start).result()
    assert "no answer" in problem
    assert told == []
    mac.work.get_nowait()()
    ((problem,),) = told
    assert "Ctrl+Alt+X (recalibrate)" in problem
    keys.close()


def test_the_system_says_no(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    mac.no_handler = -50
    keys = Hotkeys(DEFAULT_HOTKEYS, print)
    (problem,) = keys.start()
    keys.close()
    assert "macOS error -50" in problem

    def missing(path: str) -> Library:
        raise OSError("no Carbon")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    keys = Hotkeys(DEFAULT_HOTKEYS, print)
    (problem,) = keys.start()
    keys.close()
    assert "no Carbon" in problem
    assert "python run.py control" in problem
