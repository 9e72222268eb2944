"""Ask before the app ends while others see the avatar."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QCheckBox, QMessageBox, QWidget

from avatar_app.gui.preferences import Preferences
from avatar_app.gui.style.widgets import message_box


class QuitQuestion(QObject):
    """Asks once, or never if the user has chosen so.

    Attributes:
        sure: the answer was yes, or the user wants no question.
    """

    def __init__(self, window: QWidget, preferences: Preferences) -> None:
        super().__init__(window)
        self._window, self._preferences = window, preferences
        self.sure = False

    def may_go(self) -> bool:
        """Whether the window may close now.

        Otherwise it closes itself once the user has confirmed.
        """
        if self.sure or not self._preferences.now.ask_before_quit:
            return True
        text = self.tr("Quit while others see your avatar?")
        more = self.tr("The camera in the call goes black or freezes.")
        question = message_box(self._window, QMessageBox.Icon.Question, self.tr("Quit"), text, more)
        question.setObjectName("leaving")
        again = QCheckBox(self.tr("Do not ask again"))
        question.setCheckBox(again)
        yes = question.addButton(self.tr("Quit"), QMessageBox.ButtonRole.DestructiveRole)
        question.addButton(QMessageBox.StandardButton.Cancel)
        question.setDefaultButton(QMessageBox.StandardButton.Cancel)
        question.buttonClicked.connect(lambda button: self._answered(button is yes, again.isChecked()))
        question.finished.connect(question.deleteLater)
        question.open()
        return False

    def _answered(self, yes: bool, never: bool) -> None:
        if yes:
            if never:
                self._preferences.change(ask_before_quit=False)
            self.sure = True
            self._window.close()
