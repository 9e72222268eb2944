"""Background work of the window ends with it, or is abandoned."""

from __future__ import annotations

import threading

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from avatar_app.gui.background import Background


def test_stopping_does_not_wait_for_a_photo_that_takes_minutes(qtbot: QtBot) -> None:
    parent, go, ended = QObject(), threading.Event(), threading.Event()
    background = Background(parent)

    def decode() -> None:
        go.wait(30)
        ended.set()

    background.run(decode, lambda _: None, lambda _: None)
    waiting: list[object] = []
    background.run(lambda: waiting.append(1), lambda _: None, lambda _: None)
    background.stop()
    assert not ended.is_set(), "it went on without the photo"
    go.set()
    assert ended.wait(30)
    assert not waiting, "what had not begun never does"
