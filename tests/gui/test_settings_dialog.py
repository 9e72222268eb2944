"""Preferences: choices are returned, and keys that cannot work are named."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFormLayout, QLabel, QLineEdit
from pytestqt.qtbot import QtBot

from avatar_app.gui.background import Background
from avatar_app.gui.dialogs import key_rows
from avatar_app.gui.dialogs import settings as settings_module
from avatar_app.gui.dialogs.settings import SettingsDialog, everywhere_text
from avatar_app.gui.language.translations import install
from avatar_app.gui.settings import Settings
from avatar_app.gui.style.theme import apply_theme
from avatar_app.hotkeys.combination import ACTIONS
from avatar_app.session.controls import Controls
from avatar_app.text import Text

BEFORE = Settings(
    theme="dark",
    language="ru",
    controls=Controls(fps=25),
    keys={"calibrate": "Y", "of-a-newer-version": "N"},
    hotkeys={"pause": "", "later": "Ctrl+Alt+L"},
)


def make(qtbot: QtBot, settings: Settings) -> SettingsDialog:
    dialog = SettingsDialog(settings)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def test_nothing_touched_nothing_changed(qtbot: QtBot) -> None:
    assert make(qtbot, Settings()).settings() == Settings()
    assert make(qtbot, BEFORE).settings() == BEFORE


def test_language_theme_and_switches(qtbot: QtBot) -> None:
    dialog = make(qtbot, Settings())
    dialog.language.setCurrentIndex(dialog.language.row_of("ru"))
    dialog.theme.setCurrentIndex(dialog.theme.row_of("light"))
    dialog.listen.setChecked(False)
    dialog.switches["tray"].setChecked(False)
    dialog.switches["ask_before_quit"].setChecked(False)
    dialog.folder.take("/tmp")
    QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
    assert dialog.result() == QDialog.DialogCode.Accepted
    assert dialog.settings() == replace(
        Settings(),
        language="ru",
        theme="light",
        global_hotkeys=False,
        tray=False,
        ask_before_quit=False,
        save_folder="/tmp",
    )


def test_a_key_is_pressed_cleared_and_reset(qtbot: QtBot) -> None:
    dialog = make(qtbot, Settings())
    dialog.tabs.setCurrentIndex(1)
    edit = dialog.keys.edits["calibrate"]
    assert edit.keySequence() == QKeySequence("X")
    QTest.keyClick(edit, Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier)
    assert dialog.settings().keys == {"calibrate": "Shift+F5"}
    edit.clear()
    assert dialog.settings().keys == {"calibrate": ""}
    QTest.mouseClick(dialog.keys.resets["calibrate"], Qt.MouseButton.LeftButton)
    assert dialog.settings().keys == {}
    assert edit.keySequence() == QKeySequence("X")
    edit.setKeySequence(QKeySequence("Y"))
    dialog.keys.reset_all()
    assert dialog.settings().keys == {}


@pytest.mark.parametrize("language", ["en", "ru"])
def test_keys_and_their_placeholders_are_not_cut(qtbot: QtBot, qapp: QApplication, language: str) -> None:
    install(qapp, language)
    try:
        apply_theme(qapp, "dark")
        dialog = make(qtbot, Settings(hotkeys={"next": "Ctrl+Alt+Shift+PgDown"}))
        dialog.tabs.setCurrentIndex(2)
        for edit in dialog.hotkeys.edits.values():
            line = edit.findChild(QLineEdit)
            assert isinstance(line, QLineEdit)
            beside = 44 if line.text() else 22  # the clear button and the frame
            words = line.text() or line.placeholderText()
            assert line.fontMetrics().horizontalAdvance(words) + beside <= line.width(), words
    finally:
        install(qapp, "en")


def test_a_shortcut_of_a_newer_version_has_its_name() -> None:
    """The desktop's list of shortcuts needs a description for each."""
    assert everywhere_text("later") == "later"
    assert everywhere_text("avatar-3") == "Avatar 3"


def test_labels_stand_beside_the_middle_of_their_fields(qtbot: QtBot, qapp: QApplication) -> None:
    apply_theme(qapp, "dark")
    dialog = make(qtbot, Settings())
    form = dialog.findChild(QFormLayout)
    assert isinstance(form, QFormLayout)
    for field in (dialog.language, dialog.theme, dialog.folder):
        text = form.labelForField(field)
        assert abs(text.geometry().center().y() - field.geometry().center().y()) <= 2


def test_same_key_twice_is_named_and_not_saved(qtbot: QtBot) -> None:
    dialog = make(qtbot, Settings())
    dialog.tabs.setCurrentIndex(1)
    dialog.keys.edits["calibrate"].setKeySequence(QKeySequence("Space"))
    assert "Calibrate" in dialog.keys_problem.text() and "Pause" in dialog.keys_problem.text()
    assert dialog.keys_problem.isVisible() and not dialog.save.isEnabled()
    dialog.keys.edits["pause"].setKeySequence(QKeySequence("F2"))
    assert dialog.keys_problem.text() == "" and dialog.save.isEnabled()


@pytest.mark.parametrize(
    ("key", "says"),
    [("X", "cannot be a global shortcut"), ("Ctrl+Alt+P", "both"), ("Ctrl+Ö", "cannot be a global shortcut")],
)
def test_hotkeys_that_cannot_be_are_named(qtbot: QtBot, key: str, says: str) -> None:
    dialog = make(qtbot, Settings())
    dialog.tabs.setCurrentIndex(2)
    dialog.hotkeys.edits["recalibrate"].setKeySequence(QKeySequence(key))
    assert says in dialog.hotkeys_problem.text()
    assert not dialog.save.isEnabled()
    dialog.hotkeys.edits["recalibrate"].clear()
    assert dialog.save.isEnabled()
    assert dialog.settings().hotkeys == {"recalibrate": ""}


def test_the_desktop_is_asked_beside_the_window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[threading.Thread] = []

    def limit() -> Text:
        asked.append(threading.current_thread())
        return Text("The display {} cannot be opened, so there are no hotkeys.", ":9")

    monkeypatch.setattr(settings_module, "desktop_limit", limit)
    dialog = make(qtbot, Settings())
    dialog.tabs.setCurrentIndex(2)
    qtbot.waitUntil(dialog.limit.isVisible)
    assert ":9" in dialog.limit.text()
    assert threading.main_thread() not in asked


def test_hotkeys_on_macos_are_stored_as_they_are_labelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert key_rows.written(QKeySequence("Ctrl+Alt+X"), everywhere=True) == "Meta+Alt+X"
    assert key_rows.read("Meta+Alt+X", everywhere=True) == QKeySequence("Ctrl+Alt+X")
    assert key_rows.written(QKeySequence("Ctrl+S")) == "Ctrl+S"


def test_messages_name_every_action_that_can_have_a_hotkey() -> None:
    assert set(settings_module.EVERYWHERE) == set(ACTIONS)


@pytest.mark.parametrize("wayland", ["wayland-0", ""])
def test_what_the_desktop_never_allows_stands_where_hotkeys_are_set(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, wayland: str
) -> None:
    monkeypatch.setattr("avatar_app.hotkeys.listener.sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", wayland)
    dialog = make(qtbot, Settings())
    dialog.findChildren(Background)[-1]._threads.submit(int).result()
    QApplication.processEvents()
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    assert any(text.startswith("Wayland has no hotkeys") for text in texts) == bool(wayland)
