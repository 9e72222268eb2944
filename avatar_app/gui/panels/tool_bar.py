"""The buttons under the picture."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from avatar_app.gui.style.icons import icon
from avatar_app.gui.style.theme import current
from avatar_app.gui.style.widgets import fill, tip

SIGNS = {
    "pause": "pause",
    "record": "record",
    "snapshot": "snapshot",
    "background": "picture",
    "expression": "face",
    "full-screen": "full",
}


class ToolBar(QWidget):
    """The buttons; ``asked`` carries the name of an action."""

    asked = Signal(str)

    def __init__(self, background: QMenu, expressions: QMenu, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, QToolButton] = {}
        self._paused = self._recording = False
        line = fill(QHBoxLayout(self), margins=0, spacing=6)
        for name in SIGNS:
            if name == "full-screen":
                line.addStretch(1)
            line.addWidget(self._button(name))
        for name, menu in (("background", background), ("expression", expressions)):
            self.buttons[name].setMenu(menu)
            self.buttons[name].setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.show_state(False, False)
        self.draw_icons()

    def _button(self, name: str) -> QToolButton:
        made = QToolButton()
        made.setProperty("role", "tool")
        made.setIconSize(QSize(18, 18))
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        if name not in ("background", "expression"):
            made.clicked.connect(lambda: self.asked.emit(name))
        self.buttons[name] = made
        return made

    def show_state(self, paused: bool, recording: bool) -> None:
        """Show what a click on each button would do now."""
        texts = {
            "pause": self.tr("Resume") if paused else self.tr("Pause"),
            "record": self.tr("Stop") if recording else self.tr("Record"),
            "snapshot": self.tr("Photo"),
            "background": self.tr("Background"),
            "expression": self.tr("Expression"),
            "full-screen": self.tr("Full screen"),
        }
        for name, text in texts.items():
            self.buttons[name].setText(text)
        if (paused, recording) != (self._paused, self._recording):
            self._paused, self._recording = paused, recording
            self.draw_icons()

    def show_keys(self, keys: dict[str, str]) -> None:
        """Show the keys in the tooltips: action -> key."""
        tips = {
            "pause": self.tr("Others see a still card during a pause"),
            "record": self.tr("Record what others see"),
            "snapshot": self.tr("Save what others see as a picture"),
            "background": self.tr("What is behind the avatar"),
            "expression": self.tr("Have the avatar smile, wink and more for a moment"),
            "full-screen": self.tr("Only the picture, on the whole screen"),
        }
        for name, button in self.buttons.items():
            key = keys.get(name, "")
            button.setToolTip(tip(f"{tips[name]} ({key})" if key else tips[name]))

    def draw_icons(self) -> None:
        """Draw the icons in the theme's colours."""
        now = {"pause": "resume"} if self._paused else {}
        if self._recording:
            now["record"] = "stop"
        for name, button in self.buttons.items():
            button.setIcon(icon(now.get(name, SIGNS[name]), current(self).bad if name == "record" else None))
