"""Tests of hotkeys that every system must pass."""

from __future__ import annotations

import queue
from collections.abc import Callable

import pytest

from avatar_app.hotkeys.listener import Hotkeys


def outlive_a_fault(press: Callable[[], None], caplog: pytest.LogCaptureFixture) -> None:
    """An exception of the app's handler is logged, and the next press still arrives.

    Args:
        press: presses Ctrl+Alt+P.
    """
    told: queue.Queue[str] = queue.Queue()

    def fail(action: str) -> None:
        told.put(action)
        raise ZeroDivisionError

    keys = Hotkeys({"pause": "Ctrl+Alt+P"}, fail)
    assert keys.start() == []
    for _ in range(2):
        press()
        assert told.get(timeout=20) == "pause"
    keys.close()
    assert "ZeroDivisionError" in caplog.text
