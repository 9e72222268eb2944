"""The header: what others see, activity, key figures, settings and menu."""

from __future__ import annotations

import time

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QToolButton, QWidget

from avatar_app.gui.headline import Headline
from avatar_app.gui.style.icons import icon
from avatar_app.gui.style.theme import restyle
from avatar_app.gui.style.widgets import ElidedLabel, fill, label, tip
from avatar_app.session.controls import Status

DOTS = {"good": "●", "info": "○", "warning": "●", "bad": "●"}


class Header(QWidget):
    """The line at the top; ``asked`` carries the name of an action."""

    asked = Signal(str)

    def __init__(self, menu: QMenu, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = QPushButton()
        self.state.setObjectName("state")
        self.state.setProperty("role", "state")
        self.recording = label("", "recording")
        self.recording.hide()
        self.activity = ElidedLabel("muted")
        self.figures = label("", "muted")
        self.figures.setToolTip(
            self.tr(
                "New avatar frames per second, and the time from the camera's frame to the sent picture.\n"
                "Press I for more."
            )
        )
        self.settings = self._tool("sliders", self.tr("Settings"), "show-panel")
        self.settings.setCheckable(True)
        self.menu = self._tool("menu", self.tr("Menu"), "")
        self.menu.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu.setMenu(menu)
        line = fill(QHBoxLayout(self), self.state, self.recording, (self.activity, 1), margins=0, spacing=8)
        for piece in (self.figures, self.settings, self.menu):
            line.addWidget(piece)
        self._headline = Headline("info", "")
        self._recording_since: float | None = None
        self.state.clicked.connect(lambda: self.asked.emit(self._headline.action))
        self.draw_icons()

    def _tool(self, sign: str, text: str, action: str) -> QToolButton:
        made = QToolButton()
        made.setProperty("role", "plain")
        made.setProperty("sign", sign)
        made.setIconSize(QSize(18, 18))
        made.setToolTip(tip(text))
        made.setAccessibleName(text)
        if action:
            made.clicked.connect(lambda: self.asked.emit(action))
        return made

    def draw_icons(self) -> None:
        """Draw the icons in the theme's colours."""
        for button in (self.settings, self.menu):
            button.setIcon(icon(button.property("sign")))

    def show_headline(self, headline: Headline) -> None:
        """Show what others see; screen readers announce each change."""
        if headline == self._headline and self.state.text():
            return
        self._headline = headline
        self.state.setText(f"{DOTS[headline.kind]}  {headline.text}")
        self.state.setAccessibleName(headline.text)
        clickable = bool(headline.action)
        self.state.setCursor(Qt.CursorShape.PointingHandCursor if clickable else Qt.CursorShape.ArrowCursor)
        self.state.setFocusPolicy(Qt.FocusPolicy.TabFocus if clickable else Qt.FocusPolicy.NoFocus)
        restyle(self.state, badge=headline.kind)
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, headline.text))

    def show_status(self, status: Status, now: float | None = None) -> None:
        """Show loading, the figures and the duration of a recording."""
        self.activity.setText(self.tr("Loading: {0}").format(status.loading) if status.loading else "")
        figures = status.statistics
        self.figures.setText(
            self.tr("{0:.0f} fps · {1:.0f} ms").format(figures.avatar_fps, figures.latency_p50)
            if status.shows == "avatar" and figures.avatar_fps
            else ""
        )
        now = time.monotonic() if now is None else now
        if status.recording is None:
            self._recording_since = None
        elif self._recording_since is None:
            self._recording_since = now
        self.recording.setVisible(status.recording is not None)
        if self._recording_since is not None:
            self.recording.setText(self.tr("● REC {0}").format(clock(now - self._recording_since)))


def clock(seconds: float) -> str:
    """Format ``00:12``, and ``1:02:03`` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
