"""A recording shows its length and its file.

The app asks before it quits while others see the avatar.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QCheckBox, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from avatar_app.gui import captures
from avatar_app.gui.panels.header import clock
from avatar_app.gui.settings import Settings
from tests.gui.windows import Opened, open_window


@pytest.fixture
def opened(qtbot: QtBot, tmp_path: Path) -> Opened:
    opened = open_window(qtbot, tmp_path, Settings(save_folder=str(tmp_path)))
    opened.live.change(output="virtual-camera")
    opened.window.refresh()
    return opened


def test_a_recording_counts_and_says_where_it_went(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Path] = []
    monkeypatch.setattr(captures, "show_file", shown.append)
    window, header = opened.window, opened.window.view.header
    window.view.tools.buttons["record"].click()
    path = opened.live.controls.recording
    assert path is not None and path.parent == Path(opened.preferences.now.save_folder)
    header.show_status(opened.live.status(), now=time.monotonic() + 3600)
    assert header.recording.text().startswith("● REC 1:00:") and header.recording.isVisible()
    assert window.view.tools.buttons["record"].text() == "Stop"
    window.view.tools.buttons["record"].click()
    toast = window.view.area.toast
    assert toast.isVisible() and path.name in toast.text.text()
    assert not header.recording.isVisible()
    toast.buttons[1].click()
    assert shown == [path.parent]
    assert not toast.isVisible()


@pytest.mark.parametrize(("seconds", "text"), [(0, "00:00"), (12.9, "00:12"), (3723, "1:02:03")])
def test_the_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def question(opened: Opened) -> QMessageBox:
    found = opened.window.findChild(QMessageBox, "leaving")
    assert isinstance(found, QMessageBox)
    return found


def test_leaving_is_asked_about_while_others_see_the_avatar(opened: Opened, qtbot: QtBot) -> None:
    opened.window.close()
    assert opened.window.isVisible()
    question(opened).button(QMessageBox.StandardButton.Cancel).click()
    qtbot.waitUntil(lambda: opened.window.findChild(QMessageBox, "leaving") is None)
    assert opened.window.isVisible()
    opened.window.close()
    box = question(opened)
    never = box.findChild(QCheckBox)
    assert never is not None
    never.setChecked(True)
    yes = next(button for button in box.findChildren(QPushButton) if button.text() == "Quit")
    with qtbot.waitSignal(opened.window.ended):
        yes.click()
    assert not opened.preferences.now.ask_before_quit


@pytest.mark.parametrize("why", ["preview", "card", "another program"])
def test_nobody_is_asked_where_nobody_watches_or_another_program_ends_it(
    opened: Opened, qtbot: QtBot, why: str
) -> None:
    if why == "preview":
        opened.live.change(output="none")
    elif why == "card":
        opened.live.change(paused=True)
    opened.window.refresh()
    with qtbot.waitSignal(opened.window.ended):
        if why == "another program":
            opened.window.quit()
        else:
            opened.window.close()
    QApplication.processEvents()
    assert not opened.window.isVisible()
