"""Show others the user's real face: only after a question each time."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMessageBox, QWidget

from avatar_app.gui.live import Live
from avatar_app.gui.style.widgets import message_box


class RealFace(QObject):
    """Asks, then changes ``Controls.pass_through``.

    Args:
        done: called after each change.
    """

    def __init__(self, window: QWidget, live: Live, done: Callable[[], object]) -> None:
        super().__init__(window)
        self._window, self._live, self._done = window, live, done

    def toggle(self) -> None:
        """Turn it on after a question; turn it off at once."""
        if self._live.controls.pass_through:
            self._live.change(pass_through=False)
            return
        more = self.tr(
            "Others then see your camera's picture instead of the avatar, "
            "until you press the key again, pause, choose an avatar or quit the app."
        )
        title, text = self.tr("Show my real face"), self.tr("Show others your real face?")
        question = message_box(self._window, QMessageBox.Icon.Warning, title, text, more)
        question.setObjectName("pass-through")
        yes = question.addButton(self.tr("Show my face"), QMessageBox.ButtonRole.DestructiveRole)
        no = question.addButton(QMessageBox.StandardButton.Cancel)
        question.setDefaultButton(QMessageBox.StandardButton.Cancel)
        question.setEscapeButton(no)
        question.buttonClicked.connect(lambda button: self._confirmed(button is yes))
        question.finished.connect(question.deleteLater)
        question.open()

    def _confirmed(self, yes: bool) -> None:
        if yes and self._live.controls.paused:
            self._live.change(paused=False)  # a pause would keep the face hidden
        self._live.change(pass_through=yes)
        self._done()
