"""The doctor's dialog."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from avatar_app.doctor.checks import Check, as_text
from avatar_app.errors import AvatarError
from avatar_app.gui.dialogs.doctor import DoctorDialog
from avatar_app.gui.language.translations import install
from avatar_app.text import Text, join

FOUND = [
    Check(Text("Cameras"), "ok", Text("USB Camera.")),
    Check(Text("Hotkeys"), "note", Text("Taken."), Text("Choose another.")),
    Check(Text("Speed"), "problem", Text("3 frames a second."), Text("Run `some <thing>`."), needed=True),
]


@pytest.fixture
def open_dialog(qtbot: QtBot) -> Iterator[list[DoctorDialog]]:
    opened: list[DoctorDialog] = []
    yield opened
    for dialog in opened:
        dialog._background.stop()


def texts(dialog: DoctorDialog) -> str:
    return "\n".join(part.text() for part in dialog.findChildren(QLabel))


def test_findings_come_one_after_the_other(qtbot: QtBot, open_dialog: list[DoctorDialog]) -> None:
    go_on = threading.Event()
    threads = set()

    def look() -> Iterator[Check]:
        threads.add(threading.current_thread())
        yield FOUND[0]
        go_on.wait(20)
        yield from FOUND[1:]

    dialog = DoctorDialog(look=look)
    open_dialog.append(dialog)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: dialog.found == FOUND[:1])
    assert "USB Camera." in texts(dialog)
    assert not dialog.copy.isEnabled()
    go_on.set()
    qtbot.waitUntil(dialog.copy.isEnabled)
    assert dialog.summary.text() == "A call would not work yet."
    assert "Choose another." in texts(dialog)
    assert "Run <code>some &lt;thing&gt;</code>." in texts(dialog)
    assert {part.accessibleName() for part in dialog.findChildren(QLabel)} >= {"OK", "Note", "Problem"}
    assert threading.main_thread() not in threads


def test_copy_and_check_again(qtbot: QtBot, open_dialog: list[DoctorDialog]) -> None:
    answers = [FOUND, FOUND[:1]]
    dialog = DoctorDialog(look=lambda: iter(answers.pop(0)))
    open_dialog.append(dialog)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(dialog.copy.isEnabled)
    dialog.copy.click()
    copied = QGuiApplication.clipboard().text()
    assert copied.startswith("ok       Cameras         USB Camera.\n")
    assert "Run `some <thing>`." in copied
    dialog.again.click()
    assert not dialog.again.isEnabled()
    qtbot.waitUntil(dialog.copy.isEnabled)
    assert dialog.summary.text() == "A call would work."
    qtbot.waitUntil(lambda: "frames" not in texts(dialog))


def test_russian_but_copied_in_english(
    qtbot: QtBot, qapp: QCoreApplication, open_dialog: list[DoctorDialog]
) -> None:
    todo = Text("Run `sudo usermod -aG video $USER`, then log out and in again.")
    check = Check(
        Text("Cameras"),
        "problem",
        join([Text("{}.", "USB Camera"), Text("You may not use {} ({}).", "USB Camera", "/dev/video0")]),
        todo,
        needed=True,
    )
    install(qapp, "ru")
    try:
        dialog = DoctorDialog(look=lambda: iter([check]))
        open_dialog.append(dialog)
        qtbot.addWidget(dialog)
        qtbot.waitUntil(dialog.copy.isEnabled)
    finally:
        install(qapp, "en")
    shown = texts(dialog)
    assert "Камеры" in shown and "USB Camera. Нет прав на использование USB Camera (/dev/video0)." in shown
    assert "<code>sudo usermod -aG video $USER</code>" in shown
    assert not {"Cameras", "Run", "You", "again"} & set(shown.replace(".", " ").split())
    dialog.copy.click()
    copied = QGuiApplication.clipboard().text()
    assert copied == as_text(check) + "\n" and copied.isascii()


def test_looking_that_fails_is_said(qtbot: QtBot, open_dialog: list[DoctorDialog]) -> None:
    def look() -> Iterator[Check]:
        raise AvatarError(Text("It broke."), Text("Mend it."))

    dialog = DoctorDialog(look=look)
    open_dialog.append(dialog)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: dialog.summary.text() == "It broke. Mend it.")
    assert dialog.again.isEnabled()


def test_closing_while_it_looks(qtbot: QtBot) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def look() -> Iterator[Check]:
        begun.set()
        go_on.wait(20)
        yield FOUND[0]

    dialog = DoctorDialog(look=look)
    dialog.show()
    background = dialog._background
    qtbot.waitUntil(begun.is_set)
    threads = background._threads
    with qtbot.waitSignal(dialog.destroyed):
        dialog.close()
    go_on.set()
    threads.shutdown(wait=True)
