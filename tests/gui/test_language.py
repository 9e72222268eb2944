"""The language changes at once, while the window is open and the call runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from avatar_app.gui.language.translations import install
from avatar_app.session.controls import Notice
from avatar_app.text import NOTHING, Text
from tests.gui.windows import open_window

SAME = {"lite", "vox", "Anna", "Marco", "Zola", ""}
"""Names that are the same in every language."""


@pytest.fixture(autouse=True)
def back_to_english(qapp: QApplication) -> Iterator[None]:
    yield
    install(qapp, "en")


def words(root: QWidget) -> set[str]:
    """All texts with letters on labels and buttons."""
    texts = [piece.text() for piece in root.findChildren(QLabel)]
    texts += [piece.text() for piece in root.findChildren(QAbstractButton)]
    return {text for text in texts if any(letter.isalpha() for letter in text)} - SAME


def is_russian(text: str) -> bool:
    return re.search("[\u0430-\u044f]", text.lower()) is not None


def test_everything_speaks_the_new_language_at_once(qtbot: QtBot, tmp_path: Path, qapp: QApplication) -> None:
    opened = open_window(qtbot, tmp_path)
    window = opened.window
    window.gallery.choose_number(2)
    window.view.open_drawer(True)
    opened.live.report(
        notices=(Notice("camera", "error", Text("No camera is connected."), NOTHING, ("retry",)),)
    )
    window.refresh()
    chosen = opened.live.controls
    install(qapp, "ru")
    window.speak()
    english = {text for text in words(window.view) if not is_russian(text)}
    names = {"PipeWire does not run in this session.", "Avatar Camera", "1280 × 720", "640 × 480"}
    assert {text for text in english if not any(name in text for name in names)} <= {"27 fps · 48 ms", "G"}
    assert is_russian(window.windowTitle())
    assert is_russian(window.shortcuts.actions["calibrate"].text())
    assert is_russian(window.view.panel.tabText(0))
    assert opened.live.controls == chosen, "the call goes on as it was"
    assert window.gallery.entry is not None
    assert window.gallery.entry.name == "Marco"
    assert window.view.drawer.isVisible()
    window.actions_.do("next-avatar")
    assert window.gallery.entry.name == "Zola", "actions go to the new gallery"
    install(qapp, "en")
    window.speak()
    assert window.view.tools.buttons["pause"].text() == "Pause"


def test_what_the_window_said_before_is_translated_too(
    qtbot: QtBot, tmp_path: Path, qapp: QApplication
) -> None:
    opened = open_window(qtbot, tmp_path)
    window = opened.window
    message = Text("No face was found in {}.", "wall.png")
    window.view.gallery.problem.emit(message, Text("Choose another one."))
    window.preferences.problem.emit(Text("The settings {} cannot be written: {}.", "a", "full"), NOTHING)
    assert not any(is_russian(text) for text in words(window.notices))
    install(qapp, "ru")
    window.speak()
    said = words(window.notices)
    assert "На фото wall.png не найдено лицо." in said  # noqa: RUF001
    assert all(is_russian(text) for text in said), said
