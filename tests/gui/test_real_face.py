"""Every way in the window to a pause or an avatar hides the real face until it is confirmed again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from avatar_app.gui.remote import Remote
from tests.gui.windows import Opened, open_window


@pytest.fixture
def opened(qtbot: QtBot, tmp_path: Path) -> Opened:
    opened = open_window(qtbot, tmp_path)
    opened.window.actions_.do("avatar-1")
    return opened


def confirm(opened: Opened) -> None:
    """Ask for the real face and confirm."""
    opened.window.actions_.do("pass-through")
    question = opened.window.findChild(QMessageBox, "pass-through")
    assert isinstance(question, QMessageBox)
    next(button for button in question.findChildren(QPushButton) if "face" in button.text()).click()


def action(*names: str) -> Callable[[Opened, Remote], None]:
    """Keys, menus and global hotkeys all use this."""

    def press(opened: Opened, remote: Remote) -> None:
        for name in names:
            opened.window.actions_.do(name)

    return press


def answer(*commands: str) -> Callable[[Opened, Remote], None]:
    """Requests from the user's other processes."""

    def ask(opened: Opened, remote: Remote) -> None:
        for command in commands:
            remote.answer(command)

    return ask


def select(opened: Opened, remote: Remote) -> None:
    opened.window.gallery.select("zola.png")


ROUTES: dict[str, Callable[[Opened, Remote], None]] = {
    "pause": action("pause", "pause"),
    "resume of a notice": action("pause", "resume"),
    "number": action("avatar-2"),
    "same number": action("avatar-1"),
    "next": action("next-avatar"),
    "previous": action("previous-avatar"),
    "random": action("random-avatar"),
    "gallery": select,
    "control pause": answer("pause", "resume"),
    "control resume": answer("resume"),
    "control avatar": answer("avatar marco"),
    "control next": answer("next"),
    "control previous": answer("previous"),
}


@pytest.mark.parametrize("route", ROUTES)
def test_what_hides_the_real_face(opened: Opened, tmp_path: Path, route: str) -> None:
    remote = Remote(opened.window, tmp_path / "control" / "socket")
    confirm(opened)
    assert opened.live.status().shows == "self"
    ROUTES[route](opened, remote)
    assert (opened.live.controls.pass_through, opened.live.controls.paused) == (False, False)
    assert opened.live.status().shows == "avatar"


def test_a_confirmation_during_a_pause_ends_it(opened: Opened) -> None:
    opened.window.actions_.do("pause")
    confirm(opened)
    assert (opened.live.status().shows, opened.live.controls.paused) == ("self", False)


def test_no_does_not_end_a_pause(opened: Opened) -> None:
    opened.window.actions_.do("pause")
    opened.window.actions_.do("pass-through")
    question = opened.window.findChild(QMessageBox, "pass-through")
    assert isinstance(question, QMessageBox)
    question.button(QMessageBox.StandardButton.Cancel).click()
    assert (opened.live.controls.pass_through, opened.live.controls.paused) == (False, True)
