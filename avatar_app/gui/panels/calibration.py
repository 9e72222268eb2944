"""The calibration panel: the photo to imitate, match, hints, button, countdown."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from avatar_app.gui.language.texts import hint
from avatar_app.gui.panels.preview import PictureView
from avatar_app.gui.style.icons import icon
from avatar_app.gui.style.theme import current, restyle
from avatar_app.gui.style.widgets import STRETCH, Meter, fill, label
from avatar_app.session.controls import Status
from avatar_app.types import Image

PARTS = ("head", "expression", "position")
PHOTO, PHOTO_COMPACT = 104, 64
WIDTH = 430


def hint_for(status: Status, seeking: bool = False) -> str:
    """Return the name of the most helpful hint."""
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


class Countdown(QTimer):
    """Counts seconds down, for users who have to look away from the button.

    Emits ``done`` at the end.
    """

    SECONDS = 3
    changed = Signal(int)
    done = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, interval=1000)
        self.left = 0
        self.timeout.connect(self._tick)

    def begin(self) -> None:
        """Start, or start over."""
        self._show(self.SECONDS)
        self.start()

    def cancel(self) -> None:
        self.stop()
        self._show(0)

    def _tick(self) -> None:
        if self.left > 1:
            self._show(self.left - 1)
            return
        self.cancel()
        self.done.emit()

    def _show(self, left: int) -> None:
        self.left = left
        self.changed.emit(left)


class CalibrationPanel(QFrame):
    """Shows ``Status`` and asks for actions by their names in ``shortcuts.ACTIONS``."""

    asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.calibrate = QPushButton(self.tr("Calibrate"))
        self.calibrate.setProperty("role", "primary")
        self.find_best = QPushButton(self.tr("Find best moment"))
        self.find_best.setToolTip(
            self.tr("Watches you and calibrates by itself whenever you look more like the photo than before.")
        )
        self.ghost = QPushButton()
        self.ghost.setToolTip(self.tr("Lays the photo over your camera picture, only on this screen."))
        self.ghost.setAccessibleName(self.tr("Photo overlay"))
        for button in (self.find_best, self.ghost):
            button.setCheckable(True)
        self.photo = PictureView()
        self.photo.ground = QPalette.ColorRole.AlternateBase
        self.photo.setFixedSize(PHOTO, PHOTO)
        self.photo.setAccessibleName(self.tr("The pose to imitate"))
        self.photo.setToolTip(self.tr("The pose to imitate"))
        self.hint = label("", "heading", wrap=True)
        self.hint.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.meters = {name: Meter(8 if name == "score" else 5) for name in ("score", *PARTS)}
        self.found = label("", "muted")
        self.countdown = Countdown(self)
        self._portrait: Image | None = None
        self._lines: dict[str, QWidget] = {}
        self._build()
        self.calibrate.clicked.connect(self._press)
        self.find_best.clicked.connect(lambda: self.asked.emit("find-best"))
        self.ghost.clicked.connect(lambda: self.asked.emit("ghost"))
        self.countdown.done.connect(lambda: self.asked.emit("calibrate"))
        self.draw_icons()
        self.show_status(Status())

    def _build(self) -> None:
        texts = {
            "score": self.tr("Match"),
            "head": self.tr("Head"),
            "expression": self.tr("Expression"),
            "position": self.tr("Position"),
        }
        self._bars = QWidget()
        column = fill(QVBoxLayout(self._bars), margins=0, spacing=1)
        width = max(self.fontMetrics().horizontalAdvance(text) for text in texts.values()) * 11 // 10
        for name, meter in self.meters.items():
            words = label(texts[name], "heading" if name == "score" else "muted")
            words.setFixedWidth(width)
            words.setBuddy(meter)
            meter.setAccessibleName(texts[name])
            self._lines[name] = QWidget()
            fill(QHBoxLayout(self._lines[name]), words, (meter, 1), margins=0, spacing=10)
            column.addWidget(self._lines[name])
        right = fill(QVBoxLayout(), self.hint, self.found, STRETCH, self._bars, spacing=4)
        top = QHBoxLayout()
        top.setSpacing(14)
        top.addWidget(self.photo, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(right, 1)
        buttons = fill(QHBoxLayout(), (self.calibrate, 1), self.find_best, self.ghost, spacing=6)
        fill(QVBoxLayout(self), (top, 1), buttons, margins=12, spacing=10)
        self.found.hide()

    def sizeHint(self) -> QSize:
        return QSize(max(WIDTH, self.minimumSizeHint().width()), super().sizeHint().height())

    def set_compact(self, compact: bool) -> None:
        """Show only the overall match, to save space."""
        side = PHOTO_COMPACT if compact else PHOTO
        if self.photo.width() != side:
            self.photo.setFixedSize(side, side)
            for part in PARTS:
                self._lines[part].setVisible(not compact)

    def emphasise(self, on: bool) -> None:
        """Emphasise calibrating as the next thing to do."""
        role = "primary" if on else ""
        if self.calibrate.property("role") != role:
            restyle(self.calibrate, role=role)
            self.draw_icons()

    def set_keys(self, calibrate: str, find_best: str, ghost: str) -> None:
        """Show the keys on the buttons."""
        for button, text, key in (
            (self.calibrate, self.tr("Calibrate"), calibrate),
            (self.find_best, self.tr("Find best"), find_best),
            (self.ghost, "", ghost),
        ):
            button.setText(f"{text}  ({key})" if key and text else text or key)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self.draw_icons()

    def draw_icons(self) -> None:
        """Draw the icons in the theme's colours."""
        primary = self.calibrate.property("role") == "primary"
        self.calibrate.setIcon(icon("target", current(self).on_accent if primary else None))
        self.find_best.setIcon(icon("star"))
        self.ghost.setIcon(icon("ghost"))

    def _press(self) -> None:
        """Start the countdown; a second press skips it."""
        if self.countdown.left:
            self.countdown.cancel()
            self.asked.emit("calibrate")
        else:
            self.countdown.begin()

    def show_portrait(self, portrait: Image | None) -> None:
        """Show this photo as the pose to imitate."""
        if portrait is not self._portrait:
            self._portrait = portrait
            self.photo.set_picture(portrait)

    def is_needed(self, status: Status) -> bool:
        """Whether it helps now: there is an avatar that is not calibrated."""
        if status.reason in ("starting", "no-avatar") or status.shows == "self":
            return False
        busy = status.calibrating is not None or self.countdown.left > 0 or self.find_best.isChecked()
        return busy or not status.calibrated

    def show_status(self, status: Status) -> None:
        match = status.match if status.calibrating is None else None
        for name, meter in self.meters.items():
            meter.set_share(getattr(match, name) if match else None)
        self._bars.setVisible(match is not None)
        self.hint.setText(
            hint("countdown") if self.countdown.left else hint(hint_for(status, self.find_best.isChecked()))
        )
        self.calibrate.setEnabled(status.reason not in ("starting", "no-avatar"))
        self.found.setText(self.tr("Better moments found: {0}").format(status.found))
        self.found.setVisible(self.find_best.isChecked() and status.found > 0)
