"""Calibrating: one large button, how well the user's pose fits the photo's, and what to change."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPainterPath, QPixmap
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from avatar_app.gui.icons import icon
from avatar_app.gui.pictures import to_qimage
from avatar_app.gui.preview import scaled
from avatar_app.gui.texts import hint
from avatar_app.gui.theme import current
from avatar_app.gui.widgets import Badge, Meter, label
from avatar_app.pipeline.state import Status
from avatar_app.types import Image

PARTS = ("head", "expression", "position")
PHOTO = 132


def hint_for(status: Status) -> str:
    """Name of the hint that helps most now."""
    if status.loading or status.reason == "starting":
        return "loading"
    if status.reason == "no-avatar":
        return "no-avatar"
    if status.calibrating is not None:
        return "hold"
    if status.match is None:
        return "paused" if status.reason == "paused" else "no-face"
    worst = min(PARTS, key=lambda part: getattr(status.match, part))
    if getattr(status.match, worst) < Meter.ENOUGH:
        return worst
    return "good" if status.calibrated else "ready"


def rounded(picture: QPixmap, radius: float) -> QPixmap:
    """The picture with round corners."""
    made = QPixmap(picture.size())
    made.fill(Qt.GlobalColor.transparent)
    path = QPainterPath()
    path.addRoundedRect(picture.rect(), radius, radius)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setClipPath(path)
    painter.drawPixmap(0, 0, picture)
    painter.end()
    return made


class CalibrationPanel(QFrame):
    """Shows ``Status`` and asks for actions by their names in ``shortcuts.ACTIONS``."""

    asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.calibrate = QPushButton(self.tr("Calibrate"))
        self.calibrate.setProperty("role", "primary")
        self.calibrate.setMinimumHeight(46)
        self.calibrate.setIconSize(QSize(20, 20))
        self.find_best = QPushButton(self.tr("Find best moment"))
        self.find_best.setCheckable(True)
        self.find_best.setToolTip(self.tr("Watches you and calibrates by itself whenever you look more like the photo than before."))
        self.ghost = QPushButton(self.tr("Photo overlay"))
        self.ghost.setCheckable(True)
        self.ghost.setToolTip(self.tr("Lays the photo over your camera picture, on this screen alone."))
        self.photo = label()
        self.photo.setFixedSize(PHOTO, PHOTO)
        self.photo.setAccessibleName(self.tr("The pose to imitate"))
        self.photo.setToolTip(self.tr("The pose to imitate"))
        self._portrait: Image | None = None
        self._roomy = True
        self.state = Badge()
        self.progress = QProgressBar()
        self.progress.setRange(0, 100)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.hint = label("", wrap=True)
        self.hint.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.total = label("", "title")
        self.meters = {name: Meter() for name in ("score", *PARTS)}
        self.found = label("", "muted")
        self._texts = {
            "score": self.tr("Match"),
            "head": self.tr("Head"),
            "expression": self.tr("Expression"),
            "position": self.tr("Position"),
        }
        self._build()
        for name, button in (("calibrate", self.calibrate), ("find-best", self.find_best), ("ghost", self.ghost)):
            button.clicked.connect(lambda _=False, name=name: self.asked.emit(name))
        self.draw_icons()
        self.show_status(Status())

    def _build(self) -> None:
        buttons = QVBoxLayout()
        buttons.setSpacing(7)
        buttons.addWidget(self.calibrate)
        buttons.addWidget(self.progress)
        pair = QHBoxLayout()
        pair.setSpacing(7)
        pair.addWidget(self.find_best, 1)
        pair.addWidget(self.ghost, 1)
        buttons.addLayout(pair)
        buttons.addStretch(1)
        top = QHBoxLayout()
        top.addWidget(self.hint, 1)
        top.addWidget(self.state)
        bars = QGridLayout()
        bars.setHorizontalSpacing(10)
        bars.setVerticalSpacing(2)
        for number, (name, meter) in enumerate(self.meters.items()):
            meter.setAccessibleName(self._texts[name])
            line, column = divmod(number, 2)
            bars.addWidget(label(self._texts[name], "heading" if name == "score" else "muted"), line, column * 2)
            bars.addWidget(meter, line, column * 2 + 1)
        bars.setColumnStretch(1, 1)
        bars.setColumnStretch(3, 1)
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addLayout(top)
        right.addLayout(bars)
        right.addWidget(self.found)
        right.addStretch(1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(14, 12, 14, 12)
        whole.setSpacing(18)
        whole.addWidget(self.photo, 0, Qt.AlignmentFlag.AlignTop)
        whole.addLayout(buttons)
        whole.addLayout(right, 1)
        self.found.hide()

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
            if portrait is not None:
                side = round(PHOTO * self.devicePixelRatioF())
                drawn = rounded(QPixmap.fromImage(to_qimage(scaled(portrait, side, side))), 8 * self.devicePixelRatioF())
                drawn.setDevicePixelRatio(self.devicePixelRatioF())
                self.photo.setPixmap(drawn)
        self.photo.setVisible(self._roomy and portrait is not None)

    def set_roomy(self, roomy: bool) -> None:
        """Leave the photo out where the window is low."""
        self._roomy = roomy
        self.photo.setVisible(roomy and self._portrait is not None)

    def show_status(self, status: Status) -> None:
        match = status.match
        for name, meter in self.meters.items():
            meter.set_value(getattr(match, name) if match else None)
        self.hint.setText(hint(hint_for(status)))
        # Kept in the layout while idle, so that nothing jumps when a calibration begins.
        self.progress.setValue(round((status.calibrating or 0) * 100))
        if status.calibrating is not None:
            self.state.say(self.tr("Calibrating"), "info")
        elif status.calibrated:
            self.state.say(self.tr("Calibrated"), "good")
        else:
            self.state.say(self.tr("Not calibrated"), "warning")
        self.calibrate.setEnabled(status.reason not in ("starting", "no-avatar"))
        self.found.setText(self.tr("Better moments found: {0}").format(status.found))
        self.found.setVisible(self.find_best.isChecked() and status.found > 0)
