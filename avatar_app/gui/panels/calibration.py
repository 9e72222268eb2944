"""Calibrating: one large button, how well the user's pose fits the photo's, and what to change."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from avatar_app.gui.language.texts import hint
from avatar_app.gui.panels.preview import PictureView
from avatar_app.gui.style.icons import icon
from avatar_app.gui.style.theme import current
from avatar_app.gui.style.widgets import Badge, Meter, label
from avatar_app.session.controls import Status
from avatar_app.types import Image

PARTS = ("head", "expression", "position")
MARGIN, GAP = 14, 18
SMALLEST_PHOTO, LARGEST_PHOTO = 110, 260


def hint_for(status: Status, seeking: bool = False) -> str:
    """Name of the hint that helps most now."""
    if status.loading or status.reason == "starting":
        return "loading"
    if status.reason == "no-avatar":
        return "no-avatar"
    if status.calibrating is not None:
        return "hold"
    if status.match is None:
        unseen = "no-face" if status.camera else "no-camera"
        return "paused" if status.reason == "paused" else unseen
    worst = min(PARTS, key=lambda part: getattr(status.match, part))
    fits = getattr(status.match, worst) >= Meter.ENOUGH
    if status.calibrated and not seeking:
        return "good" if fits else "live" if status.shows == "avatar" else worst
    return "ready" if fits else worst


class CalibrationPanel(QFrame):
    """Shows ``Status`` and asks for actions by their names in ``shortcuts.ACTIONS``."""

    MOST = 2 * MARGIN + LARGEST_PHOTO
    """Height from which more would only be empty, in pixels."""

    asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.calibrate = QPushButton(self.tr("Calibrate"))
        self.calibrate.setProperty("role", "primary")
        self.calibrate.setMinimumHeight(44)
        self.calibrate.setIconSize(QSize(20, 20))
        self.find_best = QPushButton(self.tr("Find best moment"))
        self.find_best.setCheckable(True)
        self.find_best.setToolTip(
            self.tr("Watches you and calibrates by itself whenever you look more like the photo than before.")
        )
        self.ghost = QPushButton(self.tr("Photo overlay"))
        self.ghost.setCheckable(True)
        for button in (self.find_best, self.ghost):
            button.setMinimumHeight(44)
        self.ghost.setToolTip(self.tr("Lays the photo over your camera picture, on this screen alone."))
        self.photo = PictureView()
        self.photo.ground = QPalette.ColorRole.AlternateBase
        self.photo.hide()
        self.photo.setAccessibleName(self.tr("The pose to imitate"))
        self.photo.setToolTip(self.tr("The pose to imitate"))
        self._portrait: Image | None = None
        self.state = Badge()
        self.progress = Meter(4, groove=False)
        self.hint = label("", "heading", wrap=True)
        self.hint.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.meters = {name: Meter(10 if name == "score" else 6) for name in ("score", *PARTS)}
        self.values = {name: label("", "heading" if name == "score" else "muted") for name in self.meters}
        self.found = label("", "muted")
        self._texts = {
            "score": self.tr("Match"),
            "head": self.tr("Head"),
            "expression": self.tr("Expression"),
            "position": self.tr("Position"),
        }
        self._build()
        for name, button in (
            ("calibrate", self.calibrate),
            ("find-best", self.find_best),
            ("ghost", self.ghost),
        ):
            button.clicked.connect(lambda _=False, name=name: self.asked.emit(name))
        self.draw_icons()
        self.show_status(Status())

    def _build(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.hint, 1)
        top.addWidget(self.state, 0, Qt.AlignmentFlag.AlignTop)
        bars = QGridLayout()
        bars.setHorizontalSpacing(12)
        bars.setVerticalSpacing(5)
        bars.setColumnStretch(1, 1)
        for number, (name, meter) in enumerate(self.meters.items()):
            meter.setAccessibleName(self._texts[name])
            self.values[name].setFixedWidth(self.fontMetrics().horizontalAdvance("100 %") + 4)
            self.values[name].setAlignment(Qt.AlignmentFlag.AlignRight)
            bars.addWidget(label(self._texts[name], "heading" if name == "score" else "muted"), number, 0)
            bars.addWidget(meter, number, 1)
            bars.addWidget(self.values[name], number, 2)
        buttons = QHBoxLayout()
        buttons.setSpacing(7)
        buttons.addWidget(self.calibrate, 2)
        buttons.addWidget(self.find_best, 1)
        buttons.addWidget(self.ghost, 1)
        self._right = right = QVBoxLayout()
        right.setSpacing(6)
        right.addLayout(top)
        right.addStretch(1)
        right.addLayout(bars)
        right.addWidget(self.found)
        right.addStretch(1)
        right.addWidget(self.progress)
        right.addLayout(buttons)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        whole.setSpacing(GAP)
        whole.addWidget(self.photo, 0, Qt.AlignmentFlag.AlignTop)
        whole.addLayout(right, 1)
        self.found.hide()

    def least(self) -> int:
        """Height that it needs, in pixels."""
        line = self.fontMetrics().lineSpacing()
        return 2 * MARGIN + self.calibrate.minimumHeight() + 6 * (line + 5)

    def least_width(self) -> int:
        """Width that it needs beside the smallest photo, in pixels."""
        return self._right.minimumSize().width() + 2 * MARGIN + GAP + SMALLEST_PHOTO

    def set_room(self, width: int, height: int) -> None:
        """Fit the photo into a panel of this size."""
        room = min(height - 2 * MARGIN, width - self.least_width() + SMALLEST_PHOTO)
        side = min(max(room, SMALLEST_PHOTO), LARGEST_PHOTO)
        self.photo.setFixedSize(side, side)

    def set_keys(self, calibrate: str, find_best: str, ghost: str) -> None:
        """Show the keys on the buttons."""
        for button, text, key in (
            (self.calibrate, self.tr("Calibrate"), calibrate),
            (self.find_best, self.tr("Find best"), find_best),
            (self.ghost, self.tr("Overlay"), ghost),
        ):
            button.setText(f"{text}  ({key})" if key else text)

    def draw_icons(self) -> None:
        """Draw them in the colours of the theme."""
        theme = current(self)
        self.calibrate.setIcon(icon("target", theme.on_accent))
        self.find_best.setIcon(icon("star"))
        self.ghost.setIcon(icon("ghost"))

    def show_portrait(self, portrait: Image | None) -> None:
        """Show this photo as the pose to imitate."""
        if portrait is not self._portrait:
            self._portrait = portrait
            self.photo.set_picture(portrait)
            self.photo.setVisible(portrait is not None)

    def show_status(self, status: Status) -> None:
        match = status.match
        for name, meter in self.meters.items():
            value = getattr(match, name) if match else None
            meter.set_value(value)
            self.values[name].setText("-" if value is None else f"{value:.0%}")
        self.hint.setText(hint(hint_for(status, self.find_best.isChecked())))
        self.progress.set_value(status.calibrating)
        if status.calibrating is not None:
            self.state.say(self.tr("Calibrating"), "info")
        elif status.calibrated:
            self.state.say(self.tr("Calibrated"), "good")
        else:
            self.state.say(self.tr("Not calibrated"), "warning")
        self.calibrate.setEnabled(status.reason not in ("starting", "no-avatar"))
        self.found.setText(self.tr("Better moments found: {0}").format(status.found))
        self.found.setVisible(self.find_best.isChecked() and status.found > 0)
