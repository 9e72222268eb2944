"""The line at the bottom: what is going on, and the figures that matter."""

from __future__ import annotations

from PySide6.QtWidgets import QStatusBar, QWidget

from avatar_app.gui.style.widgets import label
from avatar_app.session.controls import Status

MESSAGE_MS = 6000


class StatusLine(QStatusBar):
    """Left: what is loading or was just done. Right: camera, model, rates and age."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self.setContentsMargins(10, 0, 10, 2)
        self.activity = label("", "muted")
        self.engine = label("", "muted")
        self.figures = label("", "muted")
        self.figures.setToolTip(
            self.tr("New avatar pictures a second, and how old a picture is when the call gets it")
        )
        self.addWidget(self.activity, 1)
        self.addPermanentWidget(self.engine)
        self.addPermanentWidget(self.figures)

    def say(self, text: str) -> None:
        """Tell of something that was just done."""
        self.showMessage(text, MESSAGE_MS)

    def show_status(self, status: Status) -> None:
        figures = status.statistics
        if status.loading:
            self.activity.setText(self.tr("Loading: {0}").format(status.loading))
        elif status.recording is not None:
            self.activity.setText(self.tr("Recording to {0}").format(status.recording.name))
        else:
            self.activity.setText("")
        self.engine.setText(f"{status.engine}   " if status.engine else "")
        if status.shows == "avatar" and figures.avatar_fps:
            self.figures.setText(
                self.tr("{0:.0f} fps, {1:.0f} ms old").format(figures.avatar_fps, figures.latency_p50)
            )
        else:
            self.figures.setText("")
